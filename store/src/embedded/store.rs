//! The embedded store: opens the files, starts the two threads, and answers at the port.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::Ordering::{Relaxed, Release},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    Answer, Append, AppendError, CommandKey, EventPage, EventStore, KeyedAnswer, KindSet, Position,
    READ_AT_ONCE, ReadError, Recorded, Stored, StreamId,
};
use tokio::sync::{Semaphore, mpsc, oneshot};
use uuid::Uuid;

use crate::{
    backup_outcome::{BackupError, Copied},
    embedded::{
        backup, erasures,
        index::Index,
        indexer,
        key_audit::KeyAudit,
        log_file::LogFile,
        readers::Readers,
        shared::Shared,
        writer::{Replied, Waiting, Writer},
    },
    folder::data_folder::DataFolder,
    log::{Log, Statistics},
    open_error::OpenError,
    options::Options,
    recording::prepared::Prepared,
    sealing::{key_error::KeyError, key_file, keys::Keys, rotation::Rotated},
    troubles::Trouble,
};

/// How many appends may wait.
const QUEUE: usize = 4_096;
/// How many bytes may wait. One append takes 1 MiB at most.
const QUEUE_BYTES: usize = 64 << 20;
/// Of how many contacts it is said that a key of theirs is gone.
const NAMED: usize = 5;
/// How many of the last events it is looked at whether the keys are there that they are sealed with.
const LAST_EVENTS: u64 = 10_000;
/// How long an append waits for room in the queue.
const APPEND_TIMEOUT: Duration = Duration::from_secs(5);

/// The event log in a data folder of this machine.
pub struct EmbeddedStore {
    shared: Arc<Shared>,
    keys: Arc<Keys>,
    readers: Readers,
    room: Arc<Semaphore>,
    // Taken when the store closes, which ends the writer.
    queue: Option<mpsc::Sender<Waiting>>,
    writer: Option<JoinHandle<()>>,
    indexer: Option<JoinHandle<()>>,
    rotation: Option<JoinHandle<()>>,
    // Held until the threads are gone.
    folder: DataFolder,
}

impl EmbeddedStore {
    /// Opens the log of a folder; makes it in a new one. The folder stays held while the store lives.
    pub fn open(folder: &DataFolder, options: Options) -> Result<Arc<Self>, OpenError> {
        let log_file = folder.log_file();
        LogFile::refuse_loss(&log_file, &folder.keys_file())?;
        let log = LogFile::open(&log_file, folder.log_id(), &options)?;
        let fail = |error| OpenError::Database { path: log_file.clone(), source: error };
        if log.head().map_err(fail)?.0 > 0 {
            key_file::refuse_loss(&folder.keys_file())?;
        }
        let keys = Arc::new(Keys::open(folder, &options)?);
        // Before anything is answered: an older copy of the keys may have been put back.
        if let Err(error) = erasures::catch_up(&log, folder.log_id(), &keys) {
            return Err(OpenError::Keys { path: folder.keys_file(), reason: error.to_string() });
        }
        let mut index = Index::open(&folder.index_file(), &log, folder.log_id())?;
        let tail = indexer::catch_up(&mut index, &log, options.index_batch).map_err(fail)?;
        let head = log.head().map_err(fail)?;
        let indexed = index.reach().map_err(fail)?;
        let shared = Arc::new(Shared::new(folder, options, head, (indexed, tail)));

        let (queue, waiting) = mpsc::channel(QUEUE);
        let index_reader = Index::reader(&shared.index_file).map_err(fail)?;
        let log_reader = LogFile::reader(&log_file).map_err(fail)?;
        let writer = Writer::new(Arc::clone(&shared), Arc::clone(&keys), log, index_reader, waiting);
        let writer = writer.map_err(fail)?;
        let mut store = Self {
            readers: Readers::new(Arc::clone(&shared)),
            shared: Arc::clone(&shared),
            keys,
            room: Arc::new(Semaphore::new(QUEUE_BYTES)),
            queue: Some(queue),
            writer: None,
            indexer: None,
            rotation: None,
            folder: folder.clone(),
        };
        let start = |name: &str, run: Box<dyn FnOnce() + Send>| {
            let thread = thread::Builder::new().name(name.to_owned()).spawn(run);
            thread.map(Some).map_err(OpenError::io(&log_file))
        };
        store.writer = start("log writer", Box::new(move || writer.run()))?;
        store.indexer = start("log indexer", Box::new(move || indexer::run(&shared, index, log_reader)))?;
        let (keys, shared, folder) = (Arc::clone(&store.keys), Arc::clone(&store.shared), folder.clone());
        store.rotation = start(
            "keys",
            Box::new(move || {
                look_after_keys(&shared, &folder);
                resume_rotation(&keys);
            }),
        )?;
        Ok(Arc::new(store))
    }

