//! The index of a node: how many events lie before which position, when they were recorded, and what commands of the
//! last day were answered. It is written as the log is followed, says itself how far it reaches, and is begun anew
//! where it is missing: a file that may be lost.
//!
//! It has a mark for every few hundred events, so that it stays small: what lies between two marks is counted by
//! reading it.

use std::{path::Path, time::Duration};

use domain::{CommandKey, KeyedAnswer};
use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use crate::{
    folder::private_files::make_private,
    open_error::OpenError,
    recording::clock::ANSWER_LIFE,
    sqlite::{keep_plans, to_stored, unsigned},
};

/// How many events lie between two marks.
pub(crate) const MARKED_EVERY: usize = 256;
/// How many old answers are forgotten at once.
const FORGOTTEN_AT_ONCE: u32 = 1_024;

const SCHEMA: &str = "
    BEGIN;
    CREATE TABLE IF NOT EXISTS state(
        one INTEGER PRIMARY KEY CHECK (one = 1),
        log BLOB NOT NULL,
        scanned INTEGER NOT NULL,
        position INTEGER NOT NULL,
        events INTEGER NOT NULL,
        recorded_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS marks(
        events INTEGER PRIMARY KEY,
        position INTEGER NOT NULL,
        recorded_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS marks_by_position ON marks(position);
    CREATE INDEX IF NOT EXISTS marks_by_time ON marks(recorded_at, events);
    CREATE TABLE IF NOT EXISTS answers(
        key BLOB PRIMARY KEY,
        body BLOB NOT NULL,
        answered_at INTEGER NOT NULL,
        answer TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS answers_by_time ON answers(answered_at);
    COMMIT;";

/// How far the log has been followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Up to where everything in the cluster has been looked at.
    pub(crate) scanned: u64,
    /// The position of the last event.
    pub(crate) position: u64,
    /// How many events there are up to it.
    pub(crate) events: u64,
    /// The latest time at which one of them was recorded, in microseconds since 1970. Nodes have clocks of their own:
    /// this is what never decreases along the log.
    pub(crate) recorded_at: i64,
}

/// A place between which and the next one events are counted by reading them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) events: u64,
    pub(crate) position: u64,
    pub(crate) recorded_at: i64,
}

/// What a page of the log adds.
#[derive(Debug, Default)]
pub(crate) struct Added {
    pub(crate) marks: Vec<Mark>,
    /// Key, answer, and when it was given.
    pub(crate) answers: Vec<(CommandKey, KeyedAnswer, i64)>,
}

/// One connection to the index.
pub(crate) struct NodeIndex {
    connection: Connection,
}

impl NodeIndex {
    /// Opens the index of a node; one that belongs to another log, or cannot be read, is begun anew.
    pub(crate) fn open(path: &Path, log: Uuid) -> Result<Self, OpenError> {
        make_private(path)?;
        match Self::connect(path, log).and_then(|index| Ok((index.is_of(log)?, index))) {
            Ok((true, index)) => return Ok(index),
            Ok((false, _)) => tracing::warn!("the index belongs to another log; it is begun anew"),
            Err(error) => tracing::warn!(%error, "the index cannot be read; it is begun anew"),
        }
        Self::begin_anew(path, log)
    }

    /// Removes the index and makes an empty one.
    pub(crate) fn begin_anew(path: &Path, log: Uuid) -> Result<Self, OpenError> {
        for suffix in ["", "-wal", "-shm"] {
            let mut file = path.as_os_str().to_owned();
            file.push(suffix);
            match std::fs::remove_file(&file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(OpenError::io(path)(error));
                }
                _ => {}
            }
        }
        make_private(path)?;
        Self::connect(path, log).map_err(OpenError::database(path))
    }

    fn connect(path: &Path, log: Uuid) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // After a power cut it may reach less far than before, and says so itself.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        keep_plans(&connection)?;
        connection.execute_batch(SCHEMA)?;
        let sql = "INSERT OR IGNORE INTO state VALUES (1, ?1, 0, 0, 0, ?2)";
        connection.execute(sql, params![log.as_bytes(), i64::MIN])?;
        Ok(Self { connection })
    }

    fn is_of(&self, log: Uuid) -> rusqlite::Result<bool> {
        let found: [u8; 16] = self.connection.query_row("SELECT log FROM state", [], |row| row.get(0))?;
        Ok(found == *log.as_bytes())
    }

    /// How far it reaches.
    pub(crate) fn reach(&self) -> rusqlite::Result<Reach> {
        let sql = "SELECT scanned, position, events, recorded_at FROM state";
        self.connection.query_row(sql, [], |row| {
            let (scanned, position, events) = (unsigned(row, 0)?, unsigned(row, 1)?, unsigned(row, 2)?);
            Ok(Reach { scanned, position, events, recorded_at: row.get(3)? })
        })
    }

    /// Adds what a page holds, with how far it reaches, in one transaction.
    pub(crate) fn add(&mut self, added: &Added, reach: Reach) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        for mark in &added.marks {
            let sql = "INSERT OR REPLACE INTO marks VALUES (?1, ?2, ?3)";
            let values = params![to_stored(mark.events), to_stored(mark.position), mark.recorded_at];
            transaction.prepare_cached(sql)?.execute(values)?;
        }
        for (key, answer, answered_at) in &added.answers {
            let text = serde_json::to_string(&answer.answer)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
            // The first answer to a key is the one that counts.
            let sql = "INSERT OR IGNORE INTO answers VALUES (?1, ?2, ?3, ?4)";
            transaction.prepare_cached(sql)?.execute(params![key.0, answer.body, answered_at, text])?;
        }
        let sql = "UPDATE state SET scanned = ?1, position = ?2, events = ?3, recorded_at = ?4";
        let values = params![
            to_stored(reach.scanned),
            to_stored(reach.position),
            to_stored(reach.events),
            reach.recorded_at
        ];
        transaction.prepare_cached(sql)?.execute(values)?;
        transaction.commit()
    }

    /// Forgets answers that are older than a day.
    pub(crate) fn forget_answers(&self, now: i64) -> rusqlite::Result<()> {
        let sql = "DELETE FROM answers WHERE key IN
                   (SELECT key FROM answers WHERE answered_at < ?1 ORDER BY answered_at LIMIT ?2)";
        let oldest = now.saturating_sub(ANSWER_LIFE);
        self.connection.prepare_cached(sql)?.execute(params![oldest, FORGOTTEN_AT_ONCE]).map(|_| ())
    }

    /// The answer to a key that was given within a day.
    pub(crate) fn answer(&self, key: CommandKey, now: i64) -> rusqlite::Result<Option<KeyedAnswer>> {
        let sql = "SELECT body, answer FROM answers WHERE key = ?1 AND answered_at >= ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let found = statement.query_row(params![key.0, now.saturating_sub(ANSWER_LIFE)], |row| {
            let text: String = row.get(1)?;
            let answer = serde_json::from_str(&text).map_err(|error| {
                rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, error.into())
            })?;
            Ok(KeyedAnswer { body: row.get(0)?, answer })
        });
        found.optional()
    }

    /// The last mark at or before a position.
    pub(crate) fn mark_at(&self, position: u64) -> rusqlite::Result<Mark> {
        self.mark("SELECT events, position, recorded_at FROM marks WHERE position <= ?1 ORDER BY position DESC LIMIT 1", to_stored(position))
    }

    /// The last mark with at most so many events up to it.
    pub(crate) fn mark_of_size(&self, events: u64) -> rusqlite::Result<Mark> {
        self.mark(
            "SELECT events, position, recorded_at FROM marks WHERE events <= ?1 ORDER BY events DESC LIMIT 1",
            to_stored(events),
        )
    }

    /// The last mark up to which nothing was recorded after a moment.
    pub(crate) fn mark_of_time(&self, moment: i64) -> rusqlite::Result<Mark> {
        self.mark(
            "SELECT events, position, recorded_at FROM marks WHERE recorded_at <= ?1
             ORDER BY recorded_at DESC, events DESC LIMIT 1",
            moment,
        )
    }

    fn mark(&self, sql: &str, of: i64) -> rusqlite::Result<Mark> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Mark { events: unsigned(row, 0)?, position: unsigned(row, 1)?, recorded_at: row.get(2)? })
        };
        let found = statement.query_row([of], read).optional()?;
        Ok(found.unwrap_or(Mark { events: 0, position: 0, recorded_at: i64::MIN }))
    }
}
