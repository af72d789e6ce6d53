//! What the document says of a route. Each file of routes puts its operations together beside its handlers, from the types
//! that these read and answer.

use commands::KindDescription;
use domain::Role;
use projections::Description;
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// Where the schemas of types stand in the document.
const SCHEMAS: &str = "/components/schemas";
/// What may come of any request that wants a token.
const USUAL_PROBLEMS: [u16; 4] = [400, 401, 403, 503];

/// The kinds and views that there are, and the schemas of the types that were named so far.
pub(crate) struct Types<'a> {
    pub(super) kinds: &'a [KindDescription],
    pub(super) views: &'a [Description],
    pub(super) generator: SchemaGenerator,
}

impl<'a> Types<'a> {
    pub(super) fn new(kinds: &'a [KindDescription], views: &'a [Description]) -> Self {
        let settings =
            SchemaSettings::draft2020_12().with(|settings| settings.definitions_path = SCHEMAS.into());
        Self { kinds, views, generator: settings.into_generator() }
    }

    /// The schema of a type, kept among the components.
    pub(super) fn schema<T: JsonSchema>(&mut self) -> Value {
        self.generator.subschema_for::<T>().into()
    }

    /// The schema that a reference points to.
    pub(super) fn resolved(&self, schema: &Value) -> Value {
        let name = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next());
        name.and_then(|name| self.generator.definitions().get(name)).unwrap_or(schema).clone()
    }
}

/// What can be done with one method under one path.
pub(crate) struct Operation {
    tag: &'static str,
    id: String,
    summary: String,
    description: Vec<String>,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: Map<String, Value>,
    problems: Vec<u16>,
    is_open: bool,
    written_out: Option<(&'static str, &'static str)>,
}

impl Operation {
    /// An operation under one of the headings of the page; its id is unique.
    pub(super) fn new(tag: &'static str, id: impl Into<String>, summary: impl Into<String>) -> Self {
        Self {
            tag,
            id: id.into(),
            summary: summary.into(),
            description: Vec::new(),
            parameters: Vec::new(),
            body: None,
            answers: Map::new(),
            problems: Vec::new(),
            is_open: false,
            written_out: None,
        }
    }

    /// The operation is that of one value of a parameter of the path: the document has a path of its own for it, with this
    /// value in place of the parameter.
    pub(super) fn written_out(mut self, parameter: &'static str, value: &'static str) -> Self {
        self.written_out = Some((parameter, value));
        self
    }

    /// Says more than the summary.
    pub(super) fn explained(mut self, sentence: impl Into<String>) -> Self {
        self.description.push(sentence.into());
        self
    }

    /// Says who may.
    pub(super) fn for_roles(self, allowed: &[Role]) -> Self {
        self.explained(format!("For {}.", roles(allowed)))
    }

    /// Wants no token, so that the usual problems are not among its answers.
    pub(super) fn open(mut self) -> Self {
        self.is_open = true;
        self
    }

    /// Takes these parameters.
    pub(super) fn with(mut self, parameters: impl IntoIterator<Item = Value>) -> Self {
        self.parameters.extend(parameters);
        self
    }

    /// Takes a part of the path.
    pub(super) fn in_path(self, name: &str, schema: &Value, description: &str) -> Self {
        self.with([parameter(name, "path", true, schema, description)])
    }

    /// May take a header.
    pub(super) fn in_header(self, name: &str, schema: &Value, description: &str) -> Self {
        self.with([parameter(name, "header", false, schema, description)])
    }

    /// Takes the fields of a type as parameters of the query.
    pub(super) fn query<T: JsonSchema>(self, types: &mut Types<'_>) -> Self {
        let query = types.schema::<T>();
        self.with(fields_as_parameters(&types.resolved(&query)))
    }

    /// Takes a body in JSON.
    pub(super) fn takes<T: JsonSchema>(self, types: &mut Types<'_>) -> Self {
        let schema = types.schema::<T>();
        self.takes_as("application/json", &schema)
    }

    /// Takes a body in JSON, or none.
    pub(super) fn may_take<T: JsonSchema>(self, types: &mut Types<'_>) -> Self {
        let schema = types.schema::<T>();
        self.may_take_as("application/json", &schema)
    }

    /// Takes a body of some type, or none.
    pub(super) fn may_take_as(mut self, content_type: &str, schema: &Value) -> Self {
        self.body = Some(json!({ "content": { content_type: { "schema": schema } } }));
        self
    }

