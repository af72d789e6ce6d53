//! The index: which event of which stream lies where, and which answer belongs to which key.
//!
//! It is written in large sorted batches outside the path of a commit, and it says itself how far it reaches.
//! Whatever is wrong with it, it is written again from the log.
//!
//! A row that is lost or changed would let a stream hold one revision twice, or a command be carried out twice. So that
//! this cannot happen in silence everything stands in it twice: how far each stream reaches beside its places, and sums
//! over the answers beside the answers. What disagrees is told as damage, wherever it is come upon.

use std::{cell::RefCell, collections::BTreeMap, fs, io, path::Path, time::Duration};

use domain::{CommandKey, StreamId};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, ffi, params};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{
    embedded::{
        log_file::{LogFile, Place},
        tail::Segment,
    },
    folder::private_files::make_private,
    open_error::OpenError,
    sqlite::{from_stored, keep_plans, to_stored, unsigned},
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
    CREATE TABLE IF NOT EXISTS reaches(
        id BLOB NOT NULL,
        kind TEXT NOT NULL,
        revision INTEGER NOT NULL,
        PRIMARY KEY(id, kind)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS answers(
        key BLOB PRIMARY KEY,
        number INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS answer_sums(
        bucket INTEGER PRIMARY KEY,
        sum INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS state(
        log_id BLOB NOT NULL,
        indexed_through INTEGER NOT NULL,
        answers_through INTEGER NOT NULL
    ) STRICT;
    COMMIT;";

/// Which tables the file has; one of another version is written again.
const VERSION: i64 = 2;
/// How many of the last events that are in it are looked up in it when it is opened.
const LOOKED_UP: u64 = 1_000;
/// How many parts the answers are summed up in.
const BUCKETS: usize = 4_096;

/// One connection to the index.
pub(crate) struct Index {
    connection: Connection,
    /// The parts of the answers that this connection has found to be whole.
    whole: RefCell<Vec<bool>>,
}

/// What is wrong with an index that disagrees with itself or with the log.
pub(crate) fn damaged(what: &str) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), Some(what.to_owned()))
}

impl Index {
    /// Opens the index of a log for writing; makes it anew where it is missing or does not fit. Refuses a log that ends
    /// before what was read from it.
    pub(crate) fn open(path: &Path, log: &LogFile, log_id: Uuid) -> Result<Self, OpenError> {
        let is_empty = fs::metadata(path).map_or(true, |file| file.len() == 0);
        if is_empty {
            // What lies beside a file that is gone belongs to nothing, and must not be taken for a part of the new one.
            remove(path)?;
        }
        make_private(path)?;
        match Self::connect(path, log_id).and_then(|index| Ok((index.fits(log, log_id)?, index))) {
            Ok((Fit::Whole, index)) => return Ok(index),
            Ok((Fit::Beyond { log, index }, _)) => {
                return Err(OpenError::Shorter { witness: path.to_owned(), known: index, held: log });
            }
            Ok((Fit::Another, _)) => {
                tracing::warn!("the index does not belong to the log; it is written again");
            }
            Err(error) => tracing::warn!(%error, "the index cannot be read; it is written again"),
        }
        remove(path)?;
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
        Ok(Self::with(connection))
    }

    fn connect(path: &Path, log_id: Uuid) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "journal_size_limit", 4 << 20)?;
        // After a power cut it may reach less far than before, and says so itself.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "cache_size", -65_536)?;
        if connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))? == 0 {
            connection.pragma_update(None, "user_version", VERSION)?;
        }
        connection.execute_batch(SCHEMA)?;
        connection.execute(
            "INSERT INTO state(log_id, indexed_through, answers_through)
             SELECT ?1, 0, 0 WHERE NOT EXISTS (SELECT 1 FROM state)",
            [log_id.as_bytes()],
        )?;
        Ok(Self::with(connection))
    }

    fn with(connection: Connection) -> Self {
        Self { connection, whole: RefCell::new(vec![false; BUCKETS]) }
    }

    /// Whether the index was written from this log: the same id, and the last events where it says.
    fn fits(&self, log: &LogFile, log_id: Uuid) -> rusqlite::Result<Fit> {
        let version: i64 = self.connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let id: [u8; 16] = self.connection.query_row("SELECT log_id FROM state", [], |row| row.get(0))?;
        if version != VERSION || id != *log_id.as_bytes() {
            return Ok(Fit::Another);
        }
        let ((through, _), (head, _)) = (self.reach()?, log.head()?);
        if through > head {
            // Whether it really has been that far its newest places say, not a number alone.
            let newest: Option<i64> =
                self.connection.query_row("SELECT max(position) FROM places", [], |row| row.get(0))?;
            let is_so = newest.is_some_and(|newest| from_stored(newest) == through);
            return Ok(if is_so { Fit::Beyond { log: head, index: through } } else { Fit::Another });
        }
        let mut fit = Fit::Whole;
        log.places_between(through.saturating_sub(LOOKED_UP), through, |place| {
            let sql = "SELECT position FROM places WHERE id = ?1 AND kind = ?2 AND revision = ?3";
            let mut statement = self.connection.prepare_cached(sql)?;
            let of = params![place.stream.id.as_bytes(), place.stream.kind.word(), to_stored(place.revision)];
            let found = statement.query_row(of, |row| unsigned(row, 0)).optional()?;
            if found != Some(place.position) {
                fit = Fit::Another;
            }
            Ok(())
        })?;
        Ok(fit)
    }

    /// The last position and the number of the last answer that are in the index.
    pub(crate) fn reach(&self) -> rusqlite::Result<(u64, u64)> {
        let sql = "SELECT indexed_through, answers_through FROM state";
        self.connection.query_row(sql, [], |row| Ok((unsigned(row, 0)?, unsigned(row, 1)?)))
    }

    /// Forgets everything, so that it is written again from the beginning of the log.
    pub(crate) fn clear(&mut self) -> rusqlite::Result<()> {
        self.connection.execute_batch(
            "BEGIN;
             DELETE FROM places; DELETE FROM reaches; DELETE FROM answers; DELETE FROM answer_sums;
             UPDATE state SET indexed_through = 0, answers_through = 0;
             COMMIT;",
        )
    }

    /// Writes a segment, sorted, so that each page of the index is touched once.
    pub(crate) fn write(&mut self, segment: &Segment) -> rusqlite::Result<()> {
        let mut places: Vec<_> = segment.events.iter().map(|event| &event.place).collect();
        places.sort_unstable_by_key(|place| (place.stream.id, place.stream.kind.word(), place.revision));
        let mut answers: Vec<_> = segment.answers.iter().map(|(key, number)| (*key, *number)).collect();
        answers.sort_unstable_by_key(|(key, _)| key.0);
        let transaction = self.connection.transaction()?;
        write_places(&transaction, &places)?;
        write_answers(&transaction, &answers)?;
        transaction.execute(
            "UPDATE state SET indexed_through = ?1, answers_through = ?2",
            [to_stored(segment.through), to_stored(segment.answers_through)],
        )?;
        transaction.commit()
    }

    /// Removes answers; a key that has got a newer answer keeps that.
    pub(crate) fn forget(&mut self, answers: &[(CommandKey, u64)]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        let mut sums = Sums::default();
        {
            let mut delete =
                transaction.prepare_cached("DELETE FROM answers WHERE key = ?1 AND number = ?2")?;
            for (key, number) in answers {
                if delete.execute(params![key.0, to_stored(*number)])? > 0 {
                    sums.take_away(*key, *number);
                }
            }
        }
        sums.write(&transaction)?;
        transaction.commit()
    }

    /// The positions of a stream's events after a revision, at most so many, up to a revision that the index is known to
    /// hold, or to the stream's end as far as it reaches.
    pub(crate) fn places(
        &self,
        stream: StreamId,
        after: u64,
        before: Option<u64>,
        limit: usize,
    ) -> rusqlite::Result<Vec<u64>> {
        // In one statement, so that both are of one moment.
        let sql = "SELECT revision, position FROM (
                       SELECT revision, position FROM places
                       WHERE id = ?1 AND kind = ?2 AND revision > ?3 AND revision < ?4
                       ORDER BY revision LIMIT ?5)
                   UNION ALL SELECT revision, NULL FROM reaches WHERE id = ?1 AND kind = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let end = before.map_or(i64::MAX, to_stored);
        let rows = i64::try_from(limit).unwrap_or(i64::MAX);
        let of = params![stream.id.as_bytes(), stream.kind.word(), to_stored(after), end, rows];
        let (mut positions, mut next, mut reach) = (Vec::new(), after + 1, None);
        let mut found = statement.query(of)?;
        while let Some(row) = found.next()? {
            let revision = unsigned(row, 0)?;
            let Some(position) = row.get::<_, Option<i64>>(1)? else {
                reach = Some(revision);
                continue;
            };
            if revision != next {
                return Err(damaged("a revision is missing in the index"));
            }
            positions.push(from_stored(position));
            next += 1;
        }
        let reach = reach.unwrap_or_default();
        let last = before.map_or(reach, |before| before - 1);
        // Nothing is left out at the end, and nothing is there beyond it.
        let is_whole = positions.len() == limit || next == last.max(after) + 1;
        if is_whole && next <= reach.max(after) + 1 {
            Ok(positions)
        } else {
            Err(damaged("the index does not hold a stream to its end"))
        }
    }

    /// The last revision of a stream and its position.
    pub(crate) fn last(&self, stream: StreamId) -> rusqlite::Result<Option<(u64, u64)>> {
        let sql = "SELECT revision, position FROM (
                       SELECT revision, position FROM places WHERE id = ?1 AND kind = ?2
                       ORDER BY revision DESC LIMIT 1)
                   UNION ALL SELECT revision, NULL FROM reaches WHERE id = ?1 AND kind = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let of = params![stream.id.as_bytes(), stream.kind.word()];
        let (mut last, mut reach) = (None, None);
        let mut rows = statement.query(of)?;
        while let Some(row) = rows.next()? {
            match row.get::<_, Option<i64>>(1)? {
                Some(position) => last = Some((unsigned(row, 0)?, from_stored(position))),
                None => reach = Some(unsigned(row, 0)?),
            }
        }
        if last.map(|(revision, _)| revision) == reach {
            Ok(last)
        } else {
            Err(damaged("the index says two things of how far a stream reaches"))
        }
    }

    /// The number of the answer to a key.
    pub(crate) fn answer(&self, key: CommandKey) -> rusqlite::Result<Option<u64>> {
        self.check_answers(bucket_of(key))?;
        let mut statement = self.connection.prepare_cached("SELECT number FROM answers WHERE key = ?1")?;
        let number = statement.query_row([key.0], |row| row.get(0)).optional()?;
        Ok(number.map(from_stored))
    }

    /// Holds a part of the answers against its sum, once: one that is missing would let its command be done again.
    fn check_answers(&self, bucket: u16) -> rusqlite::Result<()> {
        if self.whole.borrow()[usize::from(bucket)] {
            return Ok(());
        }
        let sql = "SELECT key, number FROM answers WHERE key >= ?1 AND key <= ?2
                   UNION ALL SELECT NULL, sum FROM answer_sums WHERE bucket = ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let (mut first, mut last) = ([0; 16], [0xff; 16]);
        let [high, low] = (bucket << 4).to_be_bytes();
        (first[0], first[1]) = (high, low);
        (last[0], last[1]) = (high, low | 0x0f);
        let (mut sum, mut kept) = (0_u64, 0_u64);
        let mut rows = statement.query(params![first, last, bucket])?;
        while let Some(row) = rows.next()? {
            match row.get::<_, Option<[u8; 16]>>(0)? {
                Some(key) => sum = sum.wrapping_add(mixed(CommandKey(key), unsigned(row, 1)?)),
                None => kept = row.get::<_, i64>(1)?.cast_unsigned(),
            }
        }
        if sum != kept {
            return Err(damaged("an answer is missing in the index, or another one"));
        }
        self.whole.borrow_mut()[usize::from(bucket)] = true;
        Ok(())
    }
}

