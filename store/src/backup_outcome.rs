//! What a backup came to, or why there is none.

use std::path::PathBuf;

use domain::Position;
use serde::Serialize;

use crate::open_error::OpenError;

/// What was copied, or put back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Copied {
    /// The position of the last event in the copy.
    pub position: Position,
    /// Where the keys stood that went with it; absent where none did. What was sealed later cannot be read.
    pub keys_position: Option<Position>,
    /// Whether the log goes on with a ledger of its own: the key that signs the old one did not come with it.
    pub new_ledger: bool,
}

/// Why nothing, or not all, was copied.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The folder holds something else.
    #[error("{0} is not empty and not {1} of this log: name an empty folder or a new one")]
    Foreign(PathBuf, &'static str),
    /// The folder is no backup.
    #[error("{0} is not {1}: it has no {2}")]
    NoBackup(PathBuf, &'static str, &'static str),
    /// Keys and log belong apart.
    #[error(
        "{0} and {1} lie in one another: keys are kept apart from the backup, and both from the data folder"
    )]
    NotApart(PathBuf, PathBuf),
    /// The keys are those of another log.
    #[error("the keys in {0} are those of another log")]
    OtherKeys(PathBuf),
    /// The backup was made by a later version.
    #[error("the backup has format {0}, and this program knows formats up to {1}: use the newer program")]
    Newer(u32, u32),
    /// The log is not here.
    #[error(
        "the log lies in a cluster and is backed up with it; what a node has of its own are the secrets: copy \
         installation.secret, ledger-signing.key and epoch-*.key to a safe place, apart from the backup"
    )]
    InCluster,
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] OpenError),
}
