//! WHAT MAY HAPPEN: for every kind of thing, what can be asked of it and what follows.
//!
//! One file per kind holds its state, its commands, its rejections, who may send them, `decide` and `evolve`,
//! in that order; what their authors read is in [`kit`]. The one loop in [`execution`] loads, decides, appends
//! and retries for all of them.

pub mod contact;
pub mod conversation;
pub mod deal;
pub mod disclosure;
pub mod enrolment;
pub mod execution;
pub mod fund;
pub mod gathering;
pub mod gift;
pub mod kit;
pub mod lead;
pub mod member;
pub mod program;
pub mod setting;

use std::sync::Arc;

use domain::EventStore;
pub use execution::{
    BatchLine, Body, Command, CommandError, Commands, Fields, KindDescription, Malformed, Registry, Request,
    Sender, command,
};
pub use kit::{
    decider::{self, Decider, Decision, Given, Past},
    text,
};

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

impl Commands {
    /// All kinds of commands against a log.
    pub fn new(store: Arc<dyn EventStore>) -> Self {
        let mut kinds = execution::Kinds::default();
        all(&mut kinds);
        Self::with(kinds, store)
    }
}
