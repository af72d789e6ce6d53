//! From a row of the embedded log to a stored event. The reason of a failure never repeats what is stored.

use domain::{BadEvent, Keyring, Kind, Position, Recorded, Stored};
use rusqlite::{Row, types::ValueRef};

use crate::{
    recording::decoded::{as_recorded, kind_of},
    sqlite::from_stored,
};

/// The event in a row with the columns [`crate::embedded::log_file::COLUMNS`]; personal values are opened where a
/// keyring is given.
pub(crate) fn decode(row: &Row<'_>, keyring: Option<&dyn Keyring>) -> Result<Recorded, BadEvent> {
    as_recorded(&as_it_stands(row)?, keyring)
}

/// The event in a row with the columns [`crate::embedded::log_file::COLUMNS`], exactly as it stands there.
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
