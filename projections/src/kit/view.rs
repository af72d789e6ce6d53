//! A projection without its types: what the runtime, HTTP, documentation and tests work with.

use std::sync::Arc;

use domain::{Kind, KindSet, Recorded, Role};
use schemars::{Schema, SchemaGenerator};

use crate::kit::{
    page::Page,
    persons,
    projection::{ApplyError, Behind, Projection, Shows, ViewError},
    tables::Tables,
};

/// Everything there is to know about a projection without its types.
#[derive(Clone)]
pub struct Description {
    /// Its name.
    pub name: &'static str,
    /// Its question.
    pub question: &'static str,
    /// Its version.
    pub version: u32,
    /// Who may ask.
    pub readers: &'static [Role],
    /// What its rows are.
    pub shows: Shows,
    /// The parameters of its question whose values are personal.
    pub personal_parameters: &'static [&'static str],
    /// The kinds that it folds.
    pub kinds: &'static [Kind],
    query: fn(&mut SchemaGenerator) -> Schema,
    view: fn(&mut SchemaGenerator) -> Schema,
}

impl Description {
    /// The JSON schema of the question's parameters.
    pub fn query_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        (self.query)(generator)
    }

    /// The JSON schema of the answer.
    pub fn view_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        (self.view)(generator)
    }
}

/// Finds what stands behind the cell of a group.
type FindBehind = fn(&Tables, &str, Option<&str>, &Page) -> Result<Option<Behind>, ViewError>;

/// A projection without its types.
#[derive(Clone)]
pub(crate) struct AnyView {
    pub(crate) description: Description,
    pub(crate) wanted: KindSet,
    /// What is read of the log: what the view wants, and what the runtime wants for every view.
    pub(crate) read: KindSet,
    pub(crate) tables: &'static str,
    pub(crate) indexes: &'static str,
    pub(crate) apply: fn(&Tables, &Recorded) -> Result<(), ApplyError>,
    /// The answer as JSON text, in the order in which the type declares its members.
    pub(crate) view: fn(&Tables, &str, &Page) -> Result<Option<String>, ViewError>,
    pub(crate) behind: FindBehind,
}

impl AnyView {
    pub(crate) fn of<P: Projection>() -> Self {
        Self {
            description: Description {
                name: P::NAME,
                question: P::QUESTION,
                version: P::VERSION,
                readers: P::READERS,
                shows: P::SHOWS,
                personal_parameters: P::PERSONAL_PARAMETERS,
                kinds: P::KINDS,
                query: |generator| generator.subschema_for::<P::Query>(),
                view: |generator| generator.subschema_for::<P::View>(),
            },
            wanted: KindSet::of(P::KINDS),
            read: KindSet::of(P::KINDS).union(KindSet::of(persons::KINDS)),
            tables: P::TABLES,
            indexes: P::INDEXES,
            apply: P::apply,
            view: |tables, query, page| {
                let view = P::view(tables, read_query(query)?, page)?;
                let json = view.map(|view| serde_json::to_string(&view)).transpose();
                json.map_err(|error| ViewError::Query { field: None, message: error.to_string() })
            },
            behind: |tables, query, group, page| P::behind(tables, read_query(query)?, group, page),
        }
    }
}

impl AnyView {
    /// Makes the tables of the runtime and those of the view.
    pub(crate) fn create_tables(&self, connection: &rusqlite::Connection) -> rusqlite::Result<()> {
        connection.execute_batch(persons::TABLES)?;
        connection.execute_batch(self.tables)
    }

    /// All tables and indexes: where they differ, a file is of another version, whatever its number.
    pub(crate) fn schema(&self) -> String {
        [persons::TABLES, self.tables, self.indexes].concat()
    }
}

/// Reads `stage=won&owner=…` into the type of a query, naming the parameter at fault.
pub(crate) fn read_query<Q: serde::de::DeserializeOwned>(query: &str) -> Result<Q, ViewError> {
    let pairs = serde_html_form::Deserializer::from_bytes(query.as_bytes());
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let path = error.path().to_string();
        ViewError::Query { field: (path != ".").then_some(path), message: error.into_inner().to_string() }
    })
}

/// Whoever walks the list of projections: see [`crate::questions::all`].
pub trait Registry {
    /// Takes in one projection.
    fn register<P: Projection>(&mut self);
}

/// All projections, their types erased, in the order of the list.
pub(crate) struct Catalogue(pub(crate) Vec<Arc<AnyView>>);

impl Registry for Catalogue {
    fn register<P: Projection>(&mut self) {
        self.0.push(Arc::new(AnyView::of::<P>()));
    }
}

impl Catalogue {
    pub(crate) fn whole() -> Self {
        let mut catalogue = Self(Vec::new());
        crate::questions::all(&mut catalogue);
        catalogue
    }
}

/// What can be asked, for documentation and help.
pub fn descriptions() -> Vec<Description> {
    Catalogue::whole().0.iter().map(|view| view.description.clone()).collect()
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    /// The columns of every table of a view, with their declared types.
    fn columns(view: &AnyView) -> Vec<(String, Vec<(String, String)>)> {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(view.tables).unwrap();
        connection.execute_batch(view.indexes).unwrap();
        let rows = |sql: &str, name: &str| -> Vec<(String, String)> {
            let mut statement = connection.prepare(sql).unwrap();
            let read = |row: &rusqlite::Row<'_>| {
                Ok((row.get(0)?, row.get::<_, Option<String>>(1)?.unwrap_or_default()))
            };
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
        for view in Catalogue::whole().0 {
            for (table, columns) in columns(&view) {
                let personal = columns.iter().any(|(_, declared)| declared.starts_with("PERSONAL"));
                let subject = columns.iter().any(|(name, _)| name == "subject");
                assert!(
                    !personal || subject,
                    "{}: the table {table} does not say whose",
                    view.description.name
                );
            }
        }
    }

    #[test]
    fn whoever_is_erased_is_found_by_an_index_in_every_table_that_holds_something_personal() {
        for view in Catalogue::whole().0 {
            let connection = Connection::open_in_memory().unwrap();
            connection.execute_batch(view.tables).unwrap();
            connection.execute_batch(view.indexes).unwrap();
            for (table, _) in crate::runtime::forgetting::declared(&connection).unwrap() {
                let sql = format!("EXPLAIN QUERY PLAN SELECT 1 FROM {table} WHERE subject = ?1");
                let plan: String = connection.query_row(&sql, [0], |row| row.get(3)).unwrap();
                assert!(plan.starts_with("SEARCH"), "{}: {table}: {plan}", view.description.name);
            }
        }
    }

    #[test]
    fn every_view_has_a_name_of_its_own_that_fits_into_a_url_and_a_file() {
        let mut names: Vec<_> = Catalogue::whole().0.iter().map(|view| view.description.name).collect();
        assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn every_view_understands_an_empty_question_or_says_what_it_needs() {
        for view in Catalogue::whole().0 {
            let connection = Connection::open_in_memory().unwrap();
            view.create_tables(&connection).unwrap();
            connection.execute_batch(view.indexes).unwrap();
            let tables = Tables::new(connection, Arc::new(crate::kit::testing::NoKeys));
            match (view.view)(&tables, "", &Page::default()) {
                Ok(_) | Err(ViewError::Query { .. }) => {}
                Err(ViewError::Tables(error)) => panic!("{}: {error}", view.description.name),
            }
        }
    }
}
