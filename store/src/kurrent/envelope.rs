//! How an event stands in the cluster: the tag is the event's type, its fields are the data, and everything else about
//! it is one JSON object in the metadata. Texts that are hashed are written and read byte by byte as they are.

use chrono::{DateTime, SecondsFormat, Utc};
use domain::{Answer, AnsweredEvent, BadEvent, CommandKey, EventId, KeyedAnswer, Position, Stored, StreamId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    kurrent::{
        names::{Holds, Names},
        wire::events::{Proposed, Raw},
    },
    recording::clock::moment,
};

/// An event as it is stored, with what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredEvent {
    pub(crate) position: u64,
    pub(crate) stream: String,
    /// From 1.
    pub(crate) revision: u64,
    pub(crate) id: Uuid,
    pub(crate) tag: String,
    pub(crate) occurred_at: Option<i64>,
    pub(crate) effective_at: i64,
    pub(crate) recorded_at: i64,
    pub(crate) actor: String,
    pub(crate) subjects: Vec<u8>,
    pub(crate) metadata: Option<String>,
    pub(crate) data: String,
    /// Which command it ends, where that had a key.
    pub(crate) ends: Option<Ended>,
}

/// The command that an event is the last one of, kept for whoever sends it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ended {
    key: String,
    body: String,
    /// Its events: their ids and tags.
    events: Vec<(Uuid, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    kept: Vec<String>,
}

/// The metadata of an event in the cluster.
#[derive(Serialize, Deserialize)]
struct Envelope {
    #[serde(rename = "$correlationId", default, skip_serializing_if = "Option::is_none")]
    correlation: Option<Uuid>,
    #[serde(rename = "$causationId", default, skip_serializing_if = "Option::is_none")]
    causation: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    occurred_at: Option<String>,
    effective_at: String,
    recorded_at: String,
    by: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    subjects: Vec<Uuid>,
    /// The rarer parts, exactly as they are hashed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metadata: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command: Option<Ended>,
}

/// What the rarer parts say that the cluster has words of its own for.
#[derive(Default, Deserialize)]
struct Related {
    correlation: Option<Uuid>,
    causation: Option<Uuid>,
}

impl StoredEvent {
    /// The event that stands in the cluster; the reason of a failure repeats nothing of it.
    pub(crate) fn of(raw: &Raw, names: &Names) -> Result<Self, BadEvent> {
        let stream = match names.holds(&raw.name) {
            Some(Holds::Events(stream)) => stream.to_owned(),
            _ => raw.name.clone(),
        };
        let bad = |reason: &str| BadEvent {
            position: Position(raw.position),
            stream: stream.clone(),
            tag: raw.tag.clone(),
            reason: reason.to_owned(),
        };
        let envelope: Envelope = serde_json::from_slice(&raw.metadata)
            .map_err(|_| bad("its metadata is not that of an event of Rapport"))?;
        let data = std::str::from_utf8(&raw.data).map_err(|_| bad("its data is no text"))?;
        let time = |text: &str| micros(text).ok_or_else(|| bad("one of its times is none"));
        Ok(Self {
            position: raw.position,
            revision: raw.revision + 1,
            id: raw.id,
            tag: raw.tag.clone(),
            occurred_at: envelope.occurred_at.as_deref().map(time).transpose()?,
            effective_at: time(&envelope.effective_at)?,
            recorded_at: time(&envelope.recorded_at)?,
            actor: envelope.by,
            subjects: envelope.subjects.iter().flat_map(|contact| *contact.as_bytes()).collect(),
            metadata: envelope.metadata.map(|text| text.get().to_owned()),
            data: data.to_owned(),
            ends: envelope.command,
            stream,
        })
    }

    pub(crate) fn as_stored(&self) -> Stored<'_> {
        Stored {
            position: Position(self.position),
            stream: &self.stream,
            revision: self.revision,
            id: self.id.as_bytes(),
            tag: &self.tag,
            occurred_at: self.occurred_at,
            effective_at: self.effective_at,
            recorded_at: self.recorded_at,
            actor: &self.actor,
            subjects: &self.subjects,
            metadata: self.metadata.as_deref(),
            data: &self.data,
        }
    }

    /// About how many bytes it takes in memory.
    pub(crate) fn weight(&self) -> usize {
        256 + self.data.len() + self.metadata.as_ref().map_or(0, String::len) + self.subjects.len()
    }

    /// The answer to the command that it ends.
    pub(crate) fn answer(&self) -> Option<(CommandKey, KeyedAnswer)> {
        let ended = self.ends.as_ref()?;
        ended.answer(self.stream.parse().ok()?, self.revision, self.position)
    }
}

