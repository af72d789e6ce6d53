//! WHAT PEOPLE SEE: one file per question, and the runtime that follows, rebuilds, checks and looks back in
//! time for all of them.
//!
//! A projection is tables, a fold and a question ([`Projection`]); one file and one line in [`all`].

mod amounts;
mod check;
mod column;
pub mod contacts;
pub mod conversations;
pub mod disclosures;
pub mod engagement;
pub mod erasures;
mod follower;
mod forgetting;
pub mod giving;
pub mod history;
pub mod leads;
pub mod moment;
mod page;
mod past;
mod period;
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

pub use check::{Checked, Difference};
pub use forgetting::{Left, LeftInView};
pub use page::Page;
pub use past::KnownAt;
pub use projection::{ApplyError, Projection, Shows, ViewError};
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
    registry.register::<engagement::Engagement>();
    registry.register::<erasures::Erasures>();
    registry.register::<giving::Giving>();
    registry.register::<history::History>();
    registry.register::<leads::Leads>();
    registry.register::<pipeline::Pipeline>();
}
