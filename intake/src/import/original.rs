//! A row as it stands in its file.

use std::sync::Arc;

use crate::formats::csv::Record;

/// A row as it stands in its file.
#[derive(Clone, Debug)]
pub struct Original {
    pub(super) file_index: usize,
    pub(super) record: Record,
    pub(super) file: Arc<str>,
}

impl Original {
    /// The name of the file, without its folders.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line on which the row begins, from 1.
    pub const fn line(&self) -> u64 {
        self.record.line
    }
}
