//! A command on its way in: what is asked, of what, by whom.

use std::{any::Any, sync::Arc};

use chrono::{DateTime, NaiveDate, Utc};
use domain::{Actor, CommandKey, EventId, Kind, Role, Source};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::kit::identity;

/// Who sends commands: the bearer of a token, the user of the command line, an import or a policy.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The name under which events are recorded.
    pub by: Actor,
    /// What they may do.
    pub role: Role,
    /// Whether the program itself sends on their behalf what no role may send: that they were shown people, or
    /// that they granted a token.
    pub system: bool,
}

/// One command with everything that comes with it.
#[derive(Clone, Debug)]
pub struct Command {
    /// What kind of thing it is about.
    pub kind: Kind,
    /// Which one.
    pub id: Uuid,
    /// What is asked, with its fields and circumstances.
    pub body: Body,
    /// Who asks.
    pub sender: Sender,
    /// The sender's own key, under which the command is carried out once.
    pub key: Option<String>,
    /// How many events the stream must hold for the command to be valid.
    pub if_match: Option<u64>,
}

/// What a command asks: `{"qualify": {"score": 80}, "occurred_at": …, "reason": …}`.
#[derive(Clone, Debug)]
pub struct Body {
    /// The command's name, for example `qualify`.
    pub name: String,
    /// Its fields.
    pub fields: Fields,
    /// When it was so; of a day, the moment that no zone moves.
    pub occurred_at: Option<DateTime<Utc>>,
    /// The day on which it was so, where it is told as a day.
    pub day: Option<NaiveDate>,
    /// When that day began where the organisation keeps its days: found out when the command is carried out.
    pub begins_at: Option<DateTime<Utc>>,
    /// Why, in the sender's own words.
    pub reason: Option<String>,
    /// For whom the sender acts.
    pub on_behalf_of: Option<Actor>,
    /// What the command belongs to.
    pub correlation: Option<Uuid>,
    /// The event that caused the command.
    pub causation: Option<EventId>,
    /// The import that the command comes from.
    pub source: Option<Source>,
    /// SHA-256 of all that it says, to tell a repetition from another command under the same key.
    pub hash: [u8; 32],
}

/// The fields of a command, before the loop of its kind has read them.
#[derive(Clone, Debug)]
pub struct Fields(pub(super) Form);

/// In which form the fields came in.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// As the text of a JSON object.
    Json(Box<RawValue>),
    /// As the whole command, a value of the kind's own type.
    Typed(Arc<dyn Any + Send + Sync>),
}

/// One line of a batch: a command with its address.
#[derive(Clone, Debug)]
pub struct BatchLine {
    /// What kind of thing it is about.
    pub kind: Kind,
    /// Which one.
    pub id: Uuid,
    /// What is asked.
    pub body: Body,
    /// The sender's own key.
    pub key: Option<String>,
    /// How many events the stream must hold.
    pub if_match: Option<u64>,
}

/// A command that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Malformed {
    /// The field at fault, as a path: `open.value.currency`.
    pub field: Option<String>,
    /// What is wrong and what is expected.
    pub message: String,
}

impl Malformed {
    /// What is wrong with the value of a field, for `map_err`.
    pub fn at(field: &str) -> impl FnOnce(String) -> Self {
        let field = Some(field.to_owned());
        move |message| Self { field, message }
    }
}

/// The longest key, in bytes.
pub const KEY_LIMIT: usize = 200;

impl Command {
    /// The key under which the command is carried out once.
    pub(crate) fn command_key(&self) -> Option<CommandKey> {
        let key = self.key.as_ref()?;
        // An import writes under its own name for whoever runs it; their keys are theirs all the same.
        let writer = match &self.body.on_behalf_of {
            Some(for_whom) => format!("{} {for_whom}", self.sender.by),
            None => self.sender.by.to_string(),
        };
        Some(identity::command_key(&writer, key))
    }

    /// What tells a repetition from another command under the same key: the body, and what it is about.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        identity::fingerprint(self.kind.word(), self.id, self.if_match, &self.body.hash)
    }
}
