//! The keys of personal values: one for each contact, one for each message text.
//!
//! A key is drawn when it is first needed, waits among the pending ones, and is written to `keys.sqlite` by the
//! writer before the first event that is sealed with it. In the file every key is wrapped by the key of an
//! epoch ([`crate::sealing::epochs`]); from time to time all living ones are wrapped anew
//! ([`crate::sealing::rotation`]). Keys lie beside their owner's, so that all of them are found, and destroyed, at once.
//!
//! Destroying leaves a mark, so that a value sealed for an erased contact a moment too late is sealed with a
//! key that nobody keeps. A mark of another kind says up to where the erasures of the log have been carried out.

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use domain::{ContactId, Forgotten, Keyring};
use quick_cache::sync::Cache;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    folder::{
        data_folder::DataFolder,
        names::{KEYS_FILE, epoch_key_file},
        private_files::{exists, make_private},
    },
    open_error::OpenError,
    options::Options,
    sealing::{
        cipher::{KeyName, cipher, decrypt, encrypt},
        epoch_checks,
        epochs::{self, Epochs},
        key_error::KeyError,
        key_file::{SCHEMA, WHOLE_OWNER, connect, empty_write_ahead_log, mark_destroyed},
    },
    sqlite::{from_stored, to_stored},
};

/// How many unwrapped keys are kept in memory.
const CACHED: usize = 100_000;

type SharedKey = Arc<Zeroizing<[u8; 32]>>;

/// The keys of one data folder.
pub struct Keys {
    pub(crate) folder: PathBuf,
    pub(crate) cache: Cache<KeyName, SharedKey>,
    lookup: Mutex<Lookup>,
    // Held for as long as a write lasts, never while somebody only looks a key up. Taken before `lookup`.
    durable: Mutex<Connection>,
    // Held while all keys are wrapped anew, or copied. Taken before `durable`.
    pub(crate) rotating: Mutex<()>,
    pub(crate) ending: AtomicBool,
    erasures: AtomicU64,
    /// How often a key that waited was given up for that of another node.
    pub(crate) given_up: AtomicU64,
}

/// How it stands with the keys of one contact, and with the copies of them that somebody may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyState {
    /// How many keys of theirs still open something.
    pub living: u64,
    /// In which epoch all of them were destroyed, where they were. A copy of the keys from before can be opened
    /// for as long as the key of that epoch exists.
    pub destroyed_in: Option<u32>,
    /// The epochs whose keys exist in the data folder; the last one is the current one.
    pub epochs: Vec<u32>,
}

/// Up to where the erasures of a log have been carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CarriedOut {
    pub(crate) log: Uuid,
    pub(crate) position: u64,
    /// The event at that position, so that another past of the same log is told apart.
    pub(crate) event: Uuid,
}

/// What a key is looked up in when it is not cached. A key is pending, or stored, or for a moment both.
pub(crate) struct Lookup {
    stored: Connection,
    pub(crate) pending: HashMap<KeyName, Pending>,
    pub(crate) epochs: Epochs,
}

/// A key that waits to be written.
#[derive(Clone)]
pub(crate) struct Pending {
    key: SharedKey,
    pub(crate) epoch: u32,
    pub(crate) wrapped: Vec<u8>,
}

