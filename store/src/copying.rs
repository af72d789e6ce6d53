//! A whole log: read as it stands, wherever it is kept, and copied from one place to another.

use std::path::{Path, PathBuf};

use domain::{BadEvent, Stored};
use uuid::Uuid;

#[cfg(feature = "kurrentdb")]
use crate::kurrent::{self, ClusterLog};
use crate::{cluster::Cluster, open_error::OpenError, stored_log::StoredLog};

/// Where a log lies that is copied, or will lie.
#[derive(Clone, Debug)]
pub enum Side {
    /// In a data folder.
    Folder(PathBuf),
    /// In a cluster.
    Cluster(Cluster),
}

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

/// Without the client of clusters there is nothing to copy from or to.
#[cfg(not(feature = "kurrentdb"))]
pub async fn copy(
    from: &Side,
    to: &Side,
    _secrets: Option<&Path>,
    _progress: impl FnMut(u64),
) -> Result<(), CopyError> {
    match (from, to) {
        (Side::Cluster(cluster), _) | (_, Side::Cluster(cluster)) => {
            Err(crate::log::not_built_in(cluster).into())
        }
        (Side::Folder(_), Side::Folder(_)) => Err(CopyError::Sides),
    }
}

/// Copies a whole log. `progress` is told how many events are through.
#[cfg(feature = "kurrentdb")]
pub async fn copy(
    from: &Side,
    to: &Side,
    secrets: Option<&Path>,
    progress: impl FnMut(u64),
) -> Result<(), CopyError> {
    match (from, to) {
        (Side::Folder(from), Side::Cluster(to)) => kurrent::into_cluster(from, to, progress).await,
        (Side::Cluster(from), Side::Folder(to)) => {
            kurrent::out_of_cluster(from, to, secrets.ok_or(CopyError::NoSecrets)?, progress).await
        }
        (Side::Folder(_), Side::Folder(_)) | (Side::Cluster(_), Side::Cluster(_)) => Err(CopyError::Sides),
    }
}

/// Notes that a copy is whole and was proven to be the same. Until then the same copy goes on where it was.
pub fn finish_copy(to: &Side) -> Result<(), CopyError> {
    match to {
        #[cfg(feature = "kurrentdb")]
        Side::Folder(folder) => kurrent::finish_copy(folder),
        #[cfg(not(feature = "kurrentdb"))]
        Side::Folder(_) => Ok(()),
        Side::Cluster(_) => Ok(()),
    }
}

/// A log that is only read, as it stands.
pub enum WholeLog {
    /// In a data folder.
    Folder(StoredLog),
    /// In a cluster.
    #[cfg(feature = "kurrentdb")]
    Cluster(Box<ClusterLogReader>),
}

/// A log in a cluster, read by a thread that may wait.
#[cfg(feature = "kurrentdb")]
pub struct ClusterLogReader(ClusterLog);

impl WholeLog {
    /// Opens a log to read it; nobody is kept from using it meanwhile.
    #[cfg_attr(
        not(feature = "kurrentdb"),
        expect(clippy::unused_async, reason = "only a cluster is waited for")
    )]
    pub async fn open(side: &Side) -> Result<Self, OpenError> {
        match side {
            Side::Folder(folder) => Ok(Self::Folder(StoredLog::open(folder)?)),
            #[cfg(feature = "kurrentdb")]
            Side::Cluster(cluster) => {
                Ok(Self::Cluster(Box::new(ClusterLogReader(ClusterLog::open(cluster).await?))))
            }
            #[cfg(not(feature = "kurrentdb"))]
            Side::Cluster(cluster) => Err(crate::log::not_built_in(cluster)),
        }
    }

    /// The id that the log was given when it was made; none where there is not exactly one.
    pub fn log_id(&self) -> Option<Uuid> {
        match self {
            Self::Folder(log) => log.log_id(),
            #[cfg(feature = "kurrentdb")]
            Self::Cluster(log) => Some(log.0.log_id()),
        }
    }

    /// About how many events there are, where that is known.
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Folder(log) => Some(log.length()),
            #[cfg(feature = "kurrentdb")]
            Self::Cluster(_) => None,
        }
    }

    /// Whether an event's position is its number.
    pub fn numbers_its_positions(&self) -> bool {
        matches!(self, Self::Folder(_))
    }

    /// Hands out every event in the order of the log until told to stop. One that cannot be read ends it.
    #[cfg_attr(
        not(feature = "kurrentdb"),
        expect(clippy::unused_async, reason = "only a cluster is waited for")
    )]
    pub async fn each(
        &self,
        each: impl FnMut(&Result<Stored<'_>, BadEvent>) -> bool,
    ) -> Result<(), OpenError> {
        match self {
            Self::Folder(log) => {
                log.each(each);
                Ok(())
            }
            #[cfg(feature = "kurrentdb")]
            Self::Cluster(log) => log.0.each(each).await,
        }
    }
}
