//! Fields and their values, as events speak of them.

use std::fmt;

use chrono::{DateTime, Utc};
use domain::{Kind, Money, Personal, StreamId};

use crate::kit::wording::{amount, moment, plain};

/// The name of a field: words, and the thing that it is about where there may be several: `presence of contact-…`.
/// Nothing personal is in it, so that it may stand in an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Field {
    pub(crate) words: String,
    pub(crate) of: Option<StreamId>,
}

impl Field {
    /// A field of which there is one for each of some other things.
    pub(super) fn of(words: &str, kind: Kind, id: uuid::Uuid) -> Self {
        Self { words: words.to_owned(), of: Some(StreamId::new(kind, id)) }
    }
}

impl From<&str> for Field {
    fn from(words: &str) -> Self {
        Self { words: words.to_owned(), of: None }
    }
}

impl From<String> for Field {
    fn from(words: String) -> Self {
        Self { words, of: None }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.words)?;
        self.of.map_or(Ok(()), |thing| write!(formatter, " {thing}"))
    }
}

/// One value of a field. A field without any has no value; one of a set has several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) content: Content,
    /// What else is known of it: `verified`, `since 2012-01-02`.
    pub(crate) note: Option<String>,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Words for people.
    Text(String),
    /// A personal text that can be read.
    Personal(String),
    /// A personal text that was forgotten.
    Forgotten,
    /// A personal text whose key is gone although nobody erased it.
    Lost,
    /// An amount.
    Money(Money),
    /// Another thing, shown by its name.
    Thing(StreamId),
}

impl Value {
    pub(super) fn thing(kind: Kind, id: uuid::Uuid) -> Self {
        Content::Thing(StreamId::new(kind, id)).into()
    }

    /// A word of a closed list.
    pub(super) fn word(word: impl serde::Serialize) -> Self {
        plain(word).into()
    }

    pub(super) fn noting(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// The value in words, where it can be read and is no other thing.
    pub(crate) fn text(&self) -> Option<String> {
        match &self.content {
            Content::Text(text) | Content::Personal(text) => Some(text.clone()),
            Content::Money(money) => Some(amount(*money)),
            Content::Forgotten | Content::Lost | Content::Thing(_) => None,
        }
    }

    /// Whether it was there and cannot be read any more, whatever became of it.
    pub(crate) const fn is_unreadable(&self) -> bool {
        self.is_forgotten() || self.is_lost()
    }

    /// Whether it was erased.
    pub(crate) const fn is_forgotten(&self) -> bool {
        matches!(self.content, Content::Forgotten)
    }

    /// Whether it cannot be read although nobody erased it.
    pub(crate) const fn is_lost(&self) -> bool {
        matches!(self.content, Content::Lost)
    }
}

impl From<Content> for Value {
    fn from(content: Content) -> Self {
        Self { content, note: None }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Content::Text(text.to_owned()).into()
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Content::Text(text).into()
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Content::Text(text.clone()).into()
    }
}

impl From<Money> for Value {
    fn from(money: Money) -> Self {
        Content::Money(money).into()
    }
}

impl From<DateTime<Utc>> for Value {
    fn from(at: DateTime<Utc>) -> Self {
        moment(at).into()
    }
}

impl From<chrono::NaiveDate> for Value {
    fn from(day: chrono::NaiveDate) -> Self {
        day.to_string().into()
    }
}

impl From<&Personal<String>> for Value {
    fn from(personal: &Personal<String>) -> Self {
        match personal.clear() {
            Some(text) => Content::Personal(text.clone()).into(),
            None if personal.is_lost() => Content::Lost.into(),
            None => Content::Forgotten.into(),
        }
    }
}
