//! Going on with what is left of a data folder, where something of it is lost for good and no backup has it. Nothing is
//! destroyed on the way: what cannot be used, and what disagrees with the log, is set apart in the folder itself.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags};

use crate::{
    embedded::{index, stored_log::StoredLog},
    folder::{
        data_folder,
        format::{Format, Keeps, WITH_LEDGER, check_format, write_format},
        names::{FORMAT_FILE, INDEX_FILE, KEYS_FILE, LEDGER_KEY_FILE, LOG_FILE, SECRET_FILE},
        private_files::{draw_if_missing, exists, read_if_there, read_secret},
    },
    open_error::OpenError,
    options::Options,
    sealing::{epochs, key_file, keys::Keys},
    sqlite::from_stored,
};

/// What was lost, and how much of the log is left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// What was lost or disagreed with the log, as names of files of the data folder.
    pub lost: Vec<String>,
    /// How many events the log holds.
    pub held: u64,
    /// How many it is known to have held, by what lies beside it.
    pub known: u64,
    /// Where that lies which was set apart, if anything was.
    pub set_apart: Option<PathBuf>,
}

/// Makes a data folder fit to be opened again with the log that is in it. The ledger is set apart where the caller has found
/// that it disagrees; the next start begins a new one, signed by the same key.
pub fn make_do_with_what_is_left(folder: &Path, is_ledger_wrong: bool) -> Result<Left, OpenError> {
    let (log_file, index_file) = (folder.join(LOG_FILE), folder.join(INDEX_FILE));
    if !exists(&log_file)? {
        return Err(OpenError::Missing(log_file));
    }
    let lock = data_folder::lock(folder)?;
    let log = StoredLog::open(folder)?;
    let unreadable = || OpenError::Unreadable { file: log_file.clone(), reason: "it has no id".to_owned() };
    let log_id = log.log_id().ok_or_else(unreadable)?;
    let mut left = Left { held: log.length(), ..Left::default() };
    drop(log);
    left.known = left.held.max(reach_of_index(&index_file));
    let mut apart = Apart::of(folder);

    let said = read_if_there(&folder.join(FORMAT_FILE))?.map(|bytes| check_format(folder, &bytes));
    if let Some(Err(newer @ OpenError::Newer { .. })) = said {
        return Err(newer);
    }
    let said = said.and_then(Result::ok);
    if let Some(said) = said.as_ref().filter(|said| said.log != log_id || said.keeps != Keeps::Log) {
        let reason = "is the folder of a node, whose log lies in a cluster: empty it but for its secrets and start it again";
        return Err(match said.keeps {
            Keeps::Log => OpenError::AnotherLog(log_file),
            Keeps::Node => OpenError::AnotherSort { folder: folder.to_owned(), reason },
        });
    }
    if said.is_none() {
        left.lose(FORMAT_FILE);
    }
    for name in [SECRET_FILE, LEDGER_KEY_FILE] {
        if read_secret(&folder.join(name)).is_err() {
            left.lose(name);
            apart.set(name)?;
            draw_if_missing(&folder.join(name))?;
        }
    }
    let is_signed_by_another = left.lost.iter().any(|name| name == LEDGER_KEY_FILE);
    let keys_file = folder.join(KEYS_FILE);
    let keys =
        key_file::refuse_loss(&keys_file).and_then(|()| Keys::open_with(folder, &Options::default(), None));
    match keys {
        Ok(keys) => {
            left.known = left.known.max(keys.signed().ok().flatten().map_or(0, |(size, _)| size));
        }
        Err(error) if error.is_loss() => {
            left.lose(KEYS_FILE);
            for (_, file) in epochs::files(folder)? {
                apart.set(name_of(&file))?;
            }
            for suffix in ["", "-wal", "-shm"] {
                apart.set(&format!("{KEYS_FILE}{suffix}"))?;
            }
            epochs::draw(folder, 1)?;
            key_file::begin(&keys_file)?;
        }
        Err(error) => return Err(error),
    }
    let has_ledger = said.as_ref().is_some_and(Format::has_ledger);
    if is_ledger_wrong || is_signed_by_another || !has_ledger {
        left.lose("ledger");
        apart.set("ledger")?;
        key_file::forget_signed(&keys_file)?;
        write_format(folder, &Format::of_log(WITH_LEDGER - 1, log_id))?;
    }
    left.is_known_to_have_held(left.known);
    // Both were folded from what the log was; they are made again.
    index::remove(&index_file)?;
    let views = folder.join("views");
    if exists(&views)? {
        fs::remove_dir_all(&views).map_err(OpenError::io(&views))?;
    }
    left.set_apart = apart.folder_of_it();
    drop(lock);
    Ok(left)
}

impl Left {
    fn lose(&mut self, name: &str) {
        if !self.lost.iter().any(|lost| lost == name) {
            self.lost.push(name.to_owned());
        }
    }

    /// Takes note of how many events there were, by somebody who knows.
    pub fn is_known_to_have_held(&mut self, events: u64) {
        self.known = self.known.max(events);
        if self.known > self.held {
            self.lose(LOG_FILE);
        }
    }

    /// Adds what was found before.
    #[must_use]
    pub fn after(mut self, earlier: Self) -> Self {
        earlier.lost.iter().for_each(|name| self.lose(name));
        self.known = self.known.max(earlier.known);
        self.set_apart = self.set_apart.or(earlier.set_apart);
        self
    }
}

/// Where what cannot be used is put, beside the rest: made when the first thing is.
struct Apart<'f> {
    folder: &'f Path,
    place: PathBuf,
}

impl<'f> Apart<'f> {
    fn of(folder: &'f Path) -> Self {
        let mut number = 1;
        let place = loop {
            let place = folder.join(format!("set-apart-{number}"));
            if !place.exists() {
                break place;
            }
            number += 1;
        };
        Self { folder, place }
    }

    fn set(&mut self, name: &str) -> Result<(), OpenError> {
        let from = self.folder.join(name);
        if !exists(&from)? {
            return Ok(());
        }
        data_folder::make_private_folder(&self.place)?;
        fs::rename(&from, self.place.join(name)).map_err(OpenError::io(from))
    }

    fn folder_of_it(self) -> Option<PathBuf> {
        self.place.exists().then_some(self.place)
    }
}

fn name_of(file: &Path) -> &str {
    file.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// Up to where an index was written, as far as it can be read.
fn reach_of_index(file: &Path) -> u64 {
    let read = || -> rusqlite::Result<Option<i64>> {
        let index = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        index.query_row("SELECT max(position) FROM places", [], |row| row.get(0))
    };
    read().ok().flatten().map_or(0, from_stored)
}
