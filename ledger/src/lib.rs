//! WHAT CAN BE PROVEN: that no event was altered, left out, put in or moved since it was recorded.
//!
//! Every stored event is a leaf ([`leaf`]) of an append-only Merkle tree ([`merkle`], RFC 9162). The hashes of the
//! tree lie in `ledger/` ([`hashes`]); at intervals a [`Keeper`] signs how many events there are and what their
//! root is ([`checkpoint`], a signed note of C2SP). A checkpoint that somebody keeps elsewhere pins everything
//! that was recorded before it: [`verification`] finds the first event that is not what it was, and a [`bundle`]
//! proves single events to somebody who has nothing but the public key.
//!
//! The ledger is not a view: it is never deleted, rebuilt or migrated by the program. Like a view, it follows the
//! log behind the writer, which never waits for it. This crate knows the port of the log and nothing else.

pub mod bundle;
pub mod checkpoint;
mod hashes;
mod keeper;
pub mod leaf;
mod ledger;
pub mod merkle;
pub mod note;
mod sequences;
pub mod tile;
pub mod verification;

pub use keeper::Keeper;
pub use ledger::{Ledger, LedgerError, hashed};
