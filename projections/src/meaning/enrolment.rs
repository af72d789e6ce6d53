//! What the events of an enrolment mean.

use domain::{
    Kind,
    enrolment::{EnrolmentEvent, EnrolmentStatus},
};

use super::{said::part, told::Told, value::Value};
use crate::kit::wording::plain;

pub(super) fn tell(told: &mut Told<'_>, event: &EnrolmentEvent) {
    let status = told.word::<EnrolmentStatus>("status").unwrap_or_default().after(event);
    match event {
        EnrolmentEvent::Enrolled { contact, program, cohort, role } => {
            let called = told.name_of(program.0);
            let cohort_named = part(", cohort ", cohort.as_ref());
            told.say(format_args!("enrolled in {called} as {}{cohort_named}", plain(role)));
            told.is("contact", Value::thing(Kind::Contact, contact.0));
            told.is("program", Value::thing(Kind::Program, program.0));
            told.may_be("cohort", cohort.as_ref());
            told.is("role", Value::word(role));
            told.is("status", Value::word(status));
        }
        EnrolmentEvent::Advanced { stage } => {
            told.say(format_args!("enrolment advanced to {stage}"));
            told.is("stage", stage);
        }
        EnrolmentEvent::Completed { result } => {
            told.say(format_args!("enrolment completed{}", part(": ", result.as_ref())));
            told.is("status", Value::word(status));
            told.is_or_is_not("result", result.as_ref());
        }
        EnrolmentEvent::Withdrawn {} => {
            told.say("enrolment withdrawn");
            told.is("status", Value::word(status));
        }
        EnrolmentEvent::Reinstated {} => {
            told.say("enrolment reinstated");
            told.is("status", Value::word(status));
            told.is_or_is_not("result", None::<&str>);
        }
        EnrolmentEvent::Corrected { fact, cohort, role } => {
            told.say("enrolment corrected:");
            told.corrects(*fact);
            told.really_is("cohort", cohort.as_ref());
            told.really_is("role", role.map(Value::word));
        }
        EnrolmentEvent::Voided {} => told.is_voided("enrolment", "recorded"),
    }
}
