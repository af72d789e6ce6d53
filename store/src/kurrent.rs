//! The log on a KurrentDB cluster: what one node does of it, behind the same port as the embedded log.
//!
//! The cluster holds the events, in streams of the same names, and what the nodes share. A node holds its views, its
//! ledger, a copy of the wrapped keys and a small index, all of which follow from the log; and, as files of its own, the
//! keys of the epochs. An append goes to the leader ([`appending`]); one thread follows everything that is recorded, by
//! whichever node ([`tracker`]), and nobody here sees an event before that thread has done what the event asks for.

mod appending;
mod copying;
mod document;
mod envelope;
mod identity;
mod joining;
mod keys;
mod kinds;
mod names;
mod node;
mod node_index;
mod peer;
mod peers;
mod port;
mod recent;
mod starting;
mod store;
mod tracker;
mod wire;

use std::{path::Path, sync::Arc};

use self::copying::cluster_log::ClusterLog;
pub(crate) use self::copying::{
    into_cluster::copy_in,
    out_of_cluster::{copy_out, finish_copy},
};
pub use self::store::KurrentStore;
use crate::{cluster::Cluster, log::Log, open_error::OpenError, options::Options, whole_log::WholeLog};

/// Opens the log on a cluster for one node.
pub(crate) async fn open(
    folder: &Path,
    cluster: &Cluster,
    secrets: Option<&Path>,
    options: Options,
) -> Result<Arc<dyn Log>, OpenError> {
    let secrets = secrets.map(Path::to_owned);
    Ok(KurrentStore::open(folder, cluster.clone(), secrets, options).await?)
}

/// Opens the log on a cluster to be read as it stands.
pub(crate) async fn read(cluster: &Cluster) -> Result<Box<dyn WholeLog>, OpenError> {
    Ok(Box::new(ClusterLog::open(cluster).await?))
}
