//! Conversations: logged, replied to, resolved, reopened, voided.

use std::collections::{HashMap, HashSet};

use domain::{
    ContactId, ErasureGround, EventId, MemberId, Personal, Role,
    conversation::{Channel, ConversationEvent, ConversationStatus, Direction, Message},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::kit::{
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
    status: Field<ConversationStatus>,
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
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
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
                let mut status = Field::default();
                status.set(Some(ConversationStatus::Open), past);
                *state = State::Known(Box::new(Known {
                    contact: *contact,
                    channel: *channel,
                    direction: message.direction,
                    member: message.member,
                    mentions: message.mentions.clone(),
                    text: Text::of(message.text.as_ref()),
                    status,
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
                let comparison = self.status.turn(&ConversationStatus::Resolved, given.source);
                Ok(comparison.decision("resolved", ConversationEvent::Resolved {}))
            }
            Command::Reopen {} => {
                let comparison = self.status.turn(&ConversationStatus::Open, given.source);
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
        if said.direction == Direction::Incoming && self.status() == ConversationStatus::Resolved {
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

    fn status(&self) -> ConversationStatus {
        self.status.value().copied().unwrap_or_default()
    }

    fn evolve(&mut self, event: &ConversationEvent, past: &Past<'_>) {
        match event {
            ConversationEvent::Logged { .. } | ConversationEvent::Voided {} => {}
            ConversationEvent::Replied { message } => {
                self.messages.insert(past.id, Kept::of(message));
                self.wrote_last = message.author.or(self.wrote_last);
            }
            ConversationEvent::MessageRedacted { message, .. } => forget(&mut self.messages, *message),
            ConversationEvent::Resolved {} | ConversationEvent::Reopened {} => {
                self.status.set(Some(self.status().after(event)), past);
            }
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
mod tests;
