//! The data folder: one folder, one process, one log.
//!
//! `format.json` is written last when a folder is made, so a folder that has it is complete, and one that has
//! only the beginnings (a crash in between) is finished the next time.

use std::{
    ffi::OsStr,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{epochs, open_error::OpenError};

/// Since format 2 a log has a ledger, and one that has lost it is not opened. Since format 3 a folder may be that of a
/// node, whose log lies in a cluster.
pub(crate) const FORMAT: u32 = 3;
/// The format of folders that hold their log themselves.
pub(crate) const EMBEDDED: u32 = 2;
/// The first format of logs with a ledger.
pub(crate) const WITH_LEDGER: u32 = 2;
const LOCK_FILE: &str = "rapport.lock";
pub(crate) const FORMAT_FILE: &str = "format.json";
pub(crate) const SECRET_FILE: &str = "installation.secret";
pub(crate) const LEDGER_KEY_FILE: &str = "ledger-signing.key";
pub(crate) const KEYS_FILE: &str = "keys.sqlite";
pub(crate) const LOG_FILE: &str = "log.sqlite";
/// What a file is called while it is being written.
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

#[derive(Debug, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "its number has been called so in every file since the first")]
pub(crate) struct Format {
    pub(crate) format: u32,
    pub(crate) log: Uuid,
    /// What sort of folder it is.
    #[serde(default, skip_serializing_if = "Keeps::is_log")]
    pub(crate) keeps: Keeps,
    /// Whether a node has begun its ledger.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) ledger: bool,
}

/// What a data folder keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Keeps {
    /// The log itself and everything else.
    #[default]
    Log,
    /// What one node keeps of a log in a cluster: views, its ledger, copies of the wrapped keys.
    Node,
}

impl Keeps {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
    fn is_log(&self) -> bool {
        *self == Self::Log
    }
}

impl Format {
    /// The format of a folder that holds its log.
    pub(crate) const fn of_log(format: u32, log: Uuid) -> Self {
        Self { format, log, keeps: Keeps::Log, ledger: false }
    }

    fn has_ledger(&self) -> bool {
        match self.keeps {
            Keeps::Log => self.format >= WITH_LEDGER,
            Keeps::Node => self.ledger,
        }
    }
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
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(OpenError::io(path))?;
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

    fn held(path: &Path, lock: File, format: &Format, remove_on_drop: bool) -> Result<Self, OpenError> {
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
        self.0.path.join("log-index.sqlite")
    }

    /// The wrapped keys of personal values.
    pub fn keys_file(&self) -> PathBuf {
        self.0.path.join(KEYS_FILE)
    }

    /// The folder of the views; made where it is missing.
    pub fn views(&self) -> Result<PathBuf, OpenError> {
        let path = self.0.path.join("views");
        DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(OpenError::io(&path))?;
        Ok(path)
    }
}

/// A folder that is about to become that of a node, or is one.
#[cfg(feature = "kurrentdb")]
pub(crate) struct Joining {
    path: PathBuf,
    lock: File,
    format: Option<Format>,
}

#[cfg(feature = "kurrentdb")]
impl Joining {
    /// Takes hold of a folder: of a node, empty, or new.
    pub(crate) fn begin(path: &Path) -> Result<Self, OpenError> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(OpenError::io(path))?;
        refuse_foreign(path)?;
        let lock = lock(path)?;
        let format =
            read_if_there(&path.join(FORMAT_FILE))?.map(|bytes| check_format(path, &bytes)).transpose()?;
        if format.as_ref().is_some_and(|format| format.keeps == Keeps::Log) {
            let reason = "holds a log itself: `rapport copy` moves it into a cluster, and each node has another folder";
            return Err(OpenError::AnotherSort { folder: path.to_owned(), reason });
        }
        Ok(Self { path: path.to_owned(), lock, format })
    }

    /// Takes hold of a folder into which a log is copied: empty, new, or one in which a file says that it is being
    /// copied already.
    pub(crate) fn begin_copy(path: &Path, mark: &str, log: Uuid) -> Result<Self, OpenError> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(OpenError::io(path))?;
        let (file, said) = (path.join(mark), log.to_string());
        let format = path.join(FORMAT_FILE);
        let begun = read_if_there(&file)?;
        match begun {
            Some(begun) if begun == said.as_bytes() => {}
            None if !exists(&format)? => refuse_foreign(path)?,
            Some(_) | None => return Err(OpenError::Foreign(path.to_owned())),
        }
        let lock = lock(path)?;
        write_durably(&file, said.as_bytes())?;
        Ok(Self { path: path.to_owned(), lock, format: None })
    }

    /// Where the folder is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The log that the folder belongs to, where it is not a new one.
    pub(crate) fn log_id(&self) -> Option<Uuid> {
        self.format.as_ref().map(|format| format.log)
    }

    /// Notes to which log it belongs; what all nodes share lies in it already.
    pub(crate) fn finish(self, log: Uuid) -> Result<DataFolder, OpenError> {
        let format = match self.format {
            Some(format) => format,
            None => Format { format: FORMAT, log, keeps: Keeps::Node, ledger: false },
        };
        write_format(&self.path, &format)?;
        DataFolder::held(&self.path, self.lock, &format, false)
    }
}

