//! Why a key cannot be had.

use crate::{open_error::OpenError, sqlite::is_full};

/// Why a key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The disk is full.
    #[error("the disk is full")]
    DiskFull,
    /// The database of the keys refused.
    #[error("the keys cannot be reached: {0}")]
    Database(rusqlite::Error),
    /// A stored key does not unwrap: the epoch key is not the one that wrapped it.
    #[error("a key does not unwrap with the epoch key")]
    Damaged,
    /// The file of an epoch key cannot be written, read or removed.
    #[error("the epoch key: {0}")]
    Epoch(#[from] Box<OpenError>),
    /// The other nodes cannot be brought along.
    #[error("{0}")]
    Cluster(String),
    /// The process is about to end; what was begun goes on at the next start.
    #[error("the process is ending; the keys go on being wrapped anew at the next start")]
    Ending,
}

impl From<rusqlite::Error> for KeyError {
    fn from(error: rusqlite::Error) -> Self {
        if is_full(&error) { Self::DiskFull } else { Self::Database(error) }
    }
}
