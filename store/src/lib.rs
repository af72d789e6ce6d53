//! WHERE IT IS KEPT: the event log behind the port of `domain`, and the keys that seal what is personal.
//!
//! A [`Log`] is kept in a folder of this machine or in a KurrentDB cluster ([`kurrent`], the only place that knows
//! its client).
//!
//! A [`DataFolder`] is a folder that this process has to itself. An [`EmbeddedStore`] keeps the log in it:
//!
//! | file | holds | if it is lost |
//! |---|---|---|
//! | `log.sqlite` | every event, in the order of recording | everything is lost |
//! | `log-index.sqlite` | which event of which stream lies where | it is written again from the log |
//! | `keys.sqlite`, `epoch-N.key` | the keys of personal values, wrapped | personal values stay sealed for ever |
//!
//! An append goes from its caller, who encodes it and seals it ([`sealing::values`]), through a bounded queue to the
//! one thread that writes ([`embedded::writer`]): it checks whatever waits, writes it in one transaction with one sync
//! and answers each. Nothing in that transaction costs more as the log grows, because it only ever adds at the
//! end. What is needed to find an event again is kept in memory ([`embedded::tail`]) until a second thread has written it
//! to the index in large sorted batches ([`embedded::indexer`]). This crate knows no rule about any kind of thing.

mod backup_outcome;
mod cluster;
mod copy_error;
mod copying;
mod embedded;
mod folder;
#[cfg(feature = "kurrentdb")]
mod kurrent;
mod log;
mod open_error;
mod options;
mod place;
mod read_only;
mod recording;
mod sealing;
mod sqlite;
mod troubles;
mod whole_log;
#[cfg(not(feature = "kurrentdb"))]
mod without_clusters;

// Whoever opens or copies a log asks one of the two, and need not know which.
#[cfg(feature = "kurrentdb")]
use kurrent as clusters;
#[cfg(not(feature = "kurrentdb"))]
use without_clusters as clusters;

pub use backup_outcome::{BackupError, Copied};
pub use cluster::{AddressError, Cluster};
pub use copy_error::CopyError;
pub use copying::{Side, copy, finish_copy, open_whole_log};
pub use embedded::{
    backup::restore,
    kept_answers::{AnswersHeld, check_answers},
    key_audit::{KeyAudit, LostKey},
    store::EmbeddedStore,
    stored_log::StoredLog,
    what_is_left::{Left, make_do_with_what_is_left},
};
pub use folder::data_folder::DataFolder;
#[cfg(feature = "kurrentdb")]
pub use kurrent::KurrentStore;
pub use log::{Document, Log, NodeStatus, Peer, Statistics};
pub use open_error::OpenError;
pub use options::{Faults, Options};
pub use place::{Place, open};
pub use sealing::{
    key_error::KeyError,
    keys::{KeyState, Keys},
    rotation::Rotated,
};
pub use troubles::Trouble;
pub use whole_log::{Each, WholeLog};
