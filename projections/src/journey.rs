//! The history of a contact or of one thing, step by step, with what each step changed; two moments compared;
//! and why something is as it is.
//!
//! Nothing is kept for it: which events there are says the view of history, what they changed is folded from
//! the log whenever somebody asks.

use domain::Role;

use crate::{kit::Projection as _, questions::history::History};

mod cell;
mod compare;
mod names;
mod reading;
mod rows;
mod shown;
mod steps;
mod subject;
mod why;

pub use cell::{CellReason, CellReasons};
pub use compare::{Compared, Comparison, Moments};
pub use reading::LogState;
pub use shown::{Corrected, FieldChange, FieldValue, Shown, Step};
pub use steps::Steps;
pub use subject::Subject;
pub use why::Why;

/// Who may read journeys: whoever may read the view of history.
pub const JOURNEY_READERS: &[Role] = History::READERS;
/// The view that was looked at whenever a journey was read.
pub const JOURNEY_VIEW: &str = History::NAME;
