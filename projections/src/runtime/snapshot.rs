//! Snapshots: copies of a view kept along the way, so that what was known long ago need not be folded from
//! the beginning.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, atomic::Ordering},
};

use domain::{ContactId, Forgotten, Position};
use rusqlite::{Connection, OpenFlags};

use crate::{
    kit::{personal, view::AnyView},
    runtime::{
        served::{Generation, Served},
        shared::Shared,
        view_file::{FileError, read_progress, remove},
    },
};

/// A snapshot is taken whenever a view passes a multiple of this many events, unless told otherwise.
pub const SNAPSHOT_EVERY: u64 = 250_000;
/// How many snapshots of one view are kept; when there are more, every second of them goes.
const KEPT: usize = 4;

/// Where the snapshots of all views lie.
pub(crate) fn folder(views: &Path) -> PathBuf {
    views.join("snapshots")
}

fn prefix(view: &AnyView) -> String {
    format!("{}-{}-", view.description.name, view.description.version)
}

/// Takes a snapshot beside the follower where the view has just passed a mark.
pub(crate) fn take_when_due(shared: &Arc<Shared>, served: &Arc<Served>, before: Position, now: Position) {
    let every = shared.snapshot_every.max(1);
    if before.0 / every == now.0 / every {
        return;
    }
    let Some(generation) = served.generation() else { return };
    let (shared, served) = (Arc::clone(shared), Arc::clone(served));
    let take = move || {
        if let Err(error) = take(&shared, &served, &generation, now) {
            tracing::warn!(%error, view = served.view.description.name, "no snapshot was taken; the past takes longer to fold");
        }
    };
    // A snapshot only saves time, so it may fail to start.
    let _ = std::thread::Builder::new().name("snapshot".to_owned()).spawn(take);
}

fn take(shared: &Shared, served: &Served, generation: &Generation, due: Position) -> Result<(), FileError> {
    let (folder, view) = (folder(&shared.folder), &served.view);
    DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let half = folder.join(format!("{}{due}.half", prefix(view)));
    let erasures = served.erasures.load(Ordering::Acquire);
    generation.copy_to(&half, &shared.until_stopped())?;
    // The view has moved on since it was due: what counts is how far the copy goes.
    let copied =
        read_progress(&Connection::open_with_flags(&half, OpenFlags::SQLITE_OPEN_READ_ONLY)?)?.position;
    let _alone = served.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
    // What was erased meanwhile may be in the copy; whoever erases later finds the copy under its name.
    if served.erasures.load(Ordering::Acquire) != erasures {
        return Ok(remove(&half)?);
    }
    fs::rename(&half, folder.join(format!("{}{:020}.sqlite", prefix(view), copied.0)))?;
    Ok(thin_out(&folder, view)?)
}

/// The snapshots of a view, the oldest first, with the positions named in their files.
pub(super) fn all(folder: &Path, view: &AnyView) -> Vec<(Position, PathBuf)> {
    let prefix = prefix(view);
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_str()?;
            let position = name.strip_prefix(&prefix)?.strip_suffix(".sqlite")?.parse().ok()?;
            Some((Position(position), path))
        })
        .collect();
    found.sort();
    found
}

/// The latest snapshot at or before a position.
pub(crate) fn latest(folder: &Path, view: &AnyView, position: Position) -> Option<PathBuf> {
    let mut found = all(folder, view);
    found.retain(|(at, _)| *at <= position);
    found.pop().map(|(_, path)| path)
}

/// Empties what is personal of those who were erased in all snapshots of a view. One that cannot be emptied
/// goes, and so do all where the text of a message was erased: which one only the fold can tell.
pub(crate) fn forget(shared: &Shared, served: &Served, forgotten: &[Forgotten]) -> io::Result<()> {
    served.erasures.fetch_add(1, Ordering::AcqRel);
    let _alone = served.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
    let contacts: Vec<ContactId> = forgotten
        .iter()
        .filter_map(|forgotten| match forgotten {
            Forgotten::Contact(contact) => Some(*contact),
            Forgotten::Key { .. } => None,
        })
        .collect();
    for (_, path) in all(&folder(&shared.folder), &served.view) {
        if contacts.len() < forgotten.len() {
            remove(&path)?;
        } else if let Err(error) = empty_file(&path, &contacts) {
            tracing::warn!(%error, view = served.view.description.name, "a snapshot could not be emptied and goes");
            remove(&path)?;
        }
    }
    Ok(())
}

/// Removes all snapshots of a view.
pub(crate) fn remove_all(shared: &Shared, served: &Served) -> io::Result<()> {
    served.erasures.fetch_add(1, Ordering::AcqRel);
    let _alone = served.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
    all(&folder(&shared.folder), &served.view).iter().try_for_each(|(_, path)| remove(path))
}

/// Removes what is no snapshot of any of these views: nobody would erase anything in it.
pub(crate) fn remove_foreign(views: &Path, known: &[Arc<Served>]) -> io::Result<()> {
    let folder = folder(views);
    let ours: Vec<PathBuf> =
        known.iter().flat_map(|served| all(&folder, &served.view)).map(|(_, path)| path).collect();
    let Ok(entries) = fs::read_dir(&folder) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if !ours.contains(&path) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// How many snapshots of a view there are, and how many rows in them still say something of a contact.
pub(crate) fn count(views: &Path, view: &AnyView, contact: ContactId) -> Result<(u64, u64), FileError> {
    let (mut snapshots, mut left) = (0, 0);
    for (_, path) in all(&folder(views), view) {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        snapshots += 1;
        left += personal::count(&connection, contact)?.1;
    }
    Ok((snapshots, left))
}

/// Empties a file that nobody follows, and leaves nothing of it beside the file.
fn empty_file(path: &Path, subjects: &[ContactId]) -> Result<(), FileError> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA secure_delete = ON; BEGIN IMMEDIATE;")?;
    for subject in subjects {
        personal::empty(&connection, *subject)?;
    }
    connection.execute_batch("COMMIT")?;
    Ok(())
}

fn thin_out(folder: &Path, view: &AnyView) -> io::Result<()> {
    let found = all(folder, view);
    if found.len() > KEPT {
        for (_, path) in found.iter().skip(1).step_by(2) {
            remove(path)?;
        }
    }
    Ok(())
}