    /// A store that is gone when it is dropped: the same code on a temporary folder, without waiting for disks.
    pub fn in_memory() -> Result<Arc<Self>, OpenError> {
        let options = Options { durable: false, ..Options::default() };
        Self::open(&DataFolder::temporary()?, options)
    }

    /// Puts an append into the queue, where there is or soon will be room.
    async fn enqueue(&self, append: Prepared) -> Result<oneshot::Receiver<Replied>, AppendError> {
        let closed = || AppendError::Unavailable("it is closing".to_owned());
        let queue = self.queue.as_ref().ok_or_else(closed)?;
        let (reply, answer) = oneshot::channel();
        let put = async {
            let size = u32::try_from(append.size).unwrap_or(u32::MAX);
            let room = Arc::clone(&self.room).acquire_many_owned(size).await.map_err(|_| closed())?;
            queue.send(Waiting { append, reply, _room: room }).await.map_err(|_| closed())
        };
        let full = |_| AppendError::Unavailable("too many commands wait".to_owned());
        tokio::time::timeout(APPEND_TIMEOUT, put).await.map_err(full)??;
        Ok(answer)
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        // The writer goes last: the last connection that may write empties the write-ahead log.
        self.shared.tail.close();
        self.keys.ending.store(true, Release);
        join(self.rotation.take());
        join(self.indexer.take());
        self.readers.close();
        self.queue = None;
        join(self.writer.take());
    }
}

/// Says whose keys are gone, as far as that is seen quickly: rows that were there once, and keys that the last events are sealed
/// with.
fn look_after_keys(shared: &Shared, folder: &DataFolder) {
    let look = || -> Result<Option<String>, OpenError> {
        let audit = KeyAudit::open(folder.path())?;
        let rows = audit.rows_lost()?;
        let lost = audit.of_last(folder.path(), LAST_EVENTS)?;
        Ok((rows > 0 || !lost.is_empty()).then(|| {
            let named: Vec<String> =
                lost.iter().take(NAMED).map(|lost| format!("contact/{}", lost.contact)).collect();
            let of_whom = if named.is_empty() { String::new() } else { format!(" ({})", named.join(", ")) };
            format!(
                "keys.sqlite is not the one that belongs to this log, or was damaged: {rows} rows of it are gone, and of {} \
                 contacts{of_whom} something cannot be read although nobody has erased it; `rapport check` names each. Put the \
                 right file back",
                lost.len()
            )
        }))
    };
    match look() {
        Ok(None) => {}
        Ok(Some(reason)) => shared.troubles.note("the keys", &reason),
        Err(error) => tracing::warn!(%error, "whether all keys are there could not be looked up"),
    }
}

/// Where a new epoch was being begun when the process ended.
fn resume_rotation(keys: &Keys) {
    match keys.resume_rotation() {
        Ok(_) | Err(KeyError::Ending) => {}
        Err(error) => tracing::error!(%error, "the keys could not be wrapped anew; both epoch keys stay"),
    }
}

fn join(thread: Option<JoinHandle<()>>) {
    if thread.is_some_and(|thread| thread.join().is_err()) {
        tracing::error!("a thread of the store had panicked");
    }
}

/// There is one node only, so that what concerns others stays as it is by default.
#[async_trait]
impl Log for EmbeddedStore {
    fn keys(&self) -> &Arc<Keys> {
        &self.keys
    }

    fn folder(&self) -> &DataFolder {
        &self.folder
    }