/// How an index stands to a log.
enum Fit {
    /// It was written from it.
    Whole,
    /// It was written from something else, or is damaged.
    Another,
    /// It was written from this log when that was longer.
    Beyond {
        /// Where the log ends.
        log: u64,
        /// Where the index ends.
        index: u64,
    },
}

/// Removes the file and what lies beside it.
pub(crate) fn remove(path: &Path) -> Result<(), OpenError> {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(OpenError::io(path)(error)),
            _ => {}
        }
    }
    Ok(())
}

/// Writes places, which are sorted, and how far their streams reach with them.
fn write_places(transaction: &Transaction<'_>, places: &[&Place]) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO places(id, kind, revision, position) VALUES (?1, ?2, ?3, ?4)";
    let mut insert = transaction.prepare_cached(sql)?;
    let mut reach = transaction.prepare_cached("INSERT OR REPLACE INTO reaches VALUES (?1, ?2, ?3)")?;
    for (index, place) in places.iter().enumerate() {
        let (id, kind) = (place.stream.id.as_bytes(), place.stream.kind.word());
        insert.execute(params![id, kind, to_stored(place.revision), to_stored(place.position)])?;
        if places.get(index + 1).is_none_or(|next| next.stream != place.stream) {
            reach.execute(params![id, kind, to_stored(place.revision)])?;
        }
    }
    Ok(())
}

