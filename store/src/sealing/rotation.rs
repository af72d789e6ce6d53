//! A new epoch: all living keys are wrapped anew, and the old epoch key is destroyed, which makes every copy of
//! the keys that was made before useless.
//!
//! It may be cut off at any point. Until the last key has been wrapped anew both epoch keys are there, and each
//! row says which of them it needs; the next start goes on where it was.

use std::sync::{PoisonError, atomic::Ordering};

use domain::ContactId;
use rusqlite::{Connection, params};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    sealing::{cipher::KeyName, epochs, key_error::KeyError, key_file::empty_write_ahead_log, keys::Keys},
    sqlite::from_stored,
};

/// How many keys are wrapped anew in one transaction; whoever writes events waits for no longer than that.
const AT_ONCE: usize = 1_000;

/// What a rotation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// The epoch that has begun.
    pub epoch: u32,
    /// How many keys were wrapped anew.
    pub rewrapped: u64,
}

/// Where a walk through all keys has come to.
pub(crate) type Place = (Vec<u8>, Vec<u8>);

impl Keys {
    /// Begins a new epoch and ends all before it. `progress` is told how many of how many keys have been seen.
    pub fn rotate(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Rotated, KeyError> {
        let _alone = self.rotating.lock().unwrap_or_else(PoisonError::into_inner);
        self.finish(progress)?;
        let epoch = self.looking_up().epochs.current() + 1;
        epochs::draw(&self.folder, epoch).map_err(Box::new)?;
        self.begin_epoch(epoch)?;
        let rewrapped = self.finish(progress)?;
        Ok(Rotated { epoch, rewrapped })
    }

    /// Does something with the epochs that there are, while none begins and none ends.
    pub(crate) fn while_no_epoch_ends<T>(&self, work: impl FnOnce(Vec<u32>) -> T) -> T {
        let _alone = self.rotating.lock().unwrap_or_else(PoisonError::into_inner);
        let epochs = self.looking_up().epochs.living();
        work(epochs)
    }

    /// Goes on with a rotation that was cut off; nothing where there was none.
    pub(crate) fn resume_rotation(&self) -> Result<u64, KeyError> {
        let _alone = self.rotating.lock().unwrap_or_else(PoisonError::into_inner);
        self.finish(&mut |_, _| ())
    }

    /// Wraps what earlier epochs have wrapped, and destroys their keys.
    fn finish(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<u64, KeyError> {
        let current = {
            let lookup = self.looking_up();
            if lookup.epochs.living().len() == 1 {
                return Ok(0);
            }
            lookup.epochs.current()
        };
        let total = self.writing().query_row("SELECT count(*) FROM keys", [], |row| row.get(0))?;
        let (total, mut seen, mut rewrapped) = (from_stored(total), 0, 0);
        let mut place = Some((Vec::new(), Vec::new()));
        while let Some(after) = place {
            if self.ending.load(Ordering::Acquire) {
                return Err(KeyError::Ending);
            }
            let batch = self.rewrap(&after, current)?;
            (seen, rewrapped, place) = (seen + batch.seen, rewrapped + batch.rewrapped, batch.last);
            progress(seen, total);
        }
        let connection = self.writing();
        let sql = "SELECT count(*) FROM keys WHERE wrapped IS NOT NULL AND epoch <> ?1";
        let left: i64 = connection.query_row(sql, [current], |row| row.get(0))?;
        if left > 0 {
            return Err(KeyError::Damaged);
        }
        connection.execute("UPDATE epochs SET oldest = ?1", [current])?;
        empty_write_ahead_log(&connection)?;
        epochs::destroy_before(&self.folder, current).map_err(Box::new)?;
        self.looking_up().epochs.end_before(current);
        Ok(rewrapped)
    }

    /// Wraps the next keys anew, in one transaction.
    fn rewrap(&self, after: &Place, current: u32) -> Result<Batch, KeyError> {
        let mut connection = self.writing();
        let rows = next_rows(&connection, after)?;
        let transaction = connection.transaction()?;
        let mut batch = Batch { seen: rows.len() as u64, rewrapped: 0, last: None };
        if rows.len() == AT_ONCE {
            batch.last = rows.last().map(|row| row.place.clone());
        }
        for row in rows {
            let Some(wrapped) = row.wrapped.filter(|_| row.epoch < current) else { continue };
            let name = name(&row.place)?;
            let anew = {
                let lookup = self.looking_up();
                let key = lookup.epochs.unwrap(row.epoch, name, &wrapped).map(Zeroizing::new);
                lookup.epochs.wrap(name, &key.ok_or(KeyError::Damaged)?)?
            };
            let sql = "UPDATE keys SET wrapped = ?3, epoch = ?4 WHERE owner = ?1 AND key = ?2";
            transaction.prepare_cached(sql)?.execute(params![row.place.0, row.place.1, anew, current])?;
            batch.rewrapped += 1;
        }
        transaction.commit()?;
        Ok(batch)
    }
}

struct Batch {
    seen: u64,
    rewrapped: u64,
    last: Option<Place>,
}

struct WrappedRow {
    place: Place,
    epoch: u32,
    wrapped: Option<Vec<u8>>,
}

fn next_rows(connection: &Connection, after: &Place) -> rusqlite::Result<Vec<WrappedRow>> {
    let sql = "SELECT owner, key, epoch, wrapped FROM keys WHERE (owner, key) > (?1, ?2)
               ORDER BY owner, key LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(WrappedRow { place: (row.get(0)?, row.get(1)?), epoch: row.get(2)?, wrapped: row.get(3)? })
    };
    statement.query_map(params![after.0, after.1, AT_ONCE], read)?.collect()
}

fn name((owner, key): &Place) -> Result<KeyName, KeyError> {
    let uuid = |bytes: &[u8]| Uuid::from_slice(bytes).map_err(|_| KeyError::Damaged);
    Ok((ContactId(uuid(owner)?), uuid(key)?))
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
    use domain::Keyring as _;

    use super::*;
    use crate::{DataFolder, OpenError, Options, folder::names::epoch_key_file};

    fn owner(number: u128) -> ContactId {
        ContactId(Uuid::from_u128(number))
    }

    fn seal(keys: &Keys, number: u128) -> String {
        BASE64_STANDARD_NO_PAD.encode(keys.seal(owner(number), Uuid::from_u128(number), b"value").unwrap())
    }

    fn opens(keys: &Keys, number: u128, sealed: &str) -> bool {
        keys.open(owner(number), Uuid::from_u128(number), sealed).is_some()
    }

    fn open(folder: &DataFolder) -> Keys {
        Keys::open(folder, &Options::default()).unwrap()
    }

    #[test]
    fn a_new_epoch_keeps_what_lives_and_makes_old_copies_useless() {
        let folder = DataFolder::temporary().unwrap();
        let keys = open(&folder);
        let many = AT_ONCE as u128 + 50;
        let sealed: Vec<String> = (0..many).map(|number| seal(&keys, number)).collect();
        keys.keep_pending().unwrap();
        // One key waits to be kept while the epoch changes.
        let waiting = seal(&keys, many);
        keys.destroy_owned_by(owner(3)).unwrap();
        let copy = std::fs::read(folder.keys_file()).unwrap();
        let old_key = std::fs::read(epoch_key_file(folder.path(), 1)).unwrap();
        let rotated = keys.rotate(&mut |_, _| ()).unwrap();
        assert_eq!((rotated.epoch, u128::from(rotated.rewrapped)), (2, many - 1));
        keys.keep_pending().unwrap();
        for keys in [&keys, &open(&folder)] {
            for (number, sealed) in sealed.iter().enumerate() {
                assert_eq!(opens(keys, number as u128, sealed), number != 3, "{number}");
            }
            assert!(opens(keys, many, &waiting));
            let state = keys.state_of(owner(3)).unwrap();
            assert_eq!((state.living, state.destroyed_in, state.epochs), (0, Some(1), vec![2]));
        }
        drop(keys);
        let left: Vec<Vec<u8>> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|file| std::fs::read(file.unwrap().path()).unwrap())
            .collect();
        assert!(!left.iter().any(|bytes| memchr::memmem::find(bytes, &old_key).is_some()));
        // A copy of the keys from before the new epoch opens nothing any more.
        std::fs::write(folder.keys_file(), copy).unwrap();
        assert!(matches!(Keys::open(&folder, &Options::default()), Err(OpenError::Missing(_))));
    }

