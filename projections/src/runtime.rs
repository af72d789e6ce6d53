//! What every view is given: it is opened, follows the log, is asked, rebuilt, checked, looked back at in time, and
//! forgets who is erased.

pub(crate) mod check;
pub(crate) mod follower;
pub(crate) mod forgetting;
pub(crate) mod past;
pub(crate) mod rebuild;
pub(crate) mod snapshot;
pub(crate) mod view_file;
pub(crate) mod views;
