//! Conversations: logged, replied to, resolved, reopened, voided.

use std::collections::{HashMap, HashSet};

use domain::{
    ContactId, ErasureGround, EventId, MemberId, Personal, Role,
    conversation::{Channel, ConversationEvent, Direction, Message},
};
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::{
    decider::{Decider, Decision, Given, Past},
    field::{Field, Repetition},
    text::Prose,
};

/// How many contacts one message may mention.
const MENTIONS_LIMIT: usize = 50;
/// How many messages one conversation may hold.
const MESSAGES_LIMIT: usize = 10_000;

/// What is known of a conversation.
#[derive(Clone, Debug, Default)]
pub enum State {
    /// Never heard of.
    #[default]
    Unknown,
    /// Open, or resolved.
    Known(Box<Known>),
    /// Logged in error; what was said in it may still have to be forgotten.
    Voided(Messages),
}

/// The messages.
pub type Messages = HashMap<EventId, Kept>;

/// What is kept of a message.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// Whom it is from, where it came in.
    author: Option<ContactId>,
    /// Whose text it has, as long as that was not redacted.
    owner: Option<ContactId>,
}

impl Kept {
    fn of(message: &Message) -> Self {
        Self { author: message.author, owner: message.text.as_ref().map(Personal::subject) }
    }
}

/// Takes note that the text of a message was redacted.
fn forget(messages: &mut Messages, message: EventId) {
    if let Some(kept) = messages.get_mut(&message) {
        kept.owner = None;
    }
}

/// A conversation that counts.
#[derive(Clone, Debug)]
pub struct Known {
    contact: ContactId,
    channel: Channel,
    direction: Direction,
    member: Option<MemberId>,
    mentions: Vec<ContactId>,
    text: Text,
    resolved: Field<bool>,
    messages: Messages,
    /// Who wrote the last message that came in.
    wrote_last: Option<ContactId>,
}

/// What the first message said, as far as a repetition must be told from it; its words are not kept here.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Text {
    None,
    Hashed([u8; 32]),
    Forgotten,
}

/// What can be asked of a conversation.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Record its first message.
    Log {
        /// With whom; an incoming message is theirs.
        contact: ContactId,
        /// Through which channel.
        channel: Channel,
        /// Which way the message went.
        direction: Direction,
        /// What was said.
        text: Option<Prose>,
        /// The member of staff who said it, where it is not incoming.
        member: Option<MemberId>,
        /// The contacts that it mentions.
        #[serde(default)]
        #[schemars(length(max = 50))]
        mentions: Vec<ContactId>,
    },
    /// Record another message.
    Reply {
        /// Which way the message went; an incoming one reopens a resolved conversation.
        direction: Direction,
        /// What was said.
        text: Option<Prose>,
        /// The contact who said it, where it is incoming; absent: the contact of the conversation.
        author: Option<ContactId>,
        /// The member of staff who said it, where it is not incoming.
        member: Option<MemberId>,
        /// The message of this conversation that it answers.
        reply_to: Option<EventId>,
        /// The contacts that it mentions.
        #[serde(default)]
        #[schemars(length(max = 50))]
        mentions: Vec<ContactId>,
    },
    /// Nothing more is to be done.
    Resolve {},
    /// There is more to be done after all.
    Reopen {},
    /// It was logged in error and counts nowhere.
    Void {},
    /// Forget the text of one message for good, for instance for somebody whom it mentions.
    Redact {
        /// The message: the id of the event that recorded it.
        message: EventId,
        /// Why.
        ground: ErasureGround,
    },
}

/// Why a command to a conversation is refused.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Rejection {
    /// There is no such conversation.
    #[error("there is no such conversation: log its first message first")]
    UnknownConversation,
    /// It was logged with another first message.
    #[error("the conversation was logged already, with another first message: `reply` adds a message to it")]
    LoggedDifferently,
    /// Staff do not write incoming messages.
    #[error("an incoming message comes from a contact: leave `member` out")]
    IncomingFromMember,
    /// Contacts do not write outgoing messages and notes.
    #[error("only an incoming message has a contact for its author: leave `author` out, or say `incoming`")]
    AuthorNotIncoming,
    /// It answers what is not there.
    #[error("that is no message of this conversation: give the id of the event that recorded one")]
    UnknownMessage,
    /// Too many are mentioned.
    #[error("a message may mention at most {MENTIONS_LIMIT} contacts")]
    TooManyMentions,
    /// It is too long.
    #[error("a conversation holds at most {MESSAGES_LIMIT} messages: log a new one")]
    TooManyMessages,
    /// It was voided.
    #[error("the conversation was voided and takes no more commands: log a new one")]
    Voided,
}

/// The decider of conversations.
pub struct Conversation;

impl Decider for Conversation {
    type Event = ConversationEvent;
    type Command = Command;
    type State = State;
    type Rejection = Rejection;

    const WRITERS: &'static [Role] = &[Role::Admin, Role::Staff, Role::Fundraiser];

