//! A gathering: a calendar event that people register for and attend.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    event::Concerns,
    ids::{ContactId, EventId, ProgramId},
    moment,
};

/// How an attendance was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttendanceMethod {
    /// Checked in by staff.
    CheckIn,
    /// Scanned a code.
    Scan,
    /// Took part online.
    Online,
    /// Handed something in.
    Submission,
    /// Entered afterwards from a list.
    List,
}

/// What can happen to a gathering.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum GatheringEvent {
    /// Was planned.
    #[serde(rename = "gathering.scheduled")]
    Scheduled {
        /// Its name.
        name: String,
        /// What sort of gathering: `workshop`, `dinner`, `assessment`…
        #[serde(rename = "type")]
        gathering_type: String,
        /// The program that it is part of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        program: Option<ProgramId>,
        /// The cohort that it is held for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cohort: Option<String>,
        /// When it begins, where known.
        #[serde(default, deserialize_with = "moment::maybe_moment", skip_serializing_if = "Option::is_none")]
        starts_at: Option<DateTime<Utc>>,
        /// When it ends, where known.
        #[serde(default, deserialize_with = "moment::maybe_moment", skip_serializing_if = "Option::is_none")]
        ends_at: Option<DateTime<Utc>>,
        /// Where it takes place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        place: Option<String>,
    },
    /// Takes place at another time.
    #[serde(rename = "gathering.rescheduled")]
    Rescheduled {
        /// When it begins.
        #[serde(deserialize_with = "moment::moment")]
        starts_at: DateTime<Utc>,
        /// When it ends, where known.
        #[serde(default, deserialize_with = "moment::maybe_moment", skip_serializing_if = "Option::is_none")]
        ends_at: Option<DateTime<Utc>>,
    },
    /// Does not take place.
    #[serde(rename = "gathering.cancelled")]
    Cancelled {},
    /// Somebody means to come.
    #[serde(rename = "gathering.student_registered")]
    StudentRegistered {
        /// Who.
        contact: ContactId,
    },
    /// Somebody came.
    #[serde(rename = "gathering.student_attended")]
    StudentAttended {
        /// Who.
        contact: ContactId,
        /// How it was noticed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        method: Option<AttendanceMethod>,
    },
    /// Somebody said beforehand that they could not come.
    #[serde(rename = "gathering.student_excused")]
    StudentExcused {
        /// Who.
        contact: ContactId,
    },
    /// Somebody was expected and did not come.
    #[serde(rename = "gathering.student_missed")]
    StudentMissed {
        /// Who.
        contact: ContactId,
    },
    /// What was said about somebody's presence was wrong and counts nowhere.
    #[serde(rename = "gathering.presence_voided")]
    PresenceVoided {
        /// Whose presence.
        contact: ContactId,
        /// The event that was wrong.
        fact: EventId,
    },
    /// People were counted without being named.
    #[serde(rename = "gathering.headcount_recorded")]
    HeadcountRecorded {
        /// How many; replaces an earlier count.
        people: u32,
    },
    /// Was planned in error and counts nowhere.
    #[serde(rename = "gathering.voided")]
    Voided {},
}

/// What came of it that somebody was to be at a gathering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Attendance {
    /// They came.
    Attended,
    /// They said beforehand that they could not come.
    Excused,
    /// They were expected and did not come.
    Missed,
}

/// What is known of one contact at one gathering: whether they mean to come, and what came of it; each with what
/// else the reader keeps of it, a day for example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence<T> {
    /// That they registered.
    pub registered: Option<T>,
    /// What came of it.
    pub attendance: Option<(Attendance, T)>,
}

impl<T> Default for Presence<T> {
    fn default() -> Self {
        Self { registered: None, attendance: None }
    }
}

impl<T: Copy> Presence<T> {
    /// What is known after one more event about the contact; `with` is what is kept of the event.
    #[must_use]
    pub fn after(self, event: &GatheringEvent, with: T) -> Self {
        let came = |attendance| Self { attendance: Some((attendance, with)), ..self };
        match event {
            // Whoever registers again after being excused means to come after all.
            GatheringEvent::StudentRegistered { .. } => {
                Self { registered: self.registered.or(Some(with)), attendance: None }
            }
            GatheringEvent::StudentAttended { .. } => came(Attendance::Attended),
            GatheringEvent::StudentExcused { .. } => came(Attendance::Excused),
            GatheringEvent::StudentMissed { .. } => came(Attendance::Missed),
            // What was said last is what was wrong: what came of it, else that they had registered.
            GatheringEvent::PresenceVoided { .. } => match self.attendance {
                Some(_) => Self { attendance: None, ..self },
                None => Self::default(),
            },
            GatheringEvent::Scheduled { .. }
            | GatheringEvent::Rescheduled { .. }
            | GatheringEvent::Cancelled {}
            | GatheringEvent::HeadcountRecorded { .. }
            | GatheringEvent::Voided {} => self,
        }
    }
}

impl Concerns for GatheringEvent {
    fn contacts(&self) -> Vec<ContactId> {
        match self {
            Self::StudentRegistered { contact }
            | Self::StudentAttended { contact, .. }
            | Self::StudentExcused { contact }
            | Self::StudentMissed { contact }
            | Self::PresenceVoided { contact, .. } => vec![*contact],
            Self::Scheduled { .. }
            | Self::Rescheduled { .. }
            | Self::Cancelled { .. }
            | Self::HeadcountRecorded { .. }
            | Self::Voided { .. } => Vec::new(),
        }
    }
}
