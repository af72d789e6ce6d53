//! Carrying commands out: how they come in, who may send them, and the one loop that loads, decides, appends and
//! retries for all kinds. It knows none of them.

pub mod command;
mod commands;
mod deciding;
mod description;
mod envelope;
mod error;
mod gates;
mod registry;
mod repetition;
mod request;
mod rights;
mod stream;
#[cfg(test)]
mod tests;

pub use command::{BatchLine, Body, Command, Fields, Malformed, Sender};
pub use commands::Commands;
pub(crate) use commands::Kinds;
pub use description::KindDescription;
pub use error::CommandError;
pub use registry::Registry;
pub use request::Request;
