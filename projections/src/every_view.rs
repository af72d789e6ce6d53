//! What holds for every view, whatever it asks.

use std::sync::Arc;

use rusqlite::Connection;

use crate::{
    catalogue,
    kit::{Page, Tables, ViewError, personal, testing::NoKeys, view::AnyView},
};

/// The columns of every table of a view, with their declared types.
fn columns(view: &AnyView) -> Vec<(String, Vec<(String, String)>)> {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(view.tables).unwrap();
    connection.execute_batch(view.indexes).unwrap();
    let rows = |sql: &str, name: &str| -> Vec<(String, String)> {
        let mut statement = connection.prepare(sql).unwrap();
        let read =
            |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, Option<String>>(1)?.unwrap_or_default()));
        statement.query_map([name], read).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let tables = rows("SELECT name, sql FROM sqlite_schema WHERE type = ?1", "table");
    tables
        .into_iter()
        .map(|(table, _)| {
            let columns = rows("SELECT name, type FROM pragma_table_info(?1)", &table);
            (table, columns)
        })
        .collect()
}

#[test]
fn a_table_with_personal_columns_says_whose_they_are() {
    for view in catalogue().0 {
        for (table, columns) in columns(&view) {
            let personal = columns.iter().any(|(_, declared)| declared.starts_with("PERSONAL"));
            let subject = columns.iter().any(|(name, _)| name == "subject");
            assert!(!personal || subject, "{}: the table {table} does not say whose", view.description.name);
        }
    }
}

#[test]
fn whoever_is_erased_is_found_by_an_index_in_every_table_that_holds_something_personal() {
    for view in catalogue().0 {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(view.tables).unwrap();
        connection.execute_batch(view.indexes).unwrap();
        for (table, _) in personal::declared(&connection).unwrap() {
            let sql = format!("EXPLAIN QUERY PLAN SELECT 1 FROM {table} WHERE subject = ?1");
            let plan: String = connection.query_row(&sql, [0], |row| row.get(3)).unwrap();
            assert!(plan.starts_with("SEARCH"), "{}: {table}: {plan}", view.description.name);
        }
    }
}

#[test]
fn every_view_has_a_name_of_its_own_that_fits_into_a_url_and_a_file() {
    let mut names: Vec<_> = catalogue().0.iter().map(|view| view.description.name).collect();
    assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn every_view_understands_an_empty_question_or_says_what_it_needs() {
    for view in catalogue().0 {
        let connection = Connection::open_in_memory().unwrap();
        view.create_tables(&connection).unwrap();
        connection.execute_batch(view.indexes).unwrap();
        let tables = Tables::new(connection, Arc::new(NoKeys));
        match (view.view)(&tables, "", &Page::default()) {
            Ok(_) | Err(ViewError::Query { .. }) => {}
            Err(ViewError::Tables(error)) => panic!("{}: {error}", view.description.name),
        }
    }
}