    const EXCEPTIONS: &'static [(&'static str, &'static [Role])] = &[
        ("log", &[Role::Admin, Role::Staff, Role::Fundraiser, Role::Intake]),
        ("reply", &[Role::Admin, Role::Staff, Role::Fundraiser, Role::Intake]),
        ("redact", &[Role::Admin]),
    ];

    fn decide(
        state: &State,
        command: Command,
        given: &Given<'_>,
    ) -> Result<Decision<ConversationEvent>, Rejection> {
        check_parties(&command)?;
        match (state, command) {
            (State::Voided(messages), Command::Redact { message, ground }) => {
                redact(messages, message, ground)
            }
            (State::Voided(_), Command::Void {}) => Ok(Decision::nothing()),
            (State::Voided(_), _) => Err(Rejection::Voided),
            (State::Unknown, Command::Log { contact, channel, direction, text, member, mentions }) => {
                let said = Said { direction, text, author: None, member, reply_to: None, mentions };
                let message = said.into_message(contact, None, given.event_id(0));
                Ok(Decision::one(ConversationEvent::Logged { contact, channel, message }))
            }
            (State::Unknown, _) => Err(Rejection::UnknownConversation),
            (State::Known(conversation), command) => conversation.decide(command, given),
        }
    }

    fn evolve(state: &mut State, event: &ConversationEvent, past: &Past<'_>) {
        match (&mut *state, event) {
            (State::Voided(messages), ConversationEvent::MessageRedacted { message, .. }) => {
                forget(messages, *message);
            }
            (State::Known(conversation), ConversationEvent::Voided {}) => {
                *state = State::Voided(std::mem::take(&mut conversation.messages));
            }
            (_, ConversationEvent::Voided {}) => *state = State::Voided(Messages::new()),
            (_, ConversationEvent::Logged { contact, channel, message }) => {
                let mut resolved = Field::default();
                resolved.set(Some(false), past);
                *state = State::Known(Box::new(Known {
                    contact: *contact,
                    channel: *channel,
                    direction: message.direction,
                    member: message.member,
                    mentions: message.mentions.clone(),
                    text: Text::of(message.text.as_ref()),
                    resolved,
                    messages: Messages::from([(past.id, Kept::of(message))]),
                    wrote_last: message.author,
                }));
            }
            (State::Known(conversation), event) => conversation.evolve(event, past),
            (State::Unknown | State::Voided(_), _) => {}
        }
    }

    fn concerns(state: &State) -> Vec<ContactId> {
        match state {
            State::Known(conversation) => vec![conversation.contact],
            State::Unknown | State::Voided(_) => Vec::new(),
        }
    }
}

/// A message on its way into the log.
struct Said {
    direction: Direction,
    text: Option<Prose>,
    author: Option<ContactId>,
    member: Option<MemberId>,
    reply_to: Option<EventId>,
    mentions: Vec<ContactId>,
}

impl Said {
    /// The message, its text sealed with a key of its own: the id of the event that carries it.
    fn into_message(self, contact: ContactId, to: Option<ContactId>, event: EventId) -> Message {
        let Self { direction, text, author, member, reply_to, mentions } = self;
        let author = match direction {
            Direction::Incoming => author.or(Some(contact)),
            Direction::Outgoing | Direction::Note => None,
        };
        let subject = author.or(to).unwrap_or(contact);
        let text = text.map(|text| Personal::with_key(subject, event.0, text.into_string()));
        Message { direction, author, to, member, text, reply_to, mentions: each_once(mentions) }
    }
}

impl Known {
    fn decide(&self, command: Command, given: &Given<'_>) -> Result<Decision<ConversationEvent>, Rejection> {
        match command {
            Command::Log { contact, channel, direction, text, member, mentions } => {
                let mut again = Repetition::new();
                again.compare_fixed("contact", Some(&self.contact), Some(&contact));
                again.compare_fixed("channel", Some(&self.channel), Some(&channel));
                again.compare_fixed("direction", Some(&self.direction), Some(&direction));
                let text = text.map(|text| Text::hashed(&text.into_string()));
                again.compare_fixed("text", Some(&self.text), text.as_ref());
                again.compare_fixed("member", self.member.as_ref(), member.as_ref());
                let mentions = Some(each_once(mentions)).filter(|mentions| !mentions.is_empty());
                again.compare_fixed("mentions", Some(&self.mentions), mentions.as_ref());
                again.finish(given, Rejection::LoggedDifferently)
            }
            Command::Reply { direction, text, author, member, reply_to, mentions } => {
                self.reply(Said { direction, text, author, member, reply_to, mentions }, given)
            }
            Command::Resolve {} => {
                let comparison = self.resolved.turn(&true, given.source);
                Ok(comparison.decision("resolved", ConversationEvent::Resolved {}))
            }
            Command::Reopen {} => {
                let comparison = self.resolved.turn(&false, given.source);
                Ok(comparison.decision("resolved", ConversationEvent::Reopened {}))
            }
            Command::Void {} => Ok(Decision::one(ConversationEvent::Voided {})),
            Command::Redact { message, ground } => redact(&self.messages, message, ground),
        }
    }

