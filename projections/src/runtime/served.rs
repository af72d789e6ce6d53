//! One view as it is served: the file that is asked, the pointer to it, and how the view is getting on.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::{Keyring, Position};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{
    kit::{
        Tables, ViewError,
        deadline::{Deadline, Over, is_interrupted},
        view::AnyView,
    },
    runtime::{
        question::{Answering, AskError, Question},
        view_file::{FileError, ViewFile, remove, restrict},
    },
};

/// How many connections to one file are kept for the next question.
const KEPT_READERS: usize = 8;

/// One view as it is served.
pub(crate) struct Served {
    pub(crate) view: Arc<AnyView>,
    pub(crate) status: watch::Sender<Status>,
    pub(crate) current: RwLock<Option<Arc<Generation>>>,
    /// A file that has been rebuilt and waits for the follower to take it over.
    pub(crate) rebuilt: Mutex<Option<ViewFile>>,
    /// How often something was erased in the snapshots of the view.
    pub(crate) erasures: AtomicU64,
    /// Held while snapshots are given their names or emptied.
    pub(crate) snapshots: Mutex<()>,
    /// How many questions were not answered in time.
    pub(crate) timeouts: AtomicU64,
}

/// How a view is getting on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// How far the log has been folded into what is served.
    pub position: Position,
    /// Whether it moves on.
    pub phase: Phase,
    /// How far a rebuild beside it has come, while there is one.
    pub rebuilding: Option<Position>,
    /// Whether pages beside its file may still hold what was erased: readers are in the way.
    pub emptying: bool,
    /// What keeps it from moving on at the moment; it tries again.
    pub trouble: Option<String>,
}

/// Whether a view moves on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// There is nothing to serve yet.
    Building,
    /// It follows the log.
    Following,
    /// It stands still before an event that it cannot fold.
    Stopped {
        /// The position of the event.
        at: Position,
        /// What is wrong with it.
        reason: String,
    },
}

/// One file of a view, with connections kept for questions. Removed when it is obsolete and nobody reads it.
pub(crate) struct Generation {
    pub(crate) path: PathBuf,
    readers: Mutex<Vec<Tables>>,
    obsolete: AtomicBool,
}

impl Drop for Generation {
    fn drop(&mut self) {
        self.readers.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
        if self.obsolete.load(Ordering::Acquire)
            && let Err(error) = remove(&self.path)
        {
            tracing::warn!(%error, "an old file of a view could not be removed; the next start tries again");
        }
    }
}

impl Served {
    pub(crate) fn new(view: Arc<AnyView>) -> Self {
        let status = Status {
            position: Position::START,
            phase: Phase::Building,
            rebuilding: None,
            emptying: false,
            trouble: None,
        };
        Self {
            view,
            status: watch::Sender::new(status),
            current: RwLock::new(None),
            rebuilt: Mutex::new(None),
            erasures: AtomicU64::new(0),
            snapshots: Mutex::new(()),
            timeouts: AtomicU64::new(0),
        }
    }

    /// Takes note of what keeps the view from moving on, or that nothing does any more; said once, however often it is
    /// tried again.
    pub(crate) fn note_trouble(&self, trouble: Option<String>) {
        let view = self.view.description.name;
        self.status.send_if_modified(|status| {
            let is_new = status.trouble != trouble;
            match &trouble {
                Some(trouble) if is_new => {
                    tracing::error!(view, trouble, "a view cannot move on; it tries again");
                }
                None if is_new => tracing::info!(view, "the view moves on again"),
                _ => {}
            }
            status.trouble = trouble;
            is_new
        });
    }

    pub(crate) fn generation(&self) -> Option<Arc<Generation>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn pointer(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.current", self.view.description.name))
    }

    /// Makes a finished file the one that is asked from now on.
    pub(crate) fn serve(&self, file: &ViewFile, folder: &Path) -> Result<(), FileError> {
        let name = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        machine::files::write(&self.pointer(folder), &name)?;
        let generation = Generation {
            path: file.path.clone(),
            readers: Mutex::default(),
            obsolete: AtomicBool::new(false),
        };
        let old = self.current.write().unwrap_or_else(PoisonError::into_inner).replace(Arc::new(generation));
        if let Some(old) = old.filter(|old| old.path != file.path) {
            old.obsolete.store(true, Ordering::Release);
        }
        self.status.send_modify(|status| {
            status.position = file.progress.position;
            status.phase = Phase::Following;
            status.rebuilding = None;
            status.emptying = file.is_emptying();
        });
        Ok(())
    }

    pub(crate) async fn wait_for(
        &self,
        wanted: Position,
        head: Position,
        timeout: Duration,
    ) -> Result<(), AskError> {
        if wanted > head {
            let message = format!("is beyond the end of the log, which is at {head}");
            return Err(ViewError::query("after", message).into());
        }
        let mut status = self.status.subscribe();
        let seen = status
            .wait_for(|status| status.position >= wanted || matches!(status.phase, Phase::Stopped { .. }));
        if let Ok(Ok(now)) = tokio::time::timeout(timeout, seen).await {
            return match &now.phase {
                Phase::Stopped { at, reason } if now.position < wanted => {
                    Err(AskError::Stopped(format!("position {at}: {reason}")))
                }
                _ => Ok(()),
            };
        }
        let position = self.status.borrow().position;
        Err(AskError::Behind { view: self.view.description.name.to_owned(), position, wanted })
    }

    /// Refuses to go on with a question whose deadline is over.
    pub(crate) fn check(&self, deadline: &Deadline) -> Result<(), AskError> {
        let view = || self.view.description.name.to_owned();
        match deadline.over() {
            None => Ok(()),
            Some(Over::Stopping) => Err(AskError::Ending { view: view() }),
            Some(Over::TimedOut(timeout)) => {
                self.timeouts.fetch_add(1, Ordering::Relaxed);
                Err(AskError::TimedOut { view: view(), timeout })
            }
        }
    }

    /// Says of a question that was interrupted why it was.
    pub(crate) fn explain(&self, error: AskError, deadline: &Deadline) -> AskError {
        match error {
            AskError::View(ViewError::Tables(ref cause)) | AskError::File(FileError::Sqlite(ref cause))
                if is_interrupted(cause) =>
            {
                self.check(deadline).err().unwrap_or(error)
            }
            error => error,
        }
    }
}

impl Generation {
    pub(super) fn ask<T>(
        &self,
        view: &AnyView,
        question: &Question,
        at_least: Position,
        keyring: &Arc<dyn Keyring>,
        answering: Answering<T>,
        deadline: &Deadline,
    ) -> Result<T, AskError> {
        let kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut tables = match kept {
            Some(tables) => tables,
            None => ViewFile::open_to_ask(&self.path, Arc::clone(keyring))?,
        };
        let answered = tables
            .within(deadline, |tables| answering(tables, view, question, at_least))
            .map_err(ViewError::from)?;
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        // One that has not come out of its transaction would show its moment for ever.
        if readers.len() < KEPT_READERS && tables.connection().is_autocommit() {
            readers.push(tables);
        }
        answered
    }

    /// How many connections are kept at the moment.
    #[cfg(test)]
    pub(crate) fn kept_readers(&self) -> usize {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Copies what is served now into a file of its own, without stopping anybody.
    pub(crate) fn copy_to(&self, path: &Path, deadline: &Deadline) -> Result<(), FileError> {
        remove(path)?;
        let mut connection =
            rusqlite::Connection::open_with_flags(&self.path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        deadline.watch(&mut connection)?;
        connection.execute("VACUUM INTO ?1", [path.to_string_lossy()])?;
        restrict(path)?;
        Ok(())
    }
}
