//! The view `conversations` told in small stories, and compared with plain sums.

use domain::{
    ContactId, EventId, MemberId, Personal,
    conversation::{Channel, ConversationEvent, Direction, Message},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Conversations;
use crate::kit::testing::{Story, event_id, given};

const ANN: ContactId = ContactId(Uuid::from_u128(1));

fn message(direction: Direction, text: &str, reply_to: Option<EventId>) -> Message {
    let incoming = direction == Direction::Incoming;
    Message {
        direction,
        author: incoming.then_some(ANN),
        to: None,
        member: (!incoming).then_some(MemberId(Uuid::from_u128(2))),
        text: (!text.is_empty()).then(|| Personal::new(ANN, text.to_owned())),
        reply_to,
        mentions: Vec::new(),
    }
}

fn logged(direction: Direction, channel: Channel) -> ConversationEvent {
    ConversationEvent::Logged { contact: ANN, channel, message: message(direction, "Hello", None) }
}

fn replied(direction: Direction) -> ConversationEvent {
    ConversationEvent::Replied { message: message(direction, "", None) }
}

use Direction::{Incoming, Note, Outgoing};

#[test]
fn the_longest_waiting_come_first() {
    given::<Conversations>()
        .happened("2024-01-03", 30, logged(Incoming, Channel::Chat))
        .happened("2024-01-01", 31, logged(Incoming, Channel::Email))
        .happened("2024-01-01", 32, logged(Outgoing, Channel::Email))
        .happened("2024-01-02", 33, logged(Incoming, Channel::Email))
        .happened("2024-01-04", 31, replied(Note))
        .happened("2024-01-04", 33, replied(Outgoing))
        .happened("2024-01-05", 33, replied(Incoming))
        .happened("2024-01-06", 33, replied(Incoming))
        .then("at=2024-01-06T12:00:00Z", |view| insta::assert_json_snapshot!(view))
        .then("channel=email", |view| assert_eq!(view["rows"].as_array().unwrap().len(), 3))
        .happened("2024-01-07", 31, ConversationEvent::Resolved {})
        .then("state=resolved", |view| {
            assert_eq!(view["totals"]["conversations"], 1);
            assert_eq!(view["rows"][0]["waiting_since"], json!(null));
        })
        .then("state=all&contact=00000000-0000-0000-0000-000000000001", |view| {
            assert_eq!(view["totals"]["conversations"], 4);
            assert_eq!(view["totals"]["first_response_minutes"], 2_880.0);
            assert_eq!(view["totals"]["waiting"], 2);
        })
        .happened("2024-01-09", 31, replied(Incoming))
        .happened("2024-01-09", 31, ConversationEvent::Reopened {})
        .then("channel=email", |view| {
            assert_eq!(view["rows"][1]["waiting_since"], "2024-01-09T00:00:00Z");
        })
        .happened("2024-01-10", 33, ConversationEvent::Voided {})
        .then("", |view| assert_eq!(view["totals"]["first_response_minutes"], json!(null)))
        .then_not_found("conversation=00000000-0000-0000-0000-000000000021")
        .then_refused("channel=pigeon", "channel")
        .then_refused("at=noon", "at");
}

#[test]
fn reopened_for_what_was_never_answered_somebody_waits_again() {
    given::<Conversations>()
        .happened("2024-01-01", 30, logged(Incoming, Channel::Chat))
        .happened("2024-01-02", 30, ConversationEvent::Resolved {})
        .then("state=all", |view| assert_eq!(view["totals"]["waiting"], 0))
        .happened("2024-01-03", 30, ConversationEvent::Reopened {})
        .then("", |view| assert_eq!(view["rows"][0]["waiting_since"], "2024-01-01T00:00:00Z"));
}

#[test]
fn a_conversation_is_a_tree_of_messages() {
    let to = |position| Some(event_id(position));
    let replied = |direction, text, reply_to| ConversationEvent::Replied {
        message: Message { mentions: vec![ANN], ..message(direction, text, reply_to) },
    };
    given::<Conversations>()
        .happened("2024-01-01", 30, logged(Incoming, Channel::Chat))
        .happened("2024-01-03", 30, replied(Outgoing, "Hello Ann", to(1)))
        .happened("2024-01-02", 30, replied(Note, "who takes this?", to(1)))
        .happened("2024-01-04", 30, replied(Incoming, "", to(2)))
        .happened("2024-01-05", 30, replied(Incoming, "Anybody?", to(99)))
        .then("conversation=00000000-0000-0000-0000-00000000001e", |view| {
            insta::assert_json_snapshot!(view);
        });
}

fn deepest(messages: &Value) -> usize {
    messages.as_array().unwrap().iter().map(|message| 1 + deepest(&message["replies"])).max().unwrap_or(0)
}

fn counted(messages: &Value) -> usize {
    messages.as_array().unwrap().iter().map(|message| 1 + counted(&message["replies"])).sum()
}

#[test]
fn answers_to_answers_nest_only_so_deep_and_none_is_lost() {
    let mut story: Story =
        given::<Conversations>().happened("2024-01-01", 30, logged(Incoming, Channel::Chat));
    for position in 1..200 {
        let message = message(Incoming, "", Some(event_id(position)));
        story = story.happened("2024-01-01", 30, ConversationEvent::Replied { message });
    }
    story.then("conversation=00000000-0000-0000-0000-00000000001e", |view| {
        assert_eq!(deepest(&view["tree"]), 30);
        assert_eq!(counted(&view["tree"]), 200);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The oracle looks at all messages in the order of when they were, whatever order they were recorded in.
    #[test]
    fn who_waits_does_not_depend_on_the_order_of_recording(
        said in prop::collection::vec((1_u32..28, 0_u8..3), 1..20),
    ) {
        let direction = |what: u8| [Incoming, Outgoing, Note][usize::from(what)];
        let mut story = given::<Conversations>();
        for (index, (day, what)) in said.iter().enumerate() {
            let event = if index == 0 { logged(direction(*what), Channel::Chat) } else { replied(direction(*what)) };
            story = story.happened(&format!("2024-01-{day:02}"), 30, event);
        }
        let mut sorted: Vec<(u32, usize, u8)> =
            said.iter().enumerate().map(|(index, (day, what))| (*day, index, *what)).collect();
        sorted.sort_unstable();
        let answered = sorted.iter().rposition(|(_, _, what)| *what == 1).map_or(0, |place| place + 1);
        let waiting = sorted[answered..].iter().find(|(_, _, what)| *what == 0);
        let first = sorted.iter().position(|(_, _, what)| *what == 0);
        let answer = first.and_then(|first| sorted[first..].iter().find(|(_, _, what)| *what == 1));
        let response = first.zip(answer).map(|(first, answer)| f64::from(answer.0 - sorted[first].0) * 1_440.0);
        story.then("", |view| {
            let since = waiting.map(|(day, ..)| format!("2024-01-{day:02}T00:00:00Z"));
            assert_eq!(view["rows"][0]["waiting_since"], json!(since));
            assert_eq!(view["rows"][0]["first_response_minutes"], json!(response));
            assert_eq!(view["rows"][0]["messages"], said.len());
            assert_eq!(view["totals"]["first_response_minutes"], json!(response));
        });
    }
}
