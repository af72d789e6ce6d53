//! What follows from the commands to conversations, in sentences.

use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::kit::testing::{Scenario, given};

const ANN: ContactId = ContactId(Uuid::from_u128(1));
const BEN: ContactId = ContactId(Uuid::from_u128(2));
const MEMBER: MemberId = MemberId(Uuid::from_u128(3));

/// The n-th event of a scenario.
fn nth(n: usize) -> EventId {
    Scenario::<Conversation>::event_id(n)
}

fn incoming(author: ContactId, key: EventId, text: &str) -> Message {
    Message {
        direction: Direction::Incoming,
        author: Some(author),
        to: None,
        member: None,
        text: Some(Personal::with_key(author, key.0, text.into())),
        reply_to: None,
        mentions: Vec::new(),
    }
}

fn logged() -> ConversationEvent {
    let message = incoming(ANN, nth(0), "Nobody answers!");
    ConversationEvent::Logged { contact: ANN, channel: Channel::Email, message }
}

fn log() -> Value {
    json!({"contact": ANN, "channel": "email", "direction": "incoming", "text": "Nobody answers!"})
}

#[test]
fn a_conversation_is_logged_once() {
    given::<Conversation>(&[])
        .when("log", log())
        .then(&[logged()])
        .when("log", log())
        .then_nothing()
        .when("log", json!({"contact": ANN, "channel": "email", "direction": "incoming", "text": "Hello"}))
        .then_refused("logged-differently");
}

#[test]
fn the_text_of_one_message_is_forgotten_once_also_after_the_conversation_was_voided() {
    let redaction = |message: EventId| json!({"message": message, "ground": "request"});
    let redacted =
        |message| ConversationEvent::MessageRedacted { message, owner: ANN, ground: ErasureGround::Request };
    given::<Conversation>(&[])
        .when("redact", redaction(nth(0)))
        .then_refused("unknown-conversation")
        .when("log", log())
        .when("reply", json!({"direction": "note"}))
        .when("redact", redaction(nth(7)))
        .then_refused("unknown-message")
        .when("redact", redaction(nth(1)))
        .then_nothing()
        .when("void", json!({}))
        .when("redact", redaction(nth(0)))
        .then(&[redacted(nth(0))])
        .when("redact", redaction(nth(0)))
        .then_nothing();
}

#[test]
fn staff_reply_to_a_message_of_the_conversation() {
    let reply = json!({
        "direction": "outgoing", "text": "We do now.", "member": MEMBER, "reply_to": nth(0), "mentions": [BEN, BEN]
    });
    let message = Message {
        direction: Direction::Outgoing,
        author: None,
        to: Some(ANN),
        member: Some(MEMBER),
        text: Some(Personal::with_key(ANN, nth(1).0, "We do now.".into())),
        reply_to: Some(nth(0)),
        mentions: vec![BEN],
    };
    given::<Conversation>(&[logged()])
        .when("reply", reply.clone())
        .then(&[ConversationEvent::Replied { message }])
        .when_repeated(1, "reply", reply)
        .then_nothing()
        .when("reply", json!({"direction": "note", "reply_to": nth(9)}))
        .then_refused("unknown-message");
}

#[test]
fn an_answer_goes_to_whoever_wrote_what_it_answers() {
    let to = |contact: ContactId, key: EventId, reply_to| ConversationEvent::Replied {
        message: Message {
            direction: Direction::Outgoing,
            author: None,
            to: Some(contact),
            member: None,
            text: Some(Personal::with_key(contact, key.0, "Yes".into())),
            reply_to,
            mentions: Vec::new(),
        },
    };
    given::<Conversation>(&[logged()])
        .when("reply", json!({"direction": "incoming", "author": BEN, "text": "Me too"}))
        .when("reply", json!({"direction": "outgoing", "text": "Yes"}))
        .then(&[to(BEN, nth(2), None)])
        .when("reply", json!({"direction": "outgoing", "text": "Yes", "reply_to": nth(0)}))
        .then(&[to(ANN, nth(3), Some(nth(0)))]);
}

