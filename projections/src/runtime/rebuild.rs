//! Rebuilding beside: views are folded anew into files of their own, several from one scan of the log, while
//! the old ones go on serving; a finished file takes the place of the old one.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{Arc, PoisonError},
    thread::JoinHandle,
};

use domain::{KindSet, Position};

use crate::runtime::{
    question::AskError,
    served::{Phase, Served},
    shared::Shared,
    view_file::{Applied, FileError, ViewFile, remove},
};

/// How many events are read at a time.
const EVENTS_PER_PAGE: usize = 16_384;

/// Starts rebuilding views, spread over the cores.
pub(crate) fn spawn(shared: &Arc<Shared>, views: &[Arc<Served>]) -> Vec<JoinHandle<()>> {
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(views.len());
    let mut shares: Vec<Vec<Arc<Served>>> = (0..threads).map(|_| Vec::new()).collect();
    for (index, served) in views.iter().enumerate() {
        served.status.send_modify(|status| status.rebuilding = Some(Position::START));
        shares[index % threads].push(Arc::clone(served));
    }
    let mut begun = Vec::with_capacity(threads);
    for share in shares {
        let (shared, of_thread) = (Arc::clone(shared), share.clone());
        let thread = std::thread::Builder::new().name("rebuild".to_owned());
        match thread.spawn(move || rebuild_safely(&shared, &of_thread)) {
            Ok(thread) => begun.push(thread),
            Err(error) => {
                for served in &share {
                    give_up(served, Position::START, &error.to_string());
                }
            }
        }
    }
    begun
}

/// A rebuild that panics is given up, so that nobody waits for it.
fn rebuild_safely(shared: &Arc<Shared>, share: &[Arc<Served>]) {
    if panic::catch_unwind(AssertUnwindSafe(|| rebuild(shared, share))).is_err() {
        let is_waiting = |served: &Served| served.rebuilt.lock().is_ok_and(|rebuilt| rebuilt.is_some());
        for served in share.iter().filter(|served| !is_waiting(served)) {
            let at = served.status.borrow().rebuilding;
            if let Some(at) = at {
                give_up(served, at, "building it has panicked: please report it");
            }
        }
    }
}

fn rebuild(shared: &Arc<Shared>, share: &[Arc<Served>]) {
    let mut building: Vec<(Arc<Served>, ViewFile)> = Vec::new();
    for served in share {
        let path = shared.next_path(&served.view);
        let created = shared.origin().map_err(AskError::from).and_then(|origin| {
            let file = ViewFile::create(&path, &served.view, Arc::clone(&shared.keyring), origin);
            Ok(file?)
        });
        match created {
            Ok(file) => building.push((Arc::clone(served), file)),
            Err(error) => give_up(served, Position::START, &error.to_string()),
        }
    }
    let wanted = building.iter().fold(KindSet::NONE, |all, (served, _)| all.union(served.view.read));
    let mut position = Position::START;
    while position < shared.store.head() && !building.is_empty() {
        if shared.stopping() {
            return;
        }
        let page = match shared.read(position, EVENTS_PER_PAGE, wanted) {
            Ok(page) => page,
            Err(error) => {
                for (served, _) in &building {
                    give_up(served, position, &error.to_string());
                }
                return;
            }
        };
        building.retain_mut(|(served, file)| fold(served, file, &page));
        position = page.through;
    }
    for (served, mut file) in building {
        match file.finish() {
            Ok(()) => hand_over(&served, file),
            Err(error) => give_up(&served, position, &error.to_string()),
        }
    }
}

/// Folds a page; whether the rebuild goes on.
fn fold(served: &Served, file: &mut ViewFile, page: &domain::EventPage) -> bool {
    match file.apply(&page.events, page.through, None) {
        Ok(Applied::Through(position)) => {
            served.status.send_modify(|status| status.rebuilding = Some(position));
            true
        }
        Ok(Applied::StoppedAt(at, reason)) => {
            give_up(served, at, &reason);
            if let Err(error) = remove(&file.path) {
                tracing::warn!(%error, "a half built view could not be removed; the next start tries again");
            }
            false
        }
        Err(error) => {
            give_up(served, page.through, &error.to_string());
            false
        }
    }
}

/// The old file, where there is one, goes on serving.
fn give_up(served: &Served, at: Position, reason: &str) {
    let view = served.view.description.name;
    tracing::error!(view, position = at.0, reason, "the view could not be built");
    served.status.send_modify(|status| {
        status.rebuilding = None;
        if status.phase == Phase::Building {
            status.phase = Phase::Stopped { at, reason: reason.to_owned() };
        }
    });
}

fn hand_over(served: &Served, file: ViewFile) {
    *served.rebuilt.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
}

/// The views with these names, all of them where no name is given, none of which is being rebuilt.
pub(crate) fn choose(shared: &Shared, names: &[String]) -> Result<Vec<Arc<Served>>, RebuildError> {
    let mut chosen = Vec::new();
    for served in &shared.views {
        let name = served.view.description.name;
        if names.is_empty() || names.iter().any(|wanted| wanted == name) {
            chosen.push(Arc::clone(served));
        }
    }
    for name in names {
        shared.find(name)?;
    }
    if let Some(busy) = chosen.iter().find(|served| served.status.borrow().rebuilding.is_some()) {
        return Err(RebuildError::Already(busy.view.description.name.to_owned()));
    }
    Ok(chosen)
}

/// Waits until rebuilt views serve. `progress` is told the least position reached, some times a second.
pub(crate) async fn wait(
    chosen: &[Arc<Served>],
    mut progress: impl FnMut(Position),
) -> Result<(), RebuildError> {
    loop {
        let least = chosen.iter().filter_map(|served| served.status.borrow().rebuilding).min();
        let Some(least) = least else { break };
        progress(least);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    for served in chosen {
        if let Phase::Stopped { at, reason } = served.status.borrow().phase.clone() {
            return Err(RebuildError::Stopped { view: served.view.description.name.to_owned(), at, reason });
        }
    }
    Ok(())
}

/// Why views were not rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// There is no such view.
    #[error(transparent)]
    Unknown(#[from] AskError),
    /// A rebuild is under way.
    #[error("the view `{0}` is being rebuilt already: wait until it is done")]
    Already(String),
    /// An event cannot be folded.
    #[error("the view `{view}` stopped at position {at}: {reason}")]
    Stopped {
        /// The view.
        view: String,
        /// The position of the event.
        at: Position,
        /// What is wrong with it.
        reason: String,
    },
    /// A file could not be used.
    #[error(transparent)]
    File(#[from] FileError),
}
