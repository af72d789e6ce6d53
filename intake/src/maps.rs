//! Maps: how a kind of file becomes commands, as it is written and as it is used. Nothing here opens a file.

mod built_in;
pub(crate) mod column;
mod compile;
pub(crate) mod date;
pub(crate) mod map;
mod map_file;
pub(crate) mod number;
#[cfg(test)]
mod tests;

pub use map::{Map, MapError};
