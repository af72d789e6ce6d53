//! What the events of a lead change.

use domain::{
    Kind,
    lead::{LeadEvent, LeadStatus},
};

use super::{told::Told, value::Value};

pub(super) fn tell(told: &mut Told<'_>, event: &LeadEvent) {
    let before: LeadStatus = told.word("status").unwrap_or_default();
    let status = before.after(event);
    match event {
        LeadEvent::Captured { contact, source, conversation, interest } => {
            told.is("contact", Value::thing(Kind::Contact, contact.0));
            told.is("status", Value::word(status));
            told.is("source", source);
            told.is("captured", told.recorded.happened_at());
            told.may_be("interest", interest.as_ref());
            told.may_be("conversation", conversation.map(|id| Value::thing(Kind::Conversation, id.0)));
        }
        LeadEvent::Assigned { owner } => {
            told.is("owner", Value::thing(Kind::Member, owner.0));
            if status != before {
                told.is("status", Value::word(status));
            }
        }
        LeadEvent::Qualified { score } => {
            told.is("status", Value::word(status));
            told.may_be("score", score.map(|score| score.to_string()));
            told.is_or_is_not("disqualified because", None::<&str>);
        }
        LeadEvent::Disqualified { because } => {
            told.is("status", Value::word(status));
            told.is("disqualified because", Value::word(because));
        }
        LeadEvent::Converted { deal, value } => {
            told.is("status", Value::word(status));
            told.is("deal", Value::thing(Kind::Deal, deal.0));
            told.may_be("expected value", *value);
            told.is_or_is_not("disqualified because", None::<&str>);
        }
        LeadEvent::Corrected { fact, source, contact } => {
            told.corrects(*fact);
            told.may_be("source", source.as_ref());
            told.may_be("contact", contact.map(|id| Value::thing(Kind::Contact, id.0)));
        }
        LeadEvent::Voided {} => told.is("voided", "yes: it was captured in error"),
    }
}
