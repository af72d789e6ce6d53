//! Fields and values as they are shown: things by their names, what was forgotten as forgotten.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::{Kind, Position, StreamId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{AskError, Horizon, Shared, Step};
use crate::{
    journey::changes::{Change, Changed, Content, Fact, Field, Renamed, Standing, Thing, Value, is_named},
    questions::history::HistoryRow,
};

/// How many events are read to find what things are called; others are then shown by their ids.
const EVENTS_FOR_NAMES: usize = 20_000;

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

/// What things are called at a moment, each looked up once.
pub(super) struct Names<'a> {
    shared: &'a Shared,
    horizon: Horizon,
    known: HashMap<StreamId, Option<Shown>>,
    left: usize,
    failure: Option<AskError>,
}

impl<'a> Names<'a> {
    pub(super) fn new(shared: &'a Shared, horizon: Horizon) -> Self {
        Self { shared, horizon, known: HashMap::new(), left: EVENTS_FOR_NAMES, failure: None }
    }

    /// What went wrong while names were looked up.
    pub(super) fn failure(self) -> Result<(), AskError> {
        self.failure.map_or(Ok(()), Err)
    }

    /// What a thing is called.
    pub(super) fn of(&mut self, thing: StreamId) -> Option<Shown> {
        if let Some(known) = self.known.get(&thing) {
            return known.clone();
        }
        let found = self.find(thing).unwrap_or_else(|error| {
            self.failure.get_or_insert(error);
            None
        });
        self.known.insert(thing, found.clone());
        found
    }

    fn find(&mut self, id: StreamId) -> Result<Option<Shown>, AskError> {
        let Some(renamed) = is_named(id.kind).filter(|_| self.left > 0) else { return Ok(None) };
        let events = self.shared.stream(id, if renamed == Renamed::Never { 1 } else { u64::MAX })?;
        self.left = self.left.saturating_sub(events.len().max(1));
        let mut thing = Thing::default();
        for recorded in events.iter().take_while(|recorded| self.horizon.sees(recorded)) {
            thing.apply(recorded);
        }
        let name = thing.name().map(|name| Shown {
            text: name.text(),
            note: None,
            thing: Some(id),
            forgotten: name.is_forgotten(),
        });
        Ok(name)
    }

    fn show(&mut self, value: &Value) -> Shown {
        let note = value.note.clone();
        match value.content {
            Content::Thing(thing) => {
                let by_id = || format!("{} {}", thing.kind, thing.id);
                let named = self.of(thing);
                let forgotten = named.as_ref().is_some_and(|name| name.forgotten);
                let text =
                    if forgotten { None } else { named.and_then(|name| name.text).or_else(|| Some(by_id())) };
                Shown { text, note, thing: Some(thing), forgotten }
            }
            _ => Shown { text: value.text(), note, thing: None, forgotten: value.is_forgotten() },
        }
    }

    fn label(&mut self, field: &Field) -> String {
        let Some(thing) = field.of else { return field.words.clone() };
        let name = match self.of(thing) {
            Some(Shown { forgotten: true, .. }) => format!("somebody forgotten ({thing})"),
            Some(Shown { text: Some(text), .. }) => text,
            Some(_) | None => match thing.kind {
                Kind::Contact => format!("contact {}", thing.id),
                kind => format!("{kind} {}", thing.id),
            },
        };
        format!("{} {name}", field.words)
    }

    pub(super) fn values(&mut self, values: &[Value]) -> Vec<Shown> {
        values.iter().map(|value| self.show(value)).collect()
    }

    pub(super) fn change(&mut self, change: &Change) -> FieldChange {
        FieldChange {
            field: change.field.to_string(),
            label: self.label(&change.field),
            before: self.values(&change.before),
            after: self.values(&change.after),
            unchanged: change.is_repetition(),
        }
    }

    pub(super) fn field(&mut self, standing: &Standing<'_>) -> FieldValue {
        FieldValue {
            field: standing.field.to_string(),
            label: self.label(standing.field),
            values: self.values(standing.values),
            because: standing.because,
        }
    }

    /// Every field of a thing.
    pub(super) fn standing(&mut self, thing: &Thing) -> Vec<FieldValue> {
        thing.standing().iter().map(|standing| self.field(standing)).collect()
    }

    pub(super) fn step(&mut self, row: HistoryRow, changed: &Changed) -> Step {
        let changes = changed.changes.iter().map(|change| self.change(change)).collect();
        Step { row, changes, corrected: changed.corrects.map(Corrected::from) }
    }
}
