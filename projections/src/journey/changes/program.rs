//! What the events of a program change.

use domain::{Kind, program::ProgramEvent};

use super::{thing::NAME, told::Told, value::Value};

pub(super) fn tell(told: &mut Told<'_>, event: &ProgramEvent) {
    match event {
        ProgramEvent::Started { name, starts_on, ends_on, fund } => {
            told.is(NAME, name);
            told.may_be("first day", *starts_on);
            told.may_be("last day", *ends_on);
            told.may_be("fund", fund.map(|id| Value::thing(Kind::Fund, id.0)));
        }
        ProgramEvent::Renamed { name } => told.is(NAME, name),
        ProgramEvent::Rescheduled { starts_on, ends_on } => {
            told.is_or_is_not("first day", *starts_on);
            told.is_or_is_not("last day", *ends_on);
        }
        ProgramEvent::Funded { fund } => told.is("fund", Value::thing(Kind::Fund, fund.0)),
        ProgramEvent::Ended {} => told.is("ended", "yes"),
        ProgramEvent::Voided {} => told.is("voided", "yes: it was set up in error"),
    }
}
