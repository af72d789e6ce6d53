//! Moving: a whole log goes from a folder into a cluster, or back, event by event in the order in which it was
//! recorded, with its ids, revisions, times and writers, so that the ledger of the copy comes to the same root. Cut off
//! anywhere, the same copy goes on where it was.

pub(crate) mod cluster_log;
pub(crate) mod into_cluster;
pub(crate) mod out_of_cluster;
