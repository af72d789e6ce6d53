//! Any moment, in both times: what had happened by then (`as_of`), and what was recorded by then
//! (`known_at`). The past is folded into a private file; a few such files are kept.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use domain::Position;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::runtime::{
    snapshot,
    view_file::{Applied, ViewFile, remove},
    views::{Answering, AskError, Question, Served, Shared},
};

/// How many files of the past are kept.
const KEPT: usize = 16;
/// How many are folded at a time.
const FOLDED_AT_A_TIME: usize = 2;
/// How many questions may wait for their turn.
const WAITING: usize = 64;
/// How often a question is begun again because something was erased meanwhile.
const ATTEMPTS: usize = 5;
/// How long a question waits until its view has seen what was erased; then it does without a snapshot.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many events are read at a time.
const EVENTS_PER_PAGE: usize = 16_384;

/// Until when a fact must have been recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownAt {
    /// At a moment.
    Moment(DateTime<Utc>),
    /// When the log held so many events.
    Size(u64),
}

/// Which past a file shows.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    view: &'static str,
    as_of: Option<DateTime<Utc>>,
    known_at: Option<Position>,
}

/// A file of the past; removed from the disk when nobody holds it any more.
struct PastFile(ViewFile);

impl Drop for PastFile {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.0.path) {
            tracing::warn!(%error, "a file of the past could not be removed; the next start tries again");
        }
    }
}

/// A file with the number of erasures before which nothing in it was read.
type Slot = Arc<Mutex<Option<(u64, PastFile)>>>;

/// The files of the past that are kept, the latest used last.
pub(crate) struct PastFiles {
    folder: PathBuf,
    kept: Mutex<Vec<(Key, Slot)>>,
    /// The numbers of erasures before which those that are being folded began.
    under_way: Mutex<Vec<u64>>,
    folding: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    drawn: AtomicU64,
}

impl PastFiles {
    /// An empty folder: what an earlier run kept is of no use.
    pub(crate) fn open(views: &Path) -> io::Result<Self> {
        let folder = views.join("past");
        fs::create_dir_all(&folder)?;
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

    fn slot(&self, key: Key) -> Slot {
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

    fn next_path(&self) -> PathBuf {
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        self.folder.join(format!("{number}.sqlite"))
    }
}

/// Tells the thread that folds when nobody waits for the answer any more.
struct Asker(Arc<AtomicBool>);

impl Drop for Asker {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Answers a question about the past.
pub(crate) async fn ask<T: Send + 'static>(
    shared: &Arc<Shared>,
    served: &Arc<Served>,
    question: Question,
    answering: Answering<T>,
) -> Result<T, AskError> {
    let waiting = Arc::clone(&shared.past.waiting).try_acquire_owned().map_err(|_| AskError::Busy)?;
    let known_at = match question.known_at {
        None => None,
        Some(KnownAt::Moment(moment)) => Some(shared.store.position_at(moment).await?),
        Some(KnownAt::Size(size)) => Some(shared.store.position_of_size(size).await?),
    };
    let folding = Arc::clone(&shared.past.folding).acquire_owned().await.map_err(|_| AskError::Busy)?;
    // Held until every thread is done, also where the asker has hung up: they bound the threads.
    let permits = Arc::new((waiting, folding));
    let key = Key { view: served.view.description.name, as_of: question.as_of, known_at };
    for _ in 0..ATTEMPTS {
        // Noted before anything is read or waited for.
        let erasures = shared.store.erasures();
        // A snapshot is good once its view has seen, and erased in it, all that was erased so far.
        let from_snapshot = key.as_of.is_none() && key.known_at.is_some() && {
            let head = shared.store.head();
            served.generation().is_some() && served.wait_for(head, head, PATIENCE).await.is_ok()
        };
        let attempt = Attempt { key: key.clone(), erasures, from_snapshot, _permits: Arc::clone(&permits) };
        let answered = ask_once(shared, served, attempt, question.clone(), answering).await;
        if shared.store.erasures() == erasures {
            return answered;
        }
        // Something was erased while it was folded: it may say what it must not, or be half of one and half of
        // the other.
    }
    Err(AskError::Busy)
}

/// What one attempt at an answer begins with.
struct Attempt {
    key: Key,
    erasures: u64,
    from_snapshot: bool,
    _permits: Arc<(OwnedSemaphorePermit, OwnedSemaphorePermit)>,
}

/// Folds and asks once. What comes of it counts only where nothing was erased meanwhile.
async fn ask_once<T: Send + 'static>(
    shared: &Arc<Shared>,
    served: &Arc<Served>,
    attempt: Attempt,
    question: Question,
    answering: Answering<T>,
) -> Result<T, AskError> {
    let (shared, served) = (Arc::clone(shared), Arc::clone(served));
    let gone = Arc::new(AtomicBool::new(false));
    let _asker = Asker(Arc::clone(&gone));
    let answer = tokio::task::spawn_blocking(move || {
        let Attempt { key, erasures, from_snapshot, _permits } = attempt;
        let slot = shared.past.slot(key.clone());
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let under_way = UnderWay::begin(&shared.past, erasures);
        let mut file = match slot.take().filter(|(begun, _)| *begun == erasures) {
            Some((_, file)) => file,
            None => begin(&shared, &served, &key, from_snapshot)?,
        };
        fold(&shared, &mut file.0, (&key, erasures), &gone)?;
        let answered = answering(&file.0.tables, &served.view, &question, file.0.progress.position);
        if shared.store.erasures() == erasures {
            *slot = Some((erasures, file));
        } else {
            drop(file);
        }
        drop(under_way);
        answered
    });
    answer.await.unwrap_or_else(|error| Err(AskError::Stopped(error.to_string())))
}

/// Somebody who folds a file of the past, from its beginning until it is kept or removed.
struct UnderWay<'a>(&'a PastFiles, u64);

