//! x
/// x
pub struct ClusterCopy;
