//! The file of the log: its tables, and the few statements that touch them.
//!
//! Events lie in the order of their positions and nothing else is indexed, so that a commit only ever adds at
//! the end of the file, however many events it holds.

use std::{path::Path, time::Duration};

use domain::{CommandKey, KeyedAnswer, StreamId};
use rusqlite::{Connection, OpenFlags, OptionalExtension, ffi};
use uuid::Uuid;

use crate::{
    folder::private_files::{exists, make_private},
    open_error::OpenError,
    options::Options,
    sqlite::{failure, from_stored, keep_plans, to_stored, unsigned},
};

/// How long a connection waits for another one; only checkpoints ever do.
const BUSY: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
    BEGIN;
    CREATE TABLE IF NOT EXISTS log(id BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS events(
        position INTEGER PRIMARY KEY,
        stream TEXT NOT NULL,
        revision INTEGER NOT NULL,
        id BLOB NOT NULL,
        tag TEXT NOT NULL,
        occurred_at INTEGER,
        effective_at INTEGER NOT NULL,
        recorded_at INTEGER NOT NULL,
        actor TEXT NOT NULL,
        subjects BLOB NOT NULL,
        metadata TEXT,
        data TEXT NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS answers(
        number INTEGER PRIMARY KEY,
        key BLOB NOT NULL,
        body BLOB NOT NULL,
        answered_at INTEGER NOT NULL,
        answer TEXT NOT NULL
    ) STRICT;
    COMMIT;";

/// The columns of an event, in the order in which [`crate::embedded::rows`] reads them.
pub(crate) const COLUMNS: &str = "position, stream, revision, id, tag, occurred_at, effective_at, \
     recorded_at, actor, subjects, metadata, data";

/// Writes an event, with all its columns in their order.
pub(crate) const INSERT: &str = "INSERT INTO events(position, stream, revision, id, tag, occurred_at, effective_at, \
     recorded_at, actor, subjects, metadata, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

/// One connection to the log.
pub(crate) struct LogFile {
    pub(crate) connection: Connection,
}

/// What the index keeps about an event, as it is read from the log.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) stream: StreamId,
    pub(crate) revision: u64,
    pub(crate) position: u64,
    pub(crate) effective_at: i64,
}

/// A kept answer with its number and its time.
pub(crate) struct KeptAnswer {
    pub(crate) answered_at: i64,
    pub(crate) answer: KeyedAnswer,
}

impl LogFile {
    /// Opens the log for writing; makes it where it is missing.
    pub(crate) fn open(path: &Path, log_id: Uuid, options: &Options) -> Result<Self, OpenError> {
        make_private(path)?;
        let fail = |error| OpenError::Database { path: path.to_owned(), source: error };
        let connection = Connection::open(path).map_err(fail)?;
        prepare(&connection, options).map_err(fail)?;
        connection.execute_batch(SCHEMA).map_err(fail)?;
        if !Self::has_its_own_tables(&connection).map_err(fail)? {
            let reason = "its tables are not those of a log".to_owned();
            return Err(OpenError::Unreadable { file: path.to_owned(), reason });
        }
        let found: Option<[u8; 16]> =
            connection.query_row("SELECT id FROM log", [], |row| row.get(0)).optional().map_err(fail)?;
        match found {
            None => {
                connection.execute("INSERT INTO log(id) VALUES (?1)", [log_id.as_bytes()]).map_err(fail)?;
            }
            Some(id) if id == *log_id.as_bytes() => {}
            Some(_) => return Err(OpenError::AnotherLog(path.to_owned())),
        }
        Ok(Self { connection })
    }

    /// Whether the file holds the tables of a log, word for word, and nothing else: a view in the place of a table
    /// could show one thing to whoever verifies and another to whoever serves.
    pub(crate) fn has_its_own_tables(connection: &Connection) -> rusqlite::Result<bool> {
        let tables = |connection: &Connection| -> rusqlite::Result<Vec<(String, String, Option<String>)>> {
            let mut statement =
                connection.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            rows.collect()
        };
        let fresh = Connection::open_in_memory()?;
        fresh.execute_batch(SCHEMA)?;
        Ok(tables(connection)? == tables(&fresh)?)
    }

    /// Opens the log again after it failed, and makes certain that what it says is on the disk.
    ///
    /// After a failed sync the system may hold pages that it takes for written. The checkpoint writes them
    /// once more, into the database itself, and empties the write-ahead log; whoever reads then, and whoever
    /// reads after a power cut, sees the same.
    pub(crate) fn reopen(path: &Path, options: &Options) -> rusqlite::Result<Self> {
        let connection = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        prepare(&connection, options)?;
        let busy: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy == 0 { Ok(Self { connection }) } else { Err(failure(ffi::SQLITE_BUSY)) }
    }

    /// Opens the log for reading.
    pub(crate) fn reader(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        connection.busy_timeout(BUSY)?;
        keep_plans(&connection)?;
        Ok(Self { connection })
    }

    /// Refuses to go on where the log is gone but what belongs to it is not.
    pub(crate) fn refuse_loss(log: &Path, other: &Path) -> Result<(), OpenError> {
        if !exists(log)? && exists(other)? { Err(OpenError::Missing(log.to_owned())) } else { Ok(()) }
    }

    /// The last position and the time of its recording; zeros where the log is empty.
    pub(crate) fn head(&self) -> rusqlite::Result<(u64, i64)> {
        let sql = "SELECT position, recorded_at FROM events ORDER BY position DESC LIMIT 1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let head = statement.query_row([], |row| Ok((unsigned(row, 0)?, row.get(1)?))).optional()?;
        Ok(head.unwrap_or_default())
    }

    /// The numbers of the oldest and the newest answer that is kept.
    pub(crate) fn answer_numbers(&self) -> rusqlite::Result<Option<(u64, u64)>> {
        let sql = "SELECT min(number), max(number) FROM answers";
        self.connection.query_row(sql, [], |row| {
            let (oldest, newest): (Option<i64>, Option<i64>) = (row.get(0)?, row.get(1)?);
            Ok(oldest.zip(newest).map(|(oldest, newest)| (from_stored(oldest), from_stored(newest))))
        })
    }

    /// Hands out the places of all events after a position, until told to stop by an error.
    pub(crate) fn places(
        &self,
        after: u64,
        each: impl FnMut(Place) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        self.places_between(after, u64::MAX, each)
    }

    /// The same, through a position.
    pub(crate) fn places_between(
        &self,
        after: u64,
        through: u64,
        mut each: impl FnMut(Place) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let sql = "SELECT position, stream, revision, effective_at FROM events
                   WHERE position > ?1 AND position <= ?2 ORDER BY position";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([to_stored(after), to_stored(through)])?;
        while let Some(row) = rows.next()? {
            // A stream that does not parse cannot be asked for either; whoever reads all is told about it.
            if let Ok(stream) = row.get_ref(1)?.as_str().unwrap_or_default().parse() {
                let (position, revision) = (unsigned(row, 0)?, unsigned(row, 2)?);
                each(Place { stream, revision, position, effective_at: row.get(3)? })?;
            }
        }
        Ok(())
    }

    /// Hands out key and number of all answers after a number.
    pub(crate) fn keys(
        &self,
        after: u64,
        mut each: impl FnMut(CommandKey, u64) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let sql = "SELECT number, key FROM answers WHERE number > ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([to_stored(after)])?;
        while let Some(row) = rows.next()? {
            each(CommandKey(row.get(1)?), unsigned(row, 0)?)?;
        }
        Ok(())
    }

    /// The answer of a number, if it is kept and was given to the key.
    pub(crate) fn answer(&self, number: u64, key: CommandKey) -> rusqlite::Result<Option<KeptAnswer>> {
        let sql = "SELECT body, answered_at, answer FROM answers WHERE number = ?1 AND key = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let found = statement.query_row((to_stored(number), key.0), |row| {
            let text: String = row.get(2)?;
            let answer = serde_json::from_str(&text).map_err(|error| {
                rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, error.into())
            })?;
            let answer = KeyedAnswer { body: row.get(0)?, answer };
            Ok(KeptAnswer { answered_at: row.get(1)?, answer })
        });
        found.optional()
    }

    /// Keys and numbers of at most `limit` answers after a number that were given before a moment.
    pub(crate) fn answers_before(
        &self,
        after: u64,
        through: u64,
        moment: i64,
        limit: usize,
    ) -> rusqlite::Result<Vec<(CommandKey, u64)>> {
        let sql = "SELECT key, number, answered_at FROM answers
                   WHERE number > ?1 AND number <= ?2 ORDER BY number LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = statement.query((to_stored(after), to_stored(through), limit))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            if row.get::<_, i64>(2)? >= moment {
                break;
            }
            found.push((CommandKey(row.get(0)?), unsigned(row, 1)?));
        }
        Ok(found)
    }

    /// When an event was recorded.
    pub(crate) fn recorded_at(&self, position: u64) -> rusqlite::Result<Option<i64>> {
        let sql = "SELECT recorded_at FROM events WHERE position = ?1";
        self.connection.prepare_cached(sql)?.query_row([to_stored(position)], |row| row.get(0)).optional()
    }

    /// From when an event is effective; nothing where another one lies there, or none.
    pub(crate) fn effective_at(
        &self,
        stream: StreamId,
        revision: u64,
        position: u64,
    ) -> rusqlite::Result<Option<i64>> {
        let sql = "SELECT effective_at FROM events WHERE position = ?1 AND stream = ?2 AND revision = ?3";
        let of = (to_stored(position), stream.to_string(), to_stored(revision));
        self.connection.prepare_cached(sql)?.query_row(of, |row| row.get(0)).optional()
    }
}

fn prepare(connection: &Connection, options: &Options) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", if options.durable { "FULL" } else { "OFF" })?;
    // 4,000 pages do better under load than the default of 1,000; what a burst needs beyond them is given back.
    connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    connection.pragma_update(None, "journal_size_limit", 16 << 20)?;
    connection.set_prepared_statement_cache_capacity(32);
    keep_plans(connection)
}
