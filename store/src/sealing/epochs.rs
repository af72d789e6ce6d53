//! The epoch keys: each wraps all keys of its time and lies in a file of its own. Destroying an epoch key makes
//! every old copy of the keys that it wrapped useless, wherever such a copy may lie.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use aes_gcm::Aes256Gcm;

use crate::{
    folder::{
        names::{epoch_key_file, epoch_of_key_file},
        private_files::{read_secret, write_durably},
    },
    open_error::OpenError,
    sealing::{
        cipher::{KeyName, cipher, decrypt, encrypt},
        key_error::KeyError,
    },
};

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
            ciphers.insert(epoch, cipher(&*read_secret(&epoch_key_file(folder, epoch))?));
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
        self.ciphers.insert(epoch, cipher(&*read_secret(&epoch_key_file(&self.folder, epoch))?));
        self.current = epoch;
        Ok(())
    }

    /// Forgets the keys of every epoch before one; their files are gone.
    pub(crate) fn end_before(&mut self, epoch: u32) {
        self.ciphers.retain(|living, _| *living >= epoch);
    }

    pub(crate) fn wrap(&self, name: KeyName, key: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.wrap_with(self.current, name, key)
    }

    pub(crate) fn wrap_with(&self, epoch: u32, name: KeyName, key: &[u8]) -> Result<Vec<u8>, KeyError> {
        let cipher = self.ciphers.get(&epoch).ok_or(KeyError::Damaged)?;
        encrypt(cipher, name, key)
    }

    pub(crate) fn unwrap(&self, epoch: u32, name: KeyName, wrapped: &[u8]) -> Option<Vec<u8>> {
        decrypt(self.ciphers.get(&epoch)?, name, wrapped)
    }
}

/// The epoch keys that lie in a folder, the oldest first.
pub(crate) fn files(folder: &Path) -> Result<Vec<(u32, PathBuf)>, OpenError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(OpenError::io(folder))? {
        let path = entry.map_err(OpenError::io(folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        found.extend(epoch_of_key_file(name).map(|epoch| (epoch, path.clone())));
    }
    found.sort();
    Ok(found)
}

/// Draws the key of an epoch.
pub(crate) fn draw(folder: &Path, epoch: u32) -> Result<(), OpenError> {
    write_durably(&epoch_key_file(folder, epoch), &rand::random::<[u8; 32]>())
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
