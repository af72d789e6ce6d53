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
//! An append goes from its caller, who encodes it and seals it ([`sealing`]), through a bounded queue to the
//! one thread that writes ([`writer`]): it checks whatever waits, writes it in one transaction with one sync
//! and answers each. Nothing in that transaction costs more as the log grows, because it only ever adds at the
//! end. What is needed to find an event again is kept in memory ([`tail`]) until a second thread has written it
//! to the index in large sorted batches ([`indexer`]). This crate knows no rule about any kind of thing.

mod backup;
mod clock;
mod cluster;
mod copying;
mod embedded;
mod epochs;
mod erasures;
mod folder;
mod index;
mod indexer;
mod keys;
#[cfg(feature = "kurrentdb")]
mod kurrent;
mod log;
mod log_file;
mod open_error;
mod options;
mod prepared;
mod readers;
mod rotation;
mod sealing;
mod shared;
mod stored;
mod stored_log;
mod tail;
mod writer;

pub use backup::{BackupError, Copied, restore};
pub use cluster::{AddressError, Cluster};
pub use copying::{CopyError, Side, WholeLog, copy, finish_copy};
pub use embedded::{EmbeddedStore, Statistics};
pub use folder::DataFolder;
pub use keys::{KeyError, KeyState, Keys};
#[cfg(feature = "kurrentdb")]
pub use kurrent::KurrentStore;
pub use log::{Document, Log, Peer, Place, Standing};
pub use open_error::OpenError;
pub use options::{Faults, Options};
pub use rotation::Rotated;
pub use stored_log::StoredLog;
