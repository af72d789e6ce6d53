//! What the events of a deal change.

use domain::{
    Kind,
    deal::{DealCorrection, DealEvent},
};

use super::{told::Told, value::Value};

pub(super) fn tell(told: &mut Told<'_>, event: &DealEvent) {
    let at = told.recorded.happened_at();
    match event {
        DealEvent::Opened { contact, owner, product, value, stage, lead } => {
            told.is("stage", stage);
            told.may_be("contact", contact.map(|id| Value::thing(Kind::Contact, id.0)));
            told.may_be("product", product.as_ref());
            told.may_be("value", *value);
            told.may_be("owner", owner.map(|id| Value::thing(Kind::Member, id.0)));
            told.may_be("lead", lead.map(|id| Value::thing(Kind::Lead, id.0)));
            told.is("opened", at);
        }
        DealEvent::Advanced { stage } => told.is("stage", stage),
        DealEvent::Converted { value } => {
            told.may_be("stage", event.stage());
            told.may_be("value", *value);
            told.is("closed", at);
        }
        DealEvent::Lost { because } => {
            told.may_be("stage", event.stage());
            told.is_or_is_not("lost because", because.as_ref());
            told.is("closed", at);
        }
        DealEvent::Reopened { stage } => {
            told.is("stage", stage);
            told.is_or_is_not("lost because", None::<&str>);
            told.is_or_is_not("closed", None::<&str>);
        }
        DealEvent::Corrected { fact, correction } => {
            let DealCorrection { contact, owner, product, value, opened_at, closed_at } = correction;
            told.corrects(*fact);
            told.may_be("contact", contact.map(|id| Value::thing(Kind::Contact, id.0)));
            told.may_be("product", product.as_ref());
            told.may_be("value", *value);
            told.may_be("owner", owner.map(|id| Value::thing(Kind::Member, id.0)));
            told.may_be("opened", *opened_at);
            told.may_be("closed", *closed_at);
        }
        DealEvent::Voided {} => told.is("voided", "yes: it was opened in error"),
    }
}
