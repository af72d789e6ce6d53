//! The keys of a node: wrapped, they stand in the cluster, and what lies in `keys.sqlite` is a copy of them that a node
//! keeps in the order of the log. A key that a node draws waits until it stands in the cluster; where another node was
//! faster, that one's key counts.

use std::{collections::HashSet, path::Path, sync::atomic::Ordering};

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use domain::{ContactId, Forgotten};
use rusqlite::{Connection, OpenFlags, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    open_error::OpenError,
    options::Options,
    sealing::{
        cipher::KeyName,
        epochs,
        key_error::KeyError,
        key_file::{WHOLE_OWNER, empty_write_ahead_log},
        keys::{Keys, Pending},
        rotation::Place,
    },
    sqlite::{collect, from_stored},
};

/// A key as the nodes hand it on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WrappedKey {
    /// Whose key it is.
    pub(crate) owner: Uuid,
    /// Which one.
    pub(crate) key: Uuid,
    /// The epoch whose key wraps it.
    pub(crate) epoch: u32,
    /// Nonce and ciphertext, base64.
    pub(crate) wrapped: String,
}

impl WrappedKey {
    pub(crate) fn new((owner, key): KeyName, epoch: u32, wrapped: &[u8]) -> Self {
        Self { owner: owner.0, key, epoch, wrapped: BASE64_STANDARD_NO_PAD.encode(wrapped) }
    }

    pub(crate) const fn name(&self) -> KeyName {
        (ContactId(self.owner), self.key)
    }

    fn bytes(&self) -> Result<Vec<u8>, KeyError> {
        BASE64_STANDARD_NO_PAD.decode(&self.wrapped).map_err(|_| KeyError::Damaged)
    }
}

impl Keys {
    /// Opens the keys of a node; which epochs there are, the oldest and the current one, stands in the cluster.
    pub(crate) fn open_copy(folder: &Path, options: &Options, epochs: (u32, u32)) -> Result<Self, OpenError> {
        Self::open_with(folder, options, Some(epochs))
    }

    /// Those of some keys that wait to stand in the cluster.
    pub(crate) fn waiting(&self, names: &[KeyName]) -> Vec<WrappedKey> {
        let lookup = self.looking_up();
        let mut seen = HashSet::new();
        let waiting = names.iter().filter(|name| seen.insert(**name)).filter_map(|name| {
            let Pending { epoch, wrapped, .. } = lookup.pending.get(name)?;
            Some(WrappedKey::new(*name, *epoch, wrapped))
        });
        waiting.collect()
    }

    /// Keeps keys that stand in the cluster. One that is destroyed stays so, and one that has been wrapped anew since
    /// too. Which of them belong to somebody who is erased already, so that they should not stand there.
    pub(crate) fn adopt(&self, keys: &[WrappedKey]) -> Result<Vec<KeyName>, KeyError> {
        let mut connection = self.writing();
        let transaction = connection.transaction()?;
        let mut of_erased = Vec::new();
        for key in keys {
            let is_erased = "SELECT 1 FROM keys WHERE owner = ?1 AND key = ?2";
            let mut erased = transaction.prepare_cached(is_erased)?;
            if erased.exists(params![key.owner.as_bytes(), WHOLE_OWNER])? {
                of_erased.push(key.name());
                continue;
            }
            let sql = "INSERT INTO keys(owner, key, epoch, wrapped) VALUES (?1, ?2, ?3, ?4)
                       ON CONFLICT DO UPDATE SET wrapped = excluded.wrapped, epoch = excluded.epoch
                       WHERE wrapped IS NOT NULL AND epoch < excluded.epoch";
            // One that is no key opens nothing, and must not keep all others from being taken over.
            let Ok(wrapped) = key.bytes() else {
                tracing::error!("a wrapped key in the cluster cannot be read");
                continue;
            };
            let values = params![key.owner.as_bytes(), key.key.as_bytes(), key.epoch, wrapped];
            transaction.prepare_cached(sql)?.execute(values)?;
        }
        transaction.commit()?;
        let mut lookup = self.looking_up();
        for key in keys {
            let name = key.name();
            // Another node may have been faster: what waits under this name was never sealed with by anybody else.
            let waited = lookup.pending.remove(&name);
            if waited.is_some_and(|waited| key.bytes().is_ok_and(|bytes| bytes != waited.wrapped)) {
                self.cache.remove(&name);
                self.given_up.fetch_add(1, Ordering::AcqRel);
            }
        }
        Ok(of_erased)
    }

    /// Whether a key that stands in the cluster is the one that waits here under its name.
    pub(crate) fn is_waiting(&self, key: &WrappedKey) -> bool {
        let lookup = self.looking_up();
        let waiting = lookup.pending.get(&key.name());
        waiting.is_some_and(|waiting| key.bytes().is_ok_and(|bytes| bytes == waiting.wrapped))
    }

