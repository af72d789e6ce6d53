//! THE APPLICATION: what joins log, views, keys and ledger, and who may have it, for whoever comes in by whichever door.
//! It knows no HTTP and no terminal; its errors are [`Error`], which each door turns into its own words.

pub mod caller;
pub(crate) mod clock;
pub mod cloud_event;
pub mod disclosures;
pub mod erasures;
pub mod error;
pub mod events;
pub mod granting;
pub mod history;
pub mod maintenance;
pub mod proofs;
pub mod questions;
pub mod rapport;
pub mod readiness;
mod recorded_tokens;
pub mod sending;
pub mod subject;
pub mod token;
pub mod tokens;
pub mod unsubscribe;
pub mod unsubscribe_link;
pub mod what_is_left;
pub mod witness;

pub use self::{caller::Caller, error::Error, rapport::Rapport};
