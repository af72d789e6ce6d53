//! What events mean to people: the sentence in which each is told, and every field that it speaks of.
//!
//! One file per kind says both, event by event, and matches every event, so that a new one must say what it means.
//! The view of history keeps the sentence. What a field was before is kept nowhere: the events of a thing are folded
//! from its first one whenever somebody asks for a journey, so that what has been erased is erased there too.

use domain::{Event, Recorded};

use crate::kit::ApplyError;

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
mod said;
mod setting;
#[cfg(test)]
mod tests;
mod thing;
mod told;
mod value;

pub(crate) use said::{Names, Said};
pub(crate) use thing::{Change, Changed, Fact, Standing, Thing, can_be_renamed, is_shared};
pub(crate) use value::{Content, Field, Value};

use told::Told;

/// The event in one plain sentence.
pub(crate) fn sentence<'a>(names: &'a dyn Names, recorded: &'a Recorded) -> Result<Said<'a>, ApplyError> {
    let mut told = Told::in_a_sentence(names, recorded);
    tell(&mut told, &recorded.event);
    told.said()
}

impl Thing {
    /// Folds its next event; what that changed.
    pub(crate) fn apply(&mut self, recorded: &Recorded) -> Changed {
        let mut told = Told::of_a_thing(self, recorded);
        tell(&mut told, &recorded.event);
        told.changed()
    }
}

/// One line per kind.
fn tell<'a>(told: &mut Told<'a>, event: &'a Event) {
    match event {
        Event::Contact(event) => contact::tell(told, event),
        Event::Lead(event) => lead::tell(told, event),
        Event::Deal(event) => deal::tell(told, event),
        Event::Conversation(event) => conversation::tell(told, event),
        Event::Program(event) => program::tell(told, event),
        Event::Enrolment(event) => enrolment::tell(told, event),
        Event::Gathering(event) => gathering::tell(told, event),
        Event::Gift(event) => gift::tell(told, event),
        Event::Fund(event) => fund::tell(told, event),
        Event::Member(event) => member::tell(told, event),
        Event::Setting(event) => setting::tell(told, event),
        Event::Disclosure(event) => disclosure::tell(told, event),
    }
}
