//! What one event says of the fields of its thing, while it is said.

use domain::{EventId, Recorded};
use serde::de::DeserializeOwned;

use super::{
    thing::{Change, Changed, Entry, Fact, Thing},
    value::{Field, Value},
};

/// What one event says, while it is said.
pub(super) struct Told<'a> {
    thing: &'a mut Thing,
    pub(super) recorded: &'a Recorded,
    changed: Changed,
    number: Option<u32>,
}

impl<'a> Told<'a> {
    /// Before the event has said anything.
    pub(super) fn new(thing: &'a mut Thing, recorded: &'a Recorded) -> Self {
        Self { thing, recorded, changed: Changed::default(), number: None }
    }

    /// What the event came to; the thing knows it as a fact from now on.
    pub(super) fn finish(self) -> Changed {
        let Self { thing, recorded, changed, number } = self;
        let fact = Fact {
            event: recorded.id,
            position: recorded.position,
            revision: recorded.revision,
            happened_at: recorded.happened_at(),
            number,
        };
        thing.facts.insert(recorded.id, fact);
        changed
    }

    /// The field is this from now on.
    pub(super) fn is(&mut self, field: impl Into<Field>, value: impl Into<Value>) {
        self.set(field.into(), vec![value.into()]);
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
        let is_it = |known: &Value| same(known, value) || (known.is_forgotten() && value.is_forgotten());
        if let Some(index) = values.iter().position(is_it) {
            values.remove(index);
        }
        self.set(field, values);
    }

    /// The event corrects this earlier one.
    pub(super) fn corrects(&mut self, fact: EventId) {
        self.changed.corrects = self.thing.facts.get(&fact).copied();
    }

    pub(super) fn has(&self, field: &Field) -> bool {
        self.thing.fields.get(field).is_some_and(|entry| !entry.values.is_empty())
    }

    pub(super) fn values(&self, field: &Field) -> Vec<Value> {
        self.thing.fields.get(field).map(|entry| entry.values.clone()).unwrap_or_default()
    }

    /// The member of a closed list whose word a field holds now.
    pub(super) fn word<T: DeserializeOwned>(&self, field: impl Into<Field>) -> Option<T> {
        let word = self.values(&field.into()).first()?.text()?.replace(' ', "_");
        serde_json::from_value(word.into()).ok()
    }

    /// The fields of these words that have a value now.
    pub(super) fn fields(&self, words: &str) -> Vec<Field> {
        let with_value = self.thing.fields.iter().filter(|(_, entry)| !entry.values.is_empty());
        with_value.map(|(field, _)| field).filter(|field| field.words == words).cloned().collect()
    }

    /// The next number among those of its sort.
    pub(super) fn number(&mut self) -> u32 {
        self.thing.numbered += 1;
        self.number = Some(self.thing.numbered);
        self.thing.numbered
    }

    pub(super) fn number_of(&self, event: EventId) -> Option<u32> {
        self.thing.facts.get(&event)?.number
    }

    pub(super) fn set(&mut self, field: Field, after: Vec<Value>) {
        let order = self.thing.fields.len();
        let position = self.recorded.position;
        let entry = self.thing.fields.entry(field.clone()).or_insert_with(|| Entry {
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
    one.content == other.content && !one.is_forgotten()
}
