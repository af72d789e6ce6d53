//! A new epoch over several nodes. The key of an epoch is a file on each node and never in the cluster, so whoever
//! begins one makes sure first that every living node has its key. What happens then stands in one stream, which all
//! nodes follow: an epoch begins, everything is wrapped anew, and the epochs before it end, each node destroying its own
//! copy of their keys.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    connection::{Expected, Proposed, Raw, Trouble},
    envelope::hex,
    node::Node,
    peers::{self, Peer},
    tracker::WRAPPED,
};
use crate::{
    epochs,
    folder::{LOG_FILE, draw_if_missing, draw_once, exists, read_secret, write_durably},
    keys::{KeyError, mirror::WrappedKey},
    rotation::Rotated,
};

/// How long the other nodes may take to follow.
const PATIENCE: Duration = Duration::from_mins(2);
/// How often it is looked whether they have.
const LOOK: Duration = Duration::from_millis(100);
/// How many keys are wrapped anew in one go, and how many of them are on their way at the same time.
const AT_ONCE: usize = 1_000;
const ON_THEIR_WAY: usize = 48;

const BEGUN: &str = "epoch.begun";
const ENDED: &str = "epoch.ended";

/// That an epoch has begun, or that all before it have ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EpochNotice {
    said: Said,
    has_ended_others: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    epoch: u32,
    /// By which its key is known again.
    fingerprint: String,
}

impl EpochNotice {
    pub(super) fn of(raw: &Raw) -> Option<Self> {
        let has_ended_others = match raw.tag.as_str() {
            BEGUN => false,
            ENDED => true,
            _ => return None,
        };
        Some(Self { said: serde_json::from_slice(&raw.data).ok()?, has_ended_others })
    }

    /// Does on this node what an epoch that begins or ends asks for; what is missing is said for whoever can mend it.
    pub(super) fn carry_out(&self, node: &Node) -> Result<(), String> {
        let Said { epoch, fingerprint } = &self.said;
        let (living, current) = node.keys.epochs();
        if self.has_ended_others {
            let oldest = living.first().copied().unwrap_or_default();
            if oldest < *epoch {
                node.keys.end_epochs_before(*epoch).map_err(|error| error.to_string())?;
            }
            node.epochs.send_modify(|(oldest, _)| *oldest = (*oldest).max(*epoch));
        } else {
            if current < *epoch {
                take_key(&node.folder, node.secrets.as_deref(), *epoch)?;
                check_key(&node.folder, *epoch, fingerprint)?;
                node.keys.begin_epoch(*epoch).map_err(|error| error.to_string())?;
            }
            node.epochs.send_modify(|(_, current)| *current = (*current).max(*epoch));
        }
        node.announce.notify_one();
        Ok(())
    }
}

/// Takes the key of an epoch from where the secrets lie, where this node does not have it yet.
pub(super) fn take_key(folder: &Path, secrets: Option<&Path>, epoch: u32) -> Result<(), String> {
    let file = epochs::file(folder, epoch);
    let name = file.file_name().unwrap_or_default();
    if exists(&file).map_err(|error| error.to_string())? {
        return Ok(());
    }
    let found = secrets.map(|secrets| secrets.join(name)).filter(|found| found.is_file());
    let Some(found) = found else {
        return Err(format!(
            "{} is missing: epoch {epoch} has begun on another node; copy its key from there into {}",
            name.display(),
            folder.display()
        ));
    };
    let key = read_secret(&found).map_err(|error| error.to_string())?;
    write_durably(&file, &key[..]).map_err(|error| error.to_string())
}

fn check_key(folder: &Path, epoch: u32, fingerprint: &str) -> Result<(), String> {
    let file = epochs::file(folder, epoch);
    let key = read_secret(&file).map_err(|error| error.to_string())?;
    if self::fingerprint(&file, &key) == fingerprint {
        Ok(())
    } else {
        Err(format!(
            "{} is not the key of epoch {epoch} of this log: copy it from another node",
            file.display()
        ))
    }
}

/// By which a secret of 256 random bits is known again, without saying anything about it.
pub(super) fn fingerprint(file: &Path, secret: &[u8; 32]) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let digest = Sha256::new()
        .chain_update(b"rapport fingerprint ")
        .chain_update(name.as_bytes())
        .chain_update(secret);
    hex(&digest.finalize()[..16])
}

