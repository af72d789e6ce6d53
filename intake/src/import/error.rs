//! Why an import cannot begin, or cannot go on.

use std::{io, path::PathBuf};

/// Why an import cannot begin, or cannot go on. While opening, nothing has been read from yet, so nothing is
/// imported; mend what the text names and import again.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// No file was named.
    #[error("name at least one file to import")]
    NoFile,
    /// The file cannot be opened or read.
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is no header.
    #[error("{file} is empty: expected a header on line {line}, with the columns {expected}")]
    Empty {
        /// The file.
        file: String,
        /// The line on which the map expects the header.
        line: u64,
        /// The columns that the map needs.
        expected: String,
    },
    /// Not UTF-8 from its first bytes on.
    #[error("{file} is encoded as UTF-16: save it as UTF-8 and import it again")]
    Utf16 {
        /// The file.
        file: String,
    },
    /// The header lacks columns that the map needs.
    #[error("{file} lacks the column {missing} in line {line}; the columns there are {present}")]
    MissingColumn {
        /// The file.
        file: String,
        /// The line of the header.
        line: u64,
        /// What is missing.
        missing: String,
        /// What is there.
        present: String,
    },
    /// The header has a column twice that the map needs.
    #[error("{file} has more than one column for `{column}` in line {line}: rename all but one")]
    DoubleColumn {
        /// The file.
        file: String,
        /// The line of the header.
        line: u64,
        /// The column.
        column: String,
    },
    /// A companion file is missing.
    #[error("{file} is missing: lay it beside {beside}, or name it as a further file")]
    MissingFile {
        /// The companion file.
        file: String,
        /// The file beside which it was looked for.
        beside: PathBuf,
    },
    /// A companion file has more rows than can be held in memory.
    #[error("{file} is too large to look values up in: at most {limit_mebibytes} MiB of keys and values fit")]
    LookupTooLarge {
        /// The companion file.
        file: String,
        /// The limit of all companion files together.
        limit_mebibytes: usize,
    },
    /// Of two files with the same name nobody could tell where a row comes from.
    #[error("{file} is named twice")]
    NamedTwice {
        /// The file.
        file: String,
    },
}

impl ImportError {
    pub(crate) fn unreadable(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| Self::Unreadable { path, source }
    }
}
