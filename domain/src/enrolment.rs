//! An enrolment: one contact's way through one program.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    event::Concerns,
    ids::{ContactId, EventId, ProgramId},
};

/// In which role somebody takes part in a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnrolmentRole {
    /// Is served by it.
    #[default]
    Participant,
    /// Helps without pay.
    Volunteer,
    /// Delivers it.
    Provider,
}

/// What can happen to an enrolment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum EnrolmentEvent {
    /// Somebody joined a program.
    #[serde(rename = "enrolment.enrolled")]
    Enrolled {
        /// Who.
        contact: ContactId,
        /// In which program.
        program: ProgramId,
        /// With whom they started: `2013J`, `Fall 2024`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cohort: Option<String>,
        /// In which role.
        #[serde(default)]
        role: EnrolmentRole,
    },
    /// Reached another stage.
    #[serde(rename = "enrolment.advanced")]
    Advanced {
        /// The stage from now on.
        stage: String,
    },
    /// Went through to the end.
    #[serde(rename = "enrolment.completed")]
    Completed {
        /// With which result.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<String>,
    },
    /// Left before the end.
    #[serde(rename = "enrolment.withdrawn")]
    Withdrawn {},
    /// Came back after leaving or completing.
    #[serde(rename = "enrolment.reinstated")]
    Reinstated {},
    /// Something said about it earlier was wrong.
    #[serde(rename = "enrolment.corrected")]
    Corrected {
        /// The event that was wrong.
        fact: EventId,
        /// The real cohort.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cohort: Option<String>,
        /// The real role.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<EnrolmentRole>,
    },
    /// Was recorded in error and counts nowhere.
    #[serde(rename = "enrolment.voided")]
    Voided {},
}

/// How an enrolment stands after its events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnrolmentStatus {
    /// Takes part.
    #[default]
    Enrolled,
    /// Went through to the end.
    Completed,
    /// Left before the end.
    Withdrawn,
}

impl EnrolmentStatus {
    /// How an enrolment stands after one more event.
    #[must_use]
    pub const fn after(self, event: &EnrolmentEvent) -> Self {
        match event {
            EnrolmentEvent::Enrolled { .. } | EnrolmentEvent::Reinstated {} => Self::Enrolled,
            EnrolmentEvent::Completed { .. } => Self::Completed,
            EnrolmentEvent::Withdrawn {} => Self::Withdrawn,
            EnrolmentEvent::Advanced { .. }
            | EnrolmentEvent::Corrected { .. }
            | EnrolmentEvent::Voided {} => self,
        }
    }
}

impl Concerns for EnrolmentEvent {
    fn contacts(&self) -> Vec<ContactId> {
        match self {
            Self::Enrolled { contact, .. } => vec![*contact],
            Self::Advanced { .. }
            | Self::Completed { .. }
            | Self::Withdrawn { .. }
            | Self::Reinstated { .. }
            | Self::Corrected { .. }
            | Self::Voided { .. } => Vec::new(),
        }
    }
}
