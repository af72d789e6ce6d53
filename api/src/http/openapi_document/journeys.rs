//! The part of the document about journeys: what happened, what it changed, and why it is so.

use projections::{CellReasons, Comparison, JOURNEY_READERS, Steps, Why};
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::parts::{common_parameters, json_content, parameter, parameters, responses, roles, schema};
use crate::application::history;

/// Why a cell of any view is what it is.
pub(super) fn cell(generator: &mut SchemaGenerator) -> Value {
    let text = json!({ "type": "string" });
    let mut parameters = vec![
        parameter("name", "path", true, &text, "the view; its own parameters go with the question"),
        parameter("group", "query", false, &text, "the cell: `group` of its row; absent, all rows"),
    ];
    parameters.extend(common_parameters());
    let description = format!(
        "The things counted in a cell, each with the event that put it there. For {}, where they may ask the view.",
        roles(JOURNEY_READERS)
    );
    json!({ "get": {
        "tags": ["journeys"],
        "operationId": "why_cell",
        "summary": "why a cell of a view is what it is",
        "description": description,
        "parameters": parameters,
        "responses": responses("200", "the things behind the cell", &json_content(&schema::<CellReasons>(generator)), &[404, 429]),
    }})
}

/// What happened to a contact or a thing.
pub(super) fn paths(generator: &mut SchemaGenerator) -> Map<String, Value> {
    let mut paths = Map::new();
    let text = json!({ "type": "string" });
    let which = [
        parameter("kind", "path", true, &text, "of what; of a contact everything that concerns them"),
        parameter("id", "path", true, &json!({ "type": "string", "format": "uuid" }), "which one"),
    ];
    let mut add = |path: &str, id: &str, summary: &str, query: Vec<Value>, answer: &Value| {
        // Who looks and what for is asked here as of any view.
        let headers = common_parameters().into_iter().filter(|parameter| parameter["in"] == "header");
        let parameters: Vec<Value> = which.iter().cloned().chain(query).chain(headers).collect();
        let operation = json!({ "get": {
            "tags": ["journeys"],
            "operationId": id,
            "summary": summary,
            "description": format!("For {}.", roles(JOURNEY_READERS)),
            "parameters": parameters,
            "responses": responses("200", "the answer", &json_content(answer), &[404, 429]),
        }});
        paths.insert(path.to_owned(), operation);
    };
    let (query, answer) = (parameters::<history::StepsQuery>(generator), schema::<Steps>(generator));
    let summary = "what happened, event by event, with what each changed: before and after";
    add("/history/{kind}/{id}", "history_steps", summary, query, &answer);
    let (query, answer) = (parameters::<history::CompareQuery>(generator), schema::<Comparison>(generator));
    let summary = "what is different between two moments, and the events between";
    add("/history/{kind}/{id}/compare", "history_compare", summary, query, &answer);
    let (query, answer) = (parameters::<history::WhyQuery>(generator), schema::<Why>(generator));
    let summary = "why a field is what it is: the event, its writer, its reason, its file and line";
    add("/history/{kind}/{id}/why", "history_why", summary, query, &answer);
    paths
}
