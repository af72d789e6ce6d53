//! The part of the document about the ledger.

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::parts::{json_content, members, parameter, responses, roles, schema};
use crate::application::proofs::{Inclusion, Proofs, READERS, Wanted};

/// Everything under `/ledger`.
pub(super) fn paths(generator: &mut SchemaGenerator) -> Map<String, Value> {
    let (number, text) = (json!({ "type": "integer", "minimum": 0 }), json!({ "type": "string" }));
    let plain = json!({ "text/plain": { "schema": text } });
    let bytes = json!({ "application/octet-stream": { "schema": text } });
    let object = json_content(&json!({ "type": "object" }));
    let inclusion = json_content(&schema::<Inclusion>(generator));
    let proofs = json_content(&schema::<Proofs>(generator));
    let readers = format!("For {}.", roles(READERS));
    let wanted = json!({ "required": true, "content": json_content(&schema::<Wanted>(generator)) });
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
    });
    members(paths)
}
