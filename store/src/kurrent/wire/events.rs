//! Events as the cluster holds them, and on their way into it.

use eventstore::EventData;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::kurrent::wire::trouble::Trouble;

/// An event as the cluster holds it.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    pub(crate) name: String,
    /// From 0.
    pub(crate) revision: u64,
    pub(crate) id: Uuid,
    pub(crate) tag: String,
    pub(crate) data: Vec<u8>,
    pub(crate) metadata: Vec<u8>,
    pub(crate) position: u64,
}

/// An event on its way into the cluster; data and metadata are JSON, written as they stand.
#[derive(Clone, Debug)]
pub(crate) struct Proposed {
    pub(crate) id: Uuid,
    pub(crate) tag: String,
    pub(crate) data: Box<RawValue>,
    pub(crate) metadata: Option<Box<RawValue>>,
}

/// How many events a stream must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// So many.
    Events(u64),
    /// Any number.
    Any,
}

/// Where an append ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// The position of its last event, where the cluster says so.
    pub(crate) position: Option<u64>,
}

impl Raw {
    /// How many bytes it has.
    pub(crate) fn size(&self) -> usize {
        self.data.len() + self.metadata.len()
    }

    /// An event as the client gives it.
    pub(crate) fn of(event: &eventstore::RecordedEvent) -> Self {
        Self {
            name: event.stream_id().to_owned(),
            revision: event.revision,
            id: event.id,
            tag: event.event_type.clone(),
            data: event.data.to_vec(),
            metadata: event.custom_metadata.to_vec(),
            position: event.position.commit,
        }
    }
}

impl Proposed {
    /// An event that the nodes keep among themselves.
    pub(crate) fn of(id: Uuid, tag: &str, data: &impl Serialize) -> Result<Self, Trouble> {
        let data =
            serde_json::value::to_raw_value(data).map_err(|error| Trouble::Refused(error.to_string()))?;
        Ok(Self { id, tag: tag.to_owned(), data, metadata: None })
    }

    /// How many bytes the server counts.
    pub(crate) fn size(&self) -> usize {
        self.data.get().len() + self.metadata.as_ref().map_or(0, |text| text.get().len()) + 2 * self.tag.len()
    }

    /// The event for the client.
    pub(crate) fn data(&self) -> serde_json::Result<EventData> {
        let event = EventData::json(&self.tag, &self.data)?.id(self.id);
        match &self.metadata {
            Some(metadata) => event.metadata_as_json(metadata),
            None => Ok(event),
        }
    }
}

/// What stands in an event that the nodes keep among themselves; one that says nothing sensible is passed over.
pub(crate) fn read_data<T: for<'de> Deserialize<'de>>(raw: &Raw) -> Option<T> {
    let read = serde_json::from_slice(&raw.data);
    if read.is_err() {
        tracing::warn!(
            position = raw.position,
            tag = raw.tag,
            "something in a stream of the nodes cannot be read"
        );
    }
    read.ok()
}

/// An id for what is said once.
pub(crate) fn random() -> Uuid {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid()
}
