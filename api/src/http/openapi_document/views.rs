//! The part of the document about views.

use projections::Description;
use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::parts::{common_parameters, json_content, resolved, responses, roles, written_out};

/// All of them.
pub(super) fn list() -> Value {
    json!({ "get": {
        "tags": ["views"],
        "operationId": "views",
        "summary": "every view that you may ask: question, version, position, lag, schema, readers",
        "responses": responses("200", "the views", &json_content(&json!({ "type": "object" })), &[]),
    }})
}

/// One of them.
pub(super) fn one(view: &Description, generator: &mut SchemaGenerator) -> Value {
    // Parameters are written out one by one, so their schema is made apart and its references kept.
    let query: Value = view.query_schema(generator).into();
    let query = resolved(&query, generator);
    let mut parameters = written_out(&query);
    parameters.extend(common_parameters());
    let content = json!({
        "application/json": { "schema": Value::from(view.view_schema(generator)) },
        "text/csv": { "schema": { "type": "string" } },
    });
    let kinds = view.kinds.iter().map(|kind| kind.word()).collect::<Vec<_>>().join(", ");
    let description =
        format!("Version {}, from events of {kinds}. For {}.", view.version, roles(view.readers));
    let private = "The same with the parameters as a query string in the body, for those that are personal.";
    json!({
        "get": {
            "tags": ["views"],
            "operationId": format!("view_{}", view.name),
            "summary": view.question,
            "description": description,
            "parameters": parameters,
            "responses": responses("200", "the answer", &content, &[404, 429]),
        },
        "post": {
            "tags": ["views"],
            "operationId": format!("view_{}_in_private", view.name),
            "summary": format!("{} (parameters in the body)", view.question),
            "description": private,
            "requestBody": { "content": { "application/x-www-form-urlencoded": { "schema": query } } },
            "responses": responses("200", "the answer", &content, &[404, 429]),
        },
    })
}
