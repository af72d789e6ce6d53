//! What the ledger can show of single events and of its tree. Tiles are those of C2SP `tlog-tiles`, so that a monitor
//! written for any such log can follow this one.

use std::sync::Arc;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use domain::{EventStore, Position, Role};
use ledger::{
    bundle::StoredEvent,
    leaf,
    merkle::Hash,
    tile::{NotATile, Tile, WIDTH},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::{caller::Caller, error::Error, rapport::Rapport};

/// Who may look at single events and their proofs.
pub const READERS: &[Role] = &[Role::Admin, Role::Staff, Role::Auditor];
/// How many events one request may ask proofs for.
const PROOFS_MAX: usize = 1_000;

/// The parameters of a proof of inclusion.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Included {
    /// The event's place in the log, as a command's answer gives it.
    position: u64,
    /// The size of the tree that it is to be in; the last checkpoint's where it is not given.
    size: Option<u64>,
}

/// One event with its proof and all that is needed to check it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Inclusion {
    #[serde(flatten)]
    event: Option<ProvenEvent>,
    /// The size of the tree that the proof leads to.
    size: u64,
    /// The public key of the checkpoint.
    key: String,
    /// The last checkpoint.
    checkpoint: String,
}

/// The parameters of a proof of consistency.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Consistency {
    /// The size of the older tree, at least 1.
    from: u64,
    /// The size of the newer tree; the last checkpoint's where it is not given.
    to: Option<u64>,
}

/// The proof that an older log is the beginning of a newer one.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ConsistencyProof {
    /// The size of the older tree.
    from: u64,
    /// The root of the older tree, in base64.
    from_root: String,
    /// The size of the newer tree.
    to: u64,
    /// The root of the newer tree, in base64.
    to_root: String,
    /// The hashes that lead from one to the other, in base64.
    proof: Vec<String>,
    /// The last checkpoint.
    checkpoint: String,
}

/// Which events are to be proven.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofsRequest {
    /// Their places in the log, at most 1,000.
    positions: Vec<u64>,
    /// The size of the tree that they are to be in; the last checkpoint's where it is not given.
    size: Option<u64>,
}

/// Events as they are stored, with their proofs.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Proofs {
    /// The size of the tree that the proofs lead to.
    pub size: u64,
    /// The public key of the checkpoint.
    pub key: String,
    /// The last checkpoint.
    pub checkpoint: String,
    /// The events, in the order in which they were asked for.
    pub events: Vec<ProvenEvent>,
}

/// An event with its proof.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ProvenEvent {
    /// Its number in the log, from 1.
    pub number: u64,
    /// The hash of its leaf, in base64.
    pub leaf: String,
    /// What is stored, as it is stored.
    pub stored: StoredEvent,
    /// The hashes that lead from the leaf to the root, in base64.
    pub proof: Vec<String>,
}

/// The proof that an event is in the signed log.
pub async fn inclusion(
    rapport: &Arc<Rapport>,
    caller: &Caller,
    requested: Included,
) -> Result<Inclusion, Error> {
    caller.must_be(READERS)?;
    let Included { position, size } = requested;
    let Proofs { size, key, checkpoint, events } = prove_all(rapport, vec![position], size).await?;
    Ok(Inclusion { event: events.into_iter().next(), size, key, checkpoint })
}

/// The proof that an older log is the beginning of a newer one, with the roots that it leads to.
pub fn consistency(
    rapport: &Rapport,
    caller: &Caller,
    requested: &Consistency,
) -> Result<ConsistencyProof, Error> {
    caller.must_be(READERS)?;
    let ledger = rapport.ledger.ledger();
    let signed = ledger.signed();
    let (from, to) = (requested.from, requested.to.unwrap_or(signed.checkpoint.size));
    let proof = ledger.consistency(from, to)?;
    Ok(ConsistencyProof {
        from,
        from_root: BASE64_STANDARD.encode(ledger.root(from)?),
        to,
        to_root: BASE64_STANDARD.encode(ledger.root(to)?),
        proof: in_base64(&proof),
        checkpoint: signed.note.clone(),
    })
}

