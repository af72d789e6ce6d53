//! An answer of a view: its type is erased, but kept, so that nothing has to parse what was just written.

mod columns;
mod erased;
mod error;
mod rows;
mod sheet;

pub use columns::Shape;
pub use erased::Answer;
pub use error::AnswerError;
pub use rows::Rows;
pub use sheet::Sheet;
