//! A disclosure: people were shown to somebody. It says who looked at what, and holds nothing about those shown but
//! their ids.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{event::Concerns, ids::ContactId, role::Role};

/// What somebody looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To audit.
    Audit,
    /// Because the person asked what is held about them.
    SubjectRequest,
    /// Because a law or a court demands it.
    LegalRequest,
    /// To report to those who give or decide.
    Reporting,
    /// To mend data or the program.
    Maintenance,
    /// Anything else.
    Other,
}

/// In which way people were shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// Read on a screen.
    Read,
    /// Taken away as a file.
    Export,
    /// Shown in a report.
    Report,
    /// Followed as it happened.
    Feed,
}

/// What can happen to a disclosure. Who read is the event's writer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum DisclosureEvent {
    /// People were shown.
    #[serde(rename = "disclosure.recorded")]
    Recorded {
        /// What the reader's token allowed.
        role: Role,
        /// What for.
        purpose: Purpose,
        /// How.
        manner: Manner,
        /// Which view was asked, or `events` for the log itself.
        view: String,
        /// Its parameters as a query string, without those that are personal.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        query: String,
        /// How many events the log held when it was answered: the same question as of this size has the same answer.
        size: u64,
        /// How many rows were shown.
        rows: u64,
        /// Who was shown, where the question cannot be asked again because it was itself personal.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        shown: Vec<ContactId>,
    },
}

impl Concerns for DisclosureEvent {
    fn contacts(&self) -> Vec<ContactId> {
        // Those who were shown learn of it from the view of disclosures: reading a history must not make it longer.
        Vec::new()
    }
}