/// The oldest epoch that has not ended, the current one, and by which the keys of all of them are known: those that
/// there were at the beginning, and those that have begun and ended since.
pub(super) fn read_epochs(first: &[(u32, String)], events: &[Raw]) -> (u32, u32, Vec<(u32, String)>) {
    let (mut known, mut oldest) = (first.to_vec(), first.iter().map(|(epoch, _)| *epoch).min().unwrap_or(1));
    for notice in events.iter().filter_map(EpochNotice::of) {
        if notice.has_ended_others {
            oldest = oldest.max(notice.said.epoch);
        } else {
            known.push((notice.said.epoch, notice.said.fingerprint));
        }
    }
    known.retain(|(epoch, _)| *epoch >= oldest);
    let current = known.iter().map(|(epoch, _)| *epoch).max().unwrap_or(oldest);
    (oldest, current, known)
}

/// The notice that an epoch has begun.
fn begun(epoch: u32, key_file: &Path, key: &[u8; 32]) -> Result<Proposed, Trouble> {
    let said = Said { epoch, fingerprint: fingerprint(key_file, key) };
    Proposed::of(peers::random(), BEGUN, &said)
}

/// Begins a new epoch on all nodes and ends those before it. `progress` is told how many of how many keys have been
/// wrapped anew. Cut off anywhere, it is taken up by the next call, on whichever node.
pub(super) async fn rotate(
    node: &Arc<Node>,
    mut progress: impl FnMut(u64, u64),
) -> Result<Rotated, KeyError> {
    let (oldest, current) = *node.epochs.borrow();
    // One that was begun and not brought to its end is brought to its end first, and that is all.
    let epoch = if oldest < current { current } else { begin(node, current + 1).await? };
    wait_for_all(node, &format!("use epoch {epoch}"), PATIENCE, |peer| peer.current >= epoch).await?;
    let rewrapped = wrap_anew(node, epoch, &mut progress).await?;
    end_before(node, epoch).await?;
    Ok(Rotated { epoch, rewrapped })
}

async fn begin(node: &Arc<Node>, epoch: u32) -> Result<u32, KeyError> {
    let file = epochs::file(&node.folder, epoch);
    draw(node, &file, epoch)?;
    let own = fingerprint(&file, &*read_secret(&file).map_err(Box::new)?);
    node.announce.notify_one();
    let has_it = |peer: &Peer| peer.epochs.contains(&(epoch, own.clone()));
    if wait_for_all(node, "have the key of the epoch", PATIENCE / 12, has_it).await.is_err() {
        let lacking = others(node).filter(|peer| !has_it(peer)).map(|peer| peer.node.to_string());
        let lacking = lacking.collect::<Vec<_>>().join(", ");
        if !lacking.is_empty() {
            return Err(KeyError::Cluster(format!(
                "the key of epoch {epoch} lies in {} and is not on every node yet: copy it into the folders of {lacking}, \
                 and begin the epoch again; a node that has ended since counts as living for a while",
                file.display()
            )));
        }
    }
    let key = read_secret(&file).map_err(Box::new)?;
    let notice = begun(epoch, &file, &key)?;
    let held = node.connection.last_of(&node.names.epochs()).await?.map_or(0, |last| last.revision + 1);
    match node.connection.append_surely(&node.names.epochs(), Expected::Events(held), &[notice]).await {
        Ok(_) => {}
        Err(Trouble::Revision(_)) => {
            return Err(KeyError::Cluster(
                "another node is beginning an epoch: wait until it is done".to_owned(),
            ));
        }
        Err(trouble) => return Err(trouble.into()),
    }
    node.wake.notify_one();
    let mut seen = node.epochs.subscribe();
    let begun = seen.wait_for(|(_, current)| *current >= epoch);
    tokio::time::timeout(PATIENCE, begun).await.map_err(|_| late("this node does not follow the log"))?.ok();
    Ok(epoch)
}

/// Draws the key of an epoch where all nodes look for it, if that is a place to which this node may write, so that two
/// that do so at the same moment take the same one.
fn draw(node: &Node, file: &Path, epoch: u32) -> Result<(), KeyError> {
    if !exists(file).map_err(Box::new)? {
        // It may have been drawn on another node already, when the epoch was to begin there.
        let drawn = others(node).find(|peer| peer.epochs.iter().any(|(other, _)| *other == epoch));
        if let Some(peer) = drawn
            && take_key(&node.folder, node.secrets.as_deref(), epoch).is_err()
        {
            return Err(KeyError::Cluster(format!(
                "the key of epoch {epoch} has been drawn on the node {}: copy it from there into {}, or begin the epoch \
                 there",
                peer.node,
                node.folder.display()
            )));
        }
    }
    if let Some(secrets) = &node.secrets
        && let Err(error) = draw_once(&epochs::file(secrets, epoch))
    {
        tracing::warn!(%error, "the key of the new epoch could not be put beside the other secrets");
    }
    if take_key(&node.folder, node.secrets.as_deref(), epoch).is_err() {
        draw_if_missing(file).map_err(Box::new)?;
    }
    Ok(())
}

