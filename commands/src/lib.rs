//! WHAT MAY HAPPEN: for every kind of thing, what can be asked of it and what follows.
//!
//! One file per kind holds its state, its commands, its rejections, who may send them, `decide` and `evolve`,
//! in that order. The one loop in [`execution`] loads, decides, appends and retries for all of them.

pub mod command;
pub mod deal;
pub mod decider;
mod description;
pub mod execution;
mod field;
mod identity;
mod stream_execution;
#[cfg(test)]
mod testing;
pub mod text;

pub use command::{BatchLine, Body, Command, Malformed, Sender};
pub use decider::{Decider, Decision, Given, Past};
pub use description::KindDescription;
pub use execution::{CommandError, Commands, Registry};

/// Every decider, one line each.
pub fn all(registry: &mut impl Registry) {
    registry.register::<deal::Deal>();
}
