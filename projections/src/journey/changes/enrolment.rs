//! What the events of an enrolment change.

use domain::{
    Kind,
    enrolment::{EnrolmentEvent, EnrolmentStatus},
};

use super::{told::Told, value::Value};

pub(super) fn tell(told: &mut Told<'_>, event: &EnrolmentEvent) {
    let status = told.word::<EnrolmentStatus>("status").unwrap_or_default().after(event);
    match event {
        EnrolmentEvent::Enrolled { contact, program, cohort, role } => {
            told.is("contact", Value::thing(Kind::Contact, contact.0));
            told.is("program", Value::thing(Kind::Program, program.0));
            told.may_be("cohort", cohort.as_ref());
            told.is("role", Value::word(role));
            told.is("status", Value::word(status));
        }
        EnrolmentEvent::Advanced { stage } => told.is("stage", stage),
        EnrolmentEvent::Completed { result } => {
            told.is("status", Value::word(status));
            told.is_or_is_not("result", result.as_ref());
        }
        EnrolmentEvent::Withdrawn {} => told.is("status", Value::word(status)),
        EnrolmentEvent::Reinstated {} => {
            told.is("status", Value::word(status));
            told.is_or_is_not("result", None::<&str>);
        }
        EnrolmentEvent::Corrected { fact, cohort, role } => {
            told.corrects(*fact);
            told.may_be("cohort", cohort.as_ref());
            told.may_be("role", role.map(Value::word));
        }
        EnrolmentEvent::Voided {} => told.is("voided", "yes: it was recorded in error"),
    }
}
