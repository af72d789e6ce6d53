//! The data folder: one folder, one process, one log.
//!
//! `format.json` is written last when a folder is made, so a folder that has it is complete, and one that has
//! only the beginnings (a crash in between) is finished the next time.

use std::{
    ffi::OsStr,
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use machine::files::give_to_owner;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    folder::{
        format::{EMBEDDED, FORMAT, Format, Keeps, WITH_LEDGER, check_format, write_format},
        names::{
            FORMAT_FILE, INDEX_FILE, KEYS_FILE, LEDGER_KEY_FILE, LOCK_FILE, LOG_FILE, SECRET_FILE,
            epoch_of_key_file,
        },
        private_files::{draw_if_missing, read_if_there, read_secret},
    },
    open_error::OpenError,
};

/// What a file may be called while it is being written.
const UNFINISHED: &str = "unfinished";

/// A data folder that this process has to itself for as long as one clone of this handle lives.
#[derive(Clone, Debug)]
pub struct DataFolder(Arc<Held>);

#[derive(Debug)]
struct Held {
    path: PathBuf,
    log_id: Uuid,
    secret: Zeroizing<[u8; 32]>,
    has_ledger: bool,
    keeps: Keeps,
    remove_on_drop: bool,
    lock: File,
}

impl DataFolder {
    /// Opens a data folder; makes it where there is none or an empty one.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::hold(path.as_ref(), false)
    }

    /// A folder that is removed with its last handle.
    pub(crate) fn temporary() -> Result<Self, OpenError> {
        let name = format!("rapport-{}", Uuid::from_u128(rand::random()));
        Self::hold(&std::env::temp_dir().join(name), true)
    }

    fn hold(path: &Path, remove_on_drop: bool) -> Result<Self, OpenError> {
        make_private_folder(path)?;
        refuse_foreign(path)?;
        let lock = lock(path)?;
        let format_file = path.join(FORMAT_FILE);
        let secret_file = path.join(SECRET_FILE);
        let format = if let Some(bytes) = read_if_there(&format_file)? {
            check_format(path, &bytes)?
        } else {
            draw_if_missing(&secret_file)?;
            let log = uuid::Builder::from_random_bytes(rand::random()).into_uuid();
            let format = Format::of_log(WITH_LEDGER - 1, log);
            write_format(path, &format)?;
            format
        };
        if format.keeps == Keeps::Node {
            let reason =
                "is the folder of a node, and its log lies in a cluster: say with --store where that is";
            return Err(OpenError::AnotherSort { folder: path.to_owned(), reason });
        }
        Self::held(path, lock, &format, remove_on_drop)
    }

    /// A folder that is whole and held.
    pub(crate) fn held(
        path: &Path,
        lock: File,
        format: &Format,
        remove_on_drop: bool,
    ) -> Result<Self, OpenError> {
        guard(path)?;
        give_to_owner(path).map_err(OpenError::io(path))?;
        let secret = read_secret(&path.join(SECRET_FILE))?;
        let (path, has_ledger) = (path.to_owned(), format.has_ledger());
        let Format { log: log_id, keeps, .. } = *format;
        Ok(Self(Arc::new(Held { path, log_id, secret, has_ledger, keeps, remove_on_drop, lock })))
    }

    /// Whether the log had a ledger when the folder was opened; one that had is never given another.
    pub fn has_ledger(&self) -> bool {
        self.0.has_ledger
    }

    /// The folder of the ledger.
    pub fn ledger(&self) -> PathBuf {
        self.0.path.join("ledger")
    }

    /// The secret that the ledger's checkpoints are signed with; drawn for a log that has no ledger yet. All nodes of
    /// one log have the same one.
    pub fn ledger_key(&self) -> Result<Zeroizing<[u8; 32]>, OpenError> {
        let file = self.0.path.join(LEDGER_KEY_FILE);
        if !self.has_ledger() && self.0.keeps == Keeps::Log {
            draw_if_missing(&file)?;
        }
        read_secret(&file)
    }

    /// Notes that the log has a ledger from now on. Told once it lies there whole.
    pub fn note_ledger(&self) -> Result<(), OpenError> {
        if self.has_ledger() {
            return Ok(());
        }
        let (keeps, log) = (self.0.keeps, self.log_id());
        let format = if keeps == Keeps::Log { EMBEDDED } else { FORMAT };
        write_format(&self.0.path, &Format { format, log, keeps, ledger: keeps == Keeps::Node })
    }

    /// Where the folder is.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The id of the log that the folder belongs to.
    pub fn log_id(&self) -> Uuid {
        self.0.log_id
    }

    /// 32 bytes drawn when the folder was made: ids of imported things are derived from them.
    pub fn installation_secret(&self) -> &[u8; 32] {
        &self.0.secret
    }

    /// The events.
    pub fn log_file(&self) -> PathBuf {
        self.0.path.join(LOG_FILE)
    }

    /// Where which event lies; may be deleted while nobody holds the folder.
    pub fn index_file(&self) -> PathBuf {
        self.0.path.join(INDEX_FILE)
    }

    /// The wrapped keys of personal values.
    pub fn keys_file(&self) -> PathBuf {
        self.0.path.join(KEYS_FILE)
    }

    /// The folder of the views; made where it is missing.
    pub fn views(&self) -> Result<PathBuf, OpenError> {
        let path = self.0.path.join("views");
        make_private_folder(&path)?;
        Ok(path)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Everything that this process has made is there now, and nobody else may come in yet.
        if let Err(error) = give_to_owner(&self.path) {
            tracing::warn!(%error, "files of this process could not be given to the owner of the data folder");
        }
        // Closing the file is not enough where a child process is being started at this moment: until it
        // becomes another program it has a copy of the open file, and with it of the lock.
        let _ = self.lock.unlock();
        if self.remove_on_drop {
            // Nothing depends on it: the system clears its folder for temporary files in any case.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Makes a folder that only its owner may look into, where there is none.
pub(crate) fn make_private_folder(path: &Path) -> Result<(), OpenError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(OpenError::io(path))
}

/// Refuses a folder that holds something but was not made by this program, before anything is put into it.
pub(crate) fn refuse_foreign(path: &Path) -> Result<(), OpenError> {
    let (mut has_others, mut has_a_log) = (false, false);
    for entry in fs::read_dir(path).map_err(OpenError::io(path))? {
        let entry = entry.map_err(OpenError::io(path))?;
        let name = entry.file_name();
        if name == FORMAT_FILE {
            return Ok(());
        }
        has_a_log |= name == LOG_FILE;
        // The secrets of all nodes are put into the folder of a new one before it is begun.
        has_others |= name != LOCK_FILE && !is_secret(&name) && !was_cut_off(&name);
    }
    match (has_others, has_a_log) {
        (_, true) => Err(OpenError::Missing(path.join(FORMAT_FILE))),
        (true, false) => Err(OpenError::Foreign(path.to_owned())),
        (false, false) => Ok(()),
    }
}

/// Refuses links, which would lead the log or its keys to somewhere else, and takes the rights of others away from whatever
/// lies in a data folder.
fn guard(folder: &Path) -> Result<(), OpenError> {
    restrict(folder, 0o700)?;
    for entry in fs::read_dir(folder).map_err(OpenError::io(folder))? {
        let entry = entry.map_err(OpenError::io(folder))?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(OpenError::io(folder))?);
        if kind.is_symlink() {
            return Err(OpenError::Link(path));
        }
        if kind.is_dir() {
            guard(&path)?;
        } else if kind.is_file() {
            restrict(&path, 0o600)?;
        }
    }
    Ok(())
}

