//! The part of the document about looking after the whole, erasures among it.

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::parts::{json_content, members, parameter, responses, schema};
use crate::application::{
    erasures::Certificate,
    maintenance::{BackupFolders, Chosen},
};

/// Everything under `/admin`, and the certificates of erasures.
pub(super) fn paths(generator: &mut SchemaGenerator) -> Map<String, Value> {
    let plain = json!({ "text/plain": { "schema": { "type": "string" } } });
    let lines = json!({ "application/x-ndjson": { "schema": { "type": "object" } } });
    let chosen = json!({ "content": json_content(&schema::<Chosen>(generator)) });
    let backup = json!({ "required": true, "content": json_content(&schema::<BackupFolders>(generator)) });
    let certificate = json_content(&schema::<Certificate>(generator));
    members(json!({
        "/admin/checkpoint": { "post": { "tags": ["admin"], "operationId": "sign", "summary": "sign what has been recorded so far",
            "description": "For admin, staff.", "responses": responses("200", "the checkpoint", &plain, &[429]) } },
        "/admin/rebuild": { "post": { "tags": ["admin"], "operationId": "rebuild", "requestBody": chosen,
            "summary": "rebuild views beside those that serve", "description": "For admin, staff.",
            "responses": responses("200", "progress, line by line", &lines, &[404, 429]) } },
        "/admin/check": { "post": { "tags": ["admin"], "operationId": "check", "requestBody": chosen,
            "summary": "fold views anew and compare", "description": "For admin, staff, auditor.",
            "responses": responses("200", "progress, line by line, and what differs", &lines, &[404, 429]) } },
        "/admin/keys": { "post": { "tags": ["admin"], "operationId": "rotate_keys",
            "summary": "begin a new epoch of the keys and destroy the old epoch key", "description": "For admin.",
            "responses": responses("200", "progress, line by line", &lines, &[429]) } },
        "/admin/backup": { "post": { "tags": ["admin"], "operationId": "back_up", "requestBody": backup,
            "summary": "copy the log, and the keys apart from it; only through the socket in the data folder",
            "description": "For admin.", "responses": responses("200", "progress, line by line", &lines, &[422, 429]) } },
        "/erasures/{contact}": { "get": { "tags": ["admin"], "operationId": "certificate_of_erasure",
            "summary": "what is left of a contact who was erased, looked up in every file", "description": "For admin, auditor.",
            "parameters": [parameter("contact", "path", true, &json!({ "type": "string", "format": "uuid" }), "whose")],
            "responses": responses("200", "the certificate", &certificate, &[404, 429]) } },
    }))
}