/// Events as they are stored, each with its proof.
pub async fn prove(
    rapport: &Arc<Rapport>,
    caller: &Caller,
    requested: ProofsRequest,
) -> Result<Proofs, Error> {
    caller.must_be(READERS)?;
    let ProofsRequest { positions, size } = requested;
    if positions.len() > PROOFS_MAX {
        let detail =
            format!("at most {PROOFS_MAX} positions at a time: send the rest afterwards, with `size`");
        return Err(Error::malformed_at("positions", detail));
    }
    prove_all(rapport, positions, size).await
}

/// A tile of hashes, or a bundle of entries, by its path.
pub async fn tile(rapport: &Arc<Rapport>, caller: &Caller, path: &str) -> Result<Vec<u8>, Error> {
    caller.must_be(READERS)?;
    let tile: Tile = path.parse().map_err(|error: NotATile| Error::NotFound(error.to_string()))?;
    if !tile.is_within(rapport.ledger.ledger().signed().checkpoint.size) {
        let detail = "the tree that was signed has no such tile: GET /ledger/checkpoint says its size";
        return Err(Error::NotFound(detail.to_owned()));
    }
    match tile.level {
        Some(_) => Ok(rapport.ledger.ledger().tile(&tile)?),
        None => read(rapport, move |store| entries(store, &tile)).await,
    }
}

async fn prove_all(rapport: &Arc<Rapport>, positions: Vec<u64>, size: Option<u64>) -> Result<Proofs, Error> {
    let signed = rapport.ledger.ledger().signed();
    let size = size.unwrap_or(signed.checkpoint.size);
    let own = Arc::clone(rapport);
    let events = read(rapport, move |store| {
        let mut hasher = leaf::LeafHasher::default();
        let found = positions.into_iter().map(|position| stored_at(store, position, &mut hasher));
        let found = found.collect::<Result<Vec<_>, Error>>()?;
        let indexes: Vec<u64> = found.iter().map(|event| event.number.saturating_sub(1)).collect();
        let proofs = own.ledger.ledger().inclusions(&indexes, size)?;
        let prove =
            |(event, proof): (ProvenEvent, Vec<Hash>)| ProvenEvent { proof: in_base64(&proof), ..event };
        Ok(found.into_iter().zip(proofs).map(prove).collect())
    });
    let (events, key) = (events.await?, rapport.ledger.ledger().key().to_string());
    Ok(Proofs { size, key, checkpoint: signed.note.clone(), events })
}

/// The event at a position; its proof is still to be added.
fn stored_at(
    store: &dyn EventStore,
    position: u64,
    hasher: &mut leaf::LeafHasher,
) -> Result<ProvenEvent, Error> {
    let before = Position(position.saturating_sub(1));
    let mut found = None;
    let mut take = |event: domain::Stored<'_>| {
        if event.position.0 == position {
            found = Some((StoredEvent::of(&event), hasher.hash(&event)));
        }
    };
    let runtime = Handle::current();
    runtime.block_on(store.read_stored(before, 1, &mut take))?;
    let Some((stored, leaf)) = found else {
        return Err(Error::NotFound(format!("there is no event at position {position}")));
    };
    let number = runtime.block_on(store.size_at(Position(position)))?;
    Ok(ProvenEvent { number, leaf: BASE64_STANDARD.encode(leaf), stored, proof: Vec::new() })
}

/// A bundle of entries of `tlog-tiles`: each entry after its length in two bytes.
fn entries(store: &dyn EventStore, tile: &Tile) -> Result<Vec<u8>, Error> {
    let runtime = Handle::current();
    let begin = tile.index * WIDTH;
    let mut after = runtime.block_on(store.position_of_size(begin))?;
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
        let through = runtime.block_on(store.read_stored(after, limit, &mut take))?;
        if through == after {
            return Err(Error::Unavailable(
                "the log is shorter than what was signed: run `rapport verify`".to_owned(),
            ));
        }
        after = through;
    }
    Ok(bytes)
}

/// Reads the log on a thread that may wait for the disk.
async fn read<T: Send + 'static>(
    rapport: &Arc<Rapport>,
    work: impl FnOnce(&dyn EventStore) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let store = Arc::clone(&rapport.store);
    let done = tokio::task::spawn_blocking(move || work(&*store)).await;
    done.unwrap_or_else(|error| Err(Error::unavailable(error)))
}

fn in_base64(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(|hash| BASE64_STANDARD.encode(hash)).collect()
}
