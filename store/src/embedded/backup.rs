//! Copies for the day on which the machine is gone: of the log while it is written to, and of the keys into a
//! folder of their own, since a backup with its keys beside it would keep whoever is erased later.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use domain::Position;
use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    backup_outcome::{BackupError, Copied},
    embedded::log_file::LogFile,
    folder::{
        data_folder::make_private_folder,
        format::{EMBEDDED, Format, WITH_LEDGER, write_format},
        names::{KEYS_FILE, LEDGER_KEY_FILE, SECRET_FILE, epoch_key_file},
        private_files::{draw_if_missing, exists, make_private, write_durably},
    },
    log::Log,
    open_error::OpenError,
    sealing::{epochs, key_file},
    sqlite::from_stored,
};

/// What lies beside the log and goes with it.
const BESIDE_LOG: &[&str] = &["tokens.json"];
/// The folders that go with the log. They are copied before it: the log must hold at least what they are about.
const FOLDERS: &[&str] = &["ledger"];
/// What lies beside the keys and goes with them.
const BESIDE_KEYS: &[&str] = &[SECRET_FILE, LEDGER_KEY_FILE];
/// What says that a folder is a backup, or the keys of one; written last.
const BACKUP_FILE: &str = "backup.json";
const KEYS_BACKUP_FILE: &str = "keys.json";
/// Where in its folder a later copy is made, before it takes the place of the earlier one.
const NEXT: &str = "next";
/// How many pages are copied between two words about how far it is.
const PAGES: i32 = 2_048;

/// What is said about a backup in the backup itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Label {
    format: u32,
    log: Uuid,
    position: u64,
}