    fn statistics(&self) -> Statistics {
        let queued = self.queue.as_ref().map_or(0, |queue| queue.max_capacity() - queue.capacity());
        Statistics {
            head: self.head(),
            queued,
            tail: self.shared.tail.len(),
            last_sync_micros: self.shared.last_sync.load(Relaxed),
            clock_offset_micros: self.shared.clock_offset(),
        }
    }

    fn troubles(&self) -> Vec<Trouble> {
        // Asked for what it takes note of.
        let _ = self.shared.now();
        let threads = [("the log", &self.writer), ("the index", &self.indexer)];
        let ended = threads.iter().filter(|(_, thread)| thread.as_ref().is_some_and(JoinHandle::is_finished));
        ended.map(|(part, _)| Trouble::ended(part)).chain(self.shared.troubles.all()).collect()
    }

    fn rotate(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Rotated, KeyError> {
        self.keys.rotate(progress)
    }

    fn back_up(
        &self,
        to: &Path,
        keys: Option<&Path>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Copied, BackupError> {
        backup::back_up(self, to, keys, progress)
    }
}

#[async_trait]
impl EventStore for EmbeddedStore {
    fn log_id(&self) -> Uuid {
        self.shared.log_id
    }

    async fn append(&self, append: Append) -> Result<Answer, AppendError> {
        // No other node may have drawn the same keys.
        let (prepared, _) = Prepared::new(&append, &self.keys)?;
        let answer = self.enqueue(prepared).await?;
        // The writer never drops a reply but by ending in the middle of a group.
        let Replied { append, outcome } = answer.await.map_err(|_| AppendError::OutcomeUnknown)?;
        outcome.map(|position| append.answer(position))
    }

    async fn answer(&self, key: CommandKey) -> Result<Option<KeyedAnswer>, ReadError> {
        self.readers.read_here(|reader, shared| reader.answer(shared, key))
    }

    async fn read_stream(
        &self,
        stream: StreamId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        // The most frequent question of all, whether there is anything new, needs no disk.
        if self.shared.heads.get(&stream).is_some_and(|head| head.revision <= after) {
            return Ok(Vec::new());
        }
        self.readers.read_here(|reader, shared| reader.stream(shared, &self.keys, stream, after, limit))
    }

    async fn read_at(&self, positions: &[Position]) -> Result<Vec<Recorded>, ReadError> {
        let positions = &positions[..positions.len().min(READ_AT_ONCE)];
        self.readers.read_here(|reader, _| reader.at(&self.keys, positions))
    }

    async fn read_all(&self, after: Position, limit: usize, kinds: KindSet) -> Result<EventPage, ReadError> {
        self.shared.options.faults.pass();
        if after >= self.head() {
            return Ok(EventPage { events: Vec::new(), through: after });
        }
        self.readers.read(move |reader, shared| reader.all(shared, after.0, limit, kinds)).await
    }

    async fn read_stored(
        &self,
        after: Position,
        limit: usize,
        each: &mut (dyn for<'a> FnMut(Stored<'a>) + Send),
    ) -> Result<Position, ReadError> {
        self.shared.options.faults.pass();
        if after >= self.head() {
            return Ok(after);
        }
        self.readers.read_here(|reader, shared| reader.stored(shared, after.0, limit, each))
    }

    fn head(&self) -> Position {
        Position(self.shared.position())
    }

    fn erasures(&self) -> u64 {
        self.keys.erasures()
    }

    async fn changed(&self, after: Position) {
        // The sender lives as long as the store: the wait cannot fail.
        let _ = self.shared.head.subscribe().wait_for(|head| *head > after.0).await;
    }

    async fn position_at(&self, moment: DateTime<Utc>) -> Result<Position, ReadError> {
        let moment = moment.timestamp_micros();
        self.readers.read(move |reader, shared| reader.position_at(shared, moment)).await
    }

    async fn position_of_size(&self, size: u64) -> Result<Position, ReadError> {
        // Positions have no gaps: the n-th event lies at position n.
        Ok(self.head().min(Position(size)))
    }

    async fn size_at(&self, position: Position) -> Result<u64, ReadError> {
        Ok(self.head().min(position).0)
    }
}
