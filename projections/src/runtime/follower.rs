//! Following the log: a few threads, each with some of the views, that read what is new once and fold it into
//! all of them.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{Arc, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use domain::{EventPage, Forgotten, KindSet, Position};
use machine::waiting::wait_at_most;

use crate::{
    kit::zone,
    runtime::{
        question::AskError,
        rebuild,
        served::{Phase, Served},
        shared::Shared,
        snapshot,
        view_file::{Applied, FileError, ViewFile},
    },
};

/// How many events are read at a time.
const EVENTS_PER_PAGE: usize = 4_096;
/// How long a follower sleeps when nobody wakes it: a notification is only a hint.
const POLL: Duration = Duration::from_millis(100);
/// How long a follower waits before it writes again to a file that could not be written.
const RETRY: Duration = Duration::from_secs(1);

/// One view in the hands of its follower.
struct Followed {
    served: Arc<Served>,
    file: Option<ViewFile>,
    stopped: bool,
}

/// Spreads the views over as many threads as there are cores.
pub(crate) fn spawn(
    shared: &Arc<Shared>,
    files: Vec<(Arc<Served>, Option<ViewFile>)>,
) -> std::io::Result<Vec<JoinHandle<()>>> {
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(files.len().max(1));
    let mut shares: Vec<Vec<Followed>> = (0..threads).map(|_| Vec::new()).collect();
    for (index, (served, file)) in files.into_iter().enumerate() {
        shares[index % threads].push(Followed { served, file, stopped: false });
    }
    let spawn = |mut share: Vec<Followed>| {
        let shared = Arc::clone(shared);
        std::thread::Builder::new().name("follower".to_owned()).spawn(move || follow(&shared, &mut share))
    };
    shares.into_iter().map(spawn).collect()
}

fn follow(shared: &Arc<Shared>, share: &mut [Followed]) {
    while !shared.stopping() {
        if panic::catch_unwind(AssertUnwindSafe(|| go_on(shared, share))).is_err() {
            for followed in share.iter_mut() {
                followed.recover();
            }
            std::thread::sleep(RETRY);
        }
    }
    for followed in share {
        if let Some(file) = &mut followed.file
            && let Err(error) = file.save()
        {
            tracing::warn!(%error, "how far a view has come could not be saved; it will be folded again");
        }
    }
}

fn go_on(shared: &Arc<Shared>, share: &mut [Followed]) {
    for followed in share.iter_mut() {
        followed.take_over_rebuilt(shared);
        followed.empty_write_ahead_log();
    }
    if !step(shared, share) {
        let position = lowest(share).unwrap_or_else(|| shared.store.head());
        // Whether woken or not, the log is looked at again.
        wait_at_most(POLL, shared.store.changed(position));
    }
}

fn lowest(share: &[Followed]) -> Option<Position> {
    share.iter().filter(|followed| !followed.stopped).filter_map(Followed::position).min()
}

/// Folds one page into the views that have not seen it; whether there was anything.
fn step(shared: &Arc<Shared>, share: &mut [Followed]) -> bool {
    let Some(from) = lowest(share) else { return false };
    if from >= shared.store.head() {
        // Where nothing more is recorded, nothing else would say that it has passed.
        share
            .iter()
            .filter(|followed| !followed.stopped)
            .for_each(|followed| followed.served.note_trouble(None));
        return false;
    }
    let wanted = share.iter().fold(KindSet::NONE, |all, followed| all.union(followed.served.view.read));
    let page = match shared.read(from, EVENTS_PER_PAGE, wanted) {
        Ok(page) => page,
        Err(error) => {
            for followed in share.iter() {
                followed.served.note_trouble(Some(format!("the log cannot be read: {error}")));
            }
            return false;
        }
    };
    let mut taken = true;
    for followed in share.iter_mut() {
        taken &= followed.apply(shared, &page);
    }
    if page.events.iter().flatten().any(zone::moves_the_past) {
        begin_anew(shared, share);
    }
    if !taken {
        std::thread::sleep(RETRY);
    }
    page.through > from
}

/// A zone held from the beginning: every view is folded anew beside the one that serves, and says so. Its snapshots are of days
/// that were others.
fn begin_anew(shared: &Arc<Shared>, share: &[Followed]) {
    let idle = |followed: &&Followed| followed.served.status.borrow().rebuilding.is_none();
    let views: Vec<Arc<Served>> =
        share.iter().filter(idle).map(|followed| Arc::clone(&followed.served)).collect();
    for served in &views {
        if let Err(error) = snapshot::remove_all(shared, served) {
            tracing::error!(view = served.view.description.name, %error, "the snapshots of a view cannot be removed");
        }
    }
    shared.past.forget();
    // They end with the process, which waits for no rebuild: what is half built is begun again.
    drop(rebuild::spawn(shared, &views));
}

