//! `/ledger/…`: what the ledger can show. Checkpoints and tiles are those of C2SP `tlog-tiles`; proofs for single events are
//! answered as JSON.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, RawQuery, State},
    http::header,
    response::{IntoResponse, Response},
};
use serde_json::Value;

use crate::{
    application::{
        Caller,
        proofs::{self, Inclusion, Proofs},
    },
    http::{
        app::App,
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

/// The public key.
pub(crate) async fn key(State(app): State<App>, _: Caller) -> String {
    format!("{}\n", app.rapport.ledger.ledger().key())
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

/// The proof that an event is in the signed log.
pub(crate) async fn inclusion(
    State(app): State<App>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Inclusion>, Problem> {
    caller.must_be(proofs::READERS)?;
    let wanted = read_query(query.as_deref())?;
    Ok(Json(proofs::inclusion(&app.rapport, &caller, wanted).await?))
}

/// The proof that an older log is the beginning of a newer one.
pub(crate) async fn consistency(
    State(app): State<App>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    caller.must_be(proofs::READERS)?;
    let wanted = read_query(query.as_deref())?;
    Ok(Json(proofs::consistency(&app.rapport, &caller, &wanted)?))
}

/// Events as they are stored, each with its proof.
pub(crate) async fn prove(
    State(app): State<App>,
    caller: Caller,
    body: Bytes,
) -> Result<Json<Proofs>, Problem> {
    caller.must_be(proofs::READERS)?;
    let wanted = read_json(&body)?;
    Ok(Json(proofs::prove(&app.rapport, &caller, wanted).await?))
}