fn restrict(path: &Path, mode: u32) -> Result<(), OpenError> {
    let found = fs::symlink_metadata(path).map_err(OpenError::io(path))?.permissions().mode() & 0o777;
    if found & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(mode)).map_err(OpenError::io(path))?;
        let path = path.display().to_string();
        tracing::warn!(path, "others had rights to it: they are taken away");
    }
    Ok(())
}

fn is_secret(name: &OsStr) -> bool {
    let is_epoch_key = || name.to_str().and_then(epoch_of_key_file).is_some();
    name == SECRET_FILE || name == LEDGER_KEY_FILE || is_epoch_key()
}

/// Whether a file was left where its writing was cut off: it is called like the one that it was to become.
fn was_cut_off(name: &OsStr) -> bool {
    let name = Path::new(name);
    if name.extension() == Some(OsStr::new(UNFINISHED)) {
        return true;
    }
    let becomes = name.file_stem().and_then(OsStr::to_str).and_then(|stem| stem.strip_prefix('.'));
    becomes.is_some_and(|becomes| becomes == FORMAT_FILE || is_secret(OsStr::new(becomes)))
}

/// Takes the folder for this process alone.
pub(crate) fn lock(path: &Path) -> Result<File, OpenError> {
    let lock_file = path.join(LOCK_FILE);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&lock_file)
        .map_err(OpenError::io(&lock_file))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(OpenError::io(&lock_file)(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_folder_keeps_its_log_id_and_its_secret() {
        let place = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(place.path().join("new/data")).unwrap();
        let (id, secret, path) = (folder.log_id(), *folder.installation_secret(), folder.path().to_owned());
        drop(folder);
        let again = DataFolder::open(path).unwrap();
        assert_eq!((again.log_id(), *again.installation_secret()), (id, secret));
    }

    #[test]
    fn only_the_owner_may_look_into_it() {
        let place = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(place.path().join("data")).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(folder.path()), 0o700);
        for file in fs::read_dir(folder.path()).unwrap() {
            assert_eq!(mode(&file.unwrap().path()), 0o600);
        }
    }

    #[test]
    fn a_folder_that_was_only_begun_is_finished() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join(LOCK_FILE), "").unwrap();
        fs::write(place.path().join("format.json.unfinished"), "{").unwrap();
        fs::write(place.path().join(".format.json.a1B2c3"), "{").unwrap();
        fs::write(place.path().join(".epoch-1.key.a1B2c3"), "").unwrap();
        DataFolder::open(place.path()).unwrap();
    }

    #[test]
    fn a_lost_secret_is_not_replaced_by_another() {
        let place = tempfile::tempdir().unwrap();
        drop(DataFolder::open(place.path()).unwrap());
        fs::remove_file(place.path().join(SECRET_FILE)).unwrap();
        assert!(matches!(DataFolder::open(place.path()), Err(OpenError::Missing(_))));
    }

    #[test]
    fn a_temporary_folder_goes_with_its_last_handle() {
        let folder = DataFolder::temporary().unwrap();
        let (path, other) = (folder.path().to_owned(), folder.clone());
        drop(folder);
        assert!(path.exists());
        drop(other);
        assert!(!path.exists());
    }
}
