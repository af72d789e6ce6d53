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
use serde::{Deserialize, Serialize};
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
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Included {
    /// The event's place in the log, as a command's answer gives it.
    position: u64,
    /// The size of the tree that it is to be in; the last checkpoint's where it is not given.
    size: Option<u64>,
}

/// One event with its proof and all that is needed to check it.
#[derive(Serialize, JsonSchema)]
pub(super) struct Inclusion {
    #[serde(flatten)]
    event: Option<ProvenEvent>,
    /// The size of the tree that the proof leads to.
    size: u64,
    /// The public key of the checkpoint.
    key: String,
    /// The last checkpoint.
    checkpoint: String,
}

/// The proof that an event is in the signed log.
pub(super) async fn inclusion(
    State(app): State<App>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Inclusion>, Problem> {
    caller.must_be(READERS)?;
    let Included { position, size } = read_query(query.as_deref())?;
    let proven = proofs(&app, vec![position], size).await?;
    let Proofs { size, key, checkpoint, events } = proven;
    let event = events.into_iter().next();
    Ok(Json(Inclusion { event, size, key, checkpoint }))
}

/// The parameters of a proof of consistency.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Consistency {
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
) -> Result<Json<Proofs>, Problem> {
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

/// Events as they are stored, with their proofs.
#[derive(Serialize, JsonSchema)]
pub(super) struct Proofs {
    /// The size of the tree that the proofs lead to.
    size: u64,
    /// The public key of the checkpoint.
    key: String,
    /// The last checkpoint.
    checkpoint: String,
    /// The events, in the order in which they were asked for.
    events: Vec<ProvenEvent>,
}

/// An event with its proof.
#[derive(Serialize, JsonSchema)]
pub(super) struct ProvenEvent {
    /// Its number in the log, from 1.
    number: u64,
    /// The hash of its leaf, in base64.
    leaf: String,
    /// What is stored, as it is stored.
    stored: StoredEvent,
    /// The hashes that lead from the leaf to the root, in base64.
    proof: Vec<String>,
}

async fn proofs(app: &App, positions: Vec<u64>, size: Option<u64>) -> Result<Proofs, Problem> {
    let signed = app.rapport.ledger.ledger().signed();
    let size = size.unwrap_or(signed.checkpoint.size);
    let rapport = Arc::clone(&app.rapport);
    let events = read(app, move |store| {
        let mut hasher = leaf::LeafHasher::default();
        let found = positions.into_iter().map(|position| stored_at(store, position, &mut hasher));
        let found = found.collect::<Result<Vec<_>, Problem>>()?;
        let indexes: Vec<u64> = found.iter().map(|event| event.number.saturating_sub(1)).collect();
        let proofs = rapport.ledger.ledger().inclusions(&indexes, size)?;
        let prove =
            |(event, proof): (ProvenEvent, Vec<Hash>)| ProvenEvent { proof: in_base64(&proof), ..event };
        Ok(found.into_iter().zip(proofs).map(prove).collect())
    });
    let (events, key) = (events.await?, app.rapport.ledger.ledger().key().to_string());
    Ok(Proofs { size, key, checkpoint: signed.note.clone(), events })
}

/// The event at a position; its proof is still to be added.
fn stored_at(
    store: &dyn EventStore,
    position: u64,
    hasher: &mut leaf::LeafHasher,
) -> Result<ProvenEvent, Problem> {
    let before = Position(position.saturating_sub(1));
    let mut found = None;
    let mut take = |event: domain::Stored<'_>| {
        if event.position.0 == position {
            found = Some((StoredEvent::of(&event), hasher.hash(&event)));
        }
    };
    let runtime = Handle::current();
    runtime.block_on(store.read_stored(before, 1, &mut take)).map_err(unreadable)?;
    let Some((stored, leaf)) = found else {
        return Err(Problem::not_found(format!("there is no event at position {position}")));
    };
    let number = runtime.block_on(store.size_at(Position(position))).map_err(unreadable)?;
    Ok(ProvenEvent { number, leaf: BASE64_STANDARD.encode(leaf), stored, proof: Vec::new() })
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
