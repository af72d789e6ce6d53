//! The epoch keys: each wraps all keys of its time and lies in a file of its own. Destroying an epoch key makes
//! every old copy of the keys that it wrapped useless, wherever such a copy may lie.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use aes_gcm::{
    Aes256Gcm, Key, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use domain::ContactId;
use uuid::Uuid;

use crate::{
    folder::{read_secret, write_durably},
    keys::KeyError,
    open_error::OpenError,
};

const NONCE: usize = 12;

/// Whose key, and which one.
pub(crate) type KeyName = (ContactId, Uuid);

/// The epoch keys of a folder.
pub(crate) struct Epochs {
    folder: PathBuf,
    ciphers: BTreeMap<u32, Aes256Gcm>,
    current: u32,
}

impl Epochs {
    /// Reads the epoch keys from the oldest that still wraps anything up to the current one.
    pub(crate) fn open(folder: &Path, oldest: u32, current: u32) -> Result<Self, OpenError> {
        let mut ciphers = BTreeMap::new();
        for epoch in oldest..=current {
            ciphers.insert(epoch, cipher(&*read_secret(&file(folder, epoch))?));
        }
        Ok(Self { folder: folder.to_owned(), ciphers, current })
    }

    /// The epoch whose key wraps what is new.
    pub(crate) const fn current(&self) -> u32 {
        self.current
    }

    /// The epochs whose keys still exist.
    pub(crate) fn living(&self) -> Vec<u32> {
        self.ciphers.keys().copied().collect()
    }

    /// Makes a key the current one; its file is there already.
    pub(crate) fn begin(&mut self, epoch: u32) -> Result<(), OpenError> {
        self.ciphers.insert(epoch, cipher(&*read_secret(&file(&self.folder, epoch))?));
        self.current = epoch;
        Ok(())
    }

    /// Forgets the keys of every epoch before one; their files are gone.
    #[cfg(feature = "kurrentdb")]
    pub(crate) fn end_before(&mut self, epoch: u32) {
        self.ciphers.retain(|living, _| *living >= epoch);
    }

    /// Forgets every key but the current one; their files are gone.
    pub(crate) fn end_old(&mut self) {
        self.ciphers.retain(|epoch, _| *epoch == self.current);
    }

    pub(crate) fn wrap(&self, name: KeyName, key: &[u8]) -> Result<Vec<u8>, KeyError> {
        let cipher = self.ciphers.get(&self.current).ok_or(KeyError::Damaged)?;
        encrypt(cipher, name, key)
    }

    pub(crate) fn unwrap(&self, epoch: u32, name: KeyName, wrapped: &[u8]) -> Option<Vec<u8>> {
        decrypt(self.ciphers.get(&epoch)?, name, wrapped)
    }
}

/// The file of an epoch key.
pub(crate) fn file(folder: &Path, epoch: u32) -> PathBuf {
    folder.join(format!("epoch-{epoch}.key"))
}

/// The epoch whose key a file of this name holds.
pub(crate) fn number_in(name: &str) -> Option<u32> {
    name.strip_prefix("epoch-")?.strip_suffix(".key")?.parse().ok()
}

/// The epoch keys that lie in a folder, the oldest first.
pub(crate) fn files(folder: &Path) -> Result<Vec<(u32, PathBuf)>, OpenError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(OpenError::io(folder))? {
        let path = entry.map_err(OpenError::io(folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        found.extend(number_in(name).map(|epoch| (epoch, path.clone())));
    }
    found.sort();
    Ok(found)
}

/// Draws the key of an epoch.
pub(crate) fn draw(folder: &Path, epoch: u32) -> Result<(), OpenError> {
    write_durably(&file(folder, epoch), &rand::random::<[u8; 32]>())
}

/// Overwrites the keys of all epochs before one and removes them.
pub(crate) fn destroy_before(folder: &Path, epoch: u32) -> Result<(), OpenError> {
    for (_, file) in files(folder)?.into_iter().filter(|(number, _)| *number < epoch) {
        destroy(&file).map_err(OpenError::io(&file))?;
    }
    Ok(())
}

fn destroy(file: &Path) -> io::Result<()> {
    let mut opened = OpenOptions::new().write(true).open(file)?;
    opened.write_all(&rand::random::<[u8; 32]>())?;
    opened.sync_all()?;
    fs::remove_file(file)?;
    // That the name is gone is durable only when the folder is.
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

pub(crate) fn cipher(key: &[u8; 32]) -> Aes256Gcm {
    Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key))
}

/// Binds a text to the name of its key, so that it cannot be passed off as somebody else's.
fn binding((owner, key): KeyName) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(owner.0.as_bytes());
    bytes[16..].copy_from_slice(key.as_bytes());
    bytes
}

pub(crate) fn encrypt(cipher: &Aes256Gcm, name: KeyName, plain: &[u8]) -> Result<Vec<u8>, KeyError> {
    let nonce: [u8; NONCE] = rand::random();
    let payload = Payload { msg: plain, aad: &binding(name) };
    let text = cipher.encrypt(&Nonce::from(nonce), payload).map_err(|_| KeyError::Damaged)?;
    Ok([nonce.as_slice(), &text].concat())
}

pub(crate) fn decrypt(cipher: &Aes256Gcm, name: KeyName, sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, text) = sealed.split_first_chunk::<NONCE>()?;
    cipher.decrypt(&Nonce::from(*nonce), Payload { msg: text, aad: &binding(name) }).ok()
}