    /// The keys that events destroy, as far as there is a copy of them here.
    pub(crate) fn destroyed_by(&self, forgotten: &[Forgotten]) -> Result<Vec<KeyName>, KeyError> {
        let connection = self.writing();
        let mut names = Vec::new();
        for what in forgotten {
            match *what {
                Forgotten::Key { owner, key } => names.push((owner, key)),
                Forgotten::Contact(owner) => {
                    // That of the contact itself is destroyed also where nobody has drawn it: nobody will any more.
                    names.push((owner, owner.0));
                    let sql = "SELECT key FROM keys WHERE owner = ?1 AND key <> ?2 AND key <> ?1";
                    let mut statement = connection.prepare_cached(sql)?;
                    let rows = statement.query(params![owner.0.as_bytes(), WHOLE_OWNER])?;
                    names.extend(collect(rows, |row| Ok((owner, Uuid::from_bytes(row.get(0)?))))?);
                }
            }
        }
        Ok(names)
    }

    /// The epochs whose keys lie in the folder, the oldest first, and the one that wraps what is new.
    pub(crate) fn epochs(&self) -> (Vec<u32>, u32) {
        let lookup = self.looking_up();
        (lookup.epochs.living(), lookup.epochs.current())
    }

    /// The next living keys after one that an older epoch wraps, wrapped anew, and the last one looked at; none where
    /// all have been seen.
    pub(crate) fn wrapped_anew(
        &self,
        after: &Place,
        limit: usize,
    ) -> Result<(Vec<WrappedKey>, Option<Place>), KeyError> {
        let current = self.epochs().1;
        let connection = self.writing();
        let sql = "SELECT owner, key, epoch, wrapped FROM keys
                   WHERE (owner, key) > (?1, ?2) AND wrapped IS NOT NULL AND epoch < ?3
                   ORDER BY owner, key LIMIT ?4";
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query(params![after.0, after.1, current, limit])?;
        let rows = collect(rows, |row| {
            let (owner, key): ([u8; 16], [u8; 16]) = (row.get(0)?, row.get(1)?);
            Ok((
                (ContactId(Uuid::from_bytes(owner)), Uuid::from_bytes(key)),
                row.get(2)?,
                row.get::<_, Vec<u8>>(3)?,
            ))
        })?;
        let last =
            rows.last().map(|((owner, key), ..)| (owner.0.as_bytes().to_vec(), key.as_bytes().to_vec()));
        let lookup = self.looking_up();
        let anew = rows.into_iter().map(|(name, epoch, wrapped)| {
            let key =
                lookup.epochs.unwrap(epoch, name, &wrapped).map(Zeroizing::new).ok_or(KeyError::Damaged)?;
            Ok(WrappedKey::new(name, current, &lookup.epochs.wrap(name, &key)?))
        });
        Ok((anew.collect::<Result<_, KeyError>>()?, last))
    }

    /// How many keys are still wrapped by an epoch before one.
    pub(crate) fn wrapped_before(&self, epoch: u32) -> Result<u64, KeyError> {
        let sql = "SELECT count(*) FROM keys WHERE wrapped IS NOT NULL AND epoch < ?1";
        let count: i64 = self.writing().query_row(sql, [epoch], |row| row.get(0))?;
        Ok(from_stored(count))
    }

    /// Ends every epoch before one: their keys are overwritten and removed from this folder.
    pub(crate) fn end_epochs_before(&self, epoch: u32) -> Result<(), KeyError> {
        let connection = self.writing();
        let sql = "UPDATE epochs SET oldest = ?1 WHERE oldest < ?1";
        connection.execute(sql, [epoch])?;
        empty_write_ahead_log(&connection)?;
        epochs::destroy_before(&self.folder, epoch).map_err(Box::new)?;
        self.looking_up().epochs.end_before(epoch);
        Ok(())
    }
}

/// Hands out the living keys of a folder, wrapped as they are, without holding it.
pub(crate) fn each_wrapped(
    file: &Path,
    mut each: impl FnMut(WrappedKey) -> Result<(), KeyError>,
) -> Result<(), KeyError> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let sql = "SELECT owner, key, epoch, wrapped FROM keys WHERE wrapped IS NOT NULL ORDER BY owner, key";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (owner, key): ([u8; 16], [u8; 16]) = (row.get(0)?, row.get(1)?);
        let name = (ContactId(Uuid::from_bytes(owner)), Uuid::from_bytes(key));
        each(WrappedKey::new(name, row.get(2)?, &row.get::<_, Vec<u8>>(3)?))?;
    }
    Ok(())
}
