//! WHAT PEOPLE SEE: one file per question, and the runtime that follows, rebuilds, checks and looks back in
//! time for all of them.
//!
//! A projection is tables, a fold and a question ([`Projection`]): one file in `questions/`, and one line in [`all`].
//! What it is written with stands in `kit/`; `runtime/` does the rest for every view; `meaning/` says for each kind
//! what its events mean to people; `journey/` tells histories step by step.

#[cfg(test)]
mod deadlines;
#[cfg(test)]
mod every_view;
#[cfg(test)]
mod folds;
mod journey;
mod kit;
mod meaning;
#[cfg(test)]
mod merged_contacts;
pub mod questions;
mod runtime;
/// The worked example of the documentation, compiled and tested so that what stands there is true.
#[cfg(test)]
#[path = "../../docs/example/weekdays.rs"]
mod weekdays;

pub use journey::{
    CellReason, CellReasons, Compared, Comparison, Corrected, FieldChange, FieldValue, JOURNEY_READERS,
    JOURNEY_VIEW, LogState, Moments, Shown, Step, Steps, Subject, Why,
};
pub use kit::{
    Answer, AnswerError, ApplyError, Behind, Cause, Page, Projection, Revealed, Rows, Shape, Sheet, Shows,
    Tables, ViewError,
    moment::{self, KnownAt},
    read_tally,
    view::{Description, Registry},
};
pub use questions::{all, history::HistoryRow};
pub use runtime::{
    check::{Checked, Difference},
    forgetting::{Left, LeftInView},
    question::{Answered, AskError, Question},
    rebuild::RebuildError,
    served::{Phase, Status},
    snapshot::SNAPSHOT_EVERY,
    view_file::FileError,
    views::{ANSWER_TIMEOUT, QUESTION_TIMEOUT, ViewOptions, Views},
};

use std::{path::Path, sync::Arc};

use domain::{EventStore, Keyring};
use tokio::runtime::Handle;

use kit::view::Catalogue;

/// All projections, their types erased, in the order of the list.
fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::default();
    all(&mut catalogue);
    catalogue
}

/// What can be asked, for documentation and help.
pub fn descriptions() -> Vec<Description> {
    catalogue().0.iter().map(|view| view.description.clone()).collect()
}

impl Views {
    /// Opens all views of a log in a folder and follows the log. What is missing, foreign or of another
    /// version is built.
    pub fn open(
        store: Arc<dyn EventStore>,
        keyring: Arc<dyn Keyring>,
        folder: &Path,
        runtime: Handle,
        options: ViewOptions,
    ) -> Result<Self, FileError> {
        Self::open_these(catalogue(), store, keyring, folder, runtime, options)
    }
}
