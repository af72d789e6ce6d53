//! From a stored event to a recorded one, in whichever log it stands. The reason of a failure never repeats what is
//! stored.

use std::borrow::Cow;

use domain::{BadEvent, ContactId, Event, EventId, Keyring, Kind, Recorded, Stored, StreamId};
use uuid::Uuid;

use crate::{recording::clock::moment, sealing::values};

/// The kind that the name of a stream begins with; `None` where there is no such kind.
pub(crate) fn kind_of(stream: &str) -> Option<Kind> {
    stream.split_once('-')?.0.parse().ok()
}

/// A stored event decoded, whichever log it stands in; personal values are opened where a keyring is given.
pub(crate) fn as_recorded(stored: &Stored<'_>, keyring: Option<&dyn Keyring>) -> Result<Recorded, BadEvent> {
    fields(stored, keyring).map_err(|reason| BadEvent {
        position: stored.position,
        stream: stored.stream.to_owned(),
        tag: stored.tag.to_owned(),
        reason,
    })
}

fn fields(stored: &Stored<'_>, keyring: Option<&dyn Keyring>) -> Result<Recorded, String> {
    let stream: StreamId = stored.stream.parse().map_err(|_| "its stream has no known kind".to_owned())?;
    let (tag, data) = (stored.tag, opened(stored.data, keyring));
    let event = Event::decode(stream.kind, tag, &data).map_err(|error| {
        if stream.kind.tags().contains(&tag) {
            // The tag stands before the fields in what was decoded.
            let column = error.column().saturating_sub(tag.len() + 4);
            format!("its fields do not fit its tag, at column {column}")
        } else {
            format!("this program knows no such fact about a {}", stream.kind)
        }
    })?;
    Ok(Recorded {
        position: stored.position,
        stream,
        revision: stored.revision,
        id: EventId(uuid(stored.id)?),
        occurred_at: stored.occurred_at.map(|micros| time(micros, "occurred_at")).transpose()?,
        effective_at: time(stored.effective_at, "effective_at")?,
        recorded_at: time(stored.recorded_at, "recorded_at")?,
        by: stored.actor.parse().map_err(|_| "its writer has no name".to_owned())?,
        subjects: subjects(stored.subjects)?,
        metadata: stored.metadata.map(|text| opened(text, keyring).into()),
        event,
    })
}

fn opened<'t>(text: &'t str, keyring: Option<&dyn Keyring>) -> Cow<'t, str> {
    keyring.map_or(Cow::Borrowed(text), |keyring| values::open(text, keyring))
}

fn subjects(bytes: &[u8]) -> Result<Vec<ContactId>, String> {
    bytes.chunks(16).map(|bytes| uuid(bytes).map(ContactId)).collect()
}

fn uuid(bytes: &[u8]) -> Result<Uuid, String> {
    Uuid::from_slice(bytes).map_err(|_| "an id in it does not have 16 bytes".to_owned())
}

fn time(micros: i64, name: &str) -> Result<chrono::DateTime<chrono::Utc>, String> {
    moment(micros).ok_or_else(|| format!("there is no such time as its {name}"))
}
