//! The keys of personal values: one for each contact, one for each message text.
//!
//! A key is drawn when it is first needed, waits among the pending ones, and is written to `keys.sqlite` by the
//! writer before the first event that is sealed with it. In the file every key is wrapped by the key of an
//! epoch, which lies in a file of its own. Keys lie beside their owner's, so that all of them are found, and
//! destroyed, at once.
//!
//! Destroying leaves a mark, so that a value sealed for an erased contact a moment too late is sealed with a
//! key that nobody keeps.

use std::{
    collections::HashMap,
    fmt,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aes_gcm::{
    Aes256Gcm, Key, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use domain::{ContactId, Keyring};
use quick_cache::sync::Cache;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    folder::{DataFolder, exists, make_private, read_secret, write_durably},
    log_file::{is_full, keep_plans},
    open_error::OpenError,
    options::Options,
};

/// The only epoch so far. A row says which epoch key wraps it.
const EPOCH: u32 = 1;
/// How many unwrapped keys are kept in memory.
const CACHED: usize = 100_000;
const NONCE: usize = 12;
/// In the place of a key: the whole owner has been erased. No key has an empty name.
const WHOLE_OWNER: &[u8] = &[];

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS keys(
        owner BLOB NOT NULL,
        key BLOB NOT NULL,
        epoch INTEGER NOT NULL,
        wrapped BLOB,
        PRIMARY KEY(owner, key)
    ) STRICT, WITHOUT ROWID;";

/// Why a key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The disk is full.
    #[error("the disk is full")]
    DiskFull,
    /// The database of the keys refused.
    #[error("the keys cannot be reached: {0}")]
    Database(rusqlite::Error),
    /// A stored key does not unwrap: the epoch key is not the one that wrapped it.
    #[error("a key does not unwrap with the epoch key")]
    Damaged,
}

impl From<rusqlite::Error> for KeyError {
    fn from(error: rusqlite::Error) -> Self {
        if is_full(&error) { Self::DiskFull } else { Self::Database(error) }
    }
}

type KeyName = (ContactId, Uuid);
type SharedKey = Arc<Zeroizing<[u8; 32]>>;

/// The keys of one data folder.
pub struct Keys {
    epoch: Aes256Gcm,
    cache: Cache<KeyName, SharedKey>,
    lookup: Mutex<Lookup>,
    // Held for as long as a write lasts, never while somebody only looks a key up. Taken before `lookup`.
    durable: Mutex<Connection>,
}

/// What a key is looked up in when it is not cached. A key is pending, or stored, or for a moment both.
struct Lookup {
    stored: Connection,
    pending: HashMap<KeyName, Pending>,
}

