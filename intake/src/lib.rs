//! WHAT COMES FROM OUTSIDE: files of other systems, turned into commands by maps.
//!
//! A [`Map`] says how a kind of file becomes commands. An [`Import`] reads the files with it, row by row, and
//! gives the lines of a batch; [`Rejects`] keeps the rows that did not get in. [`Ids`] makes sure that a row
//! imported again meets what it made. Nothing here talks to the network or to the log.

mod assignment;
mod column;
mod compile;
mod csv;
mod date;
mod demo;
mod error;
mod ids;
mod import;
#[cfg(test)]
mod import_tests;
mod line;
mod lookup;
mod map;
mod map_file;
mod number;
mod once;
mod rejects;
mod row;
mod source_file;

pub use demo::{Campus, Demo};
pub use error::ImportError;
pub use ids::Ids;
pub use import::{Import, Original, Reject, Row};
pub use line::ImportLine;
pub use map::{Map, MapError};
pub use rejects::{RejectedFile, Rejects};
