//! `/ledger/…`: what the ledger can show. Checkpoints and tiles are those of C2SP `tlog-tiles`, so that a monitor
//! written for any such log can follow this one; proofs for single events are answered as JSON.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, RawQuery, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use domain::{EventStore, Position, ReadError, Role};
use ledger::{
    LedgerError,
    bundle::StoredEvent,
    leaf,
    merkle::Hash,
    tile::{Tile, WIDTH},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::{
    App, Caller, Problem,
    problem::{read_json, read_query},
};

/// Who may look at single events and their proofs.
pub(super) const READERS: &[Role] = &[Role::Admin, Role::Staff, Role::Auditor];
/// How many events one request may ask proofs for.
const PROOFS_LIMIT: usize = 1_000;
/// A full tile never changes.
const FOR_EVER: &str = "private, max-age=31536000, immutable";

/// The last checkpoint, a signed note. Everybody who has a token may keep it.
pub(super) async fn checkpoint(State(app): State<App>, _: Caller) -> Response {
    let note = app.rapport.ledger.ledger().signed().note.clone();
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")], note)
        .into_response()
}

/// The public key.
pub(super) async fn key(State(app): State<App>, _: Caller) -> String {
    format!("{}\n", app.rapport.ledger.ledger().key())
}

/// A tile of hashes, or a bundle of entries.
pub(super) async fn tile(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    caller.must_be(READERS)?;
    let tile: Tile =
        path.parse().map_err(|error: ledger::tile::NotATile| Problem::not_found(error.to_string()))?;
    if !tile.is_within(app.rapport.ledger.ledger().signed().checkpoint.size) {
        return Err(Problem::not_found(
            "the tree that was signed has no such tile: GET /ledger/checkpoint says its size",
        ));
    }
    let bytes = match tile.level {
        Some(_) => app.rapport.ledger.ledger().tile(&tile)?,
        None => read(&app, move |store| entries(store, &tile)).await?,
    };
    Ok(([(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, FOR_EVER)], bytes)
        .into_response())
}

/// The parameters of a proof of inclusion.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Inclusion {
    /// The event's place in the log, as a command's answer gives it.
    position: u64,
    /// The size of the tree that it is to be in; the last checkpoint's where it is not given.
    size: Option<u64>,
}

/// The proof that an event is in the signed log.
pub(super) async fn inclusion(
    State(app): State<App>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    caller.must_be(READERS)?;
    let Inclusion { position, size } = read_query(query.as_deref())?;
    let proven = proofs(&app, vec![position], size).await?;
    let mut answer = proven["events"][0].clone();
    for member in ["size", "checkpoint", "key"] {
        answer[member] = proven[member].clone();
    }
    Ok(Json(answer))
}

/// The parameters of a proof of consistency.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Consistency {
    /// The size of the older tree, at least 1.
    from: u64,
    /// The size of the newer tree; the last checkpoint's where it is not given.
    to: Option<u64>,
}

/// The proof that an older log is the beginning of a newer one.
pub(super) async fn consistency(
    State(app): State<App>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    caller.must_be(READERS)?;
    let Consistency { from, to } = read_query(query.as_deref())?;
    let ledger = app.rapport.ledger.ledger();
    let signed = ledger.signed();
    let to = to.unwrap_or(signed.checkpoint.size);
    let proof = ledger.consistency(from, to)?;
    Ok(Json(json!({
        "from": from,
        "from_root": BASE64_STANDARD.encode(ledger.root(from)?),
        "to": to,
        "to_root": BASE64_STANDARD.encode(ledger.root(to)?),
        "proof": in_base64(&proof),
        "checkpoint": signed.note,
    })))
}

/// Which events are to be proven.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Their places in the log, at most 1,000.
    positions: Vec<u64>,
    /// The size of the tree that they are to be in; the last checkpoint's where it is not given.
    size: Option<u64>,
}

/// Events as they are stored, each with its proof.
pub(super) async fn prove(
    State(app): State<App>,
    caller: Caller,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    caller.must_be(READERS)?;
    let Wanted { positions, size } = read_json(&body)?;
    if positions.len() > PROOFS_LIMIT {
        let detail =
            format!("at most {PROOFS_LIMIT} positions at a time: send the rest afterwards, with `size`");
        return Err(Problem::malformed(detail).at(Some("positions".to_owned())));
    }
    Ok(Json(proofs(&app, positions, size).await?))
}

