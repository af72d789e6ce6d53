//! The port through which facts are kept and read again; `store` implements it.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    event::{Event, KindSet},
    ids::{ContactId, EventId, StreamId},
    recorded::{Actor, BadEvent, Metadata, Position, Recorded},
    stored::Stored,
};

/// How many events are read at once where each is named.
pub const READ_AT_ONCE: usize = 10_000;

/// The event log. One contract suite runs against every implementation.
#[async_trait]
pub trait EventStore: Send + Sync + 'static {
    /// The id drawn when the log was created; whoever keeps positions keeps it beside them.
    fn log_id(&self) -> Uuid;

    /// Appends all events of one command to one stream, or none; returns when they are durable.
    /// No events and a key records the answer of a command that changed nothing.
    async fn append(&self, append: Append) -> Result<Answer, AppendError>;

    /// The answer given to a key within the last 24 hours.
    async fn answer(&self, key: CommandKey) -> Result<Option<KeyedAnswer>, ReadError>;

    /// The events of a stream after a revision, at most `limit`, personal values opened, for deciding.
    async fn read_stream(
        &self,
        stream: StreamId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError>;

    /// The events at these positions, in the order in which they are asked for, personal values opened; of more
    /// than [`READ_AT_ONCE`] positions only the first. A position at which nothing stands is left out.
    async fn read_at(&self, positions: &[Position]) -> Result<Vec<Recorded>, ReadError>;

    /// The events after a position in global order, personal values left sealed. Only the kinds wanted are
    /// decoded and returned; the page says how far it has read.
    async fn read_all(&self, after: Position, limit: usize, kinds: KindSet) -> Result<EventPage, ReadError>;

    /// Hands out the events after a position in global order, exactly as they are stored, at most `limit`; how
    /// far it has read. Reads on the caller's own thread, which must be one that may wait for a disk. A row that
    /// is no event ends it with an error.
    async fn read_stored(
        &self,
        after: Position,
        limit: usize,
        each: &mut (dyn for<'a> FnMut(Stored<'a>) + Send),
    ) -> Result<Position, ReadError>;

    /// Up to where the log can be read here: the position of the last durable event, or, where others write to it as
    /// well, of the last one that has been followed.
    fn head(&self) -> Position;

    /// The furthest position that is known here: beyond the head it may be that of an append that is durable and has
    /// not been followed yet. Whoever waits for it sees everything that was recorded or read here before.
    fn latest(&self) -> Position {
        self.head()
    }

    /// Whether others write to the same log, so that a position beyond what is known here may be one of theirs.
    fn is_shared(&self) -> bool {
        false
    }

    /// A number that changes with every erasure, before anybody can see its event and once more when they can.
    /// Whoever keeps what they have opened notes it first, and throws away what they have once it has changed.
    fn erasures(&self) -> u64;

    /// Waits until something may have been recorded after the position. Only a hint: whoever follows the log
    /// reads again after a while in any case.
    async fn changed(&self, after: Position);

    /// The position of the last event recorded at or before a moment.
    async fn position_at(&self, moment: DateTime<Utc>) -> Result<Position, ReadError>;

    /// The position of the n-th event of the log: what was recorded when the log held `size` events.
    async fn position_of_size(&self, size: u64) -> Result<Position, ReadError>;

    /// How many events the log holds up to a position, this included.
    async fn size_at(&self, position: Position) -> Result<u64, ReadError>;
}

/// A key under which a command is carried out once: derived from its writer and the writer's own key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CommandKey(pub [u8; 16]);

/// One event on its way into the log.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Its id.
    pub id: EventId,
    /// What happened.
    pub event: Event,
    /// The contacts concerned.
    pub subjects: Vec<ContactId>,
}

/// The events of one command on their way into one stream.
#[derive(Clone, Debug)]
pub struct Append {
    /// Where to.
    pub stream: StreamId,
    /// How many events the stream must hold for the append to be valid.
    pub expected: u64,
    /// What happened; may be empty where there is a key.
    pub events: Vec<NewEvent>,
    /// When it was so.
    pub occurred_at: Option<DateTime<Utc>>,
    /// Who writes.
    pub by: Actor,
    /// The rarer parts of the envelope.
    pub metadata: Metadata,
    /// Under which key, and the hash of the command's body.
    pub key: Option<(CommandKey, [u8; 32])>,
    /// The fields that the command left as a person had set them, kept with the answer.
    pub kept: Vec<String>,
}

/// What a command came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The stream written to.
    pub stream: StreamId,
    /// How many events the stream holds now.
    pub revision: u64,
    /// The position of the last event written, or of the end of the log where nothing was.
    pub position: Position,
    /// What was written; empty where everything was so already.
    pub events: Vec<AnsweredEvent>,
    /// The fields of an imported row that were left as a person had set them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
}

/// One event of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnsweredEvent {
    /// The event's id.
    pub id: EventId,
    /// The event's tag.
    pub tag: String,
}

/// An answer kept under a key, with the hash of the body it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedAnswer {
    /// SHA-256 of the command's body.
    pub body: [u8; 32],
    /// What was answered.
    pub answer: Answer,
}

/// Events in global order.
#[derive(Debug, Default)]
pub struct EventPage {
    /// The events wanted, or in the place of one that cannot be read, what is wrong with it.
    pub events: Vec<Result<Recorded, BadEvent>>,
    /// How far the page reaches; the next page begins after it.
    pub through: Position,
}

/// Why an append was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The stream has moved on: load, decide and append again.
    #[error("the stream is at revision {actual}, not at {expected}")]
    WrongRevision {
        /// What the caller expected.
        expected: u64,
        /// What it is.
        actual: u64,
    },
    /// The key has been answered already; nothing was written.
    #[error("the key has been answered already")]
    Answered(Box<KeyedAnswer>),
    /// Nothing was written; the same command may be sent again later.
    #[error("the log takes no more at the moment: {0}")]
    Unavailable(String),
    /// The disk is full; nothing was written.
    #[error("the disk is full; nothing was recorded: free some space and send the command again")]
    DiskFull,
    /// Whether it was written is not known; the same command with the same key finds out.
    #[error("whether the command was recorded is not known: send it again with the same key")]
    OutcomeUnknown,
    /// The events are too large to keep; nothing was written.
    #[error("the events of one command may hold {limit} bytes, not {size}")]
    TooLarge {
        /// Bytes allowed.
        limit: usize,
        /// Bytes given.
        size: usize,
    },
}

/// Why the log could not be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// A stored event cannot be read.
    #[error(transparent)]
    Bad(#[from] BadEvent),
    /// The storage failed.
    #[error("the log cannot be read: {0}")]
    Storage(String),
}