enum Stored {
    Key(SharedKey),
    Destroyed,
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl Keys {
    /// Opens the keys of a folder; makes them in a new one.
    pub(crate) fn open(folder: &DataFolder, options: &Options) -> Result<Self, OpenError> {
        let (file, first) = (folder.keys_file(), epoch_key_file(folder.path(), 1));
        // The epoch key is made first: a database of keys without it is one whose key has been lost.
        if !exists(&file)? && !exists(&first)? {
            epochs::draw(folder.path(), 1)?;
        }
        Self::open_with(folder.path(), options, None)
    }

    /// Opens the keys of a folder. Which epochs there are, the oldest and the current one, stands in their file, or is told
    /// from outside.
    pub(crate) fn open_with(
        folder: &Path,
        options: &Options,
        epochs: Option<(u32, u32)>,
    ) -> Result<Self, OpenError> {
        let file = folder.join(KEYS_FILE);
        make_private(&file)?;
        let connect = || connect(&file, options).map_err(OpenError::database(&file));
        let durable = connect()?;
        durable.execute_batch(SCHEMA).map_err(OpenError::database(&file))?;
        if let Some((oldest, current)) = epochs {
            let sql = "UPDATE epochs SET oldest = ?1, current = ?2";
            durable.execute(sql, [oldest, current]).map_err(OpenError::database(&file))?;
        }
        let (oldest, current) = durable
            .query_row("SELECT oldest, current FROM epochs", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(OpenError::database(&file))?;
        let epochs = Epochs::open(folder, oldest, current)?;
        epoch_checks::refuse_others(&durable, folder, &epochs)?;
        // Where a rotation was cut off at its very end.
        epochs::destroy_before(folder, oldest)?;
        let lookup = Lookup { stored: connect()?, pending: HashMap::new(), epochs };
        Ok(Self {
            folder: folder.to_owned(),
            cache: Cache::new(CACHED),
            lookup: Mutex::new(lookup),
            durable: Mutex::new(durable),
            rotating: Mutex::new(()),
            ending: AtomicBool::new(false),
            erasures: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
        })
    }

    /// Seals a value: nonce and ciphertext.
    pub(crate) fn seal(&self, owner: ContactId, key: Uuid, value: &[u8]) -> Result<Vec<u8>, KeyError> {
        let name = (owner, key);
        let secret = match self.cache.get(&name) {
            Some(secret) => secret,
            None => self.find_or_draw(name)?,
        };
        encrypt(&cipher(&secret), name, value)
    }

    /// Writes the pending keys. Whoever writes events calls this first.
    pub(crate) fn keep_pending(&self) -> Result<(), KeyError> {
        let mut connection = self.writing();
        let pending = self.looking_up().pending.clone();
        if pending.is_empty() {
            return Ok(());
        }
        let transaction = connection.transaction()?;
        {
            // A mark of destruction that came in between stays.
            let sql = "INSERT OR IGNORE INTO keys(owner, key, epoch, wrapped) VALUES (?1, ?2, ?3, ?4)";
            let mut insert = transaction.prepare_cached(sql)?;
            for ((owner, key), Pending { wrapped, epoch, .. }) in &pending {
                insert.execute(params![owner.0.as_bytes(), key.as_bytes(), epoch, wrapped])?;
            }
        }
        transaction.commit()?;
        let mut lookup = self.looking_up();
        for (name, _) in pending {
            lookup.pending.remove(&name);
        }
        Ok(())
    }

    /// Destroys one key of a contact: what was sealed with it is forgotten. Returns when that is durable.
    pub fn destroy(&self, owner: ContactId, key: Uuid) -> Result<(), KeyError> {
        self.carry_out(&[Forgotten::Key { owner, key }], None)
    }

    /// Destroys every key of a contact, now and in future. Returns when that is durable.
    pub fn destroy_owned_by(&self, owner: ContactId) -> Result<(), KeyError> {
        self.carry_out(&[Forgotten::Contact(owner)], None)
    }

    /// Destroys what events have forgotten, and notes how far the log has been carried out with it. Returns when
    /// that is durable and no file holds the keys any more.
    pub(crate) fn carry_out(
        &self,
        forgotten: &[Forgotten],
        through: Option<CarriedOut>,
    ) -> Result<(), KeyError> {
        let mut connection = self.writing();
        let epoch = self.looking_up().epochs.current();
        let transaction = connection.transaction()?;
        for what in forgotten {
            mark_destroyed(&transaction, *what, epoch)?;
        }
        if let Some(CarriedOut { log, position, event }) = through {
            let sql = "INSERT OR REPLACE INTO carried_out VALUES (1, ?1, ?2, ?3)";
            transaction.execute(sql, params![log.as_bytes(), to_stored(position), event.as_bytes()])?;
        }
        transaction.commit()?;
        if forgotten.is_empty() {
            return Ok(());
        }
        let is_destroyed = |name: &KeyName| {
            forgotten.iter().any(|what| match what {
                Forgotten::Contact(owner) => name.0 == *owner,
                Forgotten::Key { owner, key } => *name == (*owner, *key),
            })
        };
        let mut lookup = self.looking_up();
        lookup.pending.retain(|name, _| !is_destroyed(name));
        self.cache.retain(|name, _| !is_destroyed(name));
        drop(lookup);
        self.note_erasure();
        // The old pages are overwritten in the database; this empties the write-ahead log of them as well.
        empty_write_ahead_log(&connection)
    }

    /// Up to where the erasures of the log have been carried out.
    pub(crate) fn carried_out(&self) -> Result<Option<CarriedOut>, KeyError> {
        let sql = "SELECT log, position, event FROM carried_out";
        let read = |row: &rusqlite::Row<'_>| {
            let (log, event): ([u8; 16], [u8; 16]) = (row.get(0)?, row.get(2)?);
            let position = from_stored(row.get(1)?);
            Ok(CarriedOut { log: Uuid::from_bytes(log), position, event: Uuid::from_bytes(event) })
        };
        Ok(self.writing().query_row(sql, [], read).optional()?)
    }

    /// Keeps beside the ledger's own folder up to where it has signed, so that an older one is told apart.
    pub fn note_signed(&self, size: u64, root: [u8; 32]) -> Result<(), KeyError> {
        let mut connection = self.writing();
        let transaction = connection.transaction()?;
        let sql = "INSERT OR REPLACE INTO signed VALUES (1, ?1, ?2)";
        transaction.execute(sql, params![to_stored(size), root])?;
        transaction.execute("INSERT OR IGNORE INTO checkpoints VALUES (?1)", [to_stored(size)])?;
        transaction.commit()?;
        Ok(())
    }

    /// How many events were signed, and under which root, as far as is known beside the ledger's own folder.
    pub fn signed(&self) -> Result<Option<(u64, [u8; 32])>, KeyError> {
        let read = |row: &rusqlite::Row<'_>| Ok((from_stored(row.get(0)?), row.get(1)?));
        Ok(self.writing().query_row("SELECT size, root FROM signed", [], read).optional()?)
    }

    /// A number that changes with every erasure.
    pub(crate) fn erasures(&self) -> u64 {
        self.erasures.load(Ordering::Acquire)
    }

    /// A number that changes whenever a key that waited is given up for that of another node. What was sealed before it
    /// changed may be sealed with a key that nobody keeps, and is sealed again.
    pub(crate) fn given_up(&self) -> u64 {
        self.given_up.load(Ordering::Acquire)
    }

    pub(crate) fn note_erasure(&self) {
        self.erasures.fetch_add(1, Ordering::AcqRel);
    }

    /// How it stands with the keys of a contact.
    pub fn state_of(&self, owner: ContactId) -> Result<KeyState, KeyError> {
        let lookup = self.looking_up();
        let sql = "SELECT count(*) FROM keys WHERE owner = ?1 AND wrapped IS NOT NULL";
        let kept: i64 = lookup.stored.query_row(sql, [owner.0.as_bytes()], |row| row.get(0))?;
        let pending = lookup.pending.keys().filter(|name| name.0 == owner).count() as u64;
        let sql = "SELECT epoch FROM keys WHERE owner = ?1 AND key = ?2";
        let mark = params![owner.0.as_bytes(), WHOLE_OWNER];
        let destroyed_in = lookup.stored.query_row(sql, mark, |row| row.get(0)).optional()?;
        Ok(KeyState { living: from_stored(kept) + pending, destroyed_in, epochs: lookup.epochs.living() })
    }

    /// Makes the key of an epoch the current one, for what is new and for what waits; its file is there already.
    pub(crate) fn begin_epoch(&self, epoch: u32) -> Result<(), KeyError> {
        let connection = self.writing();
        connection.execute("UPDATE epochs SET current = ?1", [epoch])?;
        let mut lookup = self.looking_up();
        let Lookup { pending, epochs, .. } = &mut *lookup;
        epochs.begin(epoch).map_err(Box::new)?;
        epoch_checks::note(&connection, epochs, epoch)?;
        for (name, waiting) in pending {
            (waiting.wrapped, waiting.epoch) = (epochs.wrap(*name, waiting.key.as_slice())?, epoch);
        }
        Ok(())
    }

    fn find_or_draw(&self, name: KeyName) -> Result<SharedKey, KeyError> {
        let mut lookup = self.looking_up();
        match self.find(&lookup, name)? {
            Some(Stored::Key(key)) => Ok(key),
            // Sealed with a key that is forgotten at once.
            Some(Stored::Destroyed) => Ok(draw()),
            None => {
                let key = draw();
                let (wrapped, epoch) = (lookup.epochs.wrap(name, key.as_slice())?, lookup.epochs.current());
                lookup.pending.insert(name, Pending { key: Arc::clone(&key), epoch, wrapped });
                self.cache.insert(name, Arc::clone(&key));
                Ok(key)
            }
        }
    }

    /// Looks a key up and caches it; under the lock, so that none is cached after it has been destroyed.
    fn find(&self, lookup: &Lookup, name: KeyName) -> Result<Option<Stored>, KeyError> {
        if let Some(pending) = lookup.pending.get(&name) {
            return Ok(Some(Stored::Key(Arc::clone(&pending.key))));
        }
        let sql =
            "SELECT wrapped, epoch FROM keys WHERE owner = ?1 AND key IN (?2, ?3) ORDER BY wrapped LIMIT 1";
        let mut statement = lookup.stored.prepare_cached(sql)?;
        let of = params![name.0.0.as_bytes(), name.1.as_bytes(), WHOLE_OWNER];
        // A mark has no wrapped key and sorts first.
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Option<Vec<u8>>>(0)?, row.get(1)?));
        let (wrapped, epoch) = match statement.query_row(of, read).optional()? {
            None => return Ok(None),
            Some((None, _)) => return Ok(Some(Stored::Destroyed)),
            Some((Some(wrapped), epoch)) => (wrapped, epoch),
        };
        let bytes = lookup.epochs.unwrap(epoch, name, &wrapped).map(Zeroizing::new);
        let bytes = bytes.ok_or(KeyError::Damaged)?;
        let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| KeyError::Damaged)?;
        let key = Arc::new(Zeroizing::new(key));
        self.cache.insert(name, Arc::clone(&key));
        Ok(Some(Stored::Key(key)))
    }

    // A thread that panicked with a lock held left nothing half done: each step under it is one statement or
    // one insertion.
    pub(crate) fn looking_up(&self) -> MutexGuard<'_, Lookup> {
        self.lookup.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn writing(&self) -> MutexGuard<'_, Connection> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keyring for Keys {
    fn open(&self, subject: ContactId, key: Uuid, sealed: &str) -> Option<Vec<u8>> {
        let name = (subject, key);
        let secret = match self.cache.get(&name) {
            Some(secret) => secret,
            None => match self.find(&self.looking_up(), name) {
                Ok(Some(Stored::Key(key))) => key,
                Ok(Some(Stored::Destroyed) | None) => return None,
                Err(error) => {
                    // Not the same as destroyed, but all that the caller can do is the same.
                    tracing::error!(%error, "a key cannot be read");
                    return None;
                }
            },
        };
        decrypt(&cipher(&secret), name, &BASE64_STANDARD_NO_PAD.decode(sealed).ok()?)
    }

    fn is_destroyed(&self, subject: ContactId, key: Uuid) -> bool {
        matches!(self.find(&self.looking_up(), (subject, key)), Ok(Some(Stored::Destroyed)))
    }
}

