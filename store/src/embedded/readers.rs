//! The readers: a few read-only connections, each used by one blocking task at a time.
//!
//! No transaction outlives a call, so that a slow reader never keeps the write-ahead log from being emptied.

use std::sync::{Arc, Mutex, PoisonError};

use domain::{
    BadEvent, CommandKey, EventPage, KeyedAnswer, Keyring, KindSet, Position, ReadError, Recorded, Stored,
    StreamId,
};
use tokio::sync::Semaphore;

use crate::{
    embedded::{
        index::{Index, damaged},
        log_file::{COLUMNS, LogFile},
        rows,
        shared::Shared,
    },
    sealing::keys::Keys,
    sqlite::{to_stored, unsigned},
};

/// How many read at the same time.
const READERS: usize = 8;

/// The connections that are not in use.
pub(crate) struct Readers {
    shared: Arc<Shared>,
    idle: Arc<Mutex<Vec<Reader>>>,
    permits: Arc<Semaphore>,
}

/// One connection to the log and one to the index.
pub(crate) struct Reader {
    log: LogFile,
    index: Index,
}

impl Readers {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, idle: Arc::default(), permits: Arc::new(Semaphore::new(READERS)) }
    }

    /// Closes the connections that are not in use.
    pub(crate) fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Does some reading on a thread that may block.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader, &Shared) -> Result<T, Failed> + Send + 'static,
    ) -> Result<T, ReadError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|error| storage(&error))?;
        let (shared, idle) = (Arc::clone(&self.shared), Arc::clone(&self.idle));
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            read_with(&idle, &shared, read)
        });
        task.await.map_err(|error| storage(&error))?
    }

    /// Does a short piece of reading at once, on the caller's own thread: a few rows whose pages are nearly
    /// always in memory are read sooner than another thread would wake up.
    pub(crate) fn read_here<T>(
        &self,
        read: impl FnOnce(&Reader, &Shared) -> Result<T, Failed>,
    ) -> Result<T, ReadError> {
        read_with(&self.idle, &self.shared, read)
    }
}

/// Reads with a connection that is not in use, or a new one.
fn read_with<T>(
    idle: &Mutex<Vec<Reader>>,
    shared: &Shared,
    read: impl FnOnce(&Reader, &Shared) -> Result<T, Failed>,
) -> Result<T, ReadError> {
    let waiting = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let reader = match waiting {
        Some(reader) => reader,
        None => Reader::open(shared).map_err(|error| storage(&error))?,
    };
    let result = read(&reader, shared);
    // After an error of the database the connection is closed, in case the error was its own.
    if !matches!(result, Err(Failed(ReadError::Storage(_)))) {
        let mut idle = idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < READERS {
            idle.push(reader);
        }
    }
    result.map_err(|failed| failed.0)
}

impl Reader {
    fn open(shared: &Shared) -> rusqlite::Result<Self> {
        Ok(Self { log: LogFile::reader(&shared.log_file)?, index: Index::reader(&shared.index_file)? })
    }

