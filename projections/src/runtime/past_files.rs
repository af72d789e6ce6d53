//! The files of the past that are kept, and those that are being folded.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use chrono::{DateTime, Utc};
use domain::Position;
use tokio::sync::Semaphore;

use crate::runtime::view_file::{ViewFile, remove};

/// How many files of the past are kept.
const KEPT: usize = 16;
/// How many are folded at a time.
const FOLDED_AT_A_TIME: usize = 2;
/// How many questions may wait for their turn.
const WAITING: usize = 64;
/// Which past a file shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) view: &'static str,
    pub(super) as_of: Option<DateTime<Utc>>,
    pub(super) known_at: Option<Position>,
}

/// A file of the past; removed from the disk when nobody holds it any more.
pub(super) struct PastFile(pub(super) ViewFile);

impl Drop for PastFile {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.0.path) {
            tracing::warn!(%error, "a file of the past could not be removed; the next start tries again");
        }
    }
}

/// A file with the number of erasures before which nothing in it was read.
pub(super) type Slot = Arc<Mutex<Option<(u64, PastFile)>>>;

/// The files of the past that are kept, the latest used last.
pub(crate) struct PastFiles {
    folder: PathBuf,
    kept: Mutex<Vec<(Key, Slot)>>,
    /// The numbers of erasures before which those that are being folded began.
    under_way: Mutex<Vec<u64>>,
    pub(super) folding: Arc<Semaphore>,
    pub(super) waiting: Arc<Semaphore>,
    drawn: AtomicU64,
}

impl PastFiles {
    /// An empty folder: what an earlier run kept is of no use.
    pub(crate) fn open(views: &Path) -> io::Result<Self> {
        let folder = views.join("past");
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        for entry in fs::read_dir(&folder)? {
            fs::remove_file(entry?.path())?;
        }
        Ok(Self {
            folder,
            kept: Mutex::default(),
            under_way: Mutex::default(),
            folding: Arc::new(Semaphore::new(FOLDED_AT_A_TIME)),
            waiting: Arc::new(Semaphore::new(WAITING)),
            drawn: AtomicU64::default(),
        })
    }

    pub(super) fn slot(&self, key: Key) -> Slot {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = kept.iter().position(|(other, _)| *other == key) {
            let found = kept.remove(index);
            kept.push(found);
        } else {
            if kept.len() >= KEPT {
                kept.remove(0);
            }
            kept.push((key, Slot::default()));
        }
        kept.last().map(|(_, slot)| Arc::clone(slot)).unwrap_or_default()
    }

    /// Removes every file that nobody is folding; whoever is folding one finds out by themselves.
    pub(crate) fn forget(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// How many files are there, and how many of them were begun before the last erasure.
    pub(crate) fn count(&self, erasures: u64) -> (u64, u64) {
        let under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut begun: Vec<u64> = under_way.clone();
        // A slot that is locked is being folded, and counted with those.
        let at_rest =
            kept.iter().filter_map(|(_, slot)| slot.try_lock().ok()?.as_ref().map(|(begun, _)| *begun));
        begun.extend(at_rest);
        let before = begun.iter().filter(|begun| **begun != erasures).count();
        (begun.len() as u64, before as u64)
    }

    fn begins(&self, erasures: u64) {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).push(erasures);
    }

    fn ends(&self, erasures: u64) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = under_way.iter().position(|begun| *begun == erasures) {
            under_way.swap_remove(place);
        }
    }

    pub(super) fn next_path(&self) -> PathBuf {
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        self.folder.join(format!("{number}.sqlite"))
    }
}

/// Somebody who folds a file of the past, from its beginning until it is kept or removed.
pub(super) struct UnderWay<'a>(&'a PastFiles, u64);

impl<'a> UnderWay<'a> {
    pub(super) fn begin(past: &'a PastFiles, erasures: u64) -> Self {
        past.begins(erasures);
        Self(past, erasures)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.ends(self.1);
    }
}
