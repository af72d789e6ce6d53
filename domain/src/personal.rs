//! Personal values: what may have to be forgotten although events never change.
//!
//! A [`Personal`] value carries whose it is and which key seals it. In memory, on its way into the log, it is
//! clear; the store seals it at its door, and a fold only ever sees it sealed. Destroying the key forgets it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, de::Error as _};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::ids::ContactId;

/// The reserved member under which a clear personal value is written; the store replaces it by [`SEALED`].
pub const CLEAR: &str = "$personal";
/// The reserved member under which a sealed personal value is stored.
pub const SEALED: &str = "$sealed";

/// The tags of the events that destroy keys (see [`crate::Recorded::forgets`]), so that whoever carries erasures
/// out again finds them among millions without decoding the others.
pub const FORGETTING: &[&str] = &["contact.erased", "conversation.message_redacted"];

/// What an event destroys, known from the event alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Forgotten {
    /// Everything personal of a contact, now and in future.
    Contact(ContactId),
    /// What was sealed with one key of a contact.
    Key {
        /// Whose key it is.
        owner: ContactId,
        /// The key.
        key: Uuid,
    },
}

/// Why something personal is forgotten: one of a few words, since whatever was written here would stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErasureGround {
    /// They asked for it.
    Request,
    /// They agreed once and do not any more.
    ConsentWithdrawn,
    /// It is not needed any more, or the time for which it may be kept is over.
    Retention,
    /// A law demands it.
    LegalObligation,
    /// It should never have been kept.
    Unlawful,
    /// Any other.
    Other,
}

/// A value that belongs to a contact and is forgotten with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Personal<T> {
    subject: ContactId,
    key: Uuid,
    content: Content<T>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content<T> {
    Clear(T),
    Sealed(String),
}

/// Opens sealed values. Implemented by the store; handed to those who may show what was sealed.
pub trait Keyring: Send + Sync {
    /// The clear bytes (JSON) of a sealed text, or `None` when its key has been destroyed.
    fn open(&self, subject: ContactId, key: Uuid, sealed: &str) -> Option<Vec<u8>>;

    /// Whether a key that opens nothing was destroyed, and not lost.
    fn is_destroyed(&self, _subject: ContactId, _key: Uuid) -> bool {
        true
    }
}

impl<T> Personal<T> {
    /// A clear value sealed with the subject's own key.
    pub const fn new(subject: ContactId, value: T) -> Self {
        Self { subject, key: subject.0, content: Content::Clear(value) }
    }

    /// A clear value with a key of its own, so that it can be forgotten alone: the text of one message.
    pub const fn with_key(subject: ContactId, key: Uuid, value: T) -> Self {
        Self { subject, key, content: Content::Clear(value) }
    }

    /// Whose value it is.
    pub const fn subject(&self) -> ContactId {
        self.subject
    }

    /// The value, where it has been opened: while deciding, never while folding.
    pub const fn clear(&self) -> Option<&T> {
        match &self.content {
            Content::Clear(value) => Some(value),
            Content::Sealed(_) => None,
        }
    }
}

impl<T> Personal<T> {
    /// Whether it cannot be read although nobody has erased it: its key is gone. The store leaves out the sealed text then,
    /// where it is asked to open.
    pub const fn is_lost(&self) -> bool {
        matches!(&self.content, Content::Sealed(text) if text.is_empty())
    }
}

impl<T: DeserializeOwned + Clone> Personal<T> {
    /// Opens the value with the keyring: `None` when it has been forgotten.
    pub fn open(&self, keyring: &dyn Keyring) -> Option<T> {
        match &self.content {
            Content::Clear(value) => Some(value.clone()),
            Content::Sealed(sealed) => {
                let bytes = keyring.open(self.subject, self.key, sealed)?;
                serde_json::from_slice(&bytes).ok()
            }
        }
    }
}

/// The stored form of a clear value, as the store's door reads it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClearForm<V> {
    /// Whose value it is.
    pub subject: ContactId,
    /// The key, where it is not the subject's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Uuid>,
    /// The value.
    pub value: V,
}

/// The stored form of a sealed value.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedForm {
    /// Whose value it is.
    pub subject: ContactId,
    /// The key, where it is not the subject's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Uuid>,
    /// Nonce and ciphertext, base64.
    pub text: String,
}

#[derive(Serialize, Deserialize)]
enum Form<C, S> {
    #[serde(rename = "$personal")]
    Clear(C),
    #[serde(rename = "$sealed")]
    Sealed(S),
}

impl<T: Serialize> Serialize for Personal<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (subject, key) = (self.subject, (self.key != self.subject.0).then_some(self.key));
        let form = match &self.content {
            Content::Clear(value) => Form::Clear(ClearForm { subject, key, value }),
            Content::Sealed(text) => Form::Sealed(SealedForm { subject, key, text: text.clone() }),
        };
        form.serialize(serializer)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Personal<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = Form::<ClearForm<Box<RawValue>>, SealedForm>::deserialize(deserializer)?;
        Ok(match form {
            Form::Clear(ClearForm { subject, key, value }) => {
                let value = serde_json::from_str(value.get()).map_err(D::Error::custom)?;
                Self { subject, key: key.unwrap_or(subject.0), content: Content::Clear(value) }
            }
            Form::Sealed(SealedForm { subject, key, text }) => {
                Self { subject, key: key.unwrap_or(subject.0), content: Content::Sealed(text) }
            }
        })
    }
}

impl<T: JsonSchema> JsonSchema for Personal<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Personal_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = T::json_schema(generator);
        schema.insert("description".to_owned(), "personal: sealed with the contact's key".into());
        schema
    }
}