    /// The events of a stream, opened.
    pub(crate) fn stream(
        &self,
        shared: &Shared,
        keys: &Keys,
        stream: StreamId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Recorded>, Failed> {
        let positions = self.positions(shared, stream, after, limit)?;
        let sql = format!("SELECT {COLUMNS} FROM events WHERE position = ?1");
        let mut statement = self.log.connection.prepare_cached(&sql)?;
        let mut events = Vec::with_capacity(positions.len());
        for (position, revision) in positions.into_iter().zip(after + 1..) {
            let mut rows = statement.query([to_stored(position)])?;
            let found = rows.next()?.map(|row| rows::decode(row, Some(keys as &dyn Keyring))).transpose()?;
            let found = found.filter(|found| found.stream == stream && found.revision == revision);
            // Found wrong under the watch, so that the index is written again.
            let astray = || damaged("an event is not where the index says");
            events.push(shared.consult(|| found.ok_or_else(astray))?);
        }
        Ok(events)
    }

    /// The events at some positions, opened.
    pub(crate) fn at(&self, keys: &Keys, positions: &[Position]) -> Result<Vec<Recorded>, Failed> {
        let sql = format!("SELECT {COLUMNS} FROM events WHERE position = ?1");
        let mut statement = self.log.connection.prepare_cached(&sql)?;
        let mut events = Vec::with_capacity(positions.len());
        for position in positions {
            let mut rows = statement.query([to_stored(position.0)])?;
            if let Some(row) = rows.next()? {
                events.push(rows::decode(row, Some(keys as &dyn Keyring))?);
            }
        }
        Ok(events)
    }

    /// Where the events of a stream lie. The tail is asked first: what leaves it meanwhile is in the index.
    fn positions(
        &self,
        shared: &Shared,
        stream: StreamId,
        after: u64,
        limit: usize,
    ) -> rusqlite::Result<Vec<u64>> {
        let newest = shared.tail.places(stream, after);
        let before = newest.first().map(|(revision, _)| *revision);
        let mut positions = if before == Some(after + 1) {
            Vec::new()
        } else {
            shared.consult(|| self.index.places(stream, after, before, limit))?
        };
        let room = limit.saturating_sub(positions.len());
        positions.extend(newest.into_iter().take(room).map(|(_, position)| position));
        Ok(positions)
    }

    /// The events after a position, as they are stored.
    pub(crate) fn all(
        &self,
        shared: &Shared,
        after: u64,
        limit: usize,
        kinds: KindSet,
    ) -> Result<EventPage, Failed> {
        let mut page = EventPage { events: Vec::new(), through: Position(after) };
        let sql = format!(
            "SELECT {COLUMNS} FROM events WHERE position > ?1 AND position <= ?2 ORDER BY position LIMIT ?3"
        );
        let mut statement = self.log.connection.prepare_cached(&sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = statement.query([to_stored(after), to_stored(shared.position()), limit])?;
        while let Some(row) = rows.next()? {
            page.through = Position(unsigned(row, 0)?);
            // What has no known kind is handed out as unreadable: nobody can say that it was not wanted.
            if rows::kind(row).is_none_or(|kind| kinds.contains(kind)) {
                page.events.push(rows::decode(row, None));
            }
        }
        Ok(page)
    }

    /// Hands out the events after a position, exactly as they stand.
    pub(crate) fn stored(
        &self,
        shared: &Shared,
        after: u64,
        limit: usize,
        each: &mut (dyn for<'a> FnMut(Stored<'a>) + Send),
    ) -> Result<Position, Failed> {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        let through = shared.position().min(after.saturating_add(limit));
        let mut reached = after;
        let sql =
            format!("SELECT {COLUMNS} FROM events WHERE position > ?1 AND position <= ?2 ORDER BY position");
        let mut statement = self.log.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([to_stored(after), to_stored(through)])?;
        while let Some(row) = rows.next()? {
            let event = rows::as_it_stands(row)?;
            reached = event.position.0;
            each(event);
        }
        Ok(Position(reached))
    }

    /// The last position recorded at or before a moment: halving works because the times never decrease.
    pub(crate) fn position_at(&self, shared: &Shared, moment: i64) -> Result<Position, Failed> {
        let (mut at_or_before, mut later) = (0, shared.position() + 1);
        while at_or_before + 1 < later {
            let middle = at_or_before + (later - at_or_before) / 2;
            let recorded_at = self.log.recorded_at(middle)?;
            if recorded_at.is_some_and(|recorded_at| recorded_at <= moment) {
                at_or_before = middle;
            } else {
                later = middle;
            }
        }
        Ok(Position(at_or_before))
    }

    /// The answer to a key.
    pub(crate) fn answer(&self, shared: &Shared, key: CommandKey) -> Result<Option<KeyedAnswer>, Failed> {
        Ok(shared.answer(key, &self.log, &self.index)?)
    }
}

/// A failure of reading, from whatever it was.
pub(crate) struct Failed(ReadError);

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self(storage(&error))
    }
}

impl From<BadEvent> for Failed {
    fn from(bad: BadEvent) -> Self {
        Self(bad.into())
    }
}

fn storage(error: &dyn std::error::Error) -> ReadError {
    ReadError::Storage(error.to_string())
}
