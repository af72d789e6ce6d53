//! What the author of a view reads: the shape of a projection, its tables, pages, periods, amounts and words.

pub(crate) mod amounts;
pub(crate) mod answer;
pub(crate) mod cells;
pub(crate) mod column;
pub(crate) mod deadline;
pub(crate) mod error;
pub(crate) mod filter;
pub(crate) mod handles;
pub mod moment;
pub(crate) mod own;
pub(crate) mod page;
pub(crate) mod period;
pub(crate) mod personal;
pub(crate) mod persons;
pub(crate) mod projection;
pub(crate) mod search;
pub(crate) mod tables;
pub(crate) mod tally;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod view;
pub(crate) mod wording;
pub(crate) mod zone;

pub use amounts::Amounts;
pub use answer::{Answer, AnswerError, Rows, Shape, Sheet};
pub use error::{ApplyError, ViewError};
pub use page::Page;
pub use period::{Month, Period};
pub use projection::{Behind, Cause, Projection, Shows};
pub use tables::{Revealed, Tables, read_tally};
