//! The keys of a log on a cluster: wrapped, they stand in streams of it, and each node has a copy; the keys of the epochs,
//! which wrap them, are files of each node and never in the cluster.

pub(crate) mod epoch_notice;
pub(crate) mod fingerprint;
pub(crate) mod mirror;
pub(crate) mod new_epoch;
pub(crate) mod shared_secrets;
pub(crate) mod sharing;
pub(crate) mod streams;
