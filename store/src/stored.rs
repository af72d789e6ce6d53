//! From a stored event to a recorded one, and from a row of the embedded log to a stored event. The reason of a
//! failure never repeats what is stored.

use std::borrow::Cow;

use domain::{BadEvent, ContactId, Event, EventId, Keyring, Kind, Position, Recorded, Stored, StreamId};
use rusqlite::{Row, types::ValueRef};
use uuid::Uuid;

use crate::{clock::moment, log_file::from_stored, sealing};

/// The event in a row with the columns [`crate::log_file::COLUMNS`]; personal values are opened where a
/// keyring is given.
pub(crate) fn decode(row: &Row<'_>, keyring: Option<&dyn Keyring>) -> Result<Recorded, BadEvent> {
    as_recorded(&as_it_stands(row)?, keyring)
}

/// The event in a row with the columns [`crate::log_file::COLUMNS`], exactly as it stands there.
pub(crate) fn as_it_stands<'r>(row: &'r Row<'_>) -> Result<Stored<'r>, BadEvent> {
    let columns = || -> Result<Stored<'r>, String> {
        Ok(Stored {
            position: Position(u64::try_from(number(row, 0)?).map_err(|_| misfit(0))?),
            stream: text(row, 1)?,
            revision: u64::try_from(number(row, 2)?).map_err(|_| misfit(2))?,
            id: bytes(row, 3)?,
            tag: text(row, 4)?,
            occurred_at: optional(row, 5, number)?,
            effective_at: number(row, 6)?,
            recorded_at: number(row, 7)?,
            actor: text(row, 8)?,
            subjects: bytes(row, 9)?,
            metadata: optional(row, 10, text)?,
            data: text(row, 11)?,
        })
    };
    columns().map_err(|reason| BadEvent {
        position: Position(number(row, 0).map_or(0, from_stored)),
        stream: text(row, 1).unwrap_or_default().to_owned(),
        tag: text(row, 4).unwrap_or_default().to_owned(),
        reason,
    })
}

/// The kind that a row is about, seen from the name of its stream; `None` where there is no such kind.
pub(crate) fn kind(row: &Row<'_>) -> Option<Kind> {
    kind_of(text(row, 1).ok()?)
}

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
    keyring.map_or(Cow::Borrowed(text), |keyring| sealing::open(text, keyring))
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

fn optional<'r, T>(
    row: &'r Row<'_>,
    column: usize,
    read: impl Fn(&'r Row<'_>, usize) -> Result<T, String>,
) -> Result<Option<T>, String> {
    match row.get_ref(column) {
        Ok(ValueRef::Null) => Ok(None),
        _ => read(row, column).map(Some),
    }
}

fn number(row: &Row<'_>, column: usize) -> Result<i64, String> {
    row.get_ref(column).ok().and_then(|value| value.as_i64().ok()).ok_or_else(|| misfit(column))
}

fn text<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r str, String> {
    row.get_ref(column).ok().and_then(|value| value.as_str().ok()).ok_or_else(|| misfit(column))
}

fn bytes<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r [u8], String> {
    row.get_ref(column).ok().and_then(|value| value.as_blob().ok()).ok_or_else(|| misfit(column))
}

fn misfit(column: usize) -> String {
    format!("column {column} holds something else than it should")
}
