//! What one event says, while it is said: its sentence, or what it changes of the fields of its thing.

use std::fmt::Display;

use domain::{EventId, Kind, Personal, Recorded};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{
    said::{Names, Said},
    thing::{Change, Changed, Entry, Fact, NAME, Thing},
    value::{Content, Field, Value},
};
use crate::kit::ApplyError;

/// What one event says, while it is said. Only one half is listened to: with names it is the sentence, with a thing
/// what is said of the fields.
pub(super) struct Told<'a> {
    pub(super) recorded: &'a Recorded,
    names: Option<&'a dyn Names>,
    said: Said<'a>,
    failure: Option<ApplyError>,
    thing: Option<&'a mut Thing>,
    changed: Changed,
    number: Option<u32>,
}

impl<'a> Told<'a> {
    /// Before the event has said anything, for its sentence.
    pub(super) fn in_a_sentence(names: &'a dyn Names, recorded: &'a Recorded) -> Self {
        Self { names: Some(names), ..Self::to_nobody(recorded) }
    }

    /// Before the event has said anything, for what it changes of its thing.
    pub(super) fn of_a_thing(thing: &'a mut Thing, recorded: &'a Recorded) -> Self {
        Self { thing: Some(thing), ..Self::to_nobody(recorded) }
    }

    fn to_nobody(recorded: &'a Recorded) -> Self {
        Self {
            recorded,
            names: None,
            said: Said::default(),
            failure: None,
            thing: None,
            changed: Changed::default(),
            number: None,
        }
    }

    /// The sentence, where all names could be looked up.
    pub(super) fn said(self) -> Result<Said<'a>, ApplyError> {
        self.failure.map_or(Ok(self.said), Err)
    }

    /// What the event came to; the thing knows it as a fact from now on.
    pub(super) fn changed(self) -> Changed {
        let Self { recorded, thing, changed, number, .. } = self;
        let fact = Fact {
            event: recorded.id,
            position: recorded.position,
            revision: recorded.revision,
            happened_at: recorded.shown_at(),
            number,
        };
        if let Some(thing) = thing {
            thing.facts.insert(recorded.id, fact);
        }
        changed
    }
}

/// The sentence.
impl<'a> Told<'a> {
    /// What happened.
    pub(super) fn say(&mut self, what: impl Display) {
        if self.names.is_some() {
            self.said.what = what.to_string();
        }
    }

    /// The personal text that belongs to the sentence.
    pub(super) fn quote(&mut self, text: Option<&'a Personal<String>>) {
        self.said.detail = text;
    }

    /// The earlier event that the sentence is about.
    pub(super) fn is_about(&mut self, event: EventId) {
        self.said.corrects = Some(event.0);
    }

    /// What a thing is called, for the sentence; its id where that was never said.
    pub(super) fn name_of(&mut self, thing: Uuid) -> String {
        match self.names.map(|names| names.of(thing)) {
            None => String::new(),
            Some(Ok(name)) => name.unwrap_or_else(|| thing.to_string()),
            Some(Err(error)) => {
                self.failure.get_or_insert(error);
                String::new()
            }
        }
    }

    /// What the thing itself is called, for the sentence.
    pub(super) fn name(&mut self) -> String {
        self.name_of(self.recorded.stream.id)
    }

    /// A value as it stands in a sentence.
    fn words(&mut self, value: &Value) -> String {
        match value.content {
            // What contacts are called is personal.
            Content::Thing(thing) if thing.kind == Kind::Contact => thing.id.to_string(),
            Content::Thing(thing) => self.name_of(thing.id),
            Content::Text(_) | Content::Money(_) => value.text().unwrap_or_default(),
            // What is personal stands beside a sentence, never in it.
            Content::Personal(_) | Content::Forgotten | Content::Lost => String::new(),
        }
    }
}

/// What the sentence and the fields have in common.
impl Told<'_> {
    /// The thing is called this from now on.
    pub(super) fn is_called(&mut self, name: &str) {
        if let Some(Err(error)) = self.names.map(|names| names.call(self.recorded.stream.id, name)) {
            self.failure.get_or_insert(error);
        }
        self.is(NAME, name);
    }

    /// The event corrects this earlier one.
    pub(super) fn corrects(&mut self, fact: EventId) {
        self.is_about(fact);
        self.changed.corrects = self.thing.as_ref().and_then(|thing| thing.facts.get(&fact).copied());
    }

    /// What really is so, where a correction says so; goes on with its sentence.
    pub(super) fn really_is(&mut self, field: &'static str, value: Option<impl Into<Value>>) {
        let Some(value) = value else { return };
        let value = value.into();
        if self.names.is_some() {
            let separator = if self.said.what.ends_with(':') { " " } else { ", " };
            let now = self.words(&value);
            self.said.what += &[separator, field, " is ", &now].concat();
        }
        self.is(field, value);
    }

    /// The thing counts nowhere: `what` was `done` in error.
    pub(super) fn is_voided(&mut self, what: impl Display, done: &str) {
        self.say(format_args!("{what} voided: it was {done} in error"));
        self.is("voided", format!("yes: it was {done} in error"));
    }
}

