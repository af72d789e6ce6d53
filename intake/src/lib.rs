//! WHAT COMES FROM OUTSIDE: files of other systems, turned into commands by maps.
//!
//! A [`Map`] says how a kind of file becomes commands. An [`Import`] reads the files with it, row by row, and
//! gives the lines of a batch; [`Rejects`] keeps the rows that did not get in. [`Ids`] makes sure that a row
//! imported again meets what it made. Nothing here talks to the network or to the log.
//!
//! `import` joins files and maps; `maps` knows no file, only what formats there are; `formats` knows bytes alone.
//! The `demo` stands apart: its lines come from no file.

mod demo;
mod formats;
mod import;
mod maps;

pub use demo::{Campus, Demo};
pub use import::{Ids, Import, ImportError, ImportLine, Original, Reject, RejectedFile, Rejects, Row};
pub use maps::{Map, MapError};
