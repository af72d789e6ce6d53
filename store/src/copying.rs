//! A whole log: opened to be read as it stands, wherever it is kept, and copied from one place to another.

use std::path::{Path, PathBuf};

use crate::{
    cluster::Cluster, clusters, copy_error::CopyError, embedded::stored_log::StoredLog,
    open_error::OpenError, whole_log::WholeLog,
};

/// Where a log lies that is copied, or will lie.
#[derive(Clone, Debug)]
pub enum Side {
    /// In a data folder.
    Folder(PathBuf),
    /// In a cluster.
    Cluster(Cluster),
}

/// Copies a whole log. `progress` is told how many events are through.
pub async fn copy(
    from: &Side,
    to: &Side,
    secrets: Option<&Path>,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<(), CopyError> {
    match (from, to) {
        (Side::Folder(from), Side::Cluster(to)) => clusters::copy_in(from, to, progress).await,
        (Side::Cluster(from), Side::Folder(to)) => clusters::copy_out(from, to, secrets, progress).await,
        (Side::Folder(_), Side::Folder(_)) | (Side::Cluster(_), Side::Cluster(_)) => Err(CopyError::Sides),
    }
}

/// Notes that a copy is whole and was proven to be the same. Until then the same copy goes on where it was.
pub fn finish_copy(to: &Side) -> Result<(), CopyError> {
    match to {
        Side::Folder(folder) => clusters::finish_copy(folder),
        Side::Cluster(_) => Ok(()),
    }
}

/// Opens a whole log to read it; nobody is kept from using it meanwhile.
pub async fn open_whole_log(side: &Side) -> Result<Box<dyn WholeLog>, OpenError> {
    match side {
        Side::Folder(folder) => Ok(Box::new(StoredLog::open(folder)?)),
        Side::Cluster(cluster) => clusters::read(cluster).await,
    }
}
