//! What the events of a deal mean.

use domain::{
    Kind,
    deal::{DealCorrection, DealEvent},
};

use super::{said::part, told::Told, value::Value};
use crate::kit::wording::amount;

pub(super) fn tell(told: &mut Told<'_>, event: &DealEvent) {
    let at = told.recorded.shown_at();
    match event {
        DealEvent::Opened { contact, owner, product, value, stage, lead } => {
            let owner_name = owner.map(|owner| told.name_of(owner.0));
            told.say(format_args!(
                "deal opened at {stage}{}{}{}{}",
                part(" for ", product.as_ref()),
                part(", expected ", value.map(amount)),
                part(", owner ", owner_name),
                part(", out of lead ", lead.as_ref())
            ));
            told.is("stage", stage);
            told.may_be("contact", contact.map(|id| Value::thing(Kind::Contact, id.0)));
            told.may_be("product", product.as_ref());
            told.may_be("value", *value);
            told.may_be("owner", owner.map(|id| Value::thing(Kind::Member, id.0)));
            told.may_be("lead", lead.map(|id| Value::thing(Kind::Lead, id.0)));
            told.is("opened", at);
        }
        DealEvent::Advanced { stage } => {
            told.say(format_args!("deal advanced to {stage}"));
            told.is("stage", stage);
        }
        DealEvent::Converted { value } => {
            told.say(format_args!("deal converted{}", part(" for ", value.map(amount))));
            told.may_be("stage", event.stage());
            told.may_be("value", *value);
            told.is("closed", at);
        }
        DealEvent::Lost { because } => {
            told.say(format_args!("deal lost{}", part(": ", because.as_ref())));
            told.may_be("stage", event.stage());
            told.is_or_is_not("lost because", because.as_ref());
            told.is("closed", at);
        }
        DealEvent::Reopened { stage } => {
            told.say(format_args!("deal reopened at {stage}"));
            told.is("stage", stage);
            told.is_or_is_not("lost because", None::<&str>);
            told.is_or_is_not("closed", None::<&str>);
        }
        DealEvent::Corrected { fact, correction } => {
            let DealCorrection { contact, owner, product, value, opened_at, closed_at } = correction;
            told.say("deal corrected:");
            told.corrects(*fact);
            told.really_is("contact", contact.map(|id| Value::thing(Kind::Contact, id.0)));
            told.really_is("owner", owner.map(|id| Value::thing(Kind::Member, id.0)));
            told.really_is("product", product.as_ref());
            told.really_is("value", *value);
            told.really_is("opened", *opened_at);
            told.really_is("closed", *closed_at);
        }
        DealEvent::Voided {} => told.is_voided("deal", "opened"),
    }
}
