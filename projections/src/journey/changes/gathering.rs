//! What the events of a gathering change.

use domain::{
    ContactId, Kind,
    gathering::{Attendance, GatheringEvent},
};

use super::{
    thing::NAME,
    told::Told,
    value::{Field, Value},
};
use crate::kit::wording::plain;

pub(super) fn tell(told: &mut Told<'_>, event: &GatheringEvent) {
    match event {
        GatheringEvent::Scheduled { name, gathering_type, program, cohort, starts_at, ends_at, place } => {
            told.is(NAME, name);
            told.is("type", gathering_type);
            told.may_be("program", program.map(|id| Value::thing(Kind::Program, id.0)));
            told.may_be("cohort", cohort.as_ref());
            told.may_be("begins", *starts_at);
            told.may_be("ends", *ends_at);
            told.may_be("place", place.as_ref());
        }
        GatheringEvent::Rescheduled { starts_at, ends_at } => {
            told.is("begins", *starts_at);
            told.is_or_is_not("ends", *ends_at);
        }
        GatheringEvent::Cancelled {} => told.is("cancelled", "yes"),
        // Whoever registers again after being excused means to come after all.
        GatheringEvent::StudentRegistered { contact } => {
            told.is(registration(*contact), "yes");
            told.is_or_is_not(presence(*contact), None::<&str>);
        }
        GatheringEvent::StudentAttended { contact, method } => {
            let attended = Value::word(Attendance::Attended);
            let noticed = method.map(|method| format!("noticed by {}", plain(method)));
            told.is(presence(*contact), Value { note: noticed, ..attended });
        }
        GatheringEvent::StudentExcused { contact } => {
            told.is(presence(*contact), Value::word(Attendance::Excused))
        }
        GatheringEvent::StudentMissed { contact } => {
            told.is(presence(*contact), Value::word(Attendance::Missed))
        }
        // What was said last is what was wrong: what came of it, else that they had registered.
        GatheringEvent::PresenceVoided { contact, fact } => {
            told.corrects(*fact);
            let came_of_it = told.has(&presence(*contact)) || !told.has(&registration(*contact));
            told.is_gone(if came_of_it { presence(*contact) } else { registration(*contact) });
        }
        GatheringEvent::HeadcountRecorded { people } => told.is("headcount", people.to_string()),
        GatheringEvent::Voided {} => told.is("voided", "yes: it was planned in error"),
    }
}

fn registration(contact: ContactId) -> Field {
    Field::of("registration of", Kind::Contact, contact.0)
}

fn presence(contact: ContactId) -> Field {
    Field::of("presence of", Kind::Contact, contact.0)
}