/// Copies the log of a folder and what belongs to it into another folder, and the keys into a third, while everything goes
/// on. A later copy into the same folders takes the place of the earlier one, and destroys the epoch keys there that have
/// ended. `progress` is told how many of how many bytes are copied.
pub(crate) fn back_up(
    log: &dyn Log,
    to: &Path,
    keys: Option<&Path>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Copied, BackupError> {
    let data = log.folder().path();
    apart(&[Some(data), Some(to), keys])?;
    let log_id = log.folder().log_id();
    prepare(to, BACKUP_FILE, "a backup", log_id)?;
    if let Some(keys) = keys {
        prepare(keys, KEYS_BACKUP_FILE, "a backup of the keys", log_id)?;
    }
    // Whoever opens the folder has made a ledger in it before anything else.
    let format = if data.join("ledger").is_dir() { WITH_LEDGER } else { WITH_LEDGER - 1 };
    let next = begin_beside(to)?;
    for folder in FOLDERS.iter().filter(|folder| data.join(folder).is_dir()) {
        copy_folder(&data.join(folder), &next.join(folder))?;
    }
    copy_those_there(BESIDE_LOG, data, &next)?;
    let log_file = log.folder().log_file();
    let copy = next.join(name_of(&log_file));
    copy_database(&log_file, &copy, progress)?;
    let position = head(&copy)?;
    label(&next.join(BACKUP_FILE), &Label { format, log: log_id, position })?;
    settle(to, BACKUP_FILE)?;
    // The keys come after the log: there is one for every event of the copy.
    let keys_position = keys.map(|keys| back_up_keys(log, keys)).transpose()?;
    Ok(Copied { position: Position(position), keys_position, new_ledger: false })
}

fn back_up_keys(log: &dyn Log, to: &Path) -> Result<Position, BackupError> {
    let (data, log_id) = (log.folder().path(), log.folder().log_id());
    let position = log.head();
    let keys_file = log.folder().keys_file();
    let next = begin_beside(to)?;
    // No epoch begins or ends while they are copied.
    let epochs = log.keys().while_no_epoch_ends(|epochs| -> Result<Vec<u32>, BackupError> {
        for epoch in &epochs {
            let file = epoch_key_file(data, *epoch);
            copy_file(&file, &next.join(name_of(&file)))?;
        }
        copy_database(&keys_file, &next.join(name_of(&keys_file)), &mut |_, _| ())?;
        Ok(epochs)
    })?;
    copy_those_there(BESIDE_KEYS, data, &next)?;
    label(&next.join(KEYS_BACKUP_FILE), &Label { format: EMBEDDED, log: log_id, position: position.0 })?;
    settle(to, KEYS_BACKUP_FILE)?;
    if let Some(oldest) = epochs.first() {
        epochs::destroy_before(to, *oldest)?;
    }
    Ok(position)
}

/// Puts a backup into a new data folder, with its keys where they are given. What was erased since the keys were
/// copied is erased again at the first start.
pub fn restore(
    from: &Path,
    keys: Option<&Path>,
    to: &Path,
    mut progress: impl FnMut(u64, u64),
) -> Result<Copied, BackupError> {
    apart(&[Some(to), Some(from), keys])?;
    settle(from, BACKUP_FILE)?;
    if let Some(keys) = keys {
        settle(keys, KEYS_BACKUP_FILE)?;
    }
    let backup = read_label(from, BACKUP_FILE, "a backup")?;
    let label_of_keys =
        keys.map(|keys| read_label(keys, KEYS_BACKUP_FILE, "a backup of keys")).transpose()?;
    if let (Some(keys), Some(label)) = (keys, &label_of_keys)
        && label.log != backup.log
    {
        return Err(BackupError::OtherKeys(keys.to_owned()));
    }
    make_private_folder(to)?;
    if fs::read_dir(to).map_err(OpenError::io(to))?.next().is_some() {
        return Err(BackupError::Foreign(to.to_owned(), "the place for a data folder"));
    }
    // A ledger is signed by one key for ever. Without it the log gets a new one, and the old one stays in the backup.
    let new_ledger =
        backup.format >= WITH_LEDGER && !keys.is_some_and(|keys| keys.join(LEDGER_KEY_FILE).is_file());
    for folder in FOLDERS.iter().filter(|folder| !new_ledger && from.join(folder).is_dir()) {
        copy_folder(&from.join(folder), &to.join(folder))?;
    }
    copy_those_there(BESIDE_LOG, from, to)?;
    if let Some(keys) = keys {
        for (_, file) in epochs::files(keys)? {
            copy_file(&file, &to.join(name_of(&file)))?;
        }
        copy_those_there(BESIDE_KEYS, keys, to)?;
        copy_file(&keys.join(KEYS_FILE), &to.join(KEYS_FILE))?;
        // The ledger was copied before the keys, so that it may have signed less than they know of.
        key_file::forget_signed(&to.join(KEYS_FILE))?;
    } else {
        // Ids of imported things follow from it; those of before are met no more.
        draw_if_missing(&to.join(SECRET_FILE))?;
        epochs::draw(to, 1)?;
        key_file::begin(&to.join(KEYS_FILE))?;
    }
    copy_database(&from.join("log.sqlite"), &to.join("log.sqlite"), &mut progress)?;
    let format = if new_ledger { WITH_LEDGER - 1 } else { backup.format };
    write_format(to, &Format::of_log(format, backup.log))?;
    let keys_position = label_of_keys.map(|label| Position(label.position));
    Ok(Copied { position: Position(backup.position), keys_position, new_ledger })
}

/// Refuses folders of which one lies in another.
fn apart(folders: &[Option<&Path>]) -> Result<(), BackupError> {
    let real: Vec<PathBuf> = folders.iter().flatten().map(|folder| real(folder)).collect();
    for (index, one) in real.iter().enumerate() {
        if let Some(other) =
            real.iter().skip(index + 1).find(|other| one.starts_with(other) || other.starts_with(one))
        {
            return Err(BackupError::NotApart(one.clone(), other.clone()));
        }
    }
    Ok(())
}

/// Where a folder really is, or will be.
fn real(folder: &Path) -> PathBuf {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let there = absolute.ancestors().find_map(|parent| Some((parent, parent.canonicalize().ok()?)));
    match there {
        Some((parent, real)) => absolute.strip_prefix(parent).map_or(real.clone(), |rest| real.join(rest)),
        None => absolute,
    }
}

/// Where a copy is made that is to take the place of an earlier one: empty. What was cut off there is begun anew.
fn begin_beside(to: &Path) -> Result<PathBuf, OpenError> {
    let next = to.join(NEXT);
    if next.is_dir() {
        fs::remove_dir_all(&next).map_err(OpenError::io(&next))?;
    }
    make_private_folder(&next)?;
    Ok(next)
}

/// Puts a copy that is whole, which its label says, in the place of the earlier one. Cut off in the midst, it is gone on with
/// the next time; until its label is there the earlier copy is the one that counts.
fn settle(to: &Path, label: &str) -> Result<(), OpenError> {
    let next = to.join(NEXT);
    if !exists(&next.join(label))? {
        return Ok(());
    }
    let put = || -> io::Result<()> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&next)? {
            names.push(entry?.file_name());
        }
        // The label goes last: as long as it lies there, something may still be to be put in its place.
        names.sort_by_key(|name| name == label);
        for name in names {
            let place = to.join(&name);
            if place.is_dir() {
                fs::remove_dir_all(&place)?;
            }
            fs::rename(next.join(&name), &place)?;
        }
        fs::remove_dir(&next)?;
        File::open(to)?.sync_all()
    };
    put().map_err(OpenError::io(to))
}

