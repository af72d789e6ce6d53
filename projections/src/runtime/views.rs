//! All views of one log: opened, followed, asked. Rebuilding, checking and looking back in time have files of
//! their own beside this one.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use chrono::{DateTime, Utc};
use domain::{EventStore, Keyring, KindSet, Position, ReadError};
use serde::Serialize;
use tokio::{runtime::Handle, sync::watch};

use crate::{
    kit::{
        Page, Tables, ViewError,
        view::{AnyView, Catalogue, Description},
    },
    runtime::{
        follower,
        past::{KnownAt, PastFiles},
        rebuild, snapshot,
        view_file::{FileError, ViewFile, read_progress, remove, write_whole},
    },
};

/// How long a question waits for its view to have seen `after`.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many connections to one file are kept for the next question.
const KEPT_READERS: usize = 8;

/// All views of one log.
pub struct Views {
    pub(crate) shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What the threads of all views share.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) keyring: Arc<dyn Keyring>,
    pub(crate) folder: PathBuf,
    pub(crate) runtime: Handle,
    pub(crate) stopping: AtomicBool,
    pub(crate) views: Vec<Arc<Served>>,
    pub(crate) past: PastFiles,
    pub(crate) snapshot_every: u64,
}

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
}

/// Whether a view moves on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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

/// A question to a view.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// The view's name.
    pub view: String,
    /// Its parameters, as a query string.
    pub query: String,
    /// Which rows.
    pub page: Page,
    /// Wait until the view has seen this position.
    pub after: Option<Position>,
    /// Only what had happened by then.
    pub as_of: Option<DateTime<Utc>>,
    /// Only what was recorded by then.
    pub known_at: Option<KnownAt>,
    /// Where what stands behind the answer is asked for: only behind the row of this group.
    pub group: Option<String>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The answer as JSON.
    pub json: String,
    /// How far the log had been folded into what was asked.
    pub position: Position,
    /// The view's version.
    pub version: u32,
}

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is no such view.
    #[error("there is no view `{0}`: GET /views lists them")]
    UnknownView(String),
    /// What is asked about does not exist.
    #[error("what is asked about does not exist, or did not at that moment")]
    NotFound,
    /// There is nothing to ask yet: wait.
    #[error("the view `{view}` is being built: it has come to {position} of {head}; try again in a moment")]
    Building {
        /// The view.
        view: String,
        /// How far it has come.
        position: Position,
        /// How far it has to go.
        head: Position,
    },
    /// The view has not seen what was waited for: ask again.
    #[error("the view `{view}` has come to {position}, not yet to {wanted}; ask again in a moment")]
    Behind {
        /// The view.
        view: String,
        /// How far it has come.
        position: Position,
        /// What was waited for.
        wanted: Position,
    },
    /// Where several nodes write to one log, this one has not followed it so far: ask again.
    #[error(
        "this node has followed the log to {position}, not yet to {wanted}; ask again in a moment, if that is a position \
         that a command was answered with"
    )]
    LogBehind {
        /// How far the log can be read here.
        position: Position,
        /// What was waited for.
        wanted: Position,
    },
    /// The question makes no sense: mend it.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// The view's file could not be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// An event cannot be folded.
    #[error("the view stands still before an event that it cannot fold: {0}")]
    Stopped(String),
    /// Too many look back in time at once: ask again.
    #[error("too many questions about the past are being worked on: ask again in a moment")]
    Busy,
}

impl Views {
    /// Opens all views of a log in a folder and follows the log. What is missing, foreign or of another
    /// version is built. A copy of each view is kept whenever it passes a multiple of `snapshot_every` events.
    pub fn open(
        store: Arc<dyn EventStore>,
        keyring: Arc<dyn Keyring>,
        folder: &Path,
        runtime: Handle,
        snapshot_every: u64,
    ) -> Result<Self, FileError> {
        fs::create_dir_all(folder)?;
        let past = PastFiles::open(folder)?;
        let views = Catalogue::whole().0.into_iter().map(|view| Arc::new(Served::new(view))).collect();
        let stopping = AtomicBool::new(false);
        let shared = Arc::new(Shared {
            store,
            keyring,
            folder: folder.to_owned(),
            runtime,
            stopping,
            views,
            past,
            snapshot_every,
        });
        let mut files = Vec::new();
        let mut missing = Vec::new();
        for served in &shared.views {
            let file = served.open_current(&shared);
            if file.is_none() {
                // Nobody would erase in them what is erased while the view is built.
                snapshot::remove_all(&shared, served)?;
                missing.push(Arc::clone(served));
            }
            files.push((Arc::clone(served), file));
        }
        shared.remove_leftovers()?;
        snapshot::remove_foreign(&shared.folder, &shared.views)?;
        let views = Self { shared, threads: Mutex::new(Vec::new()) };
        views.keep(follower::spawn(&views.shared, files));
        views.keep(rebuild::spawn(&views.shared, &missing));
        Ok(views)
    }

