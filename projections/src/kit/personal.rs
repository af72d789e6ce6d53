//! The columns of a view that are declared personal: found in a file, emptied for one contact, and counted.

use domain::ContactId;
use rusqlite::{Connection, params};

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
