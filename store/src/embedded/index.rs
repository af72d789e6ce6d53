//! The index: which event of which stream lies where, and which answer belongs to which key.
//!
//! It is written in large sorted batches outside the path of a commit, and it says itself how far it reaches.
//! Whatever is wrong with it, it is deleted and written again from the log.

use std::{fs, io, path::Path, time::Duration};

use domain::{CommandKey, StreamId};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use uuid::Uuid;

use crate::{
    embedded::{log_file::LogFile, tail::Segment},
    folder::private_files::make_private,
    open_error::OpenError,
    sqlite::{collect, from_stored, keep_plans, to_stored, unsigned},
};

const SCHEMA: &str = "
    BEGIN;
    CREATE TABLE IF NOT EXISTS places(
        id BLOB NOT NULL,
        kind TEXT NOT NULL,
        revision INTEGER NOT NULL,
        position INTEGER NOT NULL,
        PRIMARY KEY(id, kind, revision)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS answers(
        key BLOB PRIMARY KEY,
        number INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS state(
        log_id BLOB NOT NULL,
        indexed_through INTEGER NOT NULL,
        answers_through INTEGER NOT NULL
    ) STRICT;
    COMMIT;";

/// One connection to the index.
pub(crate) struct Index {
    connection: Connection,
}

impl Index {
    /// Opens the index of a log for writing; makes it anew where it is missing or does not fit.
    pub(crate) fn open(path: &Path, log: &LogFile, log_id: Uuid) -> Result<Self, OpenError> {
        make_private(path)?;
        match Self::connect(path, log_id).and_then(|index| Ok((index.fits(log, log_id)?, index))) {
            Ok((true, index)) => return Ok(index),
            Ok((false, _)) => tracing::warn!("the index does not belong to the log; it is written again"),
            Err(error) => tracing::warn!(%error, "the index cannot be read; it is written again"),
        }
        for suffix in ["", "-wal", "-shm"] {
            let mut file = path.as_os_str().to_owned();
            file.push(suffix);
            match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(OpenError::io(path)(error));
                }
                _ => {}
            }
        }
        make_private(path)?;
        Self::connect(path, log_id).map_err(OpenError::database(path))
    }

    /// Opens the index for reading.
    pub(crate) fn reader(path: &Path) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "cache_size", -16_384)?;
        keep_plans(&connection)?;
        Ok(Self { connection })
    }

    fn connect(path: &Path, log_id: Uuid) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "journal_size_limit", 4 << 20)?;
        // After a power cut it may reach less far than before, and says so itself.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "cache_size", -65_536)?;
        connection.execute_batch(SCHEMA)?;
        connection.execute(
            "INSERT INTO state(log_id, indexed_through, answers_through)
             SELECT ?1, 0, 0 WHERE NOT EXISTS (SELECT 1 FROM state)",
            [log_id.as_bytes()],
        )?;
        Ok(Self { connection })
    }

    /// Whether the index was written from this log: the same id, and the last event where it says.
    fn fits(&self, log: &LogFile, log_id: Uuid) -> rusqlite::Result<bool> {
        let id: [u8; 16] = self.connection.query_row("SELECT log_id FROM state", [], |row| row.get(0))?;
        let (through, _) = self.reach()?;
        if id != *log_id.as_bytes() || through > log.head()?.0 {
            return Ok(false);
        }
        let mut last = None;
        if through > 0 {
            let sql = "SELECT stream, revision FROM events WHERE position = ?1";
            last = log
                .connection
                .query_row(sql, [to_stored(through)], |row| Ok((row.get::<_, String>(0)?, unsigned(row, 1)?)))
                .optional()?;
        }
        match last.map(|(stream, revision)| (stream.parse::<StreamId>(), revision)) {
            Some((Ok(stream), revision)) => {
                Ok(self.places(stream, revision - 1, revision + 1, 1)? == [through])
            }
            // An unreadable last event says nothing for or against the index.
            Some((Err(_), _)) => Ok(true),
            None => Ok(through == 0),
        }
    }

    /// The last position and the number of the last answer that are in the index.
    pub(crate) fn reach(&self) -> rusqlite::Result<(u64, u64)> {
        let sql = "SELECT indexed_through, answers_through FROM state";
        self.connection.query_row(sql, [], |row| Ok((unsigned(row, 0)?, unsigned(row, 1)?)))
    }

    /// Writes a segment, sorted, so that each page of the index is touched once.
    pub(crate) fn write(&mut self, segment: &Segment) -> rusqlite::Result<()> {
        let mut places: Vec<_> = segment.events.iter().map(|event| &event.place).collect();
        places.sort_unstable_by_key(|place| (place.stream.id, place.stream.kind.word(), place.revision));
        let mut answers: Vec<_> = segment.answers.iter().map(|(key, number)| (key.0, *number)).collect();
        answers.sort_unstable();
        let transaction = self.connection.transaction()?;
        {
            let sql = "INSERT OR REPLACE INTO places(id, kind, revision, position) VALUES (?1, ?2, ?3, ?4)";
            let mut insert = transaction.prepare_cached(sql)?;
            for place in places {
                insert.execute(params![
                    place.stream.id.as_bytes(),
                    place.stream.kind.word(),
                    to_stored(place.revision),
                    to_stored(place.position),
                ])?;
            }
            let sql = "INSERT OR REPLACE INTO answers(key, number) VALUES (?1, ?2)";
            let mut insert = transaction.prepare_cached(sql)?;
            for (key, number) in answers {
                insert.execute(params![key, to_stored(number)])?;
            }
        }
        transaction.execute(
            "UPDATE state SET indexed_through = ?1, answers_through = ?2",
            [to_stored(segment.through), to_stored(segment.answers_through)],
        )?;
        transaction.commit()
    }

    /// Removes answers; a key that has got a newer answer keeps that.
    pub(crate) fn forget(&mut self, answers: &[(CommandKey, u64)]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut delete =
                transaction.prepare_cached("DELETE FROM answers WHERE key = ?1 AND number = ?2")?;
            for (key, number) in answers {
                delete.execute(params![key.0, to_stored(*number)])?;
            }
        }
        transaction.commit()
    }

    /// The positions of a stream's events between two revisions, both excluded.
    pub(crate) fn places(
        &self,
        stream: StreamId,
        after: u64,
        before: u64,
        limit: usize,
    ) -> rusqlite::Result<Vec<u64>> {
        let sql = "SELECT position FROM places
                   WHERE id = ?1 AND kind = ?2 AND revision > ?3 AND revision < ?4
                   ORDER BY revision LIMIT ?5";
        let mut statement = self.connection.prepare_cached(sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let of =
            params![stream.id.as_bytes(), stream.kind.word(), to_stored(after), to_stored(before), limit];
        collect(statement.query(of)?, |row| unsigned(row, 0))
    }

    /// The last revision of a stream and its position.
    pub(crate) fn last(&self, stream: StreamId) -> rusqlite::Result<Option<(u64, u64)>> {
        let sql = "SELECT revision, position FROM places WHERE id = ?1 AND kind = ?2
                   ORDER BY revision DESC LIMIT 1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let of = params![stream.id.as_bytes(), stream.kind.word()];
        statement.query_row(of, |row| Ok((unsigned(row, 0)?, unsigned(row, 1)?))).optional()
    }

    /// The number of the answer to a key.
    pub(crate) fn answer(&self, key: CommandKey) -> rusqlite::Result<Option<u64>> {
        let mut statement = self.connection.prepare_cached("SELECT number FROM answers WHERE key = ?1")?;
        let number = statement.query_row([key.0], |row| row.get(0)).optional()?;
        Ok(number.map(from_stored))
    }
}