/// Signs what has been recorded so far.
pub(super) async fn sign(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    caller.must_be(&[Role::Admin, Role::Staff])?;
    let signed = app.rapport.ledger.sign().await.map_err(|error| Problem::unavailable(error.to_string()))?;
    let Some(signed) = signed else {
        let trouble = app.rapport.ledger.state().trouble.unwrap_or_default();
        return Err(Problem::unavailable(format!("the ledger cannot go on: {trouble}")));
    };
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], signed.note.clone()).into_response())
}

async fn proofs(app: &App, positions: Vec<u64>, size: Option<u64>) -> Result<Value, Problem> {
    let signed = app.rapport.ledger.ledger().signed();
    let size = size.unwrap_or(signed.checkpoint.size);
    let rapport = Arc::clone(&app.rapport);
    let events = read(app, move |store| {
        let prove = |position| prove_one(rapport.ledger.ledger(), store, position, size);
        positions.into_iter().map(prove).collect::<Result<Vec<Value>, Problem>>()
    });
    let (events, key) = (events.await?, app.rapport.ledger.ledger().key().to_string());
    Ok(json!({ "size": size, "key": key, "checkpoint": signed.note, "events": events }))
}

fn prove_one(
    ledger: &ledger::Ledger,
    store: &dyn EventStore,
    position: u64,
    size: u64,
) -> Result<Value, Problem> {
    let before = Position(position.saturating_sub(1));
    let mut found = None;
    let mut hasher = leaf::LeafHasher::default();
    let mut take = |event: domain::Stored<'_>| {
        if event.position.0 == position {
            found = Some((StoredEvent::of(&event), hasher.hash(&event)));
        }
    };
    let runtime = Handle::current();
    runtime.block_on(store.read_stored(before, 1, &mut take)).map_err(unreadable)?;
    let number = runtime.block_on(store.size_at(Position(position))).map_err(unreadable)?;
    let Some((stored, leaf)) = found else {
        return Err(Problem::not_found(format!("there is no event at position {position}")));
    };
    let proof = ledger.inclusion(number.saturating_sub(1), size)?;
    Ok(json!({
        "number": number,
        "leaf": BASE64_STANDARD.encode(leaf),
        "stored": stored,
        "proof": in_base64(&proof),
    }))
}

/// A bundle of entries of `tlog-tiles`: each entry after its length in two bytes.
fn entries(store: &dyn EventStore, tile: &Tile) -> Result<Vec<u8>, Problem> {
    let runtime = Handle::current();
    let begin = tile.index * WIDTH;
    let mut after = runtime.block_on(store.position_of_size(begin)).map_err(unreadable)?;
    let (mut bytes, mut entry, mut missing) =
        (Vec::new(), Vec::new(), usize::try_from(tile.width).unwrap_or(0));
    while missing > 0 {
        let limit = missing;
        let mut take = |event: domain::Stored<'_>| {
            leaf::write_entry(&event, &mut entry);
            bytes.extend_from_slice(&u16::try_from(entry.len()).unwrap_or(u16::MAX).to_be_bytes());
            bytes.extend_from_slice(&entry);
            missing -= 1;
        };
        let through = runtime.block_on(store.read_stored(after, limit, &mut take)).map_err(unreadable)?;
        if through == after {
            return Err(Problem::unavailable(
                "the log is shorter than what was signed: run `rapport verify`",
            ));
        }
        after = through;
    }
    Ok(bytes)
}

/// Reads the log on a thread that may wait for the disk.
async fn read<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&dyn EventStore) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let store = Arc::clone(&app.rapport.store);
    let done = tokio::task::spawn_blocking(move || work(&*store)).await;
    done.unwrap_or_else(|error| Err(Problem::unavailable(error.to_string())))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn unreadable(error: ReadError) -> Problem {
    Problem::unavailable(error.to_string())
}

fn in_base64(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(|hash| BASE64_STANDARD.encode(hash)).collect()
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::NotCovered { .. } => {
                let detail = format!("{error}; POST /upkeep/checkpoint signs what has been recorded since");
                Self::new(StatusCode::CONFLICT, "not-covered", "No checkpoint covers that", detail)
            }
            error => Self::unavailable(error.to_string()),
        }
    }
}
