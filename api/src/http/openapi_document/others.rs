//! The parts of the document about the log, tokens, links, and the server itself.

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::parts::{json_content, members, parameter, responses, roles, schema};
use crate::{
    application::{events, unsubscribe, unsubscribe_link::UnsubscribeLink},
    http::routes::tokens::Grant,
};

/// The log itself.
pub(super) fn events() -> Map<String, Value> {
    let (number, text) = (json!({ "type": "integer", "minimum": 0 }), json!({ "type": "string" }));
    let events = json!({
        "application/cloudevents-batch+json": { "schema": { "type": "array", "items": { "type": "object" } } },
        "text/event-stream": { "schema": { "type": "string" } },
    });
    let event_parameters = [
        parameter("from", "query", false, &number, "after this position"),
        parameter("kind", "query", false, &text, "only of this kind"),
        parameter("subject", "query", false, &text, "only those that concern this contact"),
        parameter("limit", "query", false, &number, "how many, 1 to 1,000"),
        parameter("Last-Event-ID", "header", false, &number, "a feed goes on after this position"),
    ];
    members(json!({
        "/events": { "get": { "tags": ["events"], "operationId": "events", "parameters": event_parameters,
            "summary": "the log as CloudEvents; with Accept: text/event-stream it follows live",
            "description": format!("For {}. The header Rapport-Next says where to go on.", roles(events::READERS)),
            "responses": responses("200", "the events", &events, &[429]) } },
    }))
}

/// Who may come in.
pub(super) fn tokens(generator: &mut SchemaGenerator) -> Map<String, Value> {
    let text = json!({ "type": "string" });
    let object = json_content(&json!({ "type": "object" }));
    let grant = json!({ "required": true, "content": json_content(&schema::<Grant>(generator)) });
    members(json!({
        "/tokens": {
            "get": { "tags": ["tokens"], "operationId": "tokens", "summary": "every token, without its secret",
                "description": "For admin.", "responses": responses("200", "the tokens", &object, &[429]) },
            "post": { "tags": ["tokens"], "operationId": "grant_token", "summary": "grant a token", "requestBody": grant,
                "description": "For admin.", "responses": responses("201", "the token, seen only here", &object, &[422, 429]) } },
        "/tokens/{name}": { "delete": { "tags": ["tokens"], "operationId": "revoke_token", "summary": "revoke a token",
            "description": "For admin.", "parameters": [parameter("name", "path", true, &text, "whose")],
            "responses": responses("204", "revoked", &json!({}), &[404, 429]) } },
    }))
}

/// What contacts may do themselves.
pub(super) fn links(generator: &mut SchemaGenerator) -> Map<String, Value> {
    let text = json!({ "type": "string" });
    let object = json_content(&json!({ "type": "object" }));
    let open = json!([]);
    let unsubscribe_link =
        json!({ "required": true, "content": json_content(&schema::<UnsubscribeLink>(generator)) });
    members(json!({
        "/unsubscribe-links": { "post": { "tags": ["links"], "operationId": "make_unsubscribe_link",
            "summary": "the link by which a contact ends what they get", "description": format!("For {}.", roles(unsubscribe::MAKERS)),
            "requestBody": unsubscribe_link,
            "responses": responses("201", "its path", &object, &[429]) } },
        "/unsubscribe/{token}": {
            "get": { "tags": ["links"], "operationId": "unsubscribe_page", "security": open, "summary": "a page with one button",
                "parameters": [parameter("token", "path", true, &text, "from the link")],
                "responses": { "200": { "description": "the page" }, "404": { "description": "not a link of ours" } } },
            "post": { "tags": ["links"], "operationId": "unsubscribe", "security": open,
                "summary": "withdraws the consent, however often it comes (RFC 8058, one click)",
                "parameters": [parameter("token", "path", true, &text, "from the link")],
                "responses": { "200": { "description": "withdrawn" }, "404": { "description": "not a link of ours" },
                    "429": { "description": "too many at once" } } } },
    }))
}

/// The server itself.
pub(super) fn about() -> Map<String, Value> {
    let text = json!({ "type": "string" });
    let object = json_content(&json!({ "type": "object" }));
    let open = json!([]);
    members(json!({
        "/openapi.json": { "get": { "tags": ["about"], "operationId": "openapi", "summary": "this document",
            "responses": responses("200", "OpenAPI 3.1", &object, &[]) } },
        "/docs": { "get": { "tags": ["about"], "operationId": "docs", "summary": "this document for people",
            "responses": responses("200", "a page", &json!({ "text/html": { "schema": text } }), &[]) } },
        "/metrics": { "get": { "tags": ["about"], "operationId": "metrics", "summary": "figures for Prometheus",
            "description": "For admin, staff, auditor.",
            "responses": responses("200", "figures", &json!({ "text/plain": { "schema": text } }), &[]) } },
        "/health/live": { "get": { "tags": ["about"], "operationId": "live", "security": open, "summary": "the process answers",
            "responses": { "200": { "description": "live" } } } },
        "/health/ready": { "get": { "tags": ["about"], "operationId": "ready", "security": open, "summary": "every view can be asked",
            "responses": { "200": { "description": "ready" }, "503": { "description": "views are being built" } } } },
    }))
}
