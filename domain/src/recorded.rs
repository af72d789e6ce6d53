//! The envelope: what is kept about every event beside the event itself.

use std::{fmt, str::FromStr};

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use uuid::Uuid;

use crate::{
    days::midnight,
    event::Event,
    ids::{ContactId, EventId, StreamId},
    personal::{Forgotten, Personal},
};

/// A place in the log: opaque, growing, starting after [`Position::START`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Position(pub u64);

impl Position {
    /// Before the first event.
    pub const START: Self = Self(0);
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Who wrote: a member of staff, a named policy or a named import; there is no anonymous writer.
/// Written `member:ann`, `policy:route`, `import:maven-opportunities`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A member of staff, by the name of their token or of their system user.
    Member(String),
    /// A policy, by its name.
    Policy(String),
    /// An import, by its source.
    Import(String),
}

impl Actor {
    /// The longest name, in characters, as whoever gives names counts them: what was written must be readable.
    pub const LIMIT: usize = 100;
}

impl fmt::Display for Actor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = match self {
            Self::Member(name) => ("member", name),
            Self::Policy(name) => ("policy", name),
            Self::Import(name) => ("import", name),
        };
        write!(formatter, "{kind}:{name}")
    }
}

/// A text that names no actor.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` names no actor: expected member:NAME, policy:NAME or import:NAME")]
pub struct NotAnActor(String);

impl FromStr for Actor {
    type Err = NotAnActor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some((_, name))
                if name.is_empty()
                    || name.chars().count() > Self::LIMIT
                    || name.contains(char::is_control) =>
            {
                Err(NotAnActor(text.to_owned()))
            }
            Some(("member", name)) => Ok(Self::Member(name.to_owned())),
            Some(("policy", name)) => Ok(Self::Policy(name.to_owned())),
            Some(("import", name)) => Ok(Self::Import(name.to_owned())),
            _ => Err(NotAnActor(text.to_owned())),
        }
    }
}

impl Serialize for Actor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Where an imported fact comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The name of the source, by default the name of the map.
    pub name: String,
    /// The file, without its folders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line of the file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The zone in which the source states its times; absent where it states none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// The rarer parts of the envelope, kept together as one JSON object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// For whom the actor wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<Actor>,
    /// Why, in the writer's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Personal<String>>,
    /// Where an imported fact comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// What the event belongs to: one id through everything that one intention caused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<Uuid>,
    /// The event that caused this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation: Option<EventId>,
    /// The day on which it was so, where it was told as a day and not as a moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<NaiveDate>,
}

impl Metadata {
    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Another stream that a decision looked at, and how far it had come: the rule is judged by that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LookedUp {
    /// The stream.
    pub stream: StreamId,
    /// Its revision when it was read.
    pub revision: u64,
}

/// An event with its envelope, as it was recorded.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its place in the log.
    pub position: Position,
    /// What it is about.
    pub stream: StreamId,
    /// Its number in its stream, from 1.
    pub revision: u64,
    /// Its id.
    pub id: EventId,
    /// When it was so, where that was said.
    pub occurred_at: Option<DateTime<Utc>>,
    /// The latest time (`occurred_at`, else `recorded_at`) of its stream up to it: what `as_of` compares, so
    /// that every stream stays a prefix of itself.
    pub effective_at: DateTime<Utc>,
    /// When it was learnt. It never decreases along a stream, nor along a log that one machine writes; where several
    /// do, each by its own clock, it may by as much as those differ.
    pub recorded_at: DateTime<Utc>,
    /// Who wrote it.
    pub by: Actor,
    /// The contacts concerned.
    pub subjects: Vec<ContactId>,
    /// The stored text of [`Metadata`], decoded only where asked for.
    pub metadata: Option<Box<str>>,
    /// What happened.
    pub event: Event,
}

impl Recorded {
    /// When it was so: as said, else when it was learnt.
    pub fn happened_at(&self) -> DateTime<Utc> {
        self.occurred_at.unwrap_or(self.recorded_at)
    }

    /// What the event destroys; gone before anybody sees the event.
    pub fn forgets(&self) -> Option<Forgotten> {
        self.event.forgets(self.stream.id)
    }

    /// The day on which it was so, where it was told as a day.
    pub fn told_day(&self) -> Option<NaiveDate> {
        // Most of what is recorded has none, and is not decoded for it.
        let text = self.metadata.as_deref().filter(|text| text.contains("\"day\":"))?;
        serde_json::from_str::<Metadata>(text).ok()?.day
    }

    /// When it was so, to be shown: of what was told as a day, the moment of that day which no zone moves.
    pub fn shown_at(&self) -> DateTime<Utc> {
        self.told_day().map_or_else(|| self.happened_at(), midnight)
    }

    /// The rarer parts of the envelope.
    pub fn metadata(&self) -> serde_json::Result<Metadata> {
        self.metadata.as_deref().map_or_else(|| Ok(Metadata::default()), serde_json::from_str)
    }
}

/// A stored event that cannot be read; it stops the views that want it, and nothing else.
#[derive(Clone, Debug, thiserror::Error)]
#[error("event {position} of {stream} ({tag}) cannot be read: {reason}")]
pub struct BadEvent {
    /// Its place in the log.
    pub position: Position,
    /// The stream as stored.
    pub stream: String,
    /// The tag as stored.
    pub tag: String,
    /// What is wrong, without any stored value.
    pub reason: String,
}
