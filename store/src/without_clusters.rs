//! What is said where the program was built without the client of clusters: what `kurrent/` does is refused.

use std::{
    future::{Ready, ready},
    path::Path,
    sync::Arc,
};

use crate::{
    cluster::Cluster, copy_error::CopyError, log::Log, open_error::OpenError, options::Options,
    whole_log::WholeLog,
};

/// No log on a cluster is opened.
pub(crate) fn open(
    _folder: &Path,
    cluster: &Cluster,
    _secrets: Option<&Path>,
    _options: Options,
) -> Ready<Result<Arc<dyn Log>, OpenError>> {
    ready(Err(not_built_in(cluster)))
}

/// None is read.
pub(crate) fn read(cluster: &Cluster) -> Ready<Result<Box<dyn WholeLog>, OpenError>> {
    ready(Err(not_built_in(cluster)))
}

/// Nothing is copied into one.
pub(crate) fn copy_in(
    _from: &Path,
    to: &Cluster,
    _progress: &mut (dyn FnMut(u64) + Send),
) -> Ready<Result<(), CopyError>> {
    ready(Err(not_built_in(to).into()))
}

/// And nothing out of one.
pub(crate) fn copy_out(
    from: &Cluster,
    _to: &Path,
    _secrets: Option<&Path>,
    _progress: &mut (dyn FnMut(u64) + Send),
) -> Ready<Result<(), CopyError>> {
    ready(Err(not_built_in(from).into()))
}

/// Where nothing is copied, nothing is left to be noted.
#[expect(clippy::unnecessary_wraps, reason = "with the client of clusters it may fail")]
pub(crate) fn finish_copy(_to: &Path) -> Result<(), CopyError> {
    Ok(())
}

fn not_built_in(cluster: &Cluster) -> OpenError {
    let reason = "this program was built without the client of clusters; build it with `cargo build --release`, without \
                  --no-default-features";
    OpenError::Cluster { cluster: cluster.to_string(), reason: reason.to_owned() }
}