impl Ended {
    pub(crate) fn new(
        key: CommandKey,
        body: &[u8; 32],
        events: Vec<(Uuid, String)>,
        kept: Vec<String>,
    ) -> Self {
        Self { key: hex::encode(key.0), body: hex::encode(body), events, kept }
    }

    pub(crate) fn answer(
        &self,
        stream: StreamId,
        revision: u64,
        position: u64,
    ) -> Option<(CommandKey, KeyedAnswer)> {
        let events = self.events.iter().map(|(id, tag)| AnsweredEvent { id: EventId(*id), tag: tag.clone() });
        let answer = Answer {
            stream,
            revision,
            position: Position(position),
            events: events.collect(),
            kept: self.kept.clone(),
        };
        Some((CommandKey(bytes_in(&self.key)?), KeyedAnswer { body: bytes_in(&self.body)?, answer }))
    }
}

/// The tag of an answer to a command that changed nothing.
pub(crate) const ANSWERED: &str = "command.answered";

/// An answer to a command that changed nothing, as it stands in the cluster.
#[derive(Serialize, Deserialize)]
pub(crate) struct NothingDone {
    pub(crate) stream: StreamId,
    pub(crate) revision: u64,
    pub(crate) position: u64,
    pub(crate) at: i64,
    pub(crate) command: Ended,
}

/// What stands in the cluster for a stored event. An error says what of it cannot be written there.
pub(crate) fn propose(event: &Stored<'_>, ends: Option<Ended>) -> Result<Proposed, String> {
    let time = |micros: i64| text_of(micros).ok_or_else(|| "one of its times cannot be written".to_owned());
    let related: Related =
        event.metadata.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let raw = |text: &str| {
        RawValue::from_string(text.to_owned()).map_err(|_| "it holds a text that is not JSON".to_owned())
    };
    let subjects = event.subjects.chunks(16).map(Uuid::from_slice).collect::<Result<_, _>>();
    let envelope = Envelope {
        correlation: related.correlation,
        causation: related.causation,
        occurred_at: event.occurred_at.map(time).transpose()?,
        effective_at: time(event.effective_at)?,
        recorded_at: time(event.recorded_at)?,
        by: event.actor.to_owned(),
        subjects: subjects.map_err(|_| "one of the contacts concerned has no id".to_owned())?,
        metadata: event.metadata.map(raw).transpose()?,
        command: ends,
    };
    let proposed = Proposed {
        id: Uuid::from_slice(event.id).map_err(|_| "its id does not have 16 bytes".to_owned())?,
        tag: event.tag.to_owned(),
        data: raw(event.data)?,
        metadata: Some(serde_json::value::to_raw_value(&envelope).map_err(|error| error.to_string())?),
    };
    // White space around a text would not come back.
    let is_whole = proposed.data.get() == event.data
        && envelope.metadata.as_deref().map(RawValue::get) == event.metadata;
    if is_whole { Ok(proposed) } else { Err("it holds a text that would not come back as it is".to_owned()) }
}

/// A moment to the microsecond, for people.
fn text_of(micros: i64) -> Option<String> {
    let text = moment(micros)?.to_rfc3339_opts(SecondsFormat::Micros, true);
    (self::micros(&text)? == micros).then_some(text)
}

fn micros(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.with_timezone(&Utc).timestamp_micros())
}

fn bytes_in<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(digits, &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_are_read_as_bytes() {
        assert_eq!(bytes_in(&hex::encode([1, 255])), Some([1, 255]));
        for text in ["+f+f", "0x0f", "-1-1", " 1 1", "0f", "0f0f0f", "éé"] {
            assert_eq!(bytes_in::<2>(text), None, "{text}");
        }
    }
}