/// Erases in the snapshots and the files of the past what a page erases, before the view itself does: were the
/// process to end in between, it would all be done again. A view that stands still is emptied here as well.
fn forget(
    shared: &Shared,
    served: &Served,
    file: &mut ViewFile,
    page: &EventPage,
    stopped: bool,
) -> Result<(), FileError> {
    let after = file.progress.position;
    let fresh = page.events.iter().flatten().filter(|recorded| recorded.position > after);
    let forgotten: Vec<Forgotten> = fresh.filter_map(|recorded| file.forgets(recorded)).collect();
    if forgotten.is_empty() {
        return Ok(());
    }
    snapshot::forget(shared, served, &forgotten)?;
    shared.past.forget();
    for what in forgotten.iter().filter(|_| stopped) {
        if let Forgotten::Contact(contact) = what {
            file.forget_while_stopped(*contact)?;
        }
    }
    Ok(())
}

impl Followed {
    /// After a panic: the view goes on from what was saved last.
    fn recover(&mut self) {
        let trouble = match self.file.as_ref().map(ViewFile::go_back) {
            Some(Err(error)) => error.to_string(),
            _ => "the thread that folds it has panicked".to_owned(),
        };
        self.served.note_trouble(Some(trouble));
    }

    fn position(&self) -> Option<Position> {
        self.file.as_ref().map(|file| file.progress.position)
    }

    /// Folds a page; whether the file took it.
    fn apply(&mut self, shared: &Arc<Shared>, page: &EventPage) -> bool {
        let Some(file) = self.file.as_mut() else { return true };
        let before = file.progress.position;
        if let Err(error) = forget(shared, &self.served, file, page, self.stopped) {
            let trouble = format!("what was erased cannot be taken out of it: {error}");
            self.served.note_trouble(Some(trouble));
            return false;
        }
        if self.stopped {
            return true;
        }
        match file.apply(&page.events, page.through, None) {
            Ok(Applied::Through(position)) => {
                let emptying = file.is_emptying();
                self.served.note_trouble(None);
                self.served.status.send_if_modified(|status| {
                    status.emptying = emptying;
                    std::mem::replace(&mut status.position, position) != position
                });
                snapshot::take_when_due(shared, &self.served, before, position);
            }
            Ok(Applied::StoppedAt(at, reason)) => {
                self.stop(at, reason);
                return self.forget_beyond(shared, at);
            }
            Err(error) => {
                // The events are good and the view goes on where it is, as soon as it can.
                self.served.note_trouble(Some(format!("its file cannot be written: {error}")));
                return false;
            }
        }
        true
    }

    fn stop(&mut self, at: Position, reason: String) {
        self.stopped = true;
        let view = self.served.view.description.name;
        tracing::error!(
            view,
            position = at.0,
            reason,
            "the view stands still before an event that it cannot fold"
        );
        self.served.status.send_modify(|status| {
            status.position = self.file.as_ref().map_or(status.position, |file| file.progress.position);
            status.phase = Phase::Stopped { at, reason };
        });
    }

    /// Where a view stands still, what is erased after the event that it cannot fold is erased all the same.
    fn forget_beyond(&mut self, shared: &Arc<Shared>, at: Position) -> bool {
        let Some(file) = self.file.as_mut() else { return true };
        let mut position = at;
        while position < shared.store.head() && !shared.stopping() {
            let page = shared.read(position, EVENTS_PER_PAGE, KindSet::forgetting());
            let done = page.map_err(AskError::from).and_then(|page| {
                forget(shared, &self.served, file, &page, true)?;
                Ok(page.through)
            });
            match done {
                Ok(through) if through > position => position = through,
                Ok(_) => break,
                Err(error) => {
                    tracing::error!(%error, "what was erased could not be taken out of a view that stands still");
                    return false;
                }
            }
        }
        true
    }

    /// What was forgotten leaves the write-ahead log as well, as soon as readers let it.
    fn empty_write_ahead_log(&mut self) {
        let Some(file) = self.file.as_mut().filter(|file| file.is_emptying()) else { return };
        match file.empty_write_ahead_log() {
            Ok(true) => self.served.status.send_modify(|status| status.emptying = false),
            Ok(false) => {}
            Err(error) => {
                let view = self.served.view.description.name;
                tracing::error!(view, %error, "the write-ahead log of a view cannot be emptied; trying again");
            }
        }
    }

    /// A file that was rebuilt beside this one takes its place, once this one has come as far: what was erased up
    /// to there is then erased in its snapshots too.
    fn take_over_rebuilt(&mut self, shared: &Arc<Shared>) {
        let mut waiting = self.served.rebuilt.lock().unwrap_or_else(PoisonError::into_inner);
        let reached = self.position().filter(|_| !self.stopped);
        if waiting.as_ref().is_some_and(|file| reached.is_some_and(|at| at < file.progress.position)) {
            return;
        }
        let Some(file) = waiting.take() else { return };
        drop(waiting);
        if self.stopped
            && let Err(error) = snapshot::remove_all(shared, &self.served)
        {
            tracing::error!(%error, "the snapshots of a view that stood still cannot be removed");
        }
        if let Err(error) = self.served.serve(&file, &shared.folder) {
            tracing::error!(view = self.served.view.description.name, %error, "a rebuilt view could not be taken over");
            self.served.status.send_modify(|status| status.rebuilding = None);
            return;
        }
        self.stopped = false;
        self.file = Some(file);
    }
}
