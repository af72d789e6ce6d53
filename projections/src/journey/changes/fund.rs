//! What the events of a fund change.

use domain::fund::FundEvent;

use super::{thing::NAME, told::Told};

pub(super) fn tell(told: &mut Told<'_>, event: &FundEvent) {
    match event {
        FundEvent::Opened { name, restriction } => {
            told.is(NAME, name);
            told.may_be("restricted to", restriction.as_ref());
        }
        FundEvent::Renamed { name } => told.is(NAME, name),
        FundEvent::Restricted { restriction: Some(restriction) } => told.is("restricted to", restriction),
        FundEvent::Restricted { restriction: None } => told.is_gone("restricted to"),
        FundEvent::Closed {} => told.is("closed", "yes"),
        FundEvent::Voided {} => told.is("voided", "yes: it was set up in error"),
    }
}
