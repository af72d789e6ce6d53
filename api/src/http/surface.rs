//! The whole surface: every route, and the `OpenAPI` document that is collected from what they say of themselves. Whoever
//! adds a route says what the document has to say of it, or that it has nothing to; so none is left out in silence.

use axum::{
    Router,
    handler::Handler,
    routing::{MethodFilter, MethodRouter, on},
};
use commands::KindDescription;
use projections::Description;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    operation::{Operation, Types},
    problem::Problem,
};

/// Writes the operations of a route: one, or one for each kind or view.
type Describe = Box<dyn Fn(&mut Types<'_>) -> Vec<Operation> + Send + Sync>;

/// One route, as far as the document is concerned.
struct Route {
    path: String,
    /// The method, and what is said of it; absent where the document says nothing.
    described: Option<(&'static str, Describe)>,
}

/// Routes that are treated alike, each with what the document says of it.
pub(super) struct Routes<S> {
    router: Router<S>,
    routes: Vec<Route>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    pub(super) fn new() -> Self {
        Self { router: Router::new(), routes: Vec::new() }
    }

    /// Answers GET.
    pub(super) fn get<H: Handler<T, S>, T: 'static, O: Into<Vec<Operation>> + 'static>(
        self,
        path: &str,
        handler: H,
        describe: fn(&mut Types<'_>) -> O,
    ) -> Self {
        self.add("get", path, on(MethodFilter::GET, handler), describe)
    }

    /// Answers POST.
    pub(super) fn post<H: Handler<T, S>, T: 'static, O: Into<Vec<Operation>> + 'static>(
        self,
        path: &str,
        handler: H,
        describe: fn(&mut Types<'_>) -> O,
    ) -> Self {
        self.add("post", path, on(MethodFilter::POST, handler), describe)
    }

    /// Answers DELETE.
    pub(super) fn delete<H: Handler<T, S>, T: 'static, O: Into<Vec<Operation>> + 'static>(
        self,
        path: &str,
        handler: H,
        describe: fn(&mut Types<'_>) -> O,
    ) -> Self {
        self.add("delete", path, on(MethodFilter::DELETE, handler), describe)
    }

    /// Answers under an address of which the document says nothing: it leads elsewhere, or is a page for people only.
    pub(super) fn not_described(mut self, path: &str, handlers: MethodRouter<S>) -> Self {
        self.router = self.router.route(path, handlers);
        self.routes.push(Route { path: path.to_owned(), described: None });
        self
    }

    /// With these as well.
    pub(super) fn and(mut self, others: Self) -> Self {
        self.router = self.router.merge(others.router);
        self.routes.extend(others.routes);
        self
    }

    fn add<O: Into<Vec<Operation>> + 'static>(
        mut self,
        method: &'static str,
        path: &str,
        handlers: MethodRouter<S>,
        describe: fn(&mut Types<'_>) -> O,
    ) -> Self {
        self.router = self.router.route(path, handlers);
        let describe: Describe = Box::new(move |types| describe(types).into());
        self.routes.push(Route { path: path.to_owned(), described: Some((method, describe)) });
        self
    }
}

/// Every route that there is.
#[derive(Default)]
pub(super) struct Surface(Vec<Route>);

impl Surface {
    /// Takes in routes, and gives what answers them.
    pub(super) fn take_in<S>(&mut self, routes: Routes<S>) -> Router<S> {
        self.0.extend(routes.routes);
        routes.router
    }

    /// Every route with its method, or without one where the document says nothing of it.
    #[cfg(test)]
    pub(super) fn routes(&self) -> impl Iterator<Item = (Option<&str>, &str)> {
        self.0.iter().map(|route| (route.described.as_ref().map(|(method, _)| *method), route.path.as_str()))
    }

    /// The document, for these kinds and views.
    pub(super) fn describe(&self, kinds: &[KindDescription], views: &[Description]) -> Document {
        let mut types = Types::new(kinds, views);
        let mut paths = Map::new();
        for Route { path, described } in &self.0 {
            let Some((method, describe)) = described else { continue };
            for operation in describe(&mut types) {
                let (path, written) = operation.write(path);
                let operations = paths.entry(path).or_insert_with(|| json!({}));
                operations[*method] = written;
            }
        }
        let problem = types.schema::<Problem>();
        let components = Components {
            security_schemes: json!({ "token": { "type": "http", "scheme": "bearer" } }),
            responses: json!({
                "Problem": {
                    "description": "What went wrong, with which field, and what to do (RFC 9457).",
                    "content": { "application/problem+json": { "schema": problem } },
                },
            }),
            schemas: types.generator.take_definitions(true),
        };
        let description = "Commands become immutable events; views answer from them, for now and for any moment of the past.";
        let info = Info { title: "Rapport", version: env!("CARGO_PKG_VERSION"), description };
        Document { openapi: "3.1.0", info, security: vec![json!({ "token": [] })], paths, components }
    }
}

/// A document in `OpenAPI` 3.1.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OpenAPI")]
pub(crate) struct Document {
    /// The version of the format.
    openapi: &'static str,
    /// What it is about.
    info: Info,
    /// How callers prove who they are, unless an operation says otherwise.
    security: Vec<Value>,
    /// By path and method, what can be done.
    paths: Map<String, Value>,
    /// What the paths refer to.
    components: Components,
}

/// What a document is about.
#[derive(Serialize, JsonSchema)]
struct Info {
    /// The program.
    title: &'static str,
    /// Its version.
    version: &'static str,
    /// What it does.
    description: &'static str,
}

/// What the paths of a document refer to.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Components {
    /// How callers prove who they are.
    security_schemes: Value,
    /// Answers of many operations.
    responses: Value,
    /// The schemas of all types.
    schemas: Map<String, Value>,
}