    pub(crate) fn keep(&self, threads: Vec<JoinHandle<()>>) {
        let mut kept = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|thread| !thread.is_finished());
        kept.extend(threads);
    }

    /// Every view with its status.
    pub fn statuses(&self) -> Vec<(Description, Status)> {
        let of = |served: &Arc<Served>| (served.view.description.clone(), served.status.borrow().clone());
        self.shared.views.iter().map(of).collect()
    }

    /// The position of the last durable event of the log.
    pub fn head(&self) -> Position {
        self.shared.store.head()
    }

    /// The zone in which the organisation keeps its days.
    pub async fn zone(&self) -> Result<chrono_tz::Tz, ReadError> {
        crate::kit::moment::zone(&*self.shared.store).await
    }

    /// What is known of a view without its types.
    pub fn description(&self, name: &str) -> Result<Description, AskError> {
        Ok(self.shared.find(name)?.view.description.clone())
    }

    /// Answers a question.
    pub async fn ask(&self, question: Question) -> Result<Answered, AskError> {
        self.ask_with(question, ask_tables).await
    }

    /// Answers a question in a way of its own.
    pub(crate) async fn ask_with<T: Send + 'static>(
        &self,
        question: Question,
        answering: Answering<T>,
    ) -> Result<T, AskError> {
        let served = Arc::clone(self.shared.find(&question.view)?);
        if let Some(after) = question.after {
            self.shared.reach(after, PATIENCE).await?;
            served.wait_for(after, self.head(), PATIENCE).await?;
        }
        if question.as_of.is_some() || question.known_at.is_some() {
            return crate::runtime::past::ask(&self.shared, &served, question, answering).await;
        }
        // Read before the question's transaction begins: what the answer holds is never older than this.
        let at_least = served.status.borrow().position;
        let Some(generation) = served.generation() else {
            let status = served.status.borrow().clone();
            if let Phase::Stopped { reason, .. } = status.phase {
                return Err(AskError::Stopped(reason));
            }
            let position = status.rebuilding.unwrap_or_default();
            return Err(AskError::Building { view: question.view, position, head: self.head() });
        };
        let keyring = Arc::clone(&self.shared.keyring);
        let ask = move || generation.ask(&served.view, &question, at_least, &keyring, answering);
        match tokio::task::spawn_blocking(ask).await {
            Ok(answer) => answer,
            Err(error) => Err(AskError::Stopped(error.to_string())),
        }
    }

    /// Waits until every view that moves has seen a position; for command lines that ask at once.
    pub async fn settle(&self, position: Position, mut progress: impl FnMut(Position)) {
        for served in &self.shared.views {
            let mut status = served.status.subscribe();
            loop {
                let now = status.borrow_and_update().clone();
                let stopped = matches!(now.phase, Phase::Stopped { .. });
                if stopped || (now.phase == Phase::Following && now.position >= position) {
                    break;
                }
                progress(now.rebuilding.unwrap_or(now.position));
                if status.changed().await.is_err() {
                    break;
                }
            }
        }
    }

    /// Stops following; what has been folded is saved.
    pub fn close(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread that folds events ended in a panic");
            }
        }
    }
}

impl Drop for Views {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    pub(crate) fn find(&self, name: &str) -> Result<&Arc<Served>, AskError> {
        let found = self.views.iter().find(|served| served.view.description.name == name);
        found.ok_or_else(|| AskError::UnknownView(name.to_owned()))
    }

    /// Waits until the log can be read here up to a position that another node has given, or an append of this one.
    /// Where nobody else writes there is nothing beyond the head.
    async fn reach(&self, position: Position, patience: Duration) -> Result<(), AskError> {
        let following = async {
            while self.store.head() < position {
                self.store.changed(self.store.head()).await;
            }
        };
        if self.store.is_shared() && tokio::time::timeout(patience, following).await.is_err() {
            return Err(AskError::LogBehind { position: self.store.head(), wanted: position });
        }
        Ok(())
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// A page of the log, for the threads that fold.
    pub(crate) fn read(
        &self,
        after: Position,
        limit: usize,
        wanted: KindSet,
    ) -> Result<domain::Page, ReadError> {
        self.runtime.block_on(self.store.read_all(after, limit, wanted))
    }

    /// A path for the next generation of a view's file.
    pub(crate) fn next_path(&self, view: &AnyView) -> PathBuf {
        let Description { name, version, .. } = view.description;
        let mut generation = 1;
        loop {
            let path = self.folder.join(format!("{name}-{version}-{generation}.sqlite"));
            if !path.exists() {
                return path;
            }
            generation += 1;
        }
    }

    /// Files that no pointer names are of an interrupted rebuild or of an older version.
    fn remove_leftovers(&self) -> Result<(), FileError> {
        let current: Vec<PathBuf> =
            self.views.iter().filter_map(|served| served.generation()).map(|one| one.path.clone()).collect();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let is_ours =
                |extension: &OsStr| ["sqlite", "check", "anew"].iter().any(|ours| extension == *ours);
            if path.extension().is_some_and(is_ours) && !current.contains(&path) {
                remove(&path)?;
            }
        }
        Ok(())
    }
}

