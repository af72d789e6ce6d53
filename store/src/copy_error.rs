//! Why a log was not copied.

use crate::open_error::OpenError;

/// Why a log was not copied. What was copied before stays, and the same copy goes on there.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// One of the two cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The log to be copied cannot be read.
    #[error("the log cannot be copied: {0}")]
    Source(String),
    /// An event cannot be written as it is.
    #[error("event {number} cannot be copied: {reason}")]
    Event {
        /// Which event.
        number: u64,
        /// Why not.
        reason: String,
    },
    /// There are other events already.
    #[error("what is there already is not the beginning of this log: copy into an empty place")]
    Foreign,
    /// The cluster did not take an event.
    #[error("{0}; the same copy goes on where it was")]
    Cluster(String),
    /// Both are folders, or both are clusters.
    #[error(
        "a log is copied from a folder into a cluster, or from a cluster into a folder; `rapport backup` copies folders"
    )]
    Sides,
    /// Nobody said where the secrets are.
    #[error("say with --secrets where the secrets of the log lie: a cluster does not hold them")]
    NoSecrets,
}
