//! Identifiers: streams, events, and a type of its own for each kind that others refer to.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use uuid::Uuid;

use crate::event::Kind;

/// The member of an id's schema that says which id it is: in JSON all of them are UUIDs.
pub const ID_OF: &str = "x-id";

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let mut schema = Uuid::json_schema(generator);
                schema.insert(ID_OF.to_owned(), stringify!($name).into());
                schema
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }
    )+};
}

ids! {
    /// A person, organization or household.
    ContactId,
    /// A conversation and all its messages.
    ConversationId,
    /// A deal in the pipeline.
    DealId,
    /// One recorded event.
    EventId,
    /// A fund that gifts are allocated to.
    FundId,
    /// A calendar event that people attend.
    GatheringId,
    /// A lead, before it becomes a deal.
    LeadId,
    /// A member of staff.
    MemberId,
    /// A program that people enrol in.
    ProgramId,
}

/// The name of a stream: a kind and the id of one thing of that kind, written `deal-<uuid>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// What the stream is about.
    pub kind: Kind,
    /// Which one.
    pub id: Uuid,
}

impl StreamId {
    /// The stream of one thing.
    pub const fn new(kind: Kind, id: Uuid) -> Self {
        Self { kind, id }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.kind, self.id)
    }
}

/// A text that names no stream.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` names no stream: expected KIND-UUID or KIND/UUID, for example deal-5f0c…")]
pub struct NotAStream(String);

impl FromStr for StreamId {
    type Err = NotAStream;

    /// Accepts `deal-<uuid>`, as stored, and `deal/<uuid>`, as typed on the command line.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, id) = text.split_once(['-', '/']).ok_or_else(|| NotAStream(text.to_owned()))?;
        match (kind.parse(), Uuid::parse_str(id)) {
            (Ok(kind), Ok(id)) => Ok(Self { kind, id }),
            _ => Err(NotAStream(text.to_owned())),
        }
    }
}

impl Serialize for StreamId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StreamId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for StreamId {
    fn schema_name() -> Cow<'static, str> {
        "StreamId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({"type": "string", "description": "kind, a hyphen, and a UUID"})
    }
}
