//! How single values stand in the columns of a view's tables.

use chrono::{DateTime, Utc};
use rusqlite::{Row, types::Type};
use serde::{Serialize, de::DeserializeOwned};

/// A moment from the microseconds since 1970 that stand for it.
pub(crate) fn moment(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}

/// One word of a closed list, as it stands in events and in the tables.
pub(crate) fn word(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        // Closed lists are written as words.
        Ok(_) | Err(_) => String::new(),
    }
}

/// The member of a closed list whose word stands in a column.
pub(crate) fn read_word<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let word: String = row.get(column)?;
    serde_json::from_value(serde_json::Value::String(word))
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into()))
}

/// A personal text, where one was ever given.
pub(crate) fn given(row: &Row<'_>, whether: usize, text: usize) -> rusqlite::Result<Option<String>> {
    Ok(if row.get(whether)? { Some(row.get(text)?) } else { None })
}
