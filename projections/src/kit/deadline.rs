//! Until when a question may be worked on. SQLite looks at it every few thousand steps, and whoever runs many
//! statements before each of them, so that no question outlives its time or holds up the end of the process.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode};

/// After how many of its steps SQLite looks at the deadline: well under a millisecond's work.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;

/// Until when a question may be worked on.
#[derive(Clone, Debug)]
pub(crate) struct Deadline {
    /// When it was set and how much time it gives; none where only the end of the views ends it.
    given: Option<(Instant, Duration)>,
    stopping: Arc<AtomicBool>,
}

/// Why a question may not be worked on any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// Its time has passed: as much was given.
    TimedOut(Duration),
    /// The views were told to stop.
    Stopping,
}

impl Deadline {
    /// A deadline some time from now, or when the views are told to stop.
    pub(crate) fn within(timeout: Duration, stopping: &Arc<AtomicBool>) -> Self {
        Self { given: Some((Instant::now(), timeout)), stopping: Arc::clone(stopping) }
    }

    /// For long work that nobody waits for: over when the views are told to stop.
    pub(crate) fn until_stopped(stopping: &Arc<AtomicBool>) -> Self {
        Self { given: None, stopping: Arc::clone(stopping) }
    }

    /// Why it is over, where it is.
    pub(crate) fn over(&self) -> Option<Over> {
        if self.stopping.load(Ordering::Acquire) {
            return Some(Over::Stopping);
        }
        let (_, timeout) = self.given.filter(|(since, timeout)| since.elapsed() >= *timeout)?;
        Some(Over::TimedOut(timeout))
    }

    /// How much of some time may be spent on waiting.
    pub(crate) fn at_most(&self, time: Duration) -> Duration {
        self.given.map_or(time, |(since, timeout)| timeout.saturating_sub(since.elapsed()).min(time))
    }

    /// Interrupts whatever a connection runs once it is over, until [`unwatch`].
    pub(crate) fn watch(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        let deadline = self.clone();
        connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(move || deadline.over().is_some()))
    }

    /// Refuses the next statement once it is over.
    pub(crate) fn check(&self) -> rusqlite::Result<()> {
        match self.over() {
            None => Ok(()),
            Some(_) => Err(rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_INTERRUPT),
                None,
            )),
        }
    }
}

/// Lets a connection run whatever it is given, for as long as it takes.
pub(crate) fn unwatch(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.progress_handler(0, None::<fn() -> bool>)
}

/// Whether SQLite, or whoever stands before it, was interrupted.
pub(crate) fn is_interrupted(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)
}
