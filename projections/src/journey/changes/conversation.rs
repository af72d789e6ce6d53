//! What the events of a conversation change.

use domain::{
    Kind,
    conversation::{ConversationEvent, ConversationStatus, Direction, Message},
};

use super::{told::Told, value::Value};
use crate::kit::wording::plain;

pub(super) fn tell(told: &mut Told<'_>, event: &ConversationEvent) {
    let status = told.word::<ConversationStatus>("status").unwrap_or_default().after(event);
    match event {
        ConversationEvent::Logged { contact, channel, message } => {
            told.is("contact", Value::thing(Kind::Contact, contact.0));
            told.is("channel", Value::word(channel));
            told.is("status", Value::word(status));
            said(told, message);
        }
        ConversationEvent::Replied { message } => said(told, message),
        ConversationEvent::MessageRedacted { message, owner: _, ground } => {
            let which =
                told.number_of(*message).map_or_else(|| message.to_string(), |number| number.to_string());
            told.is(format!("message {which}, redacted"), format!("yes: {}", plain(ground)));
        }
        ConversationEvent::Resolved {} | ConversationEvent::Reopened {} => {
            told.is("status", Value::word(status));
        }
        ConversationEvent::Voided {} => told.is("voided", "yes: it was logged in error"),
    }
}

fn said(told: &mut Told<'_>, message: &Message) {
    let Message { direction, author, to, member, text, reply_to, mentions } = message;
    let number = told.number();
    let way = match direction {
        Direction::Incoming => "received",
        Direction::Outgoing => "sent",
        Direction::Note => "note among staff",
    };
    let field = |part: &str| format!("message {number}{part}");
    told.is(field(""), text.as_ref().map_or_else(|| "without text".into(), Value::from).noting(way));
    let author = author.map(|id| Value::thing(Kind::Contact, id.0));
    told.may_be(field(", by"), author.or_else(|| member.map(|id| Value::thing(Kind::Member, id.0))));
    told.may_be(field(", to"), to.map(|id| Value::thing(Kind::Contact, id.0)));
    let answered = reply_to.map(|event| {
        told.number_of(event).map_or_else(|| format!("event {event}"), |number| format!("message {number}"))
    });
    told.may_be(field(", answers"), answered);
    if !mentions.is_empty() {
        let mentions = mentions.iter().map(|id| Value::thing(Kind::Contact, id.0)).collect();
        told.set(field(", mentions").into(), mentions);
    }
}
