//! What the events of a program mean.

use domain::{Kind, program::ProgramEvent};

use super::{said::part, told::Told, value::Value};

pub(super) fn tell(told: &mut Told<'_>, event: &ProgramEvent) {
    match event {
        ProgramEvent::Started { name, starts_on, ends_on, fund } => {
            told.is_called(name);
            let fund_name = fund.map(|fund| told.name_of(fund.0));
            told.say(format_args!(
                "program {name} started{}{}{}",
                part(", first day ", starts_on.as_ref()),
                part(", last day ", ends_on.as_ref()),
                part(", paid for by ", fund_name)
            ));
            told.may_be("first day", *starts_on);
            told.may_be("last day", *ends_on);
            told.may_be("fund", fund.map(|id| Value::thing(Kind::Fund, id.0)));
        }
        ProgramEvent::Renamed { name } => {
            told.say(format_args!("program renamed {name}"));
            told.is_called(name);
        }
        ProgramEvent::Rescheduled { starts_on, ends_on } => {
            told.say(format_args!(
                "program rescheduled{}{}",
                part(", first day ", starts_on.as_ref()),
                part(", last day ", ends_on.as_ref())
            ));
            told.is_or_is_not("first day", *starts_on);
            told.is_or_is_not("last day", *ends_on);
        }
        ProgramEvent::Funded { fund } => {
            let fund_name = told.name_of(fund.0);
            told.say(format_args!("program paid for by {fund_name}"));
            told.is("fund", Value::thing(Kind::Fund, fund.0));
        }
        ProgramEvent::Ended {} => {
            told.say("program ended");
            told.is("ended", "yes");
        }
        ProgramEvent::Voided {} => told.is_voided("program", "set up"),
    }
}
