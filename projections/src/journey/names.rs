//! What things are called at a moment, and with it what fields, values and events say.

use std::collections::HashMap;

use domain::{Kind, StreamId};

use super::{
    reading::{Horizon, Reader},
    shown::{Corrected, FieldChange, FieldValue, Shown, Step},
};
use crate::{
    meaning::{Change, Changed, Content, Field, Standing, Thing, Value, can_be_renamed},
    questions::history::HistoryRow,
    runtime::question::AskError,
};

/// How many events are read to find what things are called; others are then shown by their ids.
const EVENTS_FOR_NAMES: usize = 20_000;

/// What things are called at a moment, each looked up once.
pub(super) struct Names<'a> {
    reader: &'a Reader,
    horizon: Horizon,
    known: HashMap<StreamId, Option<Shown>>,
    left: usize,
    failure: Option<AskError>,
}

impl<'a> Names<'a> {
    pub(super) fn new(reader: &'a Reader, horizon: Horizon) -> Self {
        Self { reader, horizon, known: HashMap::new(), left: EVENTS_FOR_NAMES, failure: None }
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
        if self.left == 0 || self.failure.is_some() {
            return Ok(None);
        }
        let events = self.reader.stream(id, if can_be_renamed(id.kind) { u64::MAX } else { 1 })?;
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
            lost: name.is_lost(),
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
                let lost = named.as_ref().is_some_and(|name| name.lost);
                let is_there = !forgotten && !lost;
                let text = named.and_then(|name| name.text).or_else(|| Some(by_id())).filter(|_| is_there);
                Shown { text, note, thing: Some(thing), forgotten, lost }
            }
            _ => Shown {
                text: value.text(),
                note,
                thing: None,
                forgotten: value.is_forgotten(),
                lost: value.is_lost(),
            },
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
