//! What an event changed: every field that it speaks of, before and after.
//!
//! Nothing of this is kept in tables. The events of a thing are folded from its first one whenever somebody
//! asks, so that what has been erased is erased here too. One file per kind says what its events mean for the
//! fields; each matches every event, so that a new one must say what it changes.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use domain::{Event, EventId, Kind, Position, Recorded};

mod contact;
mod conversation;
mod deal;
mod disclosure;
mod enrolment;
mod fund;
mod gathering;
mod gift;
mod lead;
mod member;
mod program;
mod setting;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use value::{Content, Field, Value};

/// What one event did to one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) field: Field,
    pub(crate) before: Vec<Value>,
    pub(crate) after: Vec<Value>,
}

impl Change {
    /// Whether the event only repeats what was so. Of two forgotten values nobody can say.
    pub(crate) fn is_repetition(&self) -> bool {
        self.before == self.after && !self.before.iter().any(Value::is_forgotten)
    }
}

/// Which earlier event of the same thing a correction corrects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) event: EventId,
    pub(crate) position: Position,
    pub(crate) revision: u64,
    pub(crate) happened_at: DateTime<Utc>,
    /// Its number among those of its sort, where they are numbered: the third message.
    number: Option<u32>,
}

/// A thing as it stands after some of its events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Thing {
    fields: BTreeMap<Field, Entry>,
    facts: HashMap<EventId, Fact>,
    numbered: u32,
}

#[derive(Clone, Debug)]
struct Entry {
    /// Fields are shown in the order in which they were first spoken of.
    order: usize,
    values: Vec<Value>,
    because: Position,
}

/// A field as it stands, and the event that last changed it.
#[derive(Clone, Debug)]
pub(crate) struct Standing<'a> {
    pub(crate) field: &'a Field,
    pub(crate) values: &'a [Value],
    pub(crate) because: Position,
}

/// What an event came to: its changes, and the fact that it corrects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) changes: Vec<Change>,
    pub(crate) corrects: Option<Fact>,
}

impl Thing {
    /// Folds its next event; what that changed.
    pub(crate) fn apply(&mut self, recorded: &Recorded) -> Changed {
        let mut told = Told { thing: self, recorded, changed: Changed::default(), number: None };
        match &recorded.event {
            Event::Contact(event) => contact::tell(&mut told, event),
            Event::Lead(event) => lead::tell(&mut told, event),
            Event::Deal(event) => deal::tell(&mut told, event),
            Event::Conversation(event) => conversation::tell(&mut told, event),
            Event::Program(event) => program::tell(&mut told, event),
            Event::Enrolment(event) => enrolment::tell(&mut told, event),
            Event::Gathering(event) => gathering::tell(&mut told, event),
            Event::Gift(event) => gift::tell(&mut told, event),
            Event::Fund(event) => fund::tell(&mut told, event),
            Event::Member(event) => member::tell(&mut told, event),
            Event::Setting(event) => setting::tell(&mut told, event),
            Event::Disclosure(event) => disclosure::tell(&mut told, event),
        }
        let Told { changed, number, .. } = told;
        let fact = Fact {
            event: recorded.id,
            position: recorded.position,
            revision: recorded.revision,
            happened_at: recorded.happened_at(),
            number,
        };
        self.facts.insert(recorded.id, fact);
        changed
    }

    /// Every field that was ever spoken of, in the order in which they first were.
    pub(crate) fn standing(&self) -> Vec<Standing<'_>> {
        let mut entries: Vec<_> = self.fields.iter().collect();
        entries.sort_by_key(|(_, entry)| entry.order);
        let standing = |(field, entry)| -> Standing<'_> { Self::shown(field, entry) };
        entries.into_iter().map(standing).collect()
    }

    fn shown<'a>(field: &'a Field, entry: &'a Entry) -> Standing<'a> {
        Standing { field, values: &entry.values, because: entry.because }
    }

    /// A field as it stands.
    pub(crate) fn field(&self, field: &Field) -> Option<Standing<'_>> {
        self.fields.get_key_value(field).map(|(field, entry)| Self::shown(field, entry))
    }

    /// What people call it, where its events say.
    pub(crate) fn name(&self) -> Option<&Value> {
        self.fields.get(&Field::from(NAME)).and_then(|entry| entry.values.first())
    }
}

/// The field that holds what a thing is called.
const NAME: &str = "name";

/// Whether things of a kind are called by a name, and whether that may change after the first event.
pub(crate) const fn is_named(kind: Kind) -> Option<Renamed> {
    match kind {
        Kind::Contact | Kind::Program | Kind::Fund | Kind::Member => Some(Renamed::Ever),
        Kind::Gathering => Some(Renamed::Never),
        Kind::Lead
        | Kind::Deal
        | Kind::Conversation
        | Kind::Enrolment
        | Kind::Gift
        | Kind::Setting
        | Kind::Disclosure => None,
    }
}

/// Whether a name given by the first event is the name for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renamed {
    Ever,
    Never,
}

/// Whether many contacts share one thing of this kind, and what happens to one of them says nothing of the
/// others: then the history of one contact need not read what happened to all.
pub(crate) const fn is_shared(kind: Kind) -> bool {
    matches!(kind, Kind::Gathering)
}

/// What one event says, while it is said.
struct Told<'a> {
    thing: &'a mut Thing,
    recorded: &'a Recorded,
    changed: Changed,
    number: Option<u32>,
}

impl Told<'_> {
    /// The field is this from now on.
    fn is(&mut self, field: impl Into<Field>, value: impl Into<Value>) {
        self.set(field.into(), vec![value.into()]);
    }

    /// The field is this from now on, where the event says so; else it stays.
    fn may_be(&mut self, field: impl Into<Field>, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.is(field, value);
        }
    }

    /// The field is this, or has no value any more; what never had one is passed over.
    fn is_or_is_not(&mut self, field: impl Into<Field>, value: Option<impl Into<Value>>) {
        let field = field.into();
        match value {
            Some(value) => self.is(field, value),
            None if self.has(&field) => self.is_gone(field),
            None => {}
        }
    }

    /// The field has no value any more.
    fn is_gone(&mut self, field: impl Into<Field>) {
        self.set(field.into(), Vec::new());
    }

    /// One value more, or the same value with another note.
    fn gains(&mut self, field: impl Into<Field>, value: Value) {
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
    fn loses(&mut self, field: impl Into<Field>, value: &Value) {
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
    fn corrects(&mut self, fact: EventId) {
        self.changed.corrects = self.thing.facts.get(&fact).copied();
    }

    fn has(&self, field: &Field) -> bool {
        self.thing.fields.get(field).is_some_and(|entry| !entry.values.is_empty())
    }

    fn values(&self, field: &Field) -> Vec<Value> {
        self.thing.fields.get(field).map(|entry| entry.values.clone()).unwrap_or_default()
    }

    /// The fields of these words that have a value now.
    fn fields(&self, words: &str) -> Vec<Field> {
        let with_value = self.thing.fields.iter().filter(|(_, entry)| !entry.values.is_empty());
        with_value.map(|(field, _)| field).filter(|field| field.words == words).cloned().collect()
    }

    /// The next number among those of its sort.
    fn number(&mut self) -> u32 {
        self.thing.numbered += 1;
        self.number = Some(self.thing.numbered);
        self.thing.numbered
    }

    fn number_of(&self, event: EventId) -> Option<u32> {
        self.thing.facts.get(&event)?.number
    }

    fn set(&mut self, field: Field, after: Vec<Value>) {
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
