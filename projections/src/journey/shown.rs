//! Fields and values as they are shown: things by their names, what was forgotten as forgotten.

use chrono::{DateTime, Utc};
use domain::{Position, StreamId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{meaning::Fact, questions::history::HistoryRow};

/// One value for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shown {
    /// The value in words; absent where it was forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What else is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The thing that is meant, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thing: Option<StreamId>,
    /// It was there and was forgotten.
    #[serde(default, skip_serializing_if = "is_false")]
    pub forgotten: bool,
    /// It was there and cannot be read, although nobody erased it: its key is gone.
    #[serde(default, skip_serializing_if = "is_false")]
    pub lost: bool,
}

impl Shown {
    /// What stands in the place of a text that cannot be read.
    pub const fn instead(&self) -> Option<&'static str> {
        match self {
            Self { lost: true, .. } => Some("lost"),
            Self { forgotten: true, .. } => Some("erased"),
            _ => None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// What happened to one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldChange {
    /// The field, by the name under which it can be asked for.
    pub field: String,
    /// The field for people.
    pub label: String,
    /// What it was; empty where it had no value. A set has several.
    pub before: Vec<Shown>,
    /// What it is from then on; empty where it has no value any more.
    pub after: Vec<Shown>,
    /// Nothing changed: what was said was so already.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unchanged: bool,
}

/// A field as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldValue {
    /// The field, by the name under which it can be asked for.
    pub field: String,
    /// The field for people.
    pub label: String,
    /// What it is; empty where it has no value any more.
    pub values: Vec<Shown>,
    /// The position of the event that last changed it.
    pub because: Position,
}

/// The earlier event that a correction corrects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Corrected {
    /// Its id.
    pub event: Uuid,
    /// Its place in the log.
    pub position: Position,
    /// Its number in its stream.
    pub revision: u64,
    /// When it was so.
    pub happened_at: DateTime<Utc>,
}

impl From<Fact> for Corrected {
    fn from(fact: Fact) -> Self {
        let Fact { event, position, revision, happened_at, .. } = fact;
        Self { event: event.0, position, revision, happened_at }
    }
}

/// One event, and what it changed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// The event with its envelope.
    #[serde(flatten)]
    pub row: HistoryRow,
    /// What it changed; empty where it changed nothing.
    pub changes: Vec<FieldChange>,
    /// The event that it corrects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrected: Option<Corrected>,
}
