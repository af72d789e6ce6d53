//! Any moment, in both times: what had happened by then (`as_of`), and what was recorded by then
//! (`known_at`). The past is folded into a private file; a few such files are kept.

use std::{
    fs,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::OwnedSemaphorePermit;

use crate::{
    kit::{ViewError, deadline::Deadline, moment::KnownAt},
    runtime::{
        past_files::{Key, PastFile, UnderWay},
        question::{Answering, AskError, Question},
        served::Served,
        shared::Shared,
        snapshot,
        view_file::{Applied, FileError, ViewFile},
    },
};

/// How often a question is begun again because something was erased meanwhile.
const ATTEMPTS: usize = 5;
/// How long a question waits until its view has seen what was erased; then it does without a snapshot.
const SEEN_TIMEOUT: Duration = Duration::from_secs(5);
/// How many events are read at a time.
const EVENTS_PER_PAGE: usize = 16_384;

/// Tells the thread that folds when nobody waits for the answer any more.
struct Asker(Arc<AtomicBool>);

impl Drop for Asker {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Answers a question about the past, folding included before its deadline.
pub(crate) async fn ask<T: Send + 'static>(
    shared: &Arc<Shared>,
    served: &Arc<Served>,
    question: Question,
    answering: Answering<T>,
    deadline: &Deadline,
) -> Result<T, AskError> {
    let waiting = Arc::clone(&shared.past.waiting).try_acquire_owned().map_err(|_| AskError::Busy)?;
    let known_at = match question.known_at {
        None => None,
        Some(KnownAt::Moment(moment)) => Some(shared.store.position_at(moment).await?),
        Some(KnownAt::Size(size)) => Some(shared.store.position_of_size(size).await?),
    };
    let turn = Arc::clone(&shared.past.folding).acquire_owned();
    let turn = tokio::time::timeout(deadline.at_most(Duration::MAX), turn).await;
    let folding = turn.map_err(|_| AskError::Busy)?.map_err(|_| AskError::Busy)?;
    // Held until every thread is done, also where the asker has hung up: they bound the threads.
    let permits = Arc::new((waiting, folding));
    let key = Key { view: served.view.description.name, as_of: question.as_of, known_at };
    for _ in 0..ATTEMPTS {
        // Noted before anything is read or waited for.
        let erasures = shared.store.erasures();
        // A snapshot is good once its view has seen, and erased in it, all that was erased so far.
        let from_snapshot = key.as_of.is_none() && key.known_at.is_some() && {
            let head = shared.store.head();
            let timeout = deadline.at_most(SEEN_TIMEOUT);
            served.generation().is_some() && served.wait_for(head, head, timeout).await.is_ok()
        };
        let (key, deadline) = (key.clone(), deadline.clone());
        let attempt = Attempt { key, erasures, from_snapshot, deadline, _permits: Arc::clone(&permits) };
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
    deadline: Deadline,
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
        let Attempt { key, erasures, from_snapshot, deadline, _permits } = attempt;
        served.check(&deadline)?;
        let slot = shared.past.slot(key.clone());
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let under_way = UnderWay::begin(&shared.past, erasures);
        let mut file = match slot.take().filter(|(begun, _)| *begun == erasures) {
            Some((_, file)) => file,
            None => begin(&shared, &served, &key, from_snapshot)?,
        };
        let may_go_on = || {
            served.check(&deadline)?;
            let is_in_vain = gone.load(Ordering::Acquire) || shared.store.erasures() != erasures;
            if is_in_vain { Err(AskError::Busy) } else { Ok(()) }
        };
        let folded = fold(&shared, &mut file.0, &key, may_go_on);
        // What could not be folded in time is kept: who asks again goes on from there.
        let is_whole = matches!(folded, Ok(()) | Err(AskError::TimedOut { .. }));
        let answered = folded.and_then(|()| answer(&mut file.0, &served, &question, answering, &deadline));
        if is_whole && shared.store.erasures() == erasures {
            *slot = Some((erasures, file));
        } else {
            drop(file);
        }
        drop(under_way);
        answered
    });
    answer.await.unwrap_or_else(|error| Err(AskError::Stopped(error.to_string())))
}

/// A file to fold the past into: a copy of a snapshot where nothing had to be left out, else an empty one.
fn begin(shared: &Shared, served: &Served, key: &Key, from_snapshot: bool) -> Result<PastFile, AskError> {
    let path = shared.past.next_path();
    let (view, keyring) = (&served.view, || Arc::clone(&shared.keyring));
    let create =
        || -> Result<ViewFile, AskError> { Ok(ViewFile::create(&path, view, keyring(), shared.origin()?)?) };
    let snapshot = key
        .known_at
        .filter(|_| from_snapshot)
        .and_then(|position| snapshot::latest(&snapshot::folder(&shared.folder), view, position));
    let Some(snapshot) = snapshot else { return Ok(PastFile(create()?)) };
    fs::copy(snapshot, &path).map_err(FileError::from)?;
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
    key: &Key,
    may_go_on: impl Fn() -> Result<(), AskError>,
) -> Result<(), AskError> {
    let target = key.known_at.unwrap_or_else(|| shared.store.head());
    while file.progress.position < target {
        may_go_on()?;
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
        // An index half built could not be taken back: this is done to its end.
        may_go_on()?;
        file.finish()?;
    }
    Ok(())
}

/// Asks a file of the past.
fn answer<T>(
    file: &mut ViewFile,
    served: &Served,
    question: &Question,
    answering: Answering<T>,
    deadline: &Deadline,
) -> Result<T, AskError> {
    let position = file.progress.position;
    file.tables
        .within(deadline, |tables| answering(tables, &served.view, question, position))
        .map_err(ViewError::from)?
        .map_err(|error| served.explain(error, deadline))
}
