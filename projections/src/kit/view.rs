//! A projection without its types: what the runtime, HTTP, documentation and tests work with.

use std::sync::Arc;

use domain::{Kind, KindSet, Recorded, Role, schema};
use schemars::{Schema, SchemaGenerator};

use crate::kit::{
    answer::{Answer, AnswerError},
    error::{ApplyError, ViewError},
    own,
    page::Page,
    projection::{Behind, Projection, Shows},
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
    read: fn(&str) -> Result<Answer, AnswerError>,
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

    /// An answer of this view that was given elsewhere as JSON.
    pub fn read(&self, json: &str) -> Result<Answer, AnswerError> {
        (self.read)(json)
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
    pub(crate) view: fn(&Tables, &str, &Page) -> Result<Option<Answer>, ViewError>,
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
                query: |generator| schema::named::<P::Query>(generator, P::NAME, "Query"),
                view: |generator| schema::named::<P::View>(generator, P::NAME, "View"),
                read: Answer::read::<P>,
            },
            wanted: KindSet::of(P::KINDS),
            read: KindSet::of(P::KINDS).union(KindSet::of(own::KINDS)),
            tables: P::TABLES,
            indexes: P::INDEXES,
            apply: P::apply,
            view: |tables, query, page| Ok(P::view(tables, read_query(query)?, page)?.map(Answer::of::<P>)),
            behind: |tables, query, group, page| P::behind(tables, read_query(query)?, group, page),
        }
    }
}

impl AnyView {
    /// Makes the tables of the runtime and those of the view.
    pub(crate) fn create_tables(&self, connection: &rusqlite::Connection) -> rusqlite::Result<()> {
        connection.execute_batch(&own::TABLES.concat())?;
        connection.execute_batch(self.tables)
    }

    /// All tables and indexes: where they differ, a file is of another version, whatever its number.
    pub(crate) fn schema(&self) -> String {
        own::TABLES.concat() + self.tables + self.indexes
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

/// Whoever walks the list of projections: see [`crate::all`].
pub trait Registry {
    /// Takes in one projection.
    fn register<P: Projection>(&mut self);
}

/// Projections, their types erased, in the order in which they were registered.
#[derive(Default)]
pub(crate) struct Catalogue(pub(crate) Vec<Arc<AnyView>>);

impl Registry for Catalogue {
    fn register<P: Projection>(&mut self) {
        self.0.push(Arc::new(AnyView::of::<P>()));
    }
}