    /// Takes a body of some type.
    pub(super) fn takes_as(mut self, content_type: &str, schema: &Value) -> Self {
        self.body = Some(json!({ "required": true, "content": { content_type: { "schema": schema } } }));
        self
    }

    /// Answers in JSON.
    pub(super) fn answers<T: JsonSchema>(
        self,
        status: u16,
        description: &str,
        types: &mut Types<'_>,
    ) -> Self {
        let schema = types.schema::<T>();
        self.answers_as(status, description, &[("application/json", schema)])
    }

    /// Answers in JSON, line by line.
    pub(super) fn answers_lines<T: JsonSchema>(self, description: &str, types: &mut Types<'_>) -> Self {
        let schema = types.schema::<T>();
        self.answers_as(200, description, &[("application/x-ndjson", schema)])
    }

    /// Answers with a text or a file of some type.
    pub(super) fn answers_text(self, content_type: &str, description: &str) -> Self {
        self.answers_as(200, description, &[(content_type, text())])
    }

    /// Answers in one of several types, as the client prefers.
    pub(super) fn answers_as(mut self, status: u16, description: &str, contents: &[(&str, Value)]) -> Self {
        let contents: Map<String, Value> = contents
            .iter()
            .map(|(content_type, schema)| ((*content_type).to_owned(), json!({ "schema": schema })))
            .collect();
        self.answers.insert(status.to_string(), json!({ "description": description, "content": contents }));
        self
    }

    /// Answers by the status alone.
    pub(super) fn answers_nothing(mut self, status: u16, description: &str) -> Self {
        self.answers.insert(status.to_string(), json!({ "description": description }));
        self
    }

    /// Answers with a problem as well, beside the usual ones.
    pub(super) fn refuses(mut self, statuses: &[u16]) -> Self {
        self.problems.extend(statuses);
        self
    }

    /// The path in the document, and what stands there.
    pub(super) fn write(self, route: &str) -> (String, Value) {
        // What is caught to the end of a path is a parameter like any other.
        let mut path = route.replace("{*", "{");
        if let Some((parameter, value)) = self.written_out {
            path = path.replace(&format!("{{{parameter}}}"), value);
        }
        let mut written = json!({ "tags": [self.tag], "operationId": self.id, "summary": self.summary });
        let usual = if self.is_open { &[][..] } else { &USUAL_PROBLEMS };
        let problems = usual
            .iter()
            .chain(&self.problems)
            .map(|status| (status.to_string(), json!({ "$ref": "#/components/responses/Problem" })));
        let mut responses = self.answers;
        responses.extend(problems);
        for (name, value, is_said) in [
            ("description", json!(self.description.join(" ")), !self.description.is_empty()),
            ("security", json!([]), self.is_open),
            ("parameters", json!(self.parameters), !self.parameters.is_empty()),
            ("requestBody", json!(self.body), self.body.is_some()),
            ("responses", Value::Object(responses), true),
        ] {
            if is_said {
                written[name] = value;
            }
        }
        (path, written)
    }
}

impl From<Operation> for Vec<Operation> {
    fn from(operation: Operation) -> Self {
        vec![operation]
    }
}

/// One parameter.
pub(super) fn parameter(name: &str, place: &str, required: bool, schema: &Value, description: &str) -> Value {
    json!({ "name": name, "in": place, "required": required, "schema": schema, "description": description })
}

/// The fields of a query as parameters, one by one.
pub(super) fn fields_as_parameters(query: &Value) -> Vec<Value> {
    let required: Vec<&str> =
        query["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = query["properties"].as_object().into_iter().flatten();
    let written = properties.map(|(name, schema)| {
        let description = schema["description"].as_str().unwrap_or_default();
        parameter(name, "query", required.contains(&name.as_str()), schema, description)
    });
    written.collect()
}

/// Roles in words.
pub(super) fn roles(roles: &[Role]) -> String {
    if roles.is_empty() {
        return "nobody by itself: the system records it".to_owned();
    }
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ")
}

/// The schema of any text.
pub(super) fn text() -> Value {
    json!({ "type": "string" })
}

/// The schema of a whole number.
pub(super) fn number() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

/// The schema of an id.
pub(super) fn uuid() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

/// The schema of one of a few words.
pub(super) fn words(of: &[&str]) -> Value {
    json!({ "type": "string", "enum": of })
}
