//! `GET /openapi.json`: the whole surface, written from the types. A new kind or view appears here by itself.

use axum::{Json, extract::State};
use commands::KindDescription;
use domain::{Answer, Role};
use projections::Description;
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    App, commands::Outcome, disclosure, erasures, events, keeping, ledger, problem::Problem, tokens,
    unsubscribe, unsubscribe_link::UnsubscribeLink, upkeep,
};

mod journeys;

/// The document.
pub(super) async fn document(State(app): State<App>) -> Json<Value> {
    Json(describe(&app.rapport.commands.describe(), &projections::descriptions()))
}

/// The OpenAPI 3.1 document of these kinds and views.
pub(super) fn describe(kinds: &[KindDescription], views: &[Description]) -> Value {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for kind in kinds {
        paths.insert(format!("/commands/{}/{{id}}", kind.kind), command_path(kind, &mut generator));
    }
    paths.insert("/commands".to_owned(), batch_path(&mut generator));
    paths.insert("/views".to_owned(), list_path());
    for view in views {
        paths.insert(format!("/views/{}", view.name), view_path(view, &mut generator));
    }
    paths.insert("/views/{name}/why".to_owned(), journeys::cell(&mut generator));
    paths.extend(journeys::paths(&mut generator));
    paths.extend(fixed_paths(&mut generator));
    paths.extend(ledger_paths(&mut generator));
    let problem = schema::<Problem>(&mut generator);
    let schemas = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Rapport",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Commands become immutable events; views answer from them, for now and for any moment of the past.",
        },
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "responses": {
                "Problem": {
                    "description": "What went wrong, with which field, and what to do (RFC 9457).",
                    "content": { "application/problem+json": { "schema": problem } },
                },
            },
            "schemas": schemas,
        },
    })
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().into()
}

fn roles(roles: &[Role]) -> String {
    if roles.is_empty() {
        return "nobody by itself: the house records it".to_owned();
    }
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ")
}

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

fn json_content(schema: &Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}

/// The answers that every route may give beside its own.
fn responses(status: &str, description: &str, content: &Value, problems: &[u16]) -> Value {
    let mut responses = Map::new();
    responses.insert(status.to_owned(), json!({ "description": description, "content": content }));
    for status in [400, 401, 403, 503].iter().chain(problems) {
        responses.insert(status.to_string(), json!({ "$ref": "#/components/responses/Problem" }));
    }
    Value::Object(responses)
}

fn parameter(name: &str, place: &str, required: bool, schema: &Value, description: &str) -> Value {
    json!({ "name": name, "in": place, "required": required, "schema": schema, "description": description })
}