impl<'a> UnderWay<'a> {
    fn begin(past: &'a PastFiles, erasures: u64) -> Self {
        past.begins(erasures);
        Self(past, erasures)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.ends(self.1);
    }
}

/// A file to fold the past into: a copy of a snapshot where nothing had to be left out, else an empty one.
fn begin(shared: &Shared, served: &Served, key: &Key, from_snapshot: bool) -> Result<PastFile, AskError> {
    let path = shared.past.next_path();
    let (view, keyring) = (&served.view, || Arc::clone(&shared.keyring));
    let create = || ViewFile::create(&path, view, shared.store.log_id(), keyring(), shared.store.head());
    let snapshot = key
        .known_at
        .filter(|_| from_snapshot)
        .and_then(|position| snapshot::latest(&snapshot::folder(&shared.folder), view, position));
    let Some(snapshot) = snapshot else { return Ok(PastFile(create()?)) };
    fs::copy(snapshot, &path).map_err(crate::runtime::view_file::FileError::from)?;
    let file = PastFile(ViewFile::open(&path, view, keyring())?);
    let early_enough = key.known_at.is_none_or(|known_at| file.0.progress.position <= known_at);
    if file.0.is_of(shared.store.log_id()) && early_enough {
        return Ok(file);
    }
    drop(file);
    Ok(PastFile(create()?))
}

/// Brings a file of the past up to what is known; today's knowledge grows, so a kept file moves on.
fn fold(
    shared: &Shared,
    file: &mut ViewFile,
    (key, erasures): (&Key, u64),
    gone: &AtomicBool,
) -> Result<(), AskError> {
    let target = key.known_at.unwrap_or_else(|| shared.store.head());
    while file.progress.position < target {
        if shared.stopping() || gone.load(Ordering::Acquire) || shared.store.erasures() != erasures {
            return Err(AskError::Busy);
        }
        let after = file.progress.position;
        let limit = usize::try_from(target.0 - after.0).unwrap_or(EVENTS_PER_PAGE).min(EVENTS_PER_PAGE);
        let mut page = shared.read(after, limit, file.view().read)?;
        page.through = page.through.min(target);
        page.events
            .retain(|event| event.as_ref().map_or_else(|bad| bad.position, |event| event.position) <= target);
        if page.through <= after {
            break;
        }
        if let Applied::StoppedAt(at, reason) = file.apply(&page.events, page.through, key.as_of)? {
            return Err(AskError::Stopped(format!("position {at}: {reason}")));
        }
    }
    if !file.progress.complete {
        file.finish()?;
    }
    Ok(())
}
