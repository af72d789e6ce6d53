//! WHAT PEOPLE SEE: one file per question, and the runtime that follows, rebuilds, checks and looks back in
//! time for all of them.
//!
//! A projection is tables, a fold and a question ([`Projection`]); one file and one line in [`all`].

mod amounts;
mod changes;
mod check;
mod column;
pub mod contacts;
pub mod conversations;
pub mod disclosures;
pub mod duplicates;
pub mod engagement;
pub mod erasures;
#[cfg(test)]
mod folds;
mod follower;
mod forgetting;
pub mod giving;
pub mod history;
mod journey;
pub mod leads;
pub mod moment;
mod page;
mod past;
mod period;
mod persons;
pub mod pipeline;
mod projection;
mod rebuild;
mod rows;
mod snapshot;
mod tables;
mod tally;
#[cfg(test)]
mod testing;
mod view;
mod view_file;
mod views;
/// The worked example of the documentation, compiled and tested so that what stands there is true.
#[cfg(test)]
#[path = "../../docs/example/weekdays.rs"]
mod weekdays;
mod wording;

pub use check::{Checked, Difference};
pub use forgetting::{Left, LeftInView};
pub use history::HistoryRow;
pub use journey::{
    CellReason, CellReasons, Compared, Comparison, Corrected, FieldChange, FieldValue, JOURNEY_READERS,
    JOURNEY_VIEW, LogState, Moments, Shown, Step, Steps, Subject, Why,
};
pub use page::Page;
pub use past::KnownAt;
pub use projection::{ApplyError, Behind, Cause, Projection, Shows, ViewError};
pub use rebuild::RebuildError;
pub use rows::Rows;
pub use snapshot::SNAPSHOT_EVERY;
pub use tables::{Revealed, Tables, read_tally};
pub use view::{Description, Registry, descriptions};
pub use view_file::FileError;
pub use views::{Answered, AskError, Phase, Question, Status, Views};

/// Every projection, one line each.
pub fn all(registry: &mut impl Registry) {
    registry.register::<contacts::Contacts>();
    registry.register::<conversations::Conversations>();
    registry.register::<disclosures::Disclosures>();
    registry.register::<duplicates::Duplicates>();
    registry.register::<engagement::Engagement>();
    registry.register::<erasures::Erasures>();
    registry.register::<giving::Giving>();
    registry.register::<history::History>();
    registry.register::<leads::Leads>();
    registry.register::<pipeline::Pipeline>();
}
