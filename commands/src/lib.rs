//! WHAT MAY HAPPEN: for every kind of thing, what can be asked of it and what follows.
//!
//! One file per kind holds its state, its commands, its rejections, who may send them, `decide` and `evolve`,
//! in that order. The one loop in [`execution`] loads, decides, appends and retries for all of them.

pub mod command;
pub mod contact;
pub mod conversation;
pub mod deal;
pub mod decider;
mod description;
pub mod disclosure;
pub mod enrolment;
pub mod execution;
mod field;
pub mod fund;
mod gates;
pub mod gathering;
pub mod gift;
mod identity;
pub mod lead;
pub mod member;
pub mod program;
pub mod setting;
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
    registry.register::<contact::Contact>();
    registry.register::<lead::Lead>();
    registry.register::<deal::Deal>();
    registry.register::<conversation::Conversation>();
    registry.register::<program::Program>();
    registry.register::<enrolment::Enrolment>();
    registry.register::<gathering::Gathering>();
    registry.register::<gift::Gift>();
    registry.register::<fund::Fund>();
    registry.register::<member::Member>();
    registry.register::<setting::Setting>();
    registry.register::<disclosure::Disclosure>();
}
