//! What an event changed: every field that it speaks of, before and after.
//!
//! Nothing of this is kept in tables. The events of a thing are folded from its first one whenever somebody
//! asks, so that what has been erased is erased here too. One file per kind says what its events mean for the
//! fields; each matches every event, so that a new one must say what it changes.

use domain::{Event, Recorded};

mod contact;
mod conversation;
mod deal;
mod disclosure;
mod enrolment;
mod fund;
mod gathering;
mod gift;
mod lead;
mod member;
mod program;
mod setting;
#[cfg(test)]
mod tests;
mod thing;
mod told;
mod value;

pub(crate) use thing::{Change, Changed, Fact, Renamed, Standing, Thing, is_named, is_shared};
pub(crate) use value::{Content, Field, Value};

use told::Told;

impl Thing {
    /// Folds its next event; what that changed.
    pub(crate) fn apply(&mut self, recorded: &Recorded) -> Changed {
        let mut told = Told::new(self, recorded);
        match &recorded.event {
            Event::Contact(event) => contact::tell(&mut told, event),
            Event::Lead(event) => lead::tell(&mut told, event),
            Event::Deal(event) => deal::tell(&mut told, event),
            Event::Conversation(event) => conversation::tell(&mut told, event),
            Event::Program(event) => program::tell(&mut told, event),
            Event::Enrolment(event) => enrolment::tell(&mut told, event),
            Event::Gathering(event) => gathering::tell(&mut told, event),
            Event::Gift(event) => gift::tell(&mut told, event),
            Event::Fund(event) => fund::tell(&mut told, event),
            Event::Member(event) => member::tell(&mut told, event),
            Event::Setting(event) => setting::tell(&mut told, event),
            Event::Disclosure(event) => disclosure::tell(&mut told, event),
        }
        told.finish()
    }
}
