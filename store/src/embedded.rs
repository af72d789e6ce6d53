//! The log in a data folder of this machine: one file of SQLite that only ever grows at its end, its index, and the threads
//! that write both.

pub(crate) mod backup;
pub(crate) mod erasures;
pub(crate) mod index;
pub(crate) mod index_watch;
pub(crate) mod indexer;
pub(crate) mod kept_answers;
pub(crate) mod key_audit;
pub(crate) mod log_file;
pub(crate) mod readers;
pub(crate) mod rows;
pub(crate) mod shared;
pub(crate) mod store;
pub(crate) mod stored_log;
pub(crate) mod tail;
pub(crate) mod what_is_left;
pub(crate) mod writer;
