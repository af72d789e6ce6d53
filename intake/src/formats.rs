//! The formats of files: one file for each, which turns bytes into records. None knows what the records mean.

pub(crate) mod csv;

use serde::Deserialize;

/// The formats that a map can be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// Records of values, one after the other: [`csv`].
    Csv,
}
