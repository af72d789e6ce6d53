//! WHAT PEOPLE SEE: one file per question, and the runtime that follows, rebuilds, checks and looks back in
//! time for all of them.
//!
//! A projection is tables, a fold and a question ([`Projection`]): one file in `questions/`, and one line in [`all`].
//! What it is written with stands in `kit/`; `runtime/` does the rest for every view; `journey/` tells histories step
//! by step.

#[cfg(test)]
mod folds;
mod journey;
mod kit;
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
    ApplyError, Behind, Cause, Page, Projection, Revealed, Rows, Shows, Tables, ViewError, moment,
    read_tally,
    view::{Description, Registry, descriptions},
};
pub use questions::{all, history::HistoryRow};
pub use runtime::{
    check::{Checked, Difference},
    forgetting::{Left, LeftInView},
    past::KnownAt,
    rebuild::RebuildError,
    snapshot::SNAPSHOT_EVERY,
    view_file::FileError,
    views::{Answered, AskError, Phase, Question, Status, Views},
};