fn command_path(kind: &KindDescription, generator: &mut SchemaGenerator) -> Value {
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

fn batch_path(generator: &mut SchemaGenerator) -> Value {
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

fn list_path() -> Value {
    json!({ "get": {
        "tags": ["views"],
        "operationId": "views",
        "summary": "every view that you may ask: question, version, position, lag, schema, readers",
        "responses": responses("200", "the views", &json_content(&json!({ "type": "object" })), &[]),
    }})
}

/// The parameters that every view understands.
fn common_parameters() -> Vec<Value> {
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
            disclosure::PURPOSE,
            "header",
            false,
            &words(&["audit", "subject_request", "legal_request", "reporting", "maintenance", "other"]),
            "what people are looked at for: recorded",
        ),
        parameter(
            disclosure::MANNER,
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
fn parameters<T: JsonSchema>(generator: &mut SchemaGenerator) -> Vec<Value> {
    let query = schema::<T>(generator);
    written_out(&resolved(&query, generator))
}

fn written_out(query: &Value) -> Vec<Value> {
    let required: Vec<&str> =
        query["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = query["properties"].as_object().into_iter().flatten();
    let written = properties.map(|(name, schema)| {
        let description = schema["description"].as_str().unwrap_or_default();
        parameter(name, "query", required.contains(&name.as_str()), schema, description)
    });
    written.collect()
}

fn view_path(view: &Description, generator: &mut SchemaGenerator) -> Value {
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

/// The schema that a reference points to.
fn resolved(schema: &Value, generator: &SchemaGenerator) -> Value {
    let name = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next());
    name.and_then(|name| generator.definitions().get(name)).unwrap_or(schema).clone()
}

fn ledger_paths(generator: &mut SchemaGenerator) -> Map<String, Value> {
    let (number, text) = (json!({ "type": "integer", "minimum": 0 }), json!({ "type": "string" }));
    let plain = json!({ "text/plain": { "schema": text } });
    let bytes = json!({ "application/octet-stream": { "schema": text } });
    let object = json_content(&json!({ "type": "object" }));
    let inclusion = json_content(&schema::<ledger::Inclusion>(generator));
    let proofs = json_content(&schema::<ledger::Proofs>(generator));
    let readers = format!("For {}.", roles(ledger::READERS));
    let wanted = json!({ "required": true, "content": json_content(&schema::<ledger::Wanted>(generator)) });
    let get = |id: &str, summary: &str, parameters: &[Value], content: &Value, for_whom: &str| {
        json!({ "get": { "tags": ["ledger"], "operationId": id, "summary": summary, "parameters": parameters,
            "description": for_whom, "responses": responses("200", "as it was signed", content, &[404, 409, 429]) } })
    };
    let size = parameter(
        "size",
        "query",
        false,
        &number,
        "of the tree; the last checkpoint's where it is not given",
    );
    let tile = parameter(
        "tile",
        "path",
        true,
        &text,
        "LEVEL/INDEX or entries/INDEX, as in 0/x001/234 or 0/001.p/17",
    );
    let position = parameter("position", "query", true, &number, "the event's place in the log");
    let from = parameter("from", "query", true, &number, "size of the older tree");
    let to = parameter("to", "query", false, &number, "size of the newer tree; the last checkpoint's");
    let everybody = "For everybody with a token.";
    let paths = json!({
        "/ledger/checkpoint": get("checkpoint", "the last checkpoint: a signed note (C2SP tlog-checkpoint)", &[], &plain, everybody),
        "/ledger/key": get("ledger_key", "the public key of the checkpoints", &[], &plain, everybody),
        "/ledger/tile/{tile}": get("tile", "a tile of hashes or of entries (C2SP tlog-tiles)", &[tile], &bytes, &readers),
        "/ledger/inclusion": get("inclusion", "the proof that an event is in the signed log", &[position, size], &inclusion, &readers),
        "/ledger/consistency": get("consistency", "the proof that an older log is the beginning of a newer one", &[from, to], &object, &readers),
        "/ledger/proofs": { "post": { "tags": ["ledger"], "operationId": "proofs", "requestBody": wanted, "description": readers,
            "summary": "events as they are stored, each with its proof",
            "responses": responses("200", "the events", &proofs, &[404, 409, 429]) } },
        "/upkeep/checkpoint": { "post": { "tags": ["upkeep"], "operationId": "sign", "summary": "sign what has been recorded so far",
            "description": "For admin, staff.", "responses": responses("200", "the checkpoint", &plain, &[429]) } },
    });
    match paths {
        Value::Object(paths) => paths,
        _ => Map::new(),
    }
}

fn fixed_paths(generator: &mut SchemaGenerator) -> Map<String, Value> {
    let object = json_content(&json!({ "type": "object" }));
    let lines = json!({ "application/x-ndjson": { "schema": { "type": "object" } } });
    let events = json!({
        "application/cloudevents-batch+json": { "schema": { "type": "array", "items": { "type": "object" } } },
        "text/event-stream": { "schema": { "type": "string" } },
    });
    let (number, text) = (json!({ "type": "integer", "minimum": 0 }), json!({ "type": "string" }));
    let event_parameters = [
        parameter("from", "query", false, &number, "after this position"),
        parameter("kind", "query", false, &text, "only of this kind"),
        parameter("subject", "query", false, &text, "only those that concern this contact"),
        parameter("limit", "query", false, &number, "how many, 1 to 1,000"),
        parameter("Last-Event-ID", "header", false, &number, "a feed goes on after this position"),
    ];
    let chosen = json!({ "content": json_content(&schema::<upkeep::Chosen>(generator)) });
    let grant = json!({ "required": true, "content": json_content(&schema::<tokens::Grant>(generator)) });
    let unsubscribe_link =
        json!({ "required": true, "content": json_content(&schema::<UnsubscribeLink>(generator)) });
    let backup = json!({ "required": true, "content": json_content(&schema::<keeping::Wanted>(generator)) });
    let certificate = json_content(&schema::<erasures::Certificate>(generator));
    let open = json!([]);
    let paths = json!({
        "/events": { "get": { "tags": ["events"], "operationId": "events", "parameters": event_parameters,
            "summary": "the log as CloudEvents; with Accept: text/event-stream it follows live",
            "description": format!("For {}. The header Rapport-Next says where to go on.", roles(events::READERS)),
            "responses": responses("200", "the events", &events, &[429]) } },
        "/upkeep/rebuild": { "post": { "tags": ["upkeep"], "operationId": "rebuild", "requestBody": chosen,
            "summary": "rebuild views beside those that serve", "description": "For admin, staff.",
            "responses": responses("200", "progress, line by line", &lines, &[404, 429]) } },
        "/upkeep/check": { "post": { "tags": ["upkeep"], "operationId": "check", "requestBody": chosen,
            "summary": "fold views anew and compare", "description": "For admin, staff, auditor.",
            "responses": responses("200", "progress, line by line, and what differs", &lines, &[404, 429]) } },
        "/upkeep/keys": { "post": { "tags": ["upkeep"], "operationId": "rotate_keys",
            "summary": "begin a new epoch of the keys and destroy the old epoch key", "description": "For admin.",
            "responses": responses("200", "progress, line by line", &lines, &[429]) } },
        "/upkeep/backup": { "post": { "tags": ["upkeep"], "operationId": "back_up", "requestBody": backup,
            "summary": "copy the log, and the keys apart from it; only through the socket in the data folder",
            "description": "For admin.", "responses": responses("200", "progress, line by line", &lines, &[422, 429]) } },
        "/erasures/{contact}": { "get": { "tags": ["upkeep"], "operationId": "certificate_of_erasure",
            "summary": "what is left of a contact who was erased, looked up in every file", "description": "For admin, auditor.",
            "parameters": [parameter("contact", "path", true, &json!({ "type": "string", "format": "uuid" }), "whose")],
            "responses": responses("200", "the certificate", &certificate, &[404, 429]) } },
        "/tokens": {
            "get": { "tags": ["tokens"], "operationId": "tokens", "summary": "every token, without its secret",
                "description": "For admin.", "responses": responses("200", "the tokens", &object, &[429]) },
            "post": { "tags": ["tokens"], "operationId": "grant_token", "summary": "grant a token", "requestBody": grant,
                "description": "For admin.", "responses": responses("201", "the token, seen only here", &object, &[422, 429]) } },
        "/tokens/{name}": { "delete": { "tags": ["tokens"], "operationId": "revoke_token", "summary": "revoke a token",
            "description": "For admin.", "parameters": [parameter("name", "path", true, &text, "whose")],
            "responses": responses("204", "revoked", &json!({}), &[404, 429]) } },
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
    });
    match paths {
        Value::Object(paths) => paths,
        _ => Map::new(),
    }
}
