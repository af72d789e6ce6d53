//! What every file of SQLite here has in common: numbers, plans and failures.

use rusqlite::{Connection, ErrorCode, Row, Rows, config::DbConfig, ffi};

/// Keeps the plan of a prepared statement whatever is bound to it. Without this SQLite, as it is built here,
/// plans a lookup anew for every value, which takes longer than the lookup.
pub(crate) fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// Whether the disk is full.
pub(crate) fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

/// Whether a database is damaged, or no database at all.
pub(crate) fn is_damaged(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// An error as the database would give it.
pub(crate) fn failure(code: i32) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
}

/// A number as the database keeps it. Positions and revisions never come near the limit.
pub(crate) fn to_stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number that the database kept.
pub(crate) fn from_stored(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// The unsigned number in a column.
pub(crate) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get(column).map(from_stored)
}

/// Collects what a function makes of each row.
pub(crate) fn collect<T>(
    mut rows: Rows<'_>,
    mut each: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut collected = Vec::new();
    while let Some(row) = rows.next()? {
        collected.push(each(row)?);
    }
    Ok(collected)
}
