//! What the parts of the document are made of: schemas, parameters, answers.

use domain::Role;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::http::intent::{MANNER, PURPOSE};

/// The schema of a type, kept among the components.
pub(super) fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().into()
}

/// Roles in words.
pub(super) fn roles(roles: &[Role]) -> String {
    if roles.is_empty() {
        return "nobody by itself: the house records it".to_owned();
    }
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ")
}

/// A body or an answer in JSON.
pub(super) fn json_content(schema: &Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}

/// The answers that every route may give beside its own.
pub(super) fn responses(status: &str, description: &str, content: &Value, problems: &[u16]) -> Value {
    let mut responses = Map::new();
    responses.insert(status.to_owned(), json!({ "description": description, "content": content }));
    for status in [400, 401, 403, 503].iter().chain(problems) {
        responses.insert(status.to_string(), json!({ "$ref": "#/components/responses/Problem" }));
    }
    Value::Object(responses)
}

/// One parameter.
pub(super) fn parameter(name: &str, place: &str, required: bool, schema: &Value, description: &str) -> Value {
    json!({ "name": name, "in": place, "required": required, "schema": schema, "description": description })
}

/// The parameters that every view understands.
pub(super) fn common_parameters() -> Vec<Value> {
    let (text, number) = (json!({ "type": "string" }), json!({ "type": "integer", "minimum": 0 }));
    vec![
        parameter(
            "after",
            "query",
            false,
            &number,
            "wait until the view has seen this position: read your own write",
        ),
        parameter("as_of", "query", false, &text, "what had happened by then: a day (its end) or a moment"),
        parameter(
            "known_at",
            "query",
            false,
            &text,
            "what was recorded by then: a day, a moment, or a number of events",
        ),
        parameter("cursor", "query", false, &text, "`next` of the page before"),
        parameter("limit", "query", false, &number, "how many rows, 1 to 1,000"),
        parameter(
            PURPOSE,
            "header",
            false,
            &words(&["audit", "subject_request", "legal_request", "reporting", "maintenance", "other"]),
            "what people are looked at for: recorded",
        ),
        parameter(
            MANNER,
            "header",
            false,
            &words(&["read", "export"]),
            "whether they are taken away as a file",
        ),
    ]
}

fn words(of: &[&str]) -> Value {
    json!({ "type": "string", "enum": of })
}

/// The parameters of a query, written out one by one.
pub(super) fn parameters<T: JsonSchema>(generator: &mut SchemaGenerator) -> Vec<Value> {
    let query = schema::<T>(generator);
    written_out(&resolved(&query, generator))
}

/// The fields of a query as parameters.
pub(super) fn written_out(query: &Value) -> Vec<Value> {
    let required: Vec<&str> =
        query["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = query["properties"].as_object().into_iter().flatten();
    let written = properties.map(|(name, schema)| {
        let description = schema["description"].as_str().unwrap_or_default();
        parameter(name, "query", required.contains(&name.as_str()), schema, description)
    });
    written.collect()
}

/// The schema that a reference points to.
pub(super) fn resolved(schema: &Value, generator: &SchemaGenerator) -> Value {
    let name = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next());
    name.and_then(|name| generator.definitions().get(name)).unwrap_or(schema).clone()
}

/// The paths of a document written as one object.
pub(super) fn members(paths: Value) -> Map<String, Value> {
    match paths {
        Value::Object(paths) => paths,
        _ => Map::new(),
    }
}
