//! Whose journey is asked for.

use chrono::{DateTime, Utc};
use domain::{Kind, StreamId};
use uuid::Uuid;

use crate::{kit::moment::KnownAt, meaning::is_shared};

/// Whose journey is asked for, and as of when.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// The contact, with everything that concerns them; or one thing.
    pub thing: StreamId,
    /// Only what had happened by then.
    pub as_of: Option<DateTime<Utc>>,
    /// Only what was recorded by then.
    pub known_at: Option<KnownAt>,
}

impl Subject {
    /// Where only the moment is of interest, or whose journey it is will be said.
    pub const ANYBODY: Self =
        Self { thing: StreamId::new(Kind::Contact, Uuid::nil()), as_of: None, known_at: None };
}

impl Subject {
    /// The question to [`crate::JOURNEY_VIEW`] that shows the same events.
    pub fn query(&self) -> String {
        match self.thing.kind {
            Kind::Contact => format!("contact={}", self.thing.id),
            _ => format!("stream={}", self.thing),
        }
    }
}

/// Whether a step in the journey of a contact happened to a thing that many share.
pub(super) fn is_of_many(subject: StreamId, stream: StreamId) -> bool {
    subject.kind == Kind::Contact && is_shared(stream.kind)
}