/// The fields.
impl Told<'_> {
    /// The field is this from now on.
    pub(super) fn is(&mut self, field: impl Into<Field>, value: impl Into<Value>) {
        if self.thing.is_some() {
            self.set(field.into(), vec![value.into()]);
        }
    }

    /// The field is this from now on, where the event says so; else it stays.
    pub(super) fn may_be(&mut self, field: impl Into<Field>, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.is(field, value);
        }
    }

    /// The field is this, or has no value any more; what never had one is passed over.
    pub(super) fn is_or_is_not(&mut self, field: impl Into<Field>, value: Option<impl Into<Value>>) {
        let field = field.into();
        match value {
            Some(value) => self.is(field, value),
            None if self.has(&field) => self.is_gone(field),
            None => {}
        }
    }

    /// The field has no value any more.
    pub(super) fn is_gone(&mut self, field: impl Into<Field>) {
        self.set(field.into(), Vec::new());
    }

    /// One value more, or the same value with another note.
    pub(super) fn gains(&mut self, field: impl Into<Field>, value: Value) {
        let field = field.into();
        let mut values = self.values(&field);
        let known = values.iter_mut().find(|known| same(known, &value));
        match known {
            Some(known) => *known = value,
            None => values.push(value),
        }
        self.set(field, values);
    }

    /// One value less.
    pub(super) fn loses(&mut self, field: impl Into<Field>, value: &Value) {
        let field = field.into();
        let mut values = self.values(&field);
        // Of forgotten values nobody knows which is which, only how many there are.
        let is_it = |known: &Value| same(known, value) || (known.is_unreadable() && value.is_unreadable());
        if let Some(index) = values.iter().position(is_it) {
            values.remove(index);
        }
        self.set(field, values);
    }

    /// Whether the field has a value now.
    pub(super) fn has(&self, field: &Field) -> bool {
        self.entry(field).is_some_and(|entry| !entry.values.is_empty())
    }

    /// The values of the field now.
    pub(super) fn values(&self, field: &Field) -> Vec<Value> {
        self.entry(field).map(|entry| entry.values.clone()).unwrap_or_default()
    }

    /// The member of a closed list whose word a field holds now.
    pub(super) fn word<T: DeserializeOwned>(&self, field: impl Into<Field>) -> Option<T> {
        let word = self.values(&field.into()).first()?.text()?.replace(' ', "_");
        serde_json::from_value(word.into()).ok()
    }

    fn entry(&self, field: &Field) -> Option<&Entry> {
        self.thing.as_ref()?.fields.get(field)
    }

    /// The fields of these words that have a value now.
    pub(super) fn fields(&self, words: &str) -> Vec<Field> {
        let fields = self.thing.iter().flat_map(|thing| &thing.fields);
        let with_value = fields.filter(|(_, entry)| !entry.values.is_empty());
        with_value.map(|(field, _)| field).filter(|field| field.words == words).cloned().collect()
    }

    /// The next number among those of its sort.
    pub(super) fn number(&mut self) -> u32 {
        let Some(thing) = &mut self.thing else { return 0 };
        thing.numbered += 1;
        self.number = Some(thing.numbered);
        thing.numbered
    }

    /// The number of an earlier event among those of its sort.
    pub(super) fn number_of(&self, event: EventId) -> Option<u32> {
        self.thing.as_ref()?.facts.get(&event)?.number
    }

    /// The field has these values from now on.
    pub(super) fn set(&mut self, field: Field, after: Vec<Value>) {
        let Some(thing) = &mut self.thing else { return };
        let order = thing.fields.len();
        let position = self.recorded.position;
        let entry = thing.fields.entry(field.clone()).or_insert_with(|| Entry {
            order,
            values: Vec::new(),
            because: position,
        });
        let before = std::mem::replace(&mut entry.values, after.clone());
        let change = Change { field, before, after };
        if !change.is_repetition() {
            entry.because = position;
        }
        self.changed.changes.push(change);
    }
}

/// Whether two values are the same but for their notes. Forgotten ones are never known to be.
fn same(one: &Value, other: &Value) -> bool {
    one.content == other.content && !one.is_unreadable()
}
