//! What the events of a fund mean.

use domain::fund::FundEvent;

use super::{said::part, told::Told};

pub(super) fn tell(told: &mut Told<'_>, event: &FundEvent) {
    match event {
        FundEvent::Opened { name, restriction } => {
            told.say(format_args!("fund {name} opened{}", part(", for ", restriction.as_ref())));
            told.is_called(name);
            told.may_be("restricted to", restriction.as_ref());
        }
        FundEvent::Renamed { name } => {
            told.say(format_args!("fund renamed {name}"));
            told.is_called(name);
        }
        FundEvent::Restricted { restriction: Some(restriction) } => {
            told.say(format_args!("fund restricted to {restriction}"));
            told.is("restricted to", restriction);
        }
        FundEvent::Restricted { restriction: None } => {
            told.say("fund made unrestricted");
            told.is_gone("restricted to");
        }
        FundEvent::Closed {} => {
            told.say("fund closed");
            told.is("closed", "yes");
        }
        FundEvent::Voided {} => told.is_voided("fund", "set up"),
    }
}
