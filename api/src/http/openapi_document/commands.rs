//! The part of the document about commands: one path a kind, and batches.

use commands::KindDescription;
use domain::{Answer, Role};
use schemars::SchemaGenerator;
use serde_json::{Value, json};

use super::parts::{json_content, parameter, resolved, responses, roles, schema};
use crate::http::routes::commands::Outcome;

/// Which command is for whom, those for the same roles together.
fn writers(kind: &KindDescription) -> String {
    let mut groups: Vec<(&[Role], Vec<&str>)> = Vec::new();
    for (name, writers) in &kind.commands {
        match groups.iter_mut().find(|(roles, _)| roles == writers) {
            Some((_, names)) => names.push(name),
            None => groups.push((writers, vec![name])),
        }
    }
    let sentences =
        groups.iter().map(|(writers, names)| format!("{} for {}.", names.join(", "), roles(writers)));
    sentences.collect::<Vec<_>>().join(" ")
}

/// The commands of a kind.
pub(super) fn of_kind(kind: &KindDescription, generator: &mut SchemaGenerator) -> Value {
    let word = kind.kind.word();
    let command = body_schema(kind, generator);
    let text = json!({ "type": "string" });
    json!({ "post": {
        "tags": ["commands"],
        "operationId": format!("command_{word}"),
        "summary": format!("{word}: {}", kind.commands.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")),
        "description": writers(kind),
        "parameters": [
            parameter("id", "path", true, &json!({ "type": "string", "format": "uuid" }), "which one; drawn by you for a new one"),
            parameter("Idempotency-Key", "header", false, &text, "sent again within 24 hours it gets the same answer and records nothing twice"),
            parameter("If-Match", "header", false, &text, "the revision that the stream must have, in quotes; \"0\": it must not exist"),
        ],
        "requestBody": { "required": true, "content": { "application/json": { "schema": command } } },
        "responses": responses("200", "what was recorded; no events where all was so already", &json_content(&schema::<Answer>(generator)), &[404, 409, 412, 413, 422, 429]),
    }})
}

/// The schema of a body: one command, and beside it what may stand around any command.
fn body_schema(kind: &KindDescription, generator: &mut SchemaGenerator) -> Value {
    let schema: Value = kind.schema(generator).into();
    let mut whole = resolved(&schema, generator);
    let around = json!({
        "occurred_at": { "type": "string", "format": "date-time", "description": "When it was so." },
        "reason": { "type": "string", "description": "Why, in your own words; sealed with the contact's key." },
        "on_behalf_of": { "type": "string", "description": "For whom you act.", "examples": ["member:ann"] },
        "correlation": { "type": "string", "format": "uuid", "description": "What the command belongs to." },
        "causation": { "type": "string", "format": "uuid", "description": "The event that caused it." },
    });
    for command in whole["oneOf"].as_array_mut().into_iter().flatten() {
        if let (Some(members), Some(around)) = (command["properties"].as_object_mut(), around.as_object()) {
            members.extend(around.clone());
        }
    }
    whole
}

/// Many commands at once.
pub(super) fn batch(generator: &mut SchemaGenerator) -> Value {
    let line = json!({ "type": "string", "description": "one command a line, with \"kind\", \"id\", and where wanted \"key\", \"if_match\"",
        "examples": ["{\"kind\": \"deal\", \"id\": \"5f0c0e6e-7a4e-4c39-b1a5-0d8d5a1f9f11\", \"key\": \"a1\", \"advance\": {\"stage\": \"Proposal\"}}"] });
    let outcome = schema::<Outcome>(generator);
    json!({ "post": {
        "tags": ["commands"],
        "operationId": "command_batch",
        "summary": "many commands, one a line; a bad line harms no other",
        "requestBody": { "required": true, "content": { "application/x-ndjson": { "schema": line } } },
        "responses": responses("200", "one outcome a line", &json!({ "application/x-ndjson": { "schema": outcome } }), &[413, 429]),
    }})
}
