//! All views of one log: opened, followed, asked, rebuilt, closed.

use std::{
    fs,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use domain::{EventStore, Keyring, Position, ReadError};
use tokio::runtime::Handle;

use crate::{
    kit::{
        moment,
        view::{Catalogue, Description},
    },
    runtime::{
        follower, past,
        past_files::PastFiles,
        question::{Answered, Answering, AskError, Question, ask_tables},
        rebuild::{self, RebuildError},
        served::{Phase, Served, Status},
        shared::Shared,
        snapshot,
        view_file::FileError,
    },
};

/// How long a question waits for its view to have seen `after`.
const PATIENCE: Duration = Duration::from_secs(10);

/// All views of one log.
pub struct Views {
    pub(crate) shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Views {
    /// Opens the views of a catalogue.
    pub(crate) fn open_these(
        catalogue: Catalogue,
        store: Arc<dyn EventStore>,
        keyring: Arc<dyn Keyring>,
        folder: &Path,
        runtime: Handle,
        snapshot_every: u64,
    ) -> Result<Self, FileError> {
        fs::create_dir_all(folder)?;
        let past = PastFiles::open(folder)?;
        let views = catalogue.0.into_iter().map(|view| Arc::new(Served::new(view))).collect();
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
            let file = shared.open_current(served);
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

    fn keep(&self, threads: Vec<JoinHandle<()>>) {
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
        moment::zone(&*self.shared.store).await
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
            return past::ask(&self.shared, &served, question, answering).await;
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

    /// Rebuilds views beside those that serve, all of them where no name is given; returns when the new ones
    /// serve. `progress` is told the least position reached, some times a second.
    pub async fn rebuild(
        &self,
        names: &[String],
        progress: impl FnMut(Position),
    ) -> Result<(), RebuildError> {
        let chosen = rebuild::choose(&self.shared, names)?;
        self.keep(rebuild::spawn(&self.shared, &chosen));
        rebuild::wait(&chosen, progress).await
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
