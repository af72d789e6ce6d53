//! The file of the keys, `keys.sqlite`: its tables, how it is opened, and how what it held is gone from it.

use std::{path::Path, time::Duration};

use domain::Forgotten;
use rusqlite::{Connection, OpenFlags, Transaction, params};

use crate::{
    folder::private_files::{exists, make_private},
    open_error::OpenError,
    options::Options,
    sealing::key_error::KeyError,
    sqlite::{failure, keep_plans},
};

/// In the place of a key: the whole owner has been erased. No key has an empty name.
pub(crate) const WHOLE_OWNER: &[u8] = &[];

/// The tables.
pub(crate) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS keys(
        owner BLOB NOT NULL,
        key BLOB NOT NULL,
        epoch INTEGER NOT NULL,
        wrapped BLOB,
        PRIMARY KEY(owner, key)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS epochs(
        one INTEGER PRIMARY KEY CHECK (one = 1),
        oldest INTEGER NOT NULL,
        current INTEGER NOT NULL
    ) STRICT;
    INSERT OR IGNORE INTO epochs VALUES (1, 1, 1);
    CREATE TABLE IF NOT EXISTS carried_out(
        one INTEGER PRIMARY KEY CHECK (one = 1),
        log BLOB NOT NULL,
        position INTEGER NOT NULL,
        event BLOB NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS epoch_checks(epoch INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS signed(
        one INTEGER PRIMARY KEY CHECK (one = 1),
        size INTEGER NOT NULL,
        root BLOB NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS checkpoints(size INTEGER PRIMARY KEY) STRICT;
    CREATE TABLE IF NOT EXISTS keys_count(
        one INTEGER PRIMARY KEY CHECK (one = 1),
        rows INTEGER NOT NULL
    ) STRICT;
    INSERT OR IGNORE INTO keys_count SELECT 1, count(*) FROM keys WHERE NOT EXISTS (SELECT 1 FROM keys_count);
    CREATE TRIGGER IF NOT EXISTS keys_counted AFTER INSERT ON keys BEGIN
        UPDATE keys_count SET rows = rows + 1;
    END;";

/// Opens the file.
pub(crate) fn connect(file: &Path, options: &Options) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", if options.durable { "FULL" } else { "OFF" })?;
    // What is deleted is overwritten.
    connection.pragma_update(None, "secure_delete", "ON")?;
    keep_plans(&connection)?;
    Ok(connection)
}

/// Begins the file of a log that has none: one that is restored without its keys.
pub(crate) fn begin(file: &Path) -> Result<(), OpenError> {
    make_private(file)?;
    let begun = connect(file, &Options::default()).and_then(|connection| connection.execute_batch(SCHEMA));
    begun.map_err(OpenError::database(file))
}

/// Forgets up to where the ledger has signed.
pub(crate) fn forget_signed(file: &Path) -> Result<(), OpenError> {
    let forget = || -> rusqlite::Result<()> {
        let connection = connect(file, &Options::default())?;
        connection.execute_batch(SCHEMA)?;
        connection.execute_batch("DELETE FROM signed; DELETE FROM checkpoints")?;
        // A single file, as it was copied.
        connection.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
    };
    forget().map_err(OpenError::database(file))
}

/// Refuses to go on with a log that holds events where its keys are gone: the names in it would be taken for erased.
pub(crate) fn refuse_loss(file: &Path) -> Result<(), OpenError> {
    if !exists(file)? {
        return Err(OpenError::Missing(file.to_owned()));
    }
    let held = || -> rusqlite::Result<bool> {
        let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'keys'", [], |row| row.get(0))
    };
    match held() {
        Ok(true) => Ok(()),
        Ok(false) => Err(OpenError::Unreadable {
            file: file.to_owned(),
            reason: "it holds no keys any more, although the log holds events".to_owned(),
        }),
        Err(error) => Err(OpenError::database(file)(error)),
    }
}

/// Leaves a mark in the place of each key, with the epoch in which it was destroyed.
pub(crate) fn mark_destroyed(
    transaction: &Transaction<'_>,
    what: Forgotten,
    epoch: u32,
) -> rusqlite::Result<()> {
    // A mark that is there already keeps its epoch, however often the same erasure is carried out.
    let sql = "INSERT INTO keys(owner, key, epoch, wrapped) VALUES (?1, ?2, ?3, NULL)
               ON CONFLICT DO UPDATE SET wrapped = NULL, epoch = excluded.epoch WHERE wrapped IS NOT NULL";
    let mut mark = transaction.prepare_cached(sql)?;
    match what {
        Forgotten::Key { owner, key } => {
            mark.execute(params![owner.0.as_bytes(), key.as_bytes(), epoch])?;
        }
        Forgotten::Contact(owner) => {
            mark.execute(params![owner.0.as_bytes(), WHOLE_OWNER, epoch])?;
            let sql = "UPDATE keys SET wrapped = NULL, epoch = ?2 WHERE owner = ?1 AND wrapped IS NOT NULL";
            transaction.prepare_cached(sql)?.execute(params![owner.0.as_bytes(), epoch])?;
        }
    }
    Ok(())
}

/// Whoever reads keys does so for a moment only, so that this need not wait for long.
pub(crate) fn empty_write_ahead_log(connection: &Connection) -> Result<(), KeyError> {
    let busy: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy == 0 { Ok(()) } else { Err(failure(rusqlite::ffi::SQLITE_BUSY).into()) }
}
