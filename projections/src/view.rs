//! A projection whose types have been erased: what the runtime, HTTP, documentation and tests work with.

use std::sync::Arc;

use domain::{Kind, KindSet, Recorded, Role};
use schemars::{Schema, SchemaGenerator};

use crate::{
    page::Page,
    projection::{ApplyError, Projection, Shows, ViewError},
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

/// A projection without its types.
#[derive(Clone)]
pub(crate) struct Erased {
    pub(crate) description: Description,
    pub(crate) wanted: KindSet,
    pub(crate) tables: &'static str,
    pub(crate) indexes: &'static str,
    pub(crate) apply: fn(&Tables, &Recorded) -> Result<(), ApplyError>,
    /// The answer as JSON text, in the order in which the type declares its members.
    pub(crate) view: fn(&Tables, &str, &Page) -> Result<Option<String>, ViewError>,
}

impl Erased {
    pub(crate) fn of<P: Projection>() -> Self {
        Self {
            description: Description {
                name: P::NAME,
                question: P::QUESTION,
                version: P::VERSION,
                readers: P::READERS,
                shows: P::SHOWS,
                kinds: P::KINDS,
                query: |generator| generator.subschema_for::<P::Query>(),
                view: |generator| generator.subschema_for::<P::View>(),
            },
            wanted: KindSet::of(P::KINDS),
            tables: P::TABLES,
            indexes: P::INDEXES,
            apply: P::apply,
            view: |tables, query, page| {
                let view = P::view(tables, read_query(query)?, page)?;
                let json = view.map(|view| serde_json::to_string(&view)).transpose();
                json.map_err(|error| ViewError::Query { field: None, message: error.to_string() })
            },
        }
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

/// All projections, their types erased, in the order of the list.
pub(crate) struct Catalogue(pub(crate) Vec<Arc<Erased>>);

impl Registry for Catalogue {
    fn register<P: Projection>(&mut self) {
        self.0.push(Arc::new(Erased::of::<P>()));
    }
}

impl Catalogue {
    pub(crate) fn whole() -> Self {
        let mut catalogue = Self(Vec::new());
        crate::all(&mut catalogue);
        catalogue
    }
}

/// What can be asked, for documentation and help.
pub fn descriptions() -> Vec<Description> {
    Catalogue::whole().0.iter().map(|view| view.description.clone()).collect()
}
