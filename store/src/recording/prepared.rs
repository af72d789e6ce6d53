//! An append made ready by its caller: encoded and sealed, so that the writer only has to write.

use domain::{
    Answer, AnsweredEvent, Append, AppendError, CommandKey, EventId, Forgotten, Metadata, NewEvent, Position,
    StreamId,
};

use crate::sealing::{
    cipher::KeyName,
    key_error::KeyError,
    keys::Keys,
    values::{SealError, seal},
};

/// How many bytes the events of one command may hold.
pub(crate) const LIMIT: usize = 1 << 20;

/// How many bytes the contacts concerned by one event may take: 2,048 of them.
const SUBJECTS_LIMIT: usize = 2_048 * 16;

/// With which keys an append was sealed, and what [`Keys::given_up`] said before. Only the nodes of a cluster hand keys on
/// to one another, and give one up for another.
pub(crate) type SealedWith = (Vec<KeyName>, u64);

/// One append, as it will be written.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) stream: StreamId,
    pub(crate) stream_name: String,
    pub(crate) expected: u64,
    pub(crate) occurred_at: Option<i64>,
    pub(crate) actor: String,
    pub(crate) metadata: Option<String>,
    pub(crate) events: Vec<PreparedEvent>,
    pub(crate) key: Option<(CommandKey, [u8; 32])>,
    pub(crate) kept: Vec<String>,
    pub(crate) size: usize,
}

/// One event, as it will be written.
#[derive(Debug)]
pub(crate) struct PreparedEvent {
    pub(crate) id: EventId,
    pub(crate) tag: String,
    pub(crate) subjects: Vec<u8>,
    pub(crate) data: String,
    pub(crate) forgets: Option<Forgotten>,
}

impl Prepared {
    /// Encodes and seals an append, and tells with which keys.
    pub(crate) fn new(append: &Append, keys: &Keys) -> Result<(Self, SealedWith), AppendError> {
        let (given_up, mut names) = (keys.given_up(), Vec::new());
        let events: Result<Vec<_>, _> = append
            .events
            .iter()
            .map(|event| PreparedEvent::new(append.stream, event, keys, &mut names))
            .collect();
        let events = events?;
        let metadata = metadata(&append.metadata, keys, &mut names)?;
        // The metadata is kept with every event.
        let envelope = 128 + metadata.as_ref().map_or(0, String::len);
        let size = events.iter().map(|event| envelope + event.subjects.len() + event.data.len()).sum();
        if size > LIMIT {
            return Err(AppendError::TooLarge { limit: LIMIT, size });
        }
        let prepared = Self {
            stream: append.stream,
            stream_name: append.stream.to_string(),
            expected: append.expected,
            occurred_at: append.occurred_at.map(|moment| moment.timestamp_micros()),
            actor: append.by.to_string(),
            metadata,
            events,
            key: append.key,
            kept: append.kept.clone(),
            size,
        };
        Ok((prepared, (names, given_up)))
    }

    /// What is answered when the last event lies at a position.
    pub(crate) fn answer(&self, position: u64) -> Answer {
        let events = self.events.iter();
        Answer {
            stream: self.stream,
            revision: self.expected + self.events.len() as u64,
            position: Position(position),
            events: events.map(|event| AnsweredEvent { id: event.id, tag: event.tag.clone() }).collect(),
            kept: self.kept.clone(),
        }
    }
}

impl PreparedEvent {
    fn new(
        stream: StreamId,
        new: &NewEvent,
        keys: &Keys,
        names: &mut Vec<KeyName>,
    ) -> Result<Self, AppendError> {
        let (tag, data) = new.event.encode().map_err(|error| refused(&error))?;
        let subjects: Vec<u8> = new.subjects.iter().flat_map(|contact| *contact.0.as_bytes()).collect();
        if subjects.len() > SUBJECTS_LIMIT {
            return Err(AppendError::TooLarge { limit: SUBJECTS_LIMIT, size: subjects.len() });
        }
        let forgets = new.event.forgets(stream.id);
        Ok(Self { id: new.id, tag, subjects, data: sealed(data, keys, names)?, forgets })
    }
}

fn metadata(
    metadata: &Metadata,
    keys: &Keys,
    names: &mut Vec<KeyName>,
) -> Result<Option<String>, AppendError> {
    if metadata.is_empty() {
        return Ok(None);
    }
    let text = serde_json::to_string(metadata).map_err(|error| refused(&error))?;
    sealed(text, keys, names).map(Some)
}

fn sealed(text: String, keys: &Keys, names: &mut Vec<KeyName>) -> Result<String, AppendError> {
    seal(text, keys, names).map_err(|error| match error {
        SealError::Key(error) => keys_failed(&error),
        SealError::Malformed => refused(&error),
    })
}

/// What the caller is told when the keys fail; nothing has been written then.
pub(crate) fn keys_failed(error: &KeyError) -> AppendError {
    match error {
        KeyError::DiskFull => AppendError::DiskFull,
        KeyError::Database(_)
        | KeyError::Damaged
        | KeyError::Epoch(_)
        | KeyError::Cluster(_)
        | KeyError::Ending => refused(error),
    }
}

fn refused(error: &dyn std::error::Error) -> AppendError {
    AppendError::Unavailable(error.to_string())
}