    #[test]
    fn a_rotation_that_was_cut_off_anywhere_goes_on_at_the_next_start() {
        let folder = DataFolder::temporary().unwrap();
        let keys = open(&folder);
        let many = AT_ONCE as u128 * 2;
        let sealed: Vec<String> = (0..many).map(|number| seal(&keys, number)).collect();
        keys.keep_pending().unwrap();
        // Cut off after the new key was drawn, after the epoch began, and after the first batch.
        epochs::draw(folder.path(), 2).unwrap();
        let keys = open(&folder);
        assert!(opens(&keys, 7, &sealed[7]));
        keys.begin_epoch(2).unwrap();
        let keys = open(&folder);
        assert_eq!(keys.state_of(owner(0)).unwrap().epochs, vec![1, 2]);
        keys.rewrap(&(Vec::new(), Vec::new()), 2).unwrap();
        let keys = open(&folder);
        assert!(sealed.iter().enumerate().all(|(number, sealed)| opens(&keys, number as u128, sealed)));
        assert_eq!(u128::from(keys.resume_rotation().unwrap()), many - AT_ONCE as u128);
        let keys = open(&folder);
        assert_eq!(keys.state_of(owner(0)).unwrap().epochs, vec![2]);
        assert!(sealed.iter().enumerate().all(|(number, sealed)| opens(&keys, number as u128, sealed)));
        assert!(!epoch_key_file(folder.path(), 1).exists());
    }
}
