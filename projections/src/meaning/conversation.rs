//! What the events of a conversation mean.

use domain::{
    Kind,
    conversation::{ConversationEvent, ConversationStatus, Direction, Message},
};

use super::{told::Told, value::Value};
use crate::kit::wording::plain;

pub(super) fn tell<'a>(told: &mut Told<'a>, event: &'a ConversationEvent) {
    let status = told.word::<ConversationStatus>("status").unwrap_or_default().after(event);
    match event {
        ConversationEvent::Logged { contact, channel, message } => {
            say(told, &format!("conversation logged, channel {}: ", plain(channel)), message);
            told.is("contact", Value::thing(Kind::Contact, contact.0));
            told.is("channel", Value::word(channel));
            told.is("status", Value::word(status));
            keep(told, message);
        }
        ConversationEvent::Replied { message } => {
            say(told, "conversation: ", message);
            keep(told, message);
        }
        ConversationEvent::MessageRedacted { message, owner: _, ground } => {
            let ground = plain(ground);
            told.say(format_args!(
                "conversation: the text of a message was erased, on the ground of {ground}"
            ));
            told.is_about(*message);
            let which =
                told.number_of(*message).map_or_else(|| message.to_string(), |number| number.to_string());
            told.is(format!("message {which}, redacted"), format!("yes: {ground}"));
        }
        ConversationEvent::Resolved {} => {
            told.say("conversation resolved");
            told.is("status", Value::word(status));
        }
        ConversationEvent::Reopened {} => {
            told.say("conversation reopened");
            told.is("status", Value::word(status));
        }
        ConversationEvent::Voided {} => told.is_voided("conversation", "logged"),
    }
}

/// The sentence in which a message is told.
fn say<'a>(told: &mut Told<'a>, before: &str, message: &'a Message) {
    let what = match message.direction {
        Direction::Incoming => "the contact wrote",
        Direction::Outgoing => "staff wrote to the contact",
        Direction::Note => "staff noted among themselves",
    };
    let mentions = match message.mentions.len() {
        0 => String::new(),
        1 => ", mentioning 1 contact".to_owned(),
        count => format!(", mentioning {count} contacts"),
    };
    told.say(format_args!("{before}{what}{mentions}"));
    told.quote(message.text.as_ref());
}

/// The fields of a message, by its number in the conversation.
fn keep(told: &mut Told<'_>, message: &Message) {
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
