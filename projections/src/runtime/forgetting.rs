//! Forgetting a person in the files of the views: whatever the author of a view wrote, the runtime empties every
//! column declared personal in the rows of a contact who was erased. Rows, numbers and counts stay.

use std::{path::Path, sync::Arc};

use domain::{ContactId, Position};
use rusqlite::{Connection, OpenFlags, params};
use schemars::JsonSchema;
use serde::Serialize;

use crate::runtime::{
    snapshot,
    view_file::FileError,
    views::{Phase, Shared, Status, Views},
};

/// How a column that holds a personal value is declared.
const DECLARED: &str = "PERSONAL";

/// Whether a view holds anything personal.
pub(crate) fn is_personal(tables: &str) -> bool {
    tables.contains(DECLARED)
}

/// A table with its columns that are declared personal.
pub(crate) type Declared = (String, Vec<String>);

/// The tables of a file that hold something personal.
pub(crate) fn declared(connection: &Connection) -> rusqlite::Result<Vec<Declared>> {
    let sql = "SELECT t.name, c.name FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c
               WHERE t.type = 'table' AND c.type LIKE ?1 || '%' ORDER BY t.name, c.cid";
    let mut statement = connection.prepare_cached(sql)?;
    let mut found: Vec<Declared> = Vec::new();
    let mut rows = statement.query([DECLARED])?;
    while let Some(row) = rows.next()? {
        let (table, column): (String, String) = (row.get(0)?, row.get(1)?);
        match found.last_mut() {
            Some((last, columns)) if *last == table => columns.push(column),
            _ => found.push((table, vec![column])),
        }
    }
    Ok(found)
}

/// Empties what is personal of a contact. What was never given stays absent; searches follow by their triggers.
pub(crate) fn empty(connection: &Connection, subject: ContactId) -> rusqlite::Result<()> {
    for (table, columns) in declared(connection)? {
        let emptied = |column: &String| format!("\"{column}\" = iif(\"{column}\" IS NULL, NULL, '')");
        let set = columns.iter().map(emptied).collect::<Vec<_>>().join(", ");
        let sql = format!("UPDATE \"{table}\" SET {set} WHERE subject = ?1 AND ({})", any_left(&columns));
        connection.prepare_cached(&sql)?.execute([subject.0])?;
    }
    Ok(())
}

/// How many rows of a contact a file has in tables that hold something personal, and in how many of them
/// anything is left.
pub(crate) fn count(connection: &Connection, subject: ContactId) -> rusqlite::Result<(u64, u64)> {
    let (mut rows, mut left) = (0, 0);
    for (table, columns) in declared(connection)? {
        let sql = format!(
            "SELECT count(*), coalesce(sum({}), 0) FROM \"{table}\" WHERE subject = ?1",
            any_left(&columns)
        );
        let (of_table, left_there): (u64, u64) =
            connection.query_row(&sql, params![subject.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        (rows, left) = (rows + of_table, left + left_there);
    }
    Ok((rows, left))
}

fn any_left(columns: &[String]) -> String {
    columns.iter().map(|column| format!("ifnull(\"{column}\", '') <> ''")).collect::<Vec<_>>().join(" OR ")
}

/// Empties a file that nobody follows, and leaves nothing of it beside the file.
pub(crate) fn empty_file(path: &Path, subjects: &[ContactId]) -> Result<(), FileError> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA secure_delete = ON; BEGIN IMMEDIATE;")?;
    for subject in subjects {
        empty(&connection, *subject)?;
    }
    connection.execute_batch("COMMIT")?;
    Ok(())
}

/// What is left of a contact in the files of one view: counted, not claimed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LeftInView {
    /// The view.
    pub view: &'static str,
    /// How far it has come.
    pub position: Position,
    /// Whether it has carried out the erasure in every file of its own.
    pub carried_out: bool,
    /// How many of its rows are about what the contact said or was called.
    pub rows: u64,
    /// In how many of them anything is left.
    pub left: u64,
    /// How many snapshots of it are kept.
    pub snapshots: u64,
    /// In how many rows of these anything is left.
    pub left_in_snapshots: u64,
}

/// What is left of a contact in all files of all views.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Left {
    /// In each view that holds anything personal.
    pub views: Vec<LeftInView>,
    /// How many files of the past are kept.
    pub past: u64,
    /// How many of these were begun before the last erasure.
    pub past_from_before: u64,
}

impl Left {
    /// Whether every view has carried out the erasure and nothing is left anywhere.
    pub fn is_nothing(&self) -> bool {
        let nothing = |view: &LeftInView| view.carried_out && view.left == 0 && view.left_in_snapshots == 0;
        self.views.iter().all(nothing) && self.past_from_before == 0
    }
}

impl Views {
    /// A number that changes with every erasure; waits until each view has carried out all there were. Whoever
    /// hands out what they have gathered from views asks before and after, and begins again where it has changed.
    pub async fn erasures(&self) -> u64 {
        let erasures = self.shared.store.erasures();
        self.settle(self.head(), |_| ()).await;
        erasures
    }

    /// Looks into every file of every view for what is left of a contact whose erasure lies at a position.
    pub async fn left(&self, contact: ContactId, erased_at: Position) -> Result<Left, FileError> {
        let shared = Arc::clone(&self.shared);
        let look = move || look(&shared, contact, erased_at);
        tokio::task::spawn_blocking(look).await.map_err(std::io::Error::other)?
    }
}

fn look(shared: &Shared, contact: ContactId, erased_at: Position) -> Result<Left, FileError> {
    let mut views = Vec::new();
    for served in shared.views.iter().filter(|served| is_personal(served.view.tables)) {
        let Status { position, phase, rebuilding, emptying } = served.status.borrow().clone();
        // A view that stands still has no more of its events folded, but what was erased is erased.
        let has_seen = position >= erased_at || matches!(phase, Phase::Stopped { .. });
        let is_built = rebuilding.is_none_or(|position| position >= erased_at);
        let (mut rows, mut left) = (0, 0);
        if let Some(generation) = served.generation() {
            let connection = Connection::open_with_flags(&generation.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            connection.busy_timeout(std::time::Duration::from_secs(5))?;
            (rows, left) = count(&connection, contact)?;
        }
        let (snapshots, left_in_snapshots) = snapshot::count(&shared.folder, &served.view, contact)?;
        views.push(LeftInView {
            view: served.view.description.name,
            position,
            carried_out: has_seen && is_built && !emptying,
            rows,
            left,
            snapshots,
            left_in_snapshots,
        });
    }
    let (past, past_from_before) = shared.past.count(shared.store.erasures());
    Ok(Left { views, past, past_from_before })
}