/// Makes the folder, or takes one that an earlier copy of the same log was put into.
fn prepare(folder: &Path, file: &str, what: &'static str, log: Uuid) -> Result<(), BackupError> {
    make_private_folder(folder)?;
    let foreign = || BackupError::Foreign(folder.to_owned(), what);
    if exists(&folder.join(file))? {
        let label =
            read_label(folder, BACKUP_FILE, what).or_else(|_| read_label(folder, KEYS_BACKUP_FILE, what));
        return if label.map_err(|_| foreign())?.log == log { Ok(()) } else { Err(foreign()) };
    }
    if fs::read_dir(folder).map_err(OpenError::io(folder))?.next().is_some() {
        return Err(foreign());
    }
    // From here on it is known whose it is, also where the copy is cut off.
    label(&folder.join(file), &Label { format: EMBEDDED, log, position: 0 }).map_err(BackupError::from)
}

fn label(file: &Path, label: &Label) -> Result<(), OpenError> {
    let text = serde_json::to_vec(label).map_err(io::Error::from);
    write_durably(file, &text.map_err(OpenError::io(file))?)
}

fn read_label(folder: &Path, file: &'static str, what: &'static str) -> Result<Label, BackupError> {
    let missing = || BackupError::NoBackup(folder.to_owned(), what, file);
    let bytes = fs::read(folder.join(file)).map_err(|_| missing())?;
    let label: Label = serde_json::from_slice(&bytes).map_err(|_| missing())?;
    if label.format > EMBEDDED { Err(BackupError::Newer(label.format, EMBEDDED)) } else { Ok(label) }
}

fn name_of(file: &Path) -> &Path {
    file.file_name().map_or(file, Path::new)
}

fn copy_those_there(names: &[&str], from: &Path, to: &Path) -> Result<(), OpenError> {
    for name in names.iter().filter(|name| from.join(name).is_file()) {
        copy_file(&from.join(name), &to.join(name))?;
    }
    Ok(())
}

/// Copies a file so that it is there whole or not at all, readable by its owner only.
fn copy_file(from: &Path, to: &Path) -> Result<(), OpenError> {
    let copy = || -> io::Result<()> {
        let mut begun = machine::files::begin(to)?;
        io::copy(&mut File::open(from)?, begun.as_file_mut())?;
        begun.commit()
    };
    copy().map_err(OpenError::io(to))
}

/// Copies a folder with all that is in it.
fn copy_folder(from: &Path, to: &Path) -> Result<(), OpenError> {
    make_private_folder(to)?;
    for entry in fs::read_dir(from).map_err(OpenError::io(from))? {
        let path = entry.map_err(OpenError::io(from))?.path();
        let copy = to.join(name_of(&path));
        if path.is_dir() { copy_folder(&path, &copy)? } else { copy_file(&path, &copy)? }
    }
    Ok(())
}

/// Copies a database as it is at one moment, whoever goes on writing to it, into a single file.
fn copy_database(from: &Path, to: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<(), OpenError> {
    let unfinished = to.with_added_extension("unfinished");
    fs::remove_file(&unfinished).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(OpenError::io(&unfinished)(error)),
    })?;
    make_private(&unfinished)?;
    copy_pages(from, &unfinished, progress).map_err(OpenError::database(to))?;
    let finish = || -> io::Result<()> {
        File::open(&unfinished)?.sync_all()?;
        fs::rename(&unfinished, to)?;
        // The name is durable only when the folder is.
        to.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    finish().map_err(OpenError::io(to))
}

fn copy_pages(from: &Path, to: &Path, progress: &mut dyn FnMut(u64, u64)) -> rusqlite::Result<()> {
    let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut copy = Connection::open(to)?;
    let page: i64 = source.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    // One moment for all pages: otherwise it would begin again whenever somebody writes.
    let moment = source.unchecked_transaction()?;
    moment.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    {
        let backup = Backup::new(&source, &mut copy)?;
        loop {
            let step = backup.step(PAGES)?;
            let pages = backup.progress();
            let bytes = |pages: i32| from_stored(i64::from(pages) * page);
            progress(bytes(pages.pagecount - pages.remaining), bytes(pages.pagecount));
            match step {
                StepResult::Done => break,
                StepResult::More => {}
                _ => std::thread::sleep(std::time::Duration::from_millis(20)),
            }
        }
    }
    drop(moment);
    // A single file, with nothing beside it.
    copy.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
}

fn head(log: &Path) -> Result<u64, OpenError> {
    let head = LogFile::reader(log).and_then(|log| log.head());
    head.map(|(position, _)| position).map_err(OpenError::database(log))
}
