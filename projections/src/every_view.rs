//! What holds for every view, whatever it asks.

use std::{collections::BTreeSet, sync::Arc};

use domain::Kind;
use rusqlite::Connection;
use schemars::SchemaGenerator;
use serde_json::{Map, Value};

use crate::{
    catalogue,
    folds::{thing, told},
    kit::{
        Page, Tables, ViewError, personal,
        testing::{NoKeys, sound},
        view::AnyView,
    },
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

/// How many types an answer of a view may have.
fn types(view: &AnyView) -> usize {
    let mut generator = SchemaGenerator::default();
    let schema = view.description.view_schema(&mut generator).to_value();
    let name = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next()).unwrap_or_default();
    let schema = generator.definitions().get(name).unwrap_or(&schema);
    schema["anyOf"].as_array().map_or(1, Vec::len)
}

/// What can be asked of a view: every parameter with every value that may find something, alone and with every other.
fn questions(view: &AnyView) -> BTreeSet<String> {
    let mut generator = SchemaGenerator::default();
    let schema = view.description.query_schema(&mut generator).to_value();
    let definitions = generator.take_definitions(true);
    // A question may have no parameters at all.
    let schema = definitions.values().chain([&schema]).find(|schema| schema["properties"].is_object());
    let parameters = schema.and_then(|schema| schema["properties"].as_object());
    let mut single = vec![String::new()];
    for (name, parameter) in parameters.into_iter().flatten() {
        let mut words = BTreeSet::new();
        words_of(parameter, &definitions, &mut words);
        if parameter["format"] == "uuid" {
            words.extend(Kind::ALL.iter().map(|kind| thing(*kind).to_string()));
        } else if name.contains("year") {
            words.insert("2024".to_owned());
        } else if name == "stream" {
            words.insert(format!("contact-{}", thing(Kind::Contact)));
        }
        single.extend(words.into_iter().map(|word| format!("{name}={word}")));
    }
    let both = single.iter().flat_map(|one| single.iter().map(move |other| format!("{one}&{other}")));
    both.collect()
}

/// The words of a closed list.
fn words_of(schema: &Value, definitions: &Map<String, Value>, words: &mut BTreeSet<String>) {
    words.extend(schema["const"].as_str().map(str::to_owned));
    words
        .extend(schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
    let named = schema["$ref"].as_str().and_then(|name| definitions.get(name.rsplit('/').next()?));
    let either = ["anyOf", "oneOf"].into_iter().filter_map(|list| schema[list].as_array()).flatten();
    either.chain(named).for_each(|schema| words_of(schema, definitions, words));
}

#[test]
fn the_columns_of_a_table_depend_on_the_question_and_take_in_every_member_of_its_rows() {
    for view in catalogue().0 {
        let name = view.description.name;
        let (tables, mut headers) = (told(&view), BTreeSet::new());
        for question in questions(&view) {
            let Ok(Some(answer)) = (view.view)(&tables, &question, &Page::default()) else { continue };
            let table = answer.rows().unwrap_or_else(|error| panic!("{name}?{question}: {error}"));
            headers.insert(table.columns);
            sound(&view, &answer);
        }
        assert_eq!(headers.len(), types(&view), "{name}: some type of answer was never given: {headers:?}");
    }
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
