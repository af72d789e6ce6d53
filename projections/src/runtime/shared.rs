//! What the threads of all views share: the log, the keys, the folder and the views themselves.

use std::{
    ffi::OsStr,
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use domain::{EventStore, Keyring, KindSet, Position, ReadError, Zones};
use tokio::runtime::Handle;

use crate::{
    kit::{
        deadline::Deadline,
        view::{AnyView, Description},
    },
    runtime::{
        past_files::PastFiles,
        question::AskError,
        served::Served,
        view_file::{FileError, Origin, ViewFile, remove},
    },
};

/// What the threads of all views share.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) keyring: Arc<dyn Keyring>,
    pub(crate) folder: PathBuf,
    pub(crate) runtime: Handle,
    pub(crate) stopping: Arc<AtomicBool>,
    pub(crate) views: Vec<Arc<Served>>,
    pub(crate) past: PastFiles,
    pub(crate) snapshot_every: u64,
    /// How long a question may take.
    pub(crate) question_timeout: Duration,
}

impl Shared {
    pub(crate) fn find(&self, name: &str) -> Result<&Arc<Served>, AskError> {
        let found = self.views.iter().find(|served| served.view.description.name == name);
        found.ok_or_else(|| AskError::UnknownView(name.to_owned()))
    }

    /// Waits until the log can be read here up to a position that another node has given, or an append of this one.
    /// Where nobody else writes there is nothing beyond the head.
    pub(super) async fn reach(&self, position: Position, timeout: Duration) -> Result<(), AskError> {
        let following = async {
            while self.store.head() < position {
                self.store.changed(self.store.head()).await;
            }
        };
        if self.store.is_shared() && tokio::time::timeout(timeout, following).await.is_err() {
            return Err(AskError::LogBehind { position: self.store.head(), wanted: position });
        }
        Ok(())
    }

    /// The deadline of a question that begins now.
    pub(crate) fn deadline(&self) -> Deadline {
        Deadline::within(self.question_timeout, &self.stopping)
    }

    /// The deadline of long work that begins now.
    pub(crate) fn until_stopped(&self) -> Deadline {
        Deadline::until_stopped(&self.stopping)
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// What a file begins from that is folded now.
    pub(crate) fn origin(&self) -> Result<Origin, ReadError> {
        let zones = self.runtime.block_on(Zones::of(&*self.store))?;
        Ok(Origin { log: self.store.log_id(), head: self.store.head(), beginning: zones.beginning })
    }

    /// A page of the log, for the threads that fold.
    pub(crate) fn read(
        &self,
        after: Position,
        limit: usize,
        wanted: KindSet,
    ) -> Result<domain::EventPage, ReadError> {
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

    /// Opens the file that the pointer names, if it is whole, of this version and of this log. Refuses a log that ends before
    /// what was folded from it.
    pub(crate) fn open_current(&self, served: &Served) -> Result<Option<ViewFile>, FileError> {
        let Some(file) = self.open_named(served) else { return Ok(None) };
        let (known, held) = (file.progress.position, self.store.head());
        // In a cluster this node may simply not have read so far.
        if known > held && !self.store.is_shared() && file.is_of(self.store.log_id()) {
            return Err(FileError::Shorter { view: served.view.description.name, known, held });
        }
        let beginning = file.beginning().ok().flatten();
        if self.origin().is_ok_and(|origin| Some(origin.beginning) != beginning) {
            tracing::info!(
                view = served.view.description.name,
                "another zone is said to have held from the beginning; building it anew"
            );
            return Ok(None);
        }
        if !self.is_of_this_log(&file) {
            tracing::warn!(
                view = served.view.description.name,
                "the file is not of this log or not of this version; building it anew"
            );
            return Ok(None);
        }
        Ok(served.serve(&file, &self.folder).ok().map(|()| file))
    }

    fn open_named(&self, served: &Served) -> Option<ViewFile> {
        let name = fs::read_to_string(served.pointer(&self.folder)).ok()?;
        let path = self.folder.join(name.trim());
        let prefix = format!("{}-{}-", served.view.description.name, served.view.description.version);
        if !name.starts_with(&prefix) || !path.is_file() {
            return None;
        }
        let opened = ViewFile::open(&path, &served.view, Arc::clone(&self.keyring));
        let named = |error: &FileError| {
            let view = served.view.description.name;
            tracing::warn!(view, %error, "the file of the view cannot be used; building it anew");
        };
        opened.inspect_err(named).ok()
    }

    /// Whether a file was folded from this very log by this very version.
    fn is_of_this_log(&self, file: &ViewFile) -> bool {
        let progress = &file.progress;
        if !file.is_of(self.store.log_id()) {
            return false;
        }
        let Some((position, event)) = progress.last_event else {
            return progress.position <= self.store.head();
        };
        let Ok(page) = self.read(Position(position.0.saturating_sub(1)), 1, KindSet::ALL) else {
            return false;
        };
        matches!(page.events.first(), Some(Ok(recorded)) if recorded.id == event)
    }

    /// Files that no pointer names are of an interrupted rebuild or of an older version.
    pub(super) fn remove_leftovers(&self) -> Result<(), FileError> {
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