fn draw() -> SharedKey {
    Arc::new(Zeroizing::new(rand::random()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: ContactId = ContactId(Uuid::from_u128(1));
    const KEY: Uuid = Uuid::from_u128(2);

    fn seal(keys: &Keys) -> String {
        BASE64_STANDARD_NO_PAD.encode(keys.seal(OWNER, KEY, b"value").unwrap())
    }

    fn reopened(folder: &DataFolder) -> Keys {
        Keys::open(folder, &Options::default()).unwrap()
    }

    #[test]
    fn a_kept_key_opens_after_a_restart_and_a_pending_one_does_not() {
        let folder = DataFolder::temporary().unwrap();
        let keys = reopened(&folder);
        let sealed = seal(&keys);
        assert_eq!(reopened(&folder).open(OWNER, KEY, &sealed), None);
        keys.keep_pending().unwrap();
        assert_eq!(reopened(&folder).open(OWNER, KEY, &sealed).unwrap(), b"value");
    }

    #[test]
    fn a_sealed_text_opens_for_nobody_else() {
        let folder = DataFolder::temporary().unwrap();
        let keys = reopened(&folder);
        let sealed = seal(&keys);
        assert!(keys.open(OWNER, KEY, &sealed).is_some());
        assert_eq!(keys.open(ContactId(KEY), KEY, &sealed), None);
        assert_eq!(keys.open(OWNER, OWNER.0, &sealed), None);
    }

    #[test]
    fn an_erased_contact_gets_no_new_key() {
        let folder = DataFolder::temporary().unwrap();
        let keys = reopened(&folder);
        let before = seal(&keys);
        keys.destroy_owned_by(OWNER).unwrap();
        let after = seal(&keys);
        keys.keep_pending().unwrap();
        for keys in [keys, reopened(&folder)] {
            assert_eq!((keys.open(OWNER, KEY, &before), keys.open(OWNER, KEY, &after)), (None, None));
        }
    }

    #[test]
    fn the_nil_id_is_a_name_like_any_other() {
        let folder = DataFolder::temporary().unwrap();
        let keys = reopened(&folder);
        for key in [Uuid::nil(), KEY] {
            keys.seal(ContactId(Uuid::nil()), key, b"value").unwrap();
            keys.keep_pending().unwrap();
        }
        let sealed = keys.seal(ContactId(Uuid::nil()), KEY, b"value").unwrap();
        let sealed = BASE64_STANDARD_NO_PAD.encode(sealed);
        assert!(reopened(&folder).open(ContactId(Uuid::nil()), KEY, &sealed).is_some());
    }

    #[test]
    fn a_destroyed_key_is_in_no_file() {
        let folder = DataFolder::temporary().unwrap();
        let keys = reopened(&folder);
        seal(&keys);
        let wrapped = keys.looking_up().pending[&(OWNER, KEY)].wrapped.clone();
        keys.keep_pending().unwrap();
        let is_somewhere = || {
            std::fs::read_dir(folder.path()).unwrap().any(|file| {
                let bytes = std::fs::read(file.unwrap().path()).unwrap();
                memchr::memmem::find(&bytes, &wrapped).is_some()
            })
        };
        assert!(is_somewhere());
        keys.destroy(OWNER, KEY).unwrap();
        assert!(!is_somewhere());
    }

    #[test]
    fn keys_without_their_epoch_key_are_refused() {
        let folder = DataFolder::temporary().unwrap();
        drop(reopened(&folder));
        std::fs::remove_file(epoch_key_file(folder.path(), 1)).unwrap();
        assert!(matches!(Keys::open(&folder, &Options::default()), Err(OpenError::Missing(_))));
    }
}