/// Draws a secret where there is none.
pub(crate) fn draw_if_missing(file: &Path) -> Result<(), OpenError> {
    if exists(file)? { Ok(()) } else { write_durably(file, &rand::random::<[u8; 32]>()) }
}

/// Draws a secret where there is none, also where several processes do so at the same time: the first one's counts.
#[cfg(feature = "kurrentdb")]
pub(crate) fn draw_once(file: &Path) -> Result<(), OpenError> {
    if exists(file)? {
        return Ok(());
    }
    let own = file.with_added_extension(format!("{}", Uuid::from_u128(rand::random())));
    write_durably(&own, &rand::random::<[u8; 32]>())?;
    let placed = fs::hard_link(&own, file);
    fs::remove_file(&own).map_err(OpenError::io(&own))?;
    match placed {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(OpenError::io(file)(error)),
        _ => Ok(()),
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Closing the file is not enough where a child process is being started at this moment: until it
        // becomes another program it has a copy of the open file, and with it of the lock.
        let _ = self.lock.unlock();
        if self.remove_on_drop {
            // Nothing depends on it: the system clears its folder for temporary files in any case.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Refuses a folder that holds something but was not made by this program, before anything is put into it.
/// Whether a folder says that it is that of a node.
pub(crate) fn is_of_node(path: &Path) -> bool {
    let said = read_if_there(&path.join(FORMAT_FILE)).ok().flatten();
    said.and_then(|bytes| check_format(path, &bytes).ok()).is_some_and(|format| format.keeps == Keeps::Node)
}

fn refuse_foreign(path: &Path) -> Result<(), OpenError> {
    let mut has_others = false;
    for entry in fs::read_dir(path).map_err(OpenError::io(path))? {
        let entry = entry.map_err(OpenError::io(path))?;
        let name = entry.file_name();
        if name == FORMAT_FILE {
            return Ok(());
        }
        // The secrets of all nodes are put into the folder of a new one before it is begun.
        let is_secret = name == SECRET_FILE || name == LEDGER_KEY_FILE || is_epoch_key(&name);
        let is_beginning =
            name == LOCK_FILE || is_secret || Path::new(&name).extension() == Some(OsStr::new(UNFINISHED));
        has_others |= !is_beginning;
    }
    if has_others { Err(OpenError::Foreign(path.to_owned())) } else { Ok(()) }
}

fn is_epoch_key(name: &OsStr) -> bool {
    name.to_str().and_then(epochs::number_in).is_some()
}

fn lock(path: &Path) -> Result<File, OpenError> {
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

/// Says what a folder is and to which log it belongs; the last thing that is written into a new one.
pub(crate) fn write_format(folder: &Path, format: &Format) -> Result<(), OpenError> {
    let file = folder.join(FORMAT_FILE);
    let text = serde_json::to_vec(format).map_err(io::Error::from);
    write_durably(&file, &text.map_err(OpenError::io(&file))?)
}

fn check_format(folder: &Path, bytes: &[u8]) -> Result<Format, OpenError> {
    /// Read first and alone: whatever else a newer format says, its number stands there.
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    let unreadable = |error: serde_json::Error| OpenError::Unreadable {
        file: folder.join(FORMAT_FILE),
        reason: error.to_string(),
    };
    let found = serde_json::from_slice::<Version>(bytes).map_err(unreadable)?.format;
    if found > FORMAT {
        return Err(OpenError::Newer { folder: folder.to_owned(), found, known: FORMAT });
    }
    serde_json::from_slice::<Format>(bytes).map_err(unreadable)
}

/// The 32 bytes of a file.
pub(crate) fn read_secret(file: &Path) -> Result<Zeroizing<[u8; 32]>, OpenError> {
    let bytes = Zeroizing::new(read_if_there(file)?.ok_or_else(|| OpenError::Missing(file.to_owned()))?);
    let secret = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| OpenError::Unreadable {
        file: file.to_owned(),
        reason: format!("32 bytes expected, {} found", bytes.len()),
    })?;
    Ok(Zeroizing::new(secret))
}

fn read_if_there(file: &Path) -> Result<Option<Vec<u8>>, OpenError> {
    match fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(OpenError::io(file)(error)),
    }
}

/// Whether there is such a file.
pub(crate) fn exists(file: &Path) -> Result<bool, OpenError> {
    file.try_exists().map_err(OpenError::io(file))
}

/// Writes a small file so that after a crash it is there whole or not at all, readable by its owner only.
pub(crate) fn write_durably(file: &Path, bytes: &[u8]) -> Result<(), OpenError> {
    let unfinished = file.with_added_extension(UNFINISHED);
    let write = || -> io::Result<()> {
        let mut opened =
            OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&unfinished)?;
        opened.write_all(bytes)?;
        opened.sync_all()?;
        fs::rename(&unfinished, file)?;
        // The name is durable only when the folder is.
        file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    write().map_err(OpenError::io(file))
}

/// Makes an empty file that only its owner can read, where there is none: a database that is opened afterwards
/// keeps these rights and gives them to the files beside it.
pub(crate) fn make_private(file: &Path) -> Result<(), OpenError> {
    match OpenOptions::new().create_new(true).write(true).mode(0o600).open(file) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(OpenError::io(file)(error)),
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
