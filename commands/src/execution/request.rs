//! A command that the program itself sends, handed over as a value of the kind's own type.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::{Actor, EventId, Kind, Source};
use serde::Serialize;
use uuid::Uuid;

use super::{
    command::{Body, Command, Fields, Form, Malformed, Sender},
    envelope::check_source,
    repetition::{self, Around},
};
use crate::kit::text::Prose;

/// One command of a kind with everything that comes with it. Under one key it is the same command as the JSON text
/// that [`serde_json`] writes for it, so that it is never taken for another one when it is repeated.
#[derive(Clone, Debug)]
pub struct Request<C> {
    /// Which thing it is about.
    pub id: Uuid,
    /// What is asked.
    pub command: C,
    /// Who asks.
    pub sender: Sender,
    /// The sender's own key, under which the command is carried out once.
    pub key: Option<String>,
    /// How many events the stream must hold for the command to be valid.
    pub if_match: Option<u64>,
    /// When it was so.
    pub occurred_at: Option<DateTime<Utc>>,
    /// Why, in the sender's own words.
    pub reason: Option<Prose>,
    /// For whom the sender acts.
    pub on_behalf_of: Option<Actor>,
    /// What the command belongs to.
    pub correlation: Option<Uuid>,
    /// The event that caused the command.
    pub causation: Option<EventId>,
    /// The import that the command comes from.
    pub source: Option<Source>,
}

impl<C> Request<C> {
    /// A command with nothing beside it but its sender.
    pub const fn new(id: Uuid, command: C, sender: Sender) -> Self {
        Self {
            id,
            command,
            sender,
            key: None,
            if_match: None,
            occurred_at: None,
            reason: None,
            on_behalf_of: None,
            correlation: None,
            causation: None,
            source: None,
        }
    }
}

impl<C: Serialize + Send + Sync + 'static> Request<C> {
    /// The command as the loop takes it in.
    pub(super) fn into_command(self, kind: Kind) -> Result<Command, Malformed> {
        let unwritable = |message: String| Malformed { field: None, message };
        if let Some(source) = &self.source {
            check_source(source)?;
        }
        let text = serde_json::to_string(&self.command).map_err(|error| unwritable(error.to_string()))?;
        let parts = text.strip_prefix("{\"").and_then(|text| text.strip_suffix('}')?.split_once("\":"));
        let (name, fields) =
            parts.ok_or_else(|| unwritable("a command must be an externally tagged enum".to_owned()))?;
        let reason = self.reason.map(Prose::into_string);
        let around = Around {
            occurred_at: self.occurred_at,
            day: None,
            reason: reason.as_deref(),
            on_behalf_of: self.on_behalf_of.as_ref(),
            correlation: self.correlation,
            causation: self.causation,
            source: self.source.as_ref(),
        };
        let hash = repetition::hash(name, fields, &around).map_err(|error| unwritable(error.to_string()))?;
        let body = Body {
            name: name.to_owned(),
            hash,
            fields: Fields(Form::Typed(Arc::new(self.command))),
            occurred_at: self.occurred_at,
            day: None,
            begins_at: None,
            reason,
            on_behalf_of: self.on_behalf_of,
            correlation: self.correlation,
            causation: self.causation,
            source: self.source,
        };
        Ok(Command { kind, id: self.id, body, sender: self.sender, key: self.key, if_match: self.if_match })
    }
}
