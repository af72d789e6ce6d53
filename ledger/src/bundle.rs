//! Bundles: some events with the proof of each, for somebody who has neither the log nor this program's word, but
//! only the public key.

use std::collections::BTreeSet;

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{Kind, Position, Stored, StreamId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    checkpoint::Checkpoint,
    leaf::LeafHasher,
    merkle::{Hash, PROOF_LIMIT, proves_inclusion},
    note::{NoteError, Verifier},
};

/// What a bundle is called in its first member.
pub const FORMAT: &str = "rapport-bundle/v1";
/// The largest bundle that is read, in bytes.
pub const BUNDLE_LIMIT: u64 = 1 << 30;

/// Events with their proofs, as a JSON object.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// [`FORMAT`].
    pub format: String,
    /// Whom the events concern, or which thing they happened to: `contact-<uuid>`.
    pub about: StreamId,
    /// The public key that the checkpoint is signed with.
    pub key: String,
    /// The checkpoint that the proofs lead to: a signed note.
    pub checkpoint: String,
    /// The events, in the order of recording.
    pub events: Vec<BundledEvent>,
}

/// One event: what is stored, what proves it, and what it means.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundledEvent {
    /// Its number in the log, from 1.
    pub number: u64,
    /// What is stored, as it is stored.
    pub stored: StoredEvent,
    /// The hashes that lead from it to the root, from below, in base64.
    pub proof: Vec<String>,
    /// What it means, for people. Not part of the proof.
    pub meaning: Meaning,
}

/// An event as it is stored; personal values are sealed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoredEvent {
    /// The name of its stream.
    pub stream: String,
    /// Its number in the stream.
    pub revision: u64,
    /// Its id, 16 bytes in base64.
    pub id: String,
    /// Its tag.
    pub tag: String,
    /// Microseconds since 1970.
    pub occurred_at: Option<i64>,
    /// Microseconds since 1970.
    pub effective_at: i64,
    /// Microseconds since 1970.
    pub recorded_at: i64,
    /// Who wrote it.
    pub actor: String,
    /// The contacts concerned, 16 bytes each, in base64.
    pub subjects: String,
    /// The rarer parts of the envelope: JSON text.
    pub metadata: Option<String>,
    /// The fields of the event: JSON text.
    pub data: String,
}

/// What an event means, as Rapport said when the bundle was made.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meaning {
    /// What happened, in one sentence.
    pub what: String,
    /// The personal text that belongs to it; empty where it was forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Why, in the writer's words; empty where it was forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was so, or was learnt: RFC 3339.
    pub when: String,
}

/// What a bundle proves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proven {
    /// Whom or what it is about.
    pub about: StreamId,
    /// The other contacts of the same person, by the merges that the bundle itself proves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<StreamId>,
    /// How many events are proven.
    pub events: usize,
    /// How many events the log held when the checkpoint was signed.
    pub size: u64,
    /// The log, by the origin in its checkpoint.
    pub origin: String,
    /// The public key that signed.
    pub key: String,
    /// Streams of the bundle that begin with revision 1 and have no gap.
    pub whole_streams: usize,
    /// Streams of which events are missing in between or at the beginning.
    pub streams_with_gaps: Vec<String>,
}

/// Why a bundle proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// It is not a bundle.
    #[error("this is not a bundle of the form {FORMAT}: {}", .0.escape_debug())]
    Malformed(String),
    /// It shows nothing.
    #[error("it holds no event, so there is nothing to prove")]
    Empty,
    /// Its checkpoint is not signed by the key.
    #[error("its checkpoint proves nothing: {0}")]
    Checkpoint(#[from] NoteError),
    /// An event is not in the signed log.
    #[error("event {number} is not proven: its content, its envelope, its number or its proof was altered")]
    NotProven {
        /// Which event.
        number: u64,
    },
    /// An event is there twice, or not in its order.
    #[error("event {number} stands twice in it, or not in its order")]
    OutOfOrder {
        /// Which event.
        number: u64,
    },
    /// An event is about somebody else.
    #[error("event {number} does not concern {about}")]
    Unconcerned {
        /// Which event.
        number: u64,
        /// Whom the bundle is about.
        about: StreamId,
    },
}

impl StoredEvent {
    /// Takes over a stored event.
    pub fn of(event: &Stored<'_>) -> Self {
        Self {
            stream: event.stream.to_owned(),
            revision: event.revision,
            id: BASE64_STANDARD.encode(event.id),
            tag: event.tag.to_owned(),
            occurred_at: event.occurred_at,
            effective_at: event.effective_at,
            recorded_at: event.recorded_at,
            actor: event.actor.to_owned(),
            subjects: BASE64_STANDARD.encode(event.subjects),
            metadata: event.metadata.map(str::to_owned),
            data: event.data.to_owned(),
        }
    }

    fn subjects(&self) -> Option<Vec<u8>> {
        BASE64_STANDARD.decode(&self.subjects).ok()
    }

