//! How single values stand in the columns of a view's tables.

use chrono::{DateTime, Utc};
use rusqlite::{Row, types::Type};
use serde::{
    Deserialize, Serialize,
    de::{IntoDeserializer as _, value::StrDeserializer},
};

/// The moment whose microseconds since 1970 stand in a column.
pub(crate) fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<DateTime<Utc>> {
    moment_of(column, row.get(column)?)
}

/// The moment in a column that may be empty.
pub(crate) fn maybe_moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<DateTime<Utc>>> {
    row.get::<_, Option<i64>>(column)?.map(|micros| moment_of(column, micros)).transpose()
}

/// The moment that microseconds since 1970 stand for, which were read from a column. What no calendar knows was
/// never written, and is an error of the row.
pub(crate) fn moment_of(column: usize, micros: i64) -> rusqlite::Result<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros).ok_or(rusqlite::Error::IntegralValueOutOfRange(column, micros))
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
pub(crate) fn read_word<T: for<'de> Deserialize<'de>>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let word: StrDeserializer<'_, serde::de::value::Error> =
        row.get_ref(column)?.as_str()?.into_deserializer();
    T::deserialize(word)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into()))
}

/// The member of a closed list whose word stands in a column that may be empty.
pub(crate) fn maybe_word<T: for<'de> Deserialize<'de>>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<T>> {
    match row.get_ref(column)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        _ => read_word(row, column).map(Some),
    }
}

/// A personal text, where one was ever given.
pub(crate) fn given(row: &Row<'_>, whether: usize, text: usize) -> rusqlite::Result<Option<String>> {
    Ok(if row.get(whether)? { Some(row.get(text)?) } else { None })
}

#[cfg(test)]
mod tests {
    use domain::Outcome;
    use rusqlite::Connection;

    use super::*;

    fn read<T>(
        value: impl rusqlite::ToSql,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        Connection::open_in_memory().unwrap().query_row("SELECT ?1", [value], read)
    }

    #[test]
    fn a_moment_that_no_calendar_knows_is_an_error_of_the_row() {
        assert_eq!(read(0, |row| moment(row, 0)).unwrap(), DateTime::UNIX_EPOCH);
        assert_eq!(read(None::<i64>, |row| maybe_moment(row, 0)).unwrap(), None);
        for micros in [i64::MIN, i64::MAX] {
            assert!(read(micros, |row| moment(row, 0)).is_err());
            assert!(read(micros, |row| maybe_moment(row, 0)).is_err());
        }
    }

    #[test]
    fn a_word_of_no_list_is_an_error_of_the_row() {
        assert_eq!(read(word(Outcome::Won), |row| read_word::<Outcome>(row, 0)).unwrap(), Outcome::Won);
        assert_eq!(read(None::<&str>, |row| maybe_word::<Outcome>(row, 0)).unwrap(), None);
        assert!(read("sold", |row| read_word::<Outcome>(row, 0)).is_err());
    }
}
