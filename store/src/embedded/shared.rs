//! What the writer, the indexer and the readers of one store share.

use std::{
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
};

use domain::{CommandKey, KeyedAnswer, StreamId};
use quick_cache::{
    DefaultHashBuilder, UnitWeighter,
    sync::{Cache, DefaultLifecycle},
};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    embedded::{
        index::{Index, damaged},
        index_watch::IndexWatch,
        log_file::{LogFile, Place},
        tail::{Segment, Tail},
    },
    folder::data_folder::DataFolder,
    options::Options,
    recording::{
        clock::{ANSWER_LIFE, Clock, ClockWatch},
        stream_head::Head,
    },
    troubles::Troubles,
};

/// How many heads of streams are kept in memory.
const HEADS: u64 = 1_000_000;

/// The state in memory.
pub(crate) struct Shared {
    pub(crate) log_id: Uuid,
    pub(crate) log_file: PathBuf,
    pub(crate) index_file: PathBuf,
    pub(crate) options: Options,
    pub(crate) clock: Clock,
    watch: Mutex<ClockWatch>,
    pub(crate) troubles: Troubles,
    /// The last durable position.
    pub(crate) head: watch::Sender<u64>,
    /// Only the writer inserts; a stream that is missing is looked up in the tail and then in the index.
    pub(crate) heads: Cache<StreamId, Head>,
    pub(crate) tail: Tail,
    /// Whether the index can be relied on.
    pub(crate) index: IndexWatch,
    /// Answers up to this number have expired and left the index; the writer deletes them.
    pub(crate) expired_through: AtomicU64,
    /// How long the last transaction took, in microseconds.
    pub(crate) last_sync: AtomicU64,
    /// When the last event was recorded.
    pub(crate) recorded_at: AtomicI64,
}

impl Shared {
    pub(crate) fn new(
        folder: &DataFolder,
        options: Options,
        (head, recorded_at): (u64, i64),
        (indexed, open): ((u64, u64), Segment),
    ) -> Self {
        let tail = Tail::new(indexed, open, options.index_batch);
        Self {
            log_id: folder.log_id(),
            log_file: folder.log_file(),
            index_file: folder.index_file(),
            watch: Mutex::new(ClockWatch::new(Clock::new(options.faults.clone()), options.accept_clock)),
            clock: Clock::new(options.faults.clone()),
            troubles: Troubles::default(),
            options,
            head: watch::Sender::new(head),
            heads: Cache::with(
                10_000,
                HEADS,
                UnitWeighter,
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            ),
            tail,
            index: IndexWatch::default(),
            expired_through: AtomicU64::new(0),
            last_sync: AtomicU64::new(0),
            recorded_at: AtomicI64::new(recorded_at),
        }
    }

    /// Now, by a clock that can be believed; an error says why it cannot.
    pub(crate) fn now(&self) -> Result<i64, String> {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let now = watch.now(self.recorded_at.load(Relaxed));
        match &now {
            Ok(_) => self.troubles.clear("the clock"),
            Err(reason) => self.troubles.note("the clock", reason),
        }
        now
    }

    /// How far the clock is from where it ought to be, in microseconds.
    pub(crate) fn clock_offset(&self) -> i64 {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner).offset()
    }

    /// The last durable position.
    pub(crate) fn position(&self) -> u64 {
        *self.head.borrow()
    }

    /// The head of a stream: from memory, else from the index and the log.
    pub(crate) fn head_of(&self, stream: StreamId, log: &LogFile, index: &Index) -> rusqlite::Result<Head> {
        if let Some(head) = self.heads.get(&stream).or_else(|| self.tail.head(stream)) {
            return Ok(head);
        }
        self.consult(|| {
            let Some((revision, position)) = index.last(stream)? else { return Ok(Head::NONE) };
            match log.effective_at(stream, revision, position)? {
                Some(effective_at) => Ok(Head { revision, effective_at }),
                None => Err(damaged("an event is not where the index says")),
            }
        })
    }

    /// Looks something up in the index, if that can be relied on; where it turns out that it cannot, it is written again.
    pub(crate) fn consult<T>(&self, look: impl FnOnce() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let found = self.index.consult(look);
        if self.index.is_damaged() {
            self.troubles.note("the index", "it is damaged and is written again from the log");
        }
        found
    }

    /// The answer to a key that is not older than a day.
    pub(crate) fn answer(
        &self,
        key: CommandKey,
        log: &LogFile,
        index: &Index,
    ) -> rusqlite::Result<Option<KeyedAnswer>> {
        let number = match self.tail.answer(key) {
            Some(number) => Some(number),
            None => self.consult(|| index.answer(key))?,
        };
        let Some(number) = number else { return Ok(None) };
        let oldest = self.clock.now() - ANSWER_LIFE;
        let kept = log.answer(number, key)?.filter(|kept| kept.answered_at >= oldest);
        Ok(kept.map(|kept| kept.answer))
    }

    /// Takes note of what is durable now, in the order in which others rely on it.
    pub(crate) fn publish(
        &self,
        position: u64,
        places: Vec<Place>,
        answers: Vec<(CommandKey, u64)>,
        heads: impl IntoIterator<Item = (StreamId, Head)>,
    ) {
        self.tail.extend(places, answers);
        for (stream, head) in heads {
            self.heads.insert(stream, head);
        }
        self.head.send_replace(position);
    }

    pub(crate) fn note_sync(&self, took: std::time::Duration) {
        self.last_sync.store(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }
}
