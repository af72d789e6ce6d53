//! What the events of a lead mean.

use domain::{
    Kind,
    lead::{LeadEvent, LeadStatus},
};

use super::{said::part, told::Told, value::Value};
use crate::kit::wording::{amount, plain};

pub(super) fn tell<'a>(told: &mut Told<'a>, event: &'a LeadEvent) {
    let before: LeadStatus = told.word("status").unwrap_or_default();
    let status = before.after(event);
    match event {
        LeadEvent::Captured { contact, source, conversation, interest } => {
            let out_of = part(", out of conversation ", conversation.as_ref());
            told.say(format_args!("lead captured from {source}{out_of}"));
            told.quote(interest.as_ref());
            told.is("contact", Value::thing(Kind::Contact, contact.0));
            told.is("status", Value::word(status));
            told.is("source", source);
            told.is("captured", told.recorded.shown_at());
            told.may_be("interest", interest.as_ref());
            told.may_be("conversation", conversation.map(|id| Value::thing(Kind::Conversation, id.0)));
        }
        LeadEvent::Assigned { owner } => {
            let owner_name = told.name_of(owner.0);
            told.say(format_args!("lead assigned to {owner_name}"));
            told.is("owner", Value::thing(Kind::Member, owner.0));
            if status != before {
                told.is("status", Value::word(status));
            }
        }
        LeadEvent::Qualified { score } => {
            told.say(format_args!("lead qualified{}", part(" with score ", score.as_ref())));
            told.is("status", Value::word(status));
            told.may_be("score", score.map(|score| score.to_string()));
            told.is_or_is_not("disqualified because", None::<&str>);
        }
        LeadEvent::Disqualified { because } => {
            told.say(format_args!("lead disqualified: {}", plain(because)));
            told.is("status", Value::word(status));
            told.is("disqualified because", Value::word(because));
        }
        LeadEvent::Converted { deal, value } => {
            let expected = part(", expected ", value.map(amount));
            told.say(format_args!("lead converted to deal {deal}{expected}"));
            told.is("status", Value::word(status));
            told.is("deal", Value::thing(Kind::Deal, deal.0));
            told.may_be("expected value", *value);
            told.is_or_is_not("disqualified because", None::<&str>);
        }
        LeadEvent::Corrected { fact, source, contact } => {
            told.say("lead corrected:");
            told.corrects(*fact);
            told.really_is("source", source.as_ref());
            told.really_is("contact", contact.map(|id| Value::thing(Kind::Contact, id.0)));
        }
        LeadEvent::Voided {} => told.is_voided("lead", "captured"),
    }
}