#[test]
fn an_incoming_reply_reopens_and_keeps_the_key_of_the_event_that_carries_it() {
    let reply = json!({"direction": "incoming", "author": BEN, "text": "Still broken"});
    let command = Uuid::from_u128(1_002);
    let key = crate::kit::identity::event_id(command, 1);
    given::<Conversation>(&[logged()])
        .when("resolve", json!({}))
        .then(&[ConversationEvent::Resolved {}])
        .when("resolve", json!({}))
        .then_nothing()
        .when("reply", reply.clone())
        .then(&[
            ConversationEvent::Reopened {},
            ConversationEvent::Replied { message: incoming(BEN, key, "Still broken") },
        ])
        .when_repeated(2, "reply", reply)
        .then_nothing()
        .when("reopen", json!({}))
        .then_nothing()
        .when("reply", json!({"direction": "note", "reply_to": key}))
        .then(&[ConversationEvent::Replied {
            message: Message {
                direction: Direction::Note,
                author: None,
                to: None,
                member: None,
                text: None,
                reply_to: Some(key),
                mentions: Vec::new(),
            },
        }]);
}

#[test]
fn a_note_does_not_reopen_and_a_person_does() {
    given::<Conversation>(&[logged(), ConversationEvent::Resolved {}])
        .when("reply", json!({"direction": "outgoing"}))
        .when("reopen", json!({}))
        .then(&[ConversationEvent::Reopened {}])
        .when("reopen", json!({}))
        .then_nothing();
}

#[test]
fn nobody_replies_to_what_was_never_said() {
    given::<Conversation>(&[])
        .when("reply", json!({"direction": "note"}))
        .then_refused("unknown-conversation");
}

#[test]
fn contacts_write_what_comes_in_and_staff_the_rest() {
    given::<Conversation>(&[logged()])
        .when("reply", json!({"direction": "incoming", "member": MEMBER}))
        .then_refused("incoming-from-member")
        .when("reply", json!({"direction": "outgoing", "author": ANN}))
        .then_refused("author-not-incoming");
}

#[test]
fn a_message_mentions_at_most_fifty_contacts() {
    let mentions: Vec<_> = (0..51).map(|n| ContactId(Uuid::from_u128(n))).collect();
    given::<Conversation>(&[logged()])
        .when("reply", json!({"direction": "note", "mentions": mentions}))
        .then_refused("too-many-mentions");
}

#[test]
fn a_voided_conversation_takes_no_more_commands() {
    given::<Conversation>(&[logged()])
        .when("void", json!({}))
        .then(&[ConversationEvent::Voided {}])
        .when("void", json!({}))
        .then_nothing()
        .when("resolve", json!({}))
        .then_refused("voided");
}

#[test]
fn an_import_repeated_changes_nothing_and_what_it_cannot_change_is_reported() {
    given::<Conversation>(&[])
        .imported_from("chatwoot")
        .when("log", log())
        .when("resolve", json!({}))
        .when("log", log())
        .then_nothing()
        .when("resolve", json!({}))
        .then_nothing()
        .when("log", json!({"contact": ANN, "channel": "chat", "direction": "incoming"}))
        .then_nothing()
        .then_kept(&["channel"])
        .by_a_person()
        .when("reopen", json!({}))
        .imported_from("chatwoot")
        .when("resolve", json!({}))
        .then_nothing()
        .then_kept(&["resolved"]);
}

#[test]
fn a_forgotten_text_is_not_brought_back() {
    let sealed = json!({"$sealed": {"subject": ANN, "key": nth(0), "text": "AAAA"}});
    let mut message = incoming(ANN, nth(0), "");
    message.text = serde_json::from_value(sealed).unwrap();
    given::<Conversation>(&[ConversationEvent::Logged { contact: ANN, channel: Channel::Email, message }])
        .imported_from("chatwoot")
        .when("log", log())
        .then_nothing()
        .then_kept(&["text"]);
}
