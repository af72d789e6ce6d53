//! What the events of a gathering mean.

use domain::{
    ContactId, Kind,
    gathering::{Attendance, GatheringEvent},
};

use super::{
    said::part,
    told::Told,
    value::{Field, Value},
};
use crate::kit::wording::{moment, plain};

pub(super) fn tell(told: &mut Told<'_>, event: &GatheringEvent) {
    if let GatheringEvent::Scheduled { name, .. } = event {
        told.is_called(name);
    }
    let called = told.name();
    match event {
        GatheringEvent::Scheduled { .. } => tell_scheduled(told, &called, event),
        GatheringEvent::Rescheduled { starts_at, ends_at } => {
            let until = part(", until ", ends_at.map(moment));
            told.say(format_args!("{called} rescheduled to {}{until}", moment(*starts_at)));
            told.is("begins", *starts_at);
            told.is_or_is_not("ends", *ends_at);
        }
        GatheringEvent::Cancelled {} => {
            told.say(format_args!("{called} cancelled"));
            told.is("cancelled", "yes");
        }
        // Whoever registers again after being excused means to come after all.
        GatheringEvent::StudentRegistered { contact } => {
            told.say(format_args!("registered for {called}"));
            told.is(registration(*contact), "yes");
            told.is_or_is_not(presence(*contact), None::<&str>);
        }
        GatheringEvent::StudentAttended { contact, method } => {
            let noticed = method.map(|method| format!("noticed by {}", plain(method)));
            told.say(format_args!("attended {called}{}", part(", ", noticed.as_ref())));
            told.is(presence(*contact), Value { note: noticed, ..Value::word(Attendance::Attended) });
        }
        GatheringEvent::StudentExcused { contact } => {
            told.say(format_args!("excused from {called}"));
            told.is(presence(*contact), Value::word(Attendance::Excused));
        }
        GatheringEvent::StudentMissed { contact } => {
            told.say(format_args!("missed {called}"));
            told.is(presence(*contact), Value::word(Attendance::Missed));
        }
        // What was said last is what was wrong: what came of it, else that they had registered.
        GatheringEvent::PresenceVoided { contact, fact } => {
            told.say(format_args!("presence at {called} voided: it was recorded in error"));
            told.corrects(*fact);
            let came_of_it = told.has(&presence(*contact)) || !told.has(&registration(*contact));
            told.is_gone(if came_of_it { presence(*contact) } else { registration(*contact) });
        }
        GatheringEvent::HeadcountRecorded { people } => {
            told.say(format_args!("{people} people counted at {called}"));
            told.is("headcount", people.to_string());
        }
        GatheringEvent::Voided {} => told.is_voided(called, "planned"),
    }
}

fn tell_scheduled(told: &mut Told<'_>, called: &str, event: &GatheringEvent) {
    let GatheringEvent::Scheduled { name: _, gathering_type, program, cohort, starts_at, ends_at, place } =
        event
    else {
        return;
    };
    let program_name = program.map(|program| told.name_of(program.0));
    told.say(format_args!(
        "{gathering_type} {called} scheduled{}{}{}{}{}",
        part(" from ", starts_at.map(moment)),
        part(" to ", ends_at.map(moment)),
        part(" at ", place.as_ref()),
        part(", program ", program_name),
        part(", cohort ", cohort.as_ref())
    ));
    told.is("type", gathering_type);
    told.may_be("program", program.map(|id| Value::thing(Kind::Program, id.0)));
    told.may_be("cohort", cohort.as_ref());
    told.may_be("begins", *starts_at);
    told.may_be("ends", *ends_at);
    told.may_be("place", place.as_ref());
}

fn registration(contact: ContactId) -> Field {
    Field::of("registration of", Kind::Contact, contact.0)
}

fn presence(contact: ContactId) -> Field {
    Field::of("presence of", Kind::Contact, contact.0)
}
