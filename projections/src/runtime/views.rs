//! All views of one log: opened, followed, asked, rebuilt, closed.

use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt as _,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use domain::{EventStore, Keyring, Position, ReadError};
use tokio::runtime::Handle;

use crate::{
    kit::{
        Projection,
        deadline::Deadline,
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

/// How long a question waits until the log can be read as far as `after`, and then until its view has seen that.
const AFTER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a question may take once it has waited, unless told otherwise: folding the past included.
pub const QUESTION_TIMEOUT: Duration = Duration::from_secs(30);
/// How long waiting and answering take together at most.
pub const ANSWER_TIMEOUT: Duration =
    Duration::from_secs(2 * AFTER_TIMEOUT.as_secs() + QUESTION_TIMEOUT.as_secs());

/// How views are opened.
#[derive(Clone, Copy, Debug)]
pub struct ViewOptions {
    /// A copy of each view is kept whenever it passes a multiple of so many events.
    pub snapshot_every: u64,
    /// How long a question may take once it has waited.
    pub question_timeout: Duration,
}

impl Default for ViewOptions {
    fn default() -> Self {
        Self { snapshot_every: snapshot::SNAPSHOT_EVERY, question_timeout: QUESTION_TIMEOUT }
    }
}

/// All views of one log.
pub struct Views {
    pub(crate) shared: Arc<Shared>,
    followers: Mutex<Vec<JoinHandle<()>>>,
    rebuilds: Mutex<Vec<JoinHandle<()>>>,
}

impl Views {
    /// Opens the views of a catalogue.
    pub(crate) fn open_these(
        catalogue: Catalogue,
        store: Arc<dyn EventStore>,
        keyring: Arc<dyn Keyring>,
        folder: &Path,
        runtime: Handle,
        options: ViewOptions,
    ) -> Result<Self, FileError> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let past = PastFiles::open(folder)?;
        let views = catalogue.0.into_iter().map(|view| Arc::new(Served::new(view))).collect();
        let stopping = Arc::new(AtomicBool::new(false));
        let ViewOptions { snapshot_every, question_timeout } = options;
        let shared = Arc::new(Shared {
            store,
            keyring,
            folder: folder.to_owned(),
            runtime,
            stopping,
            views,
            past,
            snapshot_every,
            question_timeout,
        });
        let mut files = Vec::new();
        let mut missing = Vec::new();
        for served in &shared.views {
            let file = shared.open_current(served)?;
            if file.is_none() {
                // Nobody would erase in them what is erased while the view is built.
                snapshot::remove_all(&shared, served)?;
                missing.push(Arc::clone(served));
            }
            files.push((Arc::clone(served), file));
        }
        shared.remove_leftovers()?;
        snapshot::remove_foreign(&shared.folder, &shared.views)?;
        let followers = Mutex::new(follower::spawn(&shared, files)?);
        let rebuilds = Mutex::new(rebuild::spawn(&shared, &missing));
        Ok(Self { shared, followers, rebuilds })
    }

    fn keep(&self, threads: Vec<JoinHandle<()>>) {
        let mut kept = locked(&self.rebuilds);
        kept.retain(|thread| !thread.is_finished());
        kept.extend(threads);
    }

    /// Every view with its status.
    pub fn statuses(&self) -> Vec<(Description, Status)> {
        let of = |served: &Arc<Served>| (served.view.description.clone(), served.status.borrow().clone());
        self.shared.views.iter().map(of).collect()
    }

    /// Whether a thread that folds has ended although nobody has asked it to: its views stand still until a new start.
    pub fn has_ended(&self) -> bool {
        !self.shared.stopping() && locked(&self.followers).iter().any(JoinHandle::is_finished)
    }

    /// How many questions each view has not answered in time.
    pub fn timeouts(&self) -> Vec<(&'static str, u64)> {
        let of =
            |served: &Arc<Served>| (served.view.description.name, served.timeouts.load(Ordering::Relaxed));
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
        let deadline = self.begin(&question.view, question.after).await?;
        self.ask_within(question, ask_tables, deadline).await
    }

    /// Answers a question to a view whose type is known, in that type.
    pub async fn view_of<P: Projection>(&self, question: Question) -> Result<P::View, AskError> {
        let deadline = self.begin(P::NAME, question.after).await?;
        self.view_within::<P>(question, deadline).await
    }

    /// The same before a deadline, waiting included.
    pub(crate) async fn view_within<P: Projection>(
        &self,
        question: Question,
        deadline: Deadline,
    ) -> Result<P::View, AskError> {
        let question = Question { view: P::NAME.to_owned(), ..question };
        let answered = self.ask_within(question, ask_tables, deadline).await?;
        answered.answer.into_view::<P>().ok_or_else(|| AskError::UnknownView(P::NAME.to_owned()))
    }

    /// Waits until the log can be read as far as a position, and then until a view has seen that.
    async fn wait_for(&self, view: &str, after: Option<Position>, timeout: Duration) -> Result<(), AskError> {
        let served = self.shared.find(view)?;
        if let Some(after) = after {
            self.shared.reach(after, timeout).await?;
            served.wait_for(after, self.head(), timeout).await?;
        }
        Ok(())
    }

    /// Begins one question, or several that have one deadline together: waits first for what the first of them is to
    /// see, which is not of their time.
    pub(crate) async fn begin(&self, view: &str, after: Option<Position>) -> Result<Deadline, AskError> {
        self.wait_for(view, after, AFTER_TIMEOUT).await?;
        Ok(self.shared.deadline())
    }

    /// Answers a question in a way of its own before a deadline, waiting included.
    pub(crate) async fn ask_within<T: Send + 'static>(
        &self,
        question: Question,
        answering: Answering<T>,
        deadline: Deadline,
    ) -> Result<T, AskError> {
        let served = Arc::clone(self.shared.find(&question.view)?);
        self.wait_for(&question.view, question.after, deadline.at_most(AFTER_TIMEOUT)).await?;
        if question.as_of.is_some() || question.known_at.is_some() {
            return past::ask(&self.shared, &served, question, answering, &deadline).await;
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
        let ask = move || {
            served.check(&deadline)?;
            generation
                .ask(&served.view, &question, at_least, &keyring, answering, &deadline)
                .map_err(|error| served.explain(error, &deadline))
        };
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

    /// Stops following and answering: what has been folded is saved, and a question under way ends at once.
    pub fn close(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        let followers = std::mem::take(&mut *locked(&self.followers));
        let rebuilds = std::mem::take(&mut *locked(&self.rebuilds));
        for thread in followers.into_iter().chain(rebuilds) {
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

fn locked(threads: &Mutex<Vec<JoinHandle<()>>>) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
    threads.lock().unwrap_or_else(PoisonError::into_inner)
}
