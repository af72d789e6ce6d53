//! `GET /docs`: the OpenAPI document as a page that people can browse.

use axum::{extract::State, response::Response};
use maud::{Markup, html};
use serde_json::Value;

use crate::http::{
    app::App,
    operation::{Operation, Types},
    page,
};

/// The page.
pub(crate) async fn page(State(app): State<App>) -> Response {
    let document = app.surface.describe(&app.rapport.commands.describe(), &projections::descriptions());
    // It is read as what it will be to others; that what was made of JSON is JSON again does not fail.
    page::page("API", &content(&serde_json::to_value(document).unwrap_or_default()))
}

/// What the document says of it.
pub(crate) fn page_operation(_: &mut Types<'_>) -> Operation {
    Operation::new("about", "docs", "this document for people").answers_text("text/html", "a page")
}

const SECTIONS: &[(&str, &str)] = &[
    ("commands", "Commands: the only way to change anything"),
    ("views", "Views: what people ask"),
    ("journeys", "Journeys: what happened, what it changed, and why it is so"),
    ("events", "Events: the log itself"),
    ("ledger", "Ledger: proof that nothing was altered"),
    ("admin", "Administration"),
    ("tokens", "Tokens"),
    ("links", "Links: what contacts may do themselves"),
    ("about", "About this server"),
];

fn content(document: &Value) -> Markup {
    html! {
        h1 { "Rapport API" }
        p.hint { (document["info"]["description"].as_str().unwrap_or_default()) }
        nav {
            @for (tag, _) in SECTIONS { a href={ "#" (tag) } { (tag) } }
            a href="/openapi.json" { "openapi.json" }
        }
        @for (tag, title) in SECTIONS {
            h2 id=(tag) { (title) }
            @for (path, operations) in document["paths"].as_object().into_iter().flatten() {
                @for (method, operation) in operations.as_object().into_iter().flatten() {
                    @if operation["tags"][0].as_str() == Some(tag) {
                        (operation_of(document, path, method, operation))
                    }
                }
            }
        }
        h2 id="schemas" { "Schemas" }
        @for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
            details id={ "schema-" (name) } {
                summary { code { (name) } }
                div { (pretty(schema)) }
            }
        }
    }
}

fn operation_of(document: &Value, path: &str, method: &str, operation: &Value) -> Markup {
    let text = |name: &str| operation[name].as_str().unwrap_or_default().to_owned();
    html! {
        details id=(text("operationId")) {
            summary { b class=(method) { (method.to_uppercase()) } code { (path) } span.hint { (text("summary")) } }
            div {
                p { (text("description")) }
                @if let Some(parameters) = operation["parameters"].as_array() {
                    table {
                        tr { th { "Parameter" } th { "In" } th { "What it is" } }
                        @for parameter in parameters {
                            tr {
                                td { code { (parameter["name"].as_str().unwrap_or_default()) } }
                                td { (parameter["in"].as_str().unwrap_or_default()) }
                                td { (parameter["description"].as_str().unwrap_or_default()) (choices(document, &parameter["schema"])) }
                            }
                        }
                    }
                }
                @for (kind, content) in operation["requestBody"]["content"].as_object().into_iter().flatten() {
                    p { "Body " code { (kind) } }
                    (body(document, &content["schema"]))
                }
                table {
                    tr { th { "Answer" } th { "What it means" } }
                    @for (status, response) in operation["responses"].as_object().into_iter().flatten() {
                        tr {
                            td { code { (status) } }
                            td { (response["description"].as_str().unwrap_or("a problem")) (answer(response)) }
                        }
                    }
                }
            }
        }
    }
}

/// The values that a parameter may have, where they can be listed.
fn choices(document: &Value, schema: &Value) -> Markup {
    // What may be left out is one of two: the schema, or null.
    let schema = schema["anyOf"].as_array().and_then(|either| either.first()).unwrap_or(schema);
    let schema = followed(document, schema);
    let plain = schema["enum"].as_array().into_iter().flatten();
    let described = schema["oneOf"].as_array().into_iter().flatten();
    let values: Vec<&str> =
        plain.chain(described.map(|one| &one["const"])).filter_map(Value::as_str).collect();
    html! { @if !values.is_empty() { " " span.hint { "(" (values.join(" | ")) ")" } } }
}

/// In which types an answer may come, each with a link to its schema.
fn answer(response: &Value) -> Markup {
    html! {
        @for (content_type, content) in response["content"].as_object().into_iter().flatten() {
            " " span.hint { (content_type) }
            @let schema = &content["schema"];
            @let (one, several) = (schema["$ref"].as_str(), schema["items"]["$ref"].as_str());
            @if let Some(name) = one.or(several).and_then(|reference| reference.rsplit('/').next()) {
                @if one.is_none() { " " span.hint { "list of" } }
                " " a href={ "#schema-" (name) } { code { (name) } }
            }
        }
    }
}

fn followed<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    schema["$ref"]
        .as_str()
        .and_then(|reference| document.pointer(reference.strip_prefix('#')?))
        .unwrap_or(schema)
}

/// A body: where it is one of several commands, each with its fields; else its schema.
fn body(document: &Value, schema: &Value) -> Markup {
    let schema = followed(document, schema);
    let Some(commands) = schema["oneOf"].as_array() else { return pretty(schema) };
    html! {
        @for command in commands {
            @let name = command["required"][0].as_str().unwrap_or_default();
            @let fields = followed(document, &command["properties"][name]);
            h3 { code { (name) } " " span.hint { (command["description"].as_str().unwrap_or_default()) } }
            @if fields["properties"].as_object().is_some_and(|fields| !fields.is_empty()) {
                (fields_of(document, fields))
            } @else {
                p.hint { "No fields: " code { "{\"" (name) "\": {}}" } }
            }
        }
        p.hint { "Beside the command may stand " code { "occurred_at, reason, on_behalf_of, correlation, causation" } "." }
    }
}

fn fields_of(document: &Value, schema: &Value) -> Markup {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    html! {
        table {
            @for (name, field) in schema["properties"].as_object().into_iter().flatten() {
                tr {
                    td { code { (name) } @if required.contains(&name.as_str()) { " *" } }
                    td { code { (type_of(field)) } }
                    td { (field["description"].as_str().unwrap_or_default()) (choices(document, field)) }
                }
            }
        }
    }
}

/// The type of a field in a word or two.
fn type_of(field: &Value) -> String {
    if let Some(name) = field["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return name.to_owned();
    }
    let several = field["anyOf"].as_array().into_iter().flatten().map(type_of).find(|name| name != "null");
    let listed = || {
        field["type"].as_array().into_iter().flatten().filter_map(Value::as_str).find(|name| *name != "null")
    };
    let single = field["type"].as_str().or_else(listed).unwrap_or_default();
    match several {
        Some(name) => name,
        None if single == "array" => format!("list of {}", type_of(&field["items"])),
        None => field["format"].as_str().unwrap_or(single).to_owned(),
    }
}

fn pretty(value: &Value) -> Markup {
    html! { pre { (serde_json::to_string_pretty(value).unwrap_or_default()) } }
}