    fn leaf(&self, hasher: &mut LeafHasher) -> Option<Hash> {
        let (id, subjects) = (BASE64_STANDARD.decode(&self.id).ok()?, self.subjects()?);
        Some(hasher.hash(&Stored {
            position: Position::START,
            stream: &self.stream,
            revision: self.revision,
            id: &id,
            tag: &self.tag,
            occurred_at: self.occurred_at,
            effective_at: self.effective_at,
            recorded_at: self.recorded_at,
            actor: &self.actor,
            subjects: &subjects,
            metadata: self.metadata.as_deref(),
            data: &self.data,
        }))
    }

    /// Whether it happened to one of these things, or concerns one of these contacts.
    fn concerns(&self, about: &BTreeSet<StreamId>) -> bool {
        let is_among = |id: &[u8; 16]| about.contains(&StreamId::new(Kind::Contact, Uuid::from_bytes(*id)));
        let is_subject = |subjects: Vec<u8>| subjects.as_chunks::<16>().0.iter().any(is_among);
        let happened_to = self.stream.parse::<StreamId>().is_ok_and(|stream| about.contains(&stream));
        happened_to || self.subjects().is_some_and(is_subject)
    }

    /// The two contacts that it says are one person, where it says so.
    fn merges(&self) -> Option<[StreamId; 2]> {
        if self.tag != "contact.merged" {
            return None;
        }
        let data: serde_json::Value = serde_json::from_str(&self.data).ok()?;
        let into = data["into"].as_str()?.parse().ok()?;
        Some([self.stream.parse().ok()?, StreamId::new(Kind::Contact, into)])
    }
}

impl BundledEvent {
    /// An event with its proof.
    pub fn new(number: u64, stored: StoredEvent, proof: &[Hash], meaning: Meaning) -> Self {
        let proof = proof.iter().map(|hash| BASE64_STANDARD.encode(hash)).collect();
        Self { number, stored, proof, meaning }
    }

    fn is_proven(&self, checkpoint: &Checkpoint, hasher: &mut LeafHasher) -> bool {
        if self.proof.len() > PROOF_LIMIT {
            return false;
        }
        let hash = |text: &String| Hash::try_from(BASE64_STANDARD.decode(text).ok()?).ok();
        let proof: Option<Vec<Hash>> = self.proof.iter().map(hash).collect();
        let (Some(proof), Some(leaf), Some(index)) =
            (proof, self.stored.leaf(hasher), self.number.checked_sub(1))
        else {
            return false;
        };
        proves_inclusion(&leaf, index, checkpoint.size, &proof, &checkpoint.root)
    }
}

impl Bundle {
    /// Reads a bundle.
    pub fn read(text: &str) -> Result<Self, BundleError> {
        let bundle: Self =
            serde_json::from_str(text).map_err(|error| BundleError::Malformed(error.to_string()))?;
        if bundle.format != FORMAT {
            return Err(BundleError::Malformed(format!("it says `{}`", bundle.format)));
        }
        Ok(bundle)
    }

    /// The key that the bundle itself names. Whoever verifies should have it from elsewhere.
    pub fn own_key(&self) -> Result<Verifier, BundleError> {
        Ok(self.key.parse()?)
    }

    /// Whom or what it is about, with every contact that was merged with that one, over others as well, by an event of the
    /// bundle: what is not proven is not followed, since then nothing is.
    fn person(&self) -> BTreeSet<StreamId> {
        let merges: Vec<_> = self.events.iter().filter_map(|event| event.stored.merges()).collect();
        let mut person = BTreeSet::from([self.about]);
        loop {
            let before = person.len();
            for pair in &merges {
                if pair.iter().any(|contact| person.contains(contact)) {
                    person.extend(pair);
                }
            }
            if person.len() == before {
                return person;
            }
        }
    }

    /// Verifies every event with a public key and nothing else.
    pub fn verify(&self, key: &Verifier) -> Result<Proven, BundleError> {
        let checkpoint = Checkpoint::open(&self.checkpoint, key)?;
        if self.events.is_empty() {
            return Err(BundleError::Empty);
        }
        let person = self.person();
        let mut hasher = LeafHasher::default();
        let mut last = 0;
        let mut streams = std::collections::BTreeMap::<&str, Vec<u64>>::new();
        for event in &self.events {
            let number = event.number;
            if number <= last {
                return Err(BundleError::OutOfOrder { number });
            }
            last = number;
            if !event.stored.concerns(&person) {
                return Err(BundleError::Unconcerned { number, about: self.about });
            }
            if !event.is_proven(&checkpoint, &mut hasher) {
                return Err(BundleError::NotProven { number });
            }
            streams.entry(&event.stored.stream).or_default().push(event.stored.revision);
        }
        let is_whole = |revisions: &Vec<u64>| revisions.iter().copied().eq(1..=revisions.len() as u64);
        let with_gaps = streams.iter().filter(|(_, revisions)| !is_whole(revisions));
        let streams_with_gaps: Vec<_> = with_gaps.map(|(stream, _)| (*stream).to_owned()).collect();
        Ok(Proven {
            about: self.about,
            merged: person.into_iter().filter(|part| *part != self.about).collect(),
            events: self.events.len(),
            size: checkpoint.size,
            origin: checkpoint.origin,
            key: key.to_string(),
            whole_streams: streams.len() - streams_with_gaps.len(),
            streams_with_gaps,
        })
    }
}