fn write_answers(transaction: &Transaction<'_>, answers: &[(CommandKey, u64)]) -> rusqlite::Result<()> {
    let mut before = transaction.prepare_cached("SELECT number FROM answers WHERE key = ?1")?;
    let mut insert =
        transaction.prepare_cached("INSERT OR REPLACE INTO answers(key, number) VALUES (?1, ?2)")?;
    let mut sums = Sums::default();
    for (key, number) in answers {
        if let Some(before) = before.query_row([key.0], |row| unsigned(row, 0)).optional()? {
            sums.take_away(*key, before);
        }
        insert.execute(params![key.0, to_stored(*number)])?;
        sums.add(*key, *number);
    }
    sums.write(transaction)
}

/// By how much the sums over the answers change.
#[derive(Default)]
struct Sums(BTreeMap<u16, u64>);

impl Sums {
    fn add(&mut self, key: CommandKey, number: u64) {
        let sum = self.0.entry(bucket_of(key)).or_default();
        *sum = sum.wrapping_add(mixed(key, number));
    }

    fn take_away(&mut self, key: CommandKey, number: u64) {
        let sum = self.0.entry(bucket_of(key)).or_default();
        *sum = sum.wrapping_sub(mixed(key, number));
    }

    fn write(self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut before = transaction.prepare_cached("SELECT sum FROM answer_sums WHERE bucket = ?1")?;
        let mut keep = transaction.prepare_cached("INSERT OR REPLACE INTO answer_sums VALUES (?1, ?2)")?;
        for (bucket, change) in self.0 {
            let sum: Option<i64> = before.query_row([bucket], |row| row.get(0)).optional()?;
            let sum = sum.unwrap_or_default().cast_unsigned().wrapping_add(change);
            keep.execute(params![bucket, sum.cast_signed()])?;
        }
        Ok(())
    }
}

/// Which part of the answers a key belongs to: its first 12 bits, which are those of a hash.
fn bucket_of(key: CommandKey) -> u16 {
    u16::from_be_bytes([key.0[0], key.0[1]]) >> 4
}

/// What an answer adds to the sum: a number in which every bit of it counts. It shows damage, and is no proof.
fn mixed(key: CommandKey, number: u64) -> u64 {
    let hash = Sha256::new().chain_update(key.0).chain_update(number.to_le_bytes()).finalize();
    hash.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}
