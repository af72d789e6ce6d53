//! A thing as it stands after some of its events, and what one event came to.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use domain::{EventId, Kind, Position};

use super::value::{Field, Value};

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
        self.before == self.after && !self.before.iter().any(Value::is_unreadable)
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
    pub(super) number: Option<u32>,
}

/// A thing as it stands after some of its events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Thing {
    pub(super) fields: BTreeMap<Field, Entry>,
    pub(super) facts: HashMap<EventId, Fact>,
    pub(super) numbered: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Fields are shown in the order in which they were first spoken of.
    pub(super) order: usize,
    pub(super) values: Vec<Value>,
    pub(super) because: Position,
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
pub(super) const NAME: &str = "name";

/// Whether what things of a kind are called may change after the first event: then there is an event for it.
pub(crate) fn can_be_renamed(kind: Kind) -> bool {
    kind.tags().iter().any(|tag| tag.ends_with(".renamed"))
}

/// Whether many contacts share one thing of this kind, and what happens to one of them says nothing of the
/// others: then the history of one contact need not read what happened to all. A kind that is missing here is read whole.
pub(crate) const fn is_shared(kind: Kind) -> bool {
    matches!(kind, Kind::Gathering)
}
