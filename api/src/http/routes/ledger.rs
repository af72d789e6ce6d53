//! `/ledger/…`: what the ledger can show. Checkpoints and tiles are those of C2SP `tlog-tiles`; proofs for single events are
//! answered as JSON.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, RawQuery, State},
    http::header,
    response::{IntoResponse, Response},
};

use crate::{
    application::{
        Caller,
        proofs::{self, Consistency, ConsistencyProof, Included, Inclusion, Proofs, ProofsRequest, READERS},
    },
    http::{
        app::App,
        operation::{Operation, Types, text},
        problem::Problem,
        reading::{read_json, read_query},
    },
};

/// A full tile never changes.
const FOR_EVER: &str = "private, max-age=31536000, immutable";

/// The last checkpoint, a signed note. Everybody who has a token may keep it.
pub(crate) async fn checkpoint(State(app): State<App>, _: Caller) -> Response {
    let note = app.rapport.ledger.ledger().signed().note.clone();
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")], note)
        .into_response()
}

/// What the document says of it.
pub(crate) fn checkpoint_operation(_: &mut Types<'_>) -> Operation {
    let summary = "the last checkpoint: a signed note (C2SP tlog-checkpoint)";
    for_everybody(Operation::new("ledger", "checkpoint", summary))
}

/// The public key.
pub(crate) async fn key(State(app): State<App>, _: Caller) -> String {
    format!("{}\n", app.rapport.ledger.ledger().key())
}

/// What the document says of it.
pub(crate) fn key_operation(_: &mut Types<'_>) -> Operation {
    for_everybody(Operation::new("ledger", "ledger_key", "the public key of the checkpoints"))
}

fn for_everybody(operation: Operation) -> Operation {
    operation
        .explained("For everybody with a token.")
        .answers_text("text/plain", "as it was signed")
        .refuses(&[404, 409, 429])
}

/// A tile of hashes, or a bundle of entries.
pub(crate) async fn tile(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    let bytes = proofs::tile(&app.rapport, &caller, &path).await?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, FOR_EVER)], bytes)
        .into_response())
}

/// What the document says of it.
pub(crate) fn tile_operation(_: &mut Types<'_>) -> Operation {
    Operation::new("ledger", "tile", "a tile of hashes or of entries (C2SP tlog-tiles)")
        .for_roles(READERS)
        .in_path("tile", &text(), "LEVEL/INDEX or entries/INDEX, as in 0/x001/234 or 0/001.p/17")
        .answers_text("application/octet-stream", "as it was signed")
        .refuses(&[404, 409, 429])
}

/// The proof that an event is in the signed log.
pub(crate) async fn inclusion(
    State(app): State<App>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Inclusion>, Problem> {
    caller.must_be(READERS)?;
    let requested = read_query(query.as_deref())?;
    Ok(Json(proofs::inclusion(&app.rapport, &caller, requested).await?))
}

/// What the document says of it.
pub(crate) fn inclusion_operation(types: &mut Types<'_>) -> Operation {
    Operation::new("ledger", "inclusion", "the proof that an event is in the signed log")
        .for_roles(READERS)
        .query::<Included>(types)
        .answers::<Inclusion>(200, "as it was signed", types)
        .refuses(&[404, 409, 429])
}

/// The proof that an older log is the beginning of a newer one.
pub(crate) async fn consistency(
    State(app): State<App>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<ConsistencyProof>, Problem> {
    caller.must_be(READERS)?;
    let requested = read_query(query.as_deref())?;
    Ok(Json(proofs::consistency(&app.rapport, &caller, &requested)?))
}

/// What the document says of it.
pub(crate) fn consistency_operation(types: &mut Types<'_>) -> Operation {
    let summary = "the proof that an older log is the beginning of a newer one";
    Operation::new("ledger", "consistency", summary)
        .for_roles(READERS)
        .query::<Consistency>(types)
        .answers::<ConsistencyProof>(200, "as it was signed", types)
        .refuses(&[404, 409, 429])
}

/// Events as they are stored, each with its proof.
pub(crate) async fn prove(
    State(app): State<App>,
    caller: Caller,
    body: Bytes,
) -> Result<Json<Proofs>, Problem> {
    caller.must_be(READERS)?;
    let requested = read_json(&body)?;
    Ok(Json(proofs::prove(&app.rapport, &caller, requested).await?))
}

/// What the document says of it.
pub(crate) fn prove_operation(types: &mut Types<'_>) -> Operation {
    Operation::new("ledger", "proofs", "events as they are stored, each with its proof")
        .for_roles(READERS)
        .takes::<ProofsRequest>(types)
        .answers::<Proofs>(200, "the events", types)
        .refuses(&[404, 409, 429])
}
