//! What the events of an enrolment change.

use domain::{Kind, enrolment::EnrolmentEvent};

use super::{told::Told, value::Value};

pub(super) fn tell(told: &mut Told<'_>, event: &EnrolmentEvent) {
    match event {
        EnrolmentEvent::Enrolled { contact, program, cohort, role } => {
            told.is("contact", Value::thing(Kind::Contact, contact.0));
            told.is("program", Value::thing(Kind::Program, program.0));
            told.may_be("cohort", cohort.as_ref());
            told.is("role", Value::word(role));
            told.is("status", "enrolled");
        }
        EnrolmentEvent::Advanced { stage } => told.is("stage", stage),
        EnrolmentEvent::Completed { result } => {
            told.is("status", "completed");
            told.is_or_is_not("result", result.as_ref());
        }
        EnrolmentEvent::Withdrawn {} => told.is("status", "withdrawn"),
        EnrolmentEvent::Reinstated {} => {
            told.is("status", "enrolled");
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
