//! A conversation: what was said, by whom and through which channel.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    event::Concerns,
    ids::{ContactId, EventId, MemberId},
    personal::{ErasureGround, Forgotten, Personal},
};

/// Through which channel a conversation runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Electronic mail.
    Email,
    /// Telephone.
    Phone,
    /// Text message.
    Sms,
    /// A chat on the website.
    Chat,
    /// A social network.
    Social,
    /// Face to face.
    Meeting,
    /// Letter.
    Post,
    /// Any other.
    Other,
}

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From a contact.
    Incoming,
    /// To a contact.
    Outgoing,
    /// Among staff; the contact never sees it.
    Note,
}

/// One thing that was said. Its id is the id of the event that recorded it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Which way it went.
    pub direction: Direction,
    /// The contact who wrote it, where it is incoming.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<ContactId>,
    /// The contact whom an answer goes to: the one who wrote, whoever they are merged with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<ContactId>,
    /// The member of staff who wrote it, where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<MemberId>,
    /// What was said, sealed with a key of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Personal<String>>,
    /// The message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<EventId>,
    /// The contacts that it mentions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<ContactId>,
}

/// What can happen to a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum ConversationEvent {
    /// Began, with its first message.
    #[serde(rename = "conversation.logged")]
    Logged {
        /// With whom.
        contact: ContactId,
        /// Through which channel.
        channel: Channel,
        /// The first message.
        message: Message,
    },
    /// Somebody said something more.
    #[serde(rename = "conversation.replied")]
    Replied {
        /// The message.
        message: Message,
    },
    /// Nothing more is to be done.
    #[serde(rename = "conversation.resolved")]
    Resolved {},
    /// There is more to be done after all.
    #[serde(rename = "conversation.reopened")]
    Reopened {},
    /// Was logged in error and counts nowhere.
    #[serde(rename = "conversation.voided")]
    Voided {},
    /// The text of one message was forgotten; everything else of it stays.
    #[serde(rename = "conversation.message_redacted")]
    MessageRedacted {
        /// The message: the event that recorded it, whose id is the name of the key as well.
        message: EventId,
        /// Whose key it was: the author's, or the contact's to whom it was written.
        owner: ContactId,
        /// Why.
        ground: ErasureGround,
    },
}

/// How a conversation stands after its events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConversationStatus {
    /// Something is to be done.
    #[default]
    Open,
    /// Nothing more is to be done.
    Resolved,
}

impl ConversationStatus {
    /// How a conversation stands after one more event.
    #[must_use]
    pub const fn after(self, event: &ConversationEvent) -> Self {
        match event {
            ConversationEvent::Logged { .. } | ConversationEvent::Reopened {} => Self::Open,
            ConversationEvent::Resolved {} => Self::Resolved,
            // A message from a contact reopens by an event of its own.
            ConversationEvent::Replied { .. }
            | ConversationEvent::Voided {}
            | ConversationEvent::MessageRedacted { .. } => self,
        }
    }
}

impl Concerns for ConversationEvent {
    fn contacts(&self) -> Vec<ContactId> {
        let of_message = |message: &Message| {
            message.author.iter().chain(&message.to).chain(&message.mentions).copied().collect()
        };
        match self {
            Self::Logged { contact, message, .. } => {
                let mut contacts: Vec<_> = of_message(message);
                contacts.insert(0, *contact);
                contacts
            }
            Self::Replied { message } => of_message(message),
            Self::MessageRedacted { owner, .. } => vec![*owner],
            Self::Resolved { .. } | Self::Reopened { .. } | Self::Voided { .. } => Vec::new(),
        }
    }

    fn forgets(&self, _: Uuid) -> Option<Forgotten> {
        match self {
            Self::MessageRedacted { message, owner, .. } => {
                Some(Forgotten::Key { owner: *owner, key: message.0 })
            }
            _ => None,
        }
    }
}