    fn reply(&self, said: Said, given: &Given<'_>) -> Result<Decision<ConversationEvent>, Rejection> {
        // The same command has the same ids: what it said stands here already, however long ago that was.
        if (0..2).any(|index| self.messages.contains_key(&given.event_id(index))) {
            return Ok(Decision::nothing());
        }
        if said.reply_to.is_some_and(|message| !self.messages.contains_key(&message)) {
            return Err(Rejection::UnknownMessage);
        }
        if self.messages.len() >= MESSAGES_LIMIT {
            return Err(Rejection::TooManyMessages);
        }
        let mut events = Vec::with_capacity(2);
        if said.direction == Direction::Incoming && self.resolved.value() == Some(&true) {
            events.push(ConversationEvent::Reopened {});
        }
        let to = (said.direction == Direction::Outgoing).then(|| self.answered(said.reply_to));
        let message = said.into_message(self.contact, to, given.event_id(events.len()));
        events.push(ConversationEvent::Replied { message });
        Ok(Decision::all(events))
    }

    /// Whom an answer goes to: who wrote the message that it answers, else who wrote last. That is the contact
    /// through whom they wrote, whoever it is merged with since.
    fn answered(&self, reply_to: Option<EventId>) -> ContactId {
        let author = reply_to.and_then(|message| self.messages.get(&message).and_then(|kept| kept.author));
        author.or(self.wrote_last).unwrap_or(self.contact)
    }

    fn evolve(&mut self, event: &ConversationEvent, past: &Past<'_>) {
        match event {
            ConversationEvent::Logged { .. } | ConversationEvent::Voided {} => {}
            ConversationEvent::Replied { message } => {
                self.messages.insert(past.id, Kept::of(message));
                self.wrote_last = message.author.or(self.wrote_last);
            }
            ConversationEvent::MessageRedacted { message, .. } => forget(&mut self.messages, *message),
            ConversationEvent::Resolved {} => self.resolved.set(Some(true), past),
            ConversationEvent::Reopened {} => self.resolved.set(Some(false), past),
        }
    }
}

/// Forgets the text of a message, whoever asks for it.
fn redact(
    messages: &Messages,
    message: EventId,
    ground: ErasureGround,
) -> Result<Decision<ConversationEvent>, Rejection> {
    let owner = messages.get(&message).ok_or(Rejection::UnknownMessage)?.owner;
    let event = |owner| ConversationEvent::MessageRedacted { message, owner, ground };
    Ok(owner.map_or_else(Decision::nothing, |owner| Decision::one(event(owner))))
}

impl Text {
    fn of(personal: Option<&Personal<String>>) -> Self {
        match personal.map(Personal::clear) {
            None => Self::None,
            Some(Some(text)) => Self::hashed(text),
            Some(None) => Self::Forgotten,
        }
    }

    fn hashed(text: &str) -> Self {
        Self::Hashed(Sha256::digest(text).into())
    }
}

fn check_parties(command: &Command) -> Result<(), Rejection> {
    let (direction, author, member, mentions) = match command {
        Command::Log { direction, member, mentions, .. } => (*direction, None, *member, mentions),
        Command::Reply { direction, author, member, mentions, .. } => {
            (*direction, *author, *member, mentions)
        }
        _ => return Ok(()),
    };
    if mentions.len() > MENTIONS_LIMIT {
        return Err(Rejection::TooManyMentions);
    }
    match direction {
        Direction::Incoming if member.is_some() => Err(Rejection::IncomingFromMember),
        Direction::Outgoing | Direction::Note if author.is_some() => Err(Rejection::AuthorNotIncoming),
        _ => Ok(()),
    }
}

fn each_once(mut contacts: Vec<ContactId>) -> Vec<ContactId> {
    let mut seen = HashSet::new();
    contacts.retain(|contact| seen.insert(*contact));
    contacts
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;
    use crate::testing::{Scenario, given};

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
            .when(
                "log",
                json!({"contact": ANN, "channel": "email", "direction": "incoming", "text": "Hello"}),
            )
            .then_refused("logged-differently");
    }

    #[test]
    fn the_text_of_one_message_is_forgotten_once_also_after_the_conversation_was_voided() {
        let redaction = |message: EventId| json!({"message": message, "ground": "request"});
        let redacted = |message| ConversationEvent::MessageRedacted {
            message,
            owner: ANN,
            ground: ErasureGround::Request,
        };
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
        let key = crate::identity::event_id(command, 1);
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
        given::<Conversation>(&[ConversationEvent::Logged {
            contact: ANN,
            channel: Channel::Email,
            message,
        }])
        .imported_from("chatwoot")
        .when("log", log())
        .then_nothing()
        .then_kept(&["text"]);
    }
}
