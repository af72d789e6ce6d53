//! What every view is given: it is opened, follows the log, is asked, rebuilt, checked, looked back at in time, and
//! forgets who is erased.

pub(crate) mod check;
mod follower;
pub(crate) mod forgetting;
mod past;
mod past_files;
pub(crate) mod question;
pub(crate) mod rebuild;
pub(crate) mod served;
pub(crate) mod shared;
pub(crate) mod snapshot;
pub(crate) mod view_file;
pub(crate) mod views;
