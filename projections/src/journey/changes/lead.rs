//! What the events of a lead change.

use domain::{Kind, lead::LeadEvent};

use super::{told::Told, value::Value};

pub(super) fn tell(told: &mut Told<'_>, event: &LeadEvent) {
    match event {
        LeadEvent::Captured { contact, source, conversation, interest } => {
            told.is("contact", Value::thing(Kind::Contact, contact.0));
            told.is("status", "new");
            told.is("source", source);
            told.is("captured", told.recorded.happened_at());
            told.may_be("interest", interest.as_ref());
            told.may_be("conversation", conversation.map(|id| Value::thing(Kind::Conversation, id.0)));
        }
        LeadEvent::Assigned { owner } => {
            told.is("owner", Value::thing(Kind::Member, owner.0));
            if told.values(&"status".into()) == ["new".into()] {
                told.is("status", "contacted");
            }
        }
        LeadEvent::Qualified { score } => {
            status(told, "qualified");
            told.may_be("score", score.map(|score| score.to_string()));
            told.is_or_is_not("disqualified because", None::<&str>);
        }
        LeadEvent::Disqualified { because } => {
            status(told, "disqualified");
            told.is("disqualified because", Value::word(because));
        }
        LeadEvent::Converted { deal, value } => {
            told.is("status", "converted");
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

/// What has become a deal stays converted, whatever is said about the lead afterwards.
fn status(told: &mut Told<'_>, status: &str) {
    told.is("status", if told.has(&"deal".into()) { "converted" } else { status });
}
