//! Whether the key of an epoch is the one that has wrapped the keys: with another one names could not be read, and what is
//! new would be sealed for nobody who has the right one.

use std::path::Path;

use domain::ContactId;
use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use crate::{
    folder::names::{KEYS_FILE, epoch_key_file},
    open_error::OpenError,
    sealing::{cipher::KeyName, epochs::Epochs, key_error::KeyError},
};

/// Under which name the check of an epoch is sealed: no contact has this key.
const CHECK: KeyName = (ContactId(Uuid::max()), Uuid::max());

/// Refuses the key of an epoch that is another one than that which has wrapped the keys.
pub(crate) fn refuse_others(durable: &Connection, folder: &Path, epochs: &Epochs) -> Result<(), OpenError> {
    let file = folder.join(KEYS_FILE);
    for epoch in epochs.living() {
        let sql = "SELECT sealed FROM epoch_checks WHERE epoch = ?1";
        let sealed = durable.query_row(sql, [epoch], |row| row.get::<_, Vec<u8>>(0)).optional();
        let sealed = sealed.map_err(OpenError::database(&file))?;
        let is_right = match &sealed {
            Some(sealed) => epochs.unwrap(epoch, CHECK, sealed).is_some(),
            None => opens_a_key(durable, epochs, epoch).map_err(OpenError::database(&file))?,
        };
        if !is_right {
            let file = epoch_key_file(folder, epoch);
            let reason =
                "it is not the key that the keys of this log are wrapped with: put the right one back";
            return Err(OpenError::Unreadable { file, reason: reason.to_owned() });
        }
        if sealed.is_none() {
            let failed = |error: KeyError| OpenError::Keys { path: file.clone(), reason: error.to_string() };
            note(durable, epochs, epoch).map_err(failed)?;
        }
    }
    Ok(())
}

/// Keeps what only the right key of an epoch opens.
pub(crate) fn note(durable: &Connection, epochs: &Epochs, epoch: u32) -> Result<(), KeyError> {
    let sealed = epochs.wrap_with(epoch, CHECK, b"rapport")?;
    durable.execute("INSERT OR REPLACE INTO epoch_checks VALUES (?1, ?2)", params![epoch, sealed])?;
    Ok(())
}

/// For files from before there were checks: whether the key of an epoch opens one of those that were wrapped in it, if there
/// is any.
fn opens_a_key(durable: &Connection, epochs: &Epochs, epoch: u32) -> rusqlite::Result<bool> {
    let sql = "SELECT owner, key, wrapped FROM keys WHERE epoch = ?1 AND wrapped IS NOT NULL LIMIT 1";
    let read = |row: &rusqlite::Row<'_>| {
        let name = (ContactId(Uuid::from_bytes(row.get(0)?)), Uuid::from_bytes(row.get(1)?));
        Ok((name, row.get::<_, Vec<u8>>(2)?))
    };
    let found = durable.query_row(sql, [epoch], read).optional()?;
    Ok(found.is_none_or(|(name, wrapped)| epochs.unwrap(epoch, name, &wrapped).is_some()))
}