#[derive(Clone)]
struct Pending {
    key: SharedKey,
    wrapped: Vec<u8>,
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
        let (file, epoch_file) = (folder.keys_file(), folder.epoch_file(EPOCH));
        // The epoch key is made first: a database of keys without it is one whose key has been lost.
        if !exists(&epoch_file)? {
            if exists(&file)? {
                return Err(OpenError::Missing(epoch_file));
            }
            write_durably(&epoch_file, &rand::random::<[u8; 32]>())?;
        }
        let epoch = cipher(&*read_secret(&epoch_file)?);
        make_private(&file)?;
        let connect = || connect(&file, options).map_err(OpenError::database(&file));
        let durable = connect()?;
        durable.execute_batch(SCHEMA).map_err(OpenError::database(&file))?;
        let lookup = Lookup { stored: connect()?, pending: HashMap::new() };
        Ok(Self {
            epoch,
            cache: Cache::new(CACHED),
            lookup: Mutex::new(lookup),
            durable: Mutex::new(durable),
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
            for ((owner, key), Pending { wrapped, .. }) in &pending {
                insert.execute(params![owner.0.as_bytes(), key.as_bytes(), EPOCH, wrapped])?;
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
        self.destroy_marked(owner, &[key], false)
    }

    /// Destroys every key of a contact, now and in future. Returns when that is durable.
    pub fn destroy_owned_by(&self, owner: ContactId) -> Result<(), KeyError> {
        self.destroy_marked(owner, &[], true)
    }

    fn destroy_marked(&self, owner: ContactId, keys: &[Uuid], whole: bool) -> Result<(), KeyError> {
        let mut connection = self.writing();
        let transaction = connection.transaction()?;
        {
            let sql = "INSERT OR REPLACE INTO keys(owner, key, epoch, wrapped) VALUES (?1, ?2, ?3, NULL)";
            let mut mark = transaction.prepare_cached(sql)?;
            for key in keys {
                mark.execute(params![owner.0.as_bytes(), key.as_bytes(), EPOCH])?;
            }
            if whole {
                mark.execute(params![owner.0.as_bytes(), WHOLE_OWNER, EPOCH])?;
                transaction
                    .execute("UPDATE keys SET wrapped = NULL WHERE owner = ?1", [owner.0.as_bytes()])?;
            }
        }
        transaction.commit()?;
        let mut lookup = self.looking_up();
        let is_destroyed = |name: &KeyName| name.0 == owner && (whole || keys.contains(&name.1));
        lookup.pending.retain(|name, _| !is_destroyed(name));
        self.cache.retain(|name, _| !is_destroyed(name));
        drop(lookup);
        // The old pages are overwritten in the database; this empties the write-ahead log of them as well.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
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
                let wrapped = encrypt(&self.epoch, name, key.as_slice())?;
                lookup.pending.insert(name, Pending { key: Arc::clone(&key), wrapped });
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
        let sql = "SELECT wrapped FROM keys WHERE owner = ?1 AND key IN (?2, ?3) ORDER BY wrapped LIMIT 1";
        let mut statement = lookup.stored.prepare_cached(sql)?;
        let of = params![name.0.0.as_bytes(), name.1.as_bytes(), WHOLE_OWNER];
        // A mark has no wrapped key and sorts first.
        let found = statement.query_row(of, |row| row.get::<_, Option<Vec<u8>>>(0)).optional()?;
        let wrapped = match found {
            None => return Ok(None),
            Some(None) => return Ok(Some(Stored::Destroyed)),
            Some(Some(wrapped)) => wrapped,
        };
        let bytes = decrypt(&self.epoch, name, &wrapped).map(Zeroizing::new).ok_or(KeyError::Damaged)?;
        let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| KeyError::Damaged)?;
        let key = Arc::new(Zeroizing::new(key));
        self.cache.insert(name, Arc::clone(&key));
        Ok(Some(Stored::Key(key)))
    }

    // A thread that panicked with a lock held left nothing half done: each step under it is one statement or
    // one insertion.
    fn looking_up(&self) -> MutexGuard<'_, Lookup> {
        self.lookup.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writing(&self) -> MutexGuard<'_, Connection> {
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
}

fn connect(file: &Path, options: &Options) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", if options.durable { "FULL" } else { "OFF" })?;
    // What is deleted is overwritten.
    connection.pragma_update(None, "secure_delete", "ON")?;
    keep_plans(&connection)?;
    Ok(connection)
}

fn draw() -> SharedKey {
    Arc::new(Zeroizing::new(rand::random()))
}

fn cipher(key: &[u8; 32]) -> Aes256Gcm {
    Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key))
}

/// Binds a text to the name of its key, so that it cannot be passed off as somebody else's.
fn binding((owner, key): KeyName) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(owner.0.as_bytes());
    bytes[16..].copy_from_slice(key.as_bytes());
    bytes
}

fn encrypt(cipher: &Aes256Gcm, name: KeyName, plain: &[u8]) -> Result<Vec<u8>, KeyError> {
    let nonce: [u8; NONCE] = rand::random();
    let payload = Payload { msg: plain, aad: &binding(name) };
    let text = cipher.encrypt(&Nonce::from(nonce), payload).map_err(|_| KeyError::Damaged)?;
    Ok([nonce.as_slice(), &text].concat())
}

fn decrypt(cipher: &Aes256Gcm, name: KeyName, sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, text) = sealed.split_first_chunk::<NONCE>()?;
    cipher.decrypt(&Nonce::from(*nonce), Payload { msg: text, aad: &binding(name) }).ok()
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
        std::fs::remove_file(folder.epoch_file(EPOCH)).unwrap();
        assert!(matches!(Keys::open(&folder, &Options::default()), Err(OpenError::Missing(_))));
    }
}