fn others(node: &Node) -> impl Iterator<Item = Peer> + use<> {
    let (peers, own) = (node.peers.borrow().clone(), node.id);
    peers.into_values().filter(move |peer| peer.node != own && peer.is_living())
}

impl From<Trouble> for KeyError {
    fn from(trouble: Trouble) -> Self {
        Self::Cluster(trouble.to_string())
    }
}

/// Waits until every other living node says so.
async fn wait_for_all(
    node: &Node,
    what: &str,
    patience: Duration,
    is_so: impl Fn(&Peer) -> bool,
) -> Result<(), KeyError> {
    let begun = Instant::now();
    loop {
        let waiting: Vec<String> =
            others(node).filter(|peer| !is_so(peer)).map(|peer| peer.node.to_string()).collect();
        if waiting.is_empty() {
            return Ok(());
        }
        if begun.elapsed() > patience {
            return Err(late(&format!("these nodes do not {what} yet: {}", waiting.join(", "))));
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn late(what: &str) -> KeyError {
    KeyError::Cluster(format!("{what}; begin the epoch again, and it goes on where it was"))
}

/// Wraps every living key with that of the new epoch. A key that was destroyed meanwhile is passed over.
async fn wrap_anew(
    node: &Arc<Node>,
    epoch: u32,
    progress: &mut impl FnMut(u64, u64),
) -> Result<u64, KeyError> {
    // Nothing is wrapped by an older epoch from here on: every node uses the new one. What they drew before stands in
    // the log before this moment.
    catch_up(node).await?;
    let total = node.keys.wrapped_before(epoch)?;
    let (mut rewrapped, mut after) = (0, Some((Vec::new(), Vec::new())));
    while let Some(place) = after {
        let (keys, last) = node.keys.wrapped_anew(&place, AT_ONCE)?;
        after = last;
        let count = keys.len() as u64;
        let written: Vec<Result<(), Trouble>> =
            stream::iter(keys).map(|key| write(node, key)).buffer_unordered(ON_THEIR_WAY).collect().await;
        written.into_iter().collect::<Result<Vec<()>, Trouble>>()?;
        rewrapped += count;
        progress(rewrapped, total);
    }
    catch_up(node).await?;
    let left = node.keys.wrapped_before(epoch)?;
    if left > 0 {
        return Err(late(&format!("{left} keys were drawn with the old epoch meanwhile")));
    }
    Ok(rewrapped)
}

async fn write(node: &Arc<Node>, key: WrappedKey) -> Result<(), Trouble> {
    let event = Proposed::of(peers::random(), WRAPPED, &key)?;
    match node.connection.append_surely(&node.names.key(key.name()), Expected::Any, &[event]).await {
        Ok(_) | Err(Trouble::Destroyed) => Ok(()),
        Err(trouble) => Err(trouble),
    }
}

/// Waits until this node has seen everything that stands in the log now.
async fn catch_up(node: &Arc<Node>) -> Result<(), KeyError> {
    let newest = node.connection.newest_of_all(1, &node.names.of_all()).await?;
    let end = newest.first().map_or(0, |last| last.position);
    let begun = Instant::now();
    node.wake.notify_one();
    while node.reach().scanned < end {
        if begun.elapsed() > PATIENCE {
            return Err(late("this node does not follow the log"));
        }
        tokio::time::sleep(LOOK / 5).await;
    }
    Ok(())
}

async fn end_before(node: &Arc<Node>, epoch: u32) -> Result<(), KeyError> {
    let file = epochs::file(&node.folder, epoch);
    let key = read_secret(&file).map_err(Box::new)?;
    let said = Said { epoch, fingerprint: fingerprint(&file, &key) };
    let notice = Proposed::of(peers::random(), ENDED, &said)?;
    node.connection.append_surely(&node.names.epochs(), Expected::Any, &[notice]).await?;
    if let Some(secrets) = &node.secrets {
        remove_old(secrets, epoch);
    }
    node.wake.notify_one();
    let mut seen = node.epochs.subscribe();
    let ended = seen.wait_for(|(oldest, _)| *oldest >= epoch);
    tokio::time::timeout(PATIENCE, ended).await.map_err(|_| late("this node does not follow the log"))?.ok();
    Ok(())
}

/// Where the secrets lie, old keys go as well; but a folder that holds more than secrets needs them for what it holds.
fn remove_old(secrets: &Path, epoch: u32) {
    if exists(&secrets.join(LOG_FILE)).unwrap_or(true) {
        tracing::warn!(
            "the folder of the secrets holds a log, whose keys were left as they are: remove it when it is of no use"
        );
        return;
    }
    if fs::metadata(secrets).is_ok()
        && let Err(error) = epochs::destroy_before(secrets, epoch)
    {
        tracing::error!(%error, "old epoch keys could not be removed from the secrets: remove them by hand");
    }
}