impl Served {
    fn new(view: Arc<AnyView>) -> Self {
        let status =
            Status { position: Position::START, phase: Phase::Building, rebuilding: None, emptying: false };
        Self {
            view,
            status: watch::Sender::new(status),
            current: RwLock::new(None),
            rebuilt: Mutex::new(None),
            erasures: AtomicU64::new(0),
            snapshots: Mutex::new(()),
        }
    }

    pub(crate) fn generation(&self) -> Option<Arc<Generation>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn pointer(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.current", self.view.description.name))
    }

    /// The file that the pointer names, if it is whole, of this version and of this log.
    fn open_current(&self, shared: &Shared) -> Option<ViewFile> {
        let name = fs::read_to_string(self.pointer(&shared.folder)).ok()?;
        let path = shared.folder.join(name.trim());
        let prefix = format!("{}-{}-", self.view.description.name, self.view.description.version);
        if !name.starts_with(&prefix) || !path.is_file() {
            return None;
        }
        let file = ViewFile::open(&path, &self.view, Arc::clone(&shared.keyring)).ok()?;
        if !belongs(&file, shared) {
            tracing::warn!(
                view = self.view.description.name,
                "the file is not of this log or not of this version; building it anew"
            );
            return None;
        }
        self.serve(&file, shared).ok()?;
        Some(file)
    }

    /// Makes a finished file the one that is asked from now on.
    pub(crate) fn serve(&self, file: &ViewFile, shared: &Shared) -> Result<(), FileError> {
        let name = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        write_whole(&self.pointer(&shared.folder), &name)?;
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
        patience: Duration,
    ) -> Result<(), AskError> {
        if wanted > head {
            let message = format!("is beyond the end of the log, which is at {head}");
            return Err(ViewError::query("after", message).into());
        }
        let mut status = self.status.subscribe();
        let seen = status
            .wait_for(|status| status.position >= wanted || matches!(status.phase, Phase::Stopped { .. }));
        if let Ok(Ok(now)) = tokio::time::timeout(patience, seen).await {
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
}

/// Whether a file was folded from this very log by this very version.
fn belongs(file: &ViewFile, shared: &Shared) -> bool {
    let progress = &file.progress;
    if !file.is_of(shared.store.log_id()) {
        return false;
    }
    let Some((position, event)) = progress.last_event else {
        return progress.position <= shared.store.head();
    };
    let Ok(page) = shared.read(Position(position.0.saturating_sub(1)), 1, KindSet::ALL) else { return false };
    matches!(page.events.first(), Some(Ok(recorded)) if recorded.id == event)
}

impl Generation {
    fn ask<T>(
        &self,
        view: &AnyView,
        question: &Question,
        at_least: Position,
        keyring: &Arc<dyn Keyring>,
        answering: Answering<T>,
    ) -> Result<T, AskError> {
        let kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let tables = match kept {
            Some(tables) => tables,
            None => ViewFile::open_to_ask(&self.path, Arc::clone(keyring))?,
        };
        let answered = answering(&tables, view, question, at_least);
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < KEPT_READERS {
            readers.push(tables);
        }
        answered
    }

    /// Copies what is served now into a file of its own, without stopping anybody.
    pub(crate) fn copy_to(&self, path: &Path) -> Result<(), FileError> {
        remove(path)?;
        let connection =
            rusqlite::Connection::open_with_flags(&self.path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.execute("VACUUM INTO ?1", [path.to_string_lossy()])?;
        crate::runtime::view_file::restrict(path)?;
        Ok(())
    }
}

/// A way of answering from tables that hold at least what stands up to a position.
pub(crate) type Answering<T> = fn(&Tables, &AnyView, &Question, Position) -> Result<T, AskError>;

/// Asks within one read transaction, so that position and rows belong together.
pub(crate) fn ask_tables(
    tables: &Tables,
    view: &AnyView,
    question: &Question,
    at_least: Position,
) -> Result<Answered, AskError> {
    let transaction = tables.connection().unchecked_transaction().map_err(ViewError::from)?;
    let position = read_progress(&transaction).map_err(ViewError::from)?.position.max(at_least);
    let json = (view.view)(tables, &question.query, &question.page)?;
    transaction.finish().map_err(ViewError::from)?;
    let json = json.ok_or(AskError::NotFound)?;
    Ok(Answered { json, position, version: view.description.version })
}
