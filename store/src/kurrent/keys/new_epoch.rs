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

use crate::{
    folder::{
        names::{LOG_FILE, epoch_key_file},
        private_files::{draw_if_missing, exists, read_secret},
    },
    kurrent::{
        keys::{
            epoch_notice::{begun, ended, take_key},
            fingerprint::fingerprint,
            mirror::WrappedKey,
            shared_secrets::draw_once,
            streams::WRAPPED,
        },
        node::Node,
        peer::Peer,
        wire::{
            events::{Expected, Proposed, random},
            trouble::Trouble,
        },
    },
    sealing::{epochs, key_error::KeyError, rotation::Rotated},
};

/// How long the other nodes may take to follow.
const EPOCH_TIMEOUT: Duration = Duration::from_mins(2);
/// How often it is looked whether they have.
const LOOK: Duration = Duration::from_millis(100);
/// How many keys are wrapped anew in one go, and how many of them are on their way at the same time.
const AT_ONCE: usize = 1_000;
const ON_THEIR_WAY: usize = 48;

/// Begins a new epoch on all nodes and ends those before it. `progress` is told how many of how many keys have been
/// wrapped anew. Cut off anywhere, it is taken up by the next call, on whichever node.
pub(crate) async fn rotate(
    node: &Arc<Node>,
    mut progress: impl FnMut(u64, u64),
) -> Result<Rotated, KeyError> {
    let (oldest, current) = *node.epochs.borrow();
    // One that was begun and not brought to its end is brought to its end first, and that is all.
    let epoch = if oldest < current { current } else { begin(node, current + 1).await? };
    wait_for_all(node, &format!("use epoch {epoch}"), EPOCH_TIMEOUT, |peer| peer.current >= epoch).await?;
    let rewrapped = wrap_anew(node, epoch, &mut progress).await?;
    end_before(node, epoch).await?;
    Ok(Rotated { epoch, rewrapped })
}

async fn begin(node: &Arc<Node>, epoch: u32) -> Result<u32, KeyError> {
    let file = epoch_key_file(&node.folder, epoch);
    draw(node, &file, epoch)?;
    let own = fingerprint(&file, &*read_secret(&file).map_err(Box::new)?);
    node.announce.notify_one();
    let has_it = |peer: &Peer| peer.epochs.contains(&(epoch, own.clone()));
    if wait_for_all(node, "have the key of the epoch", EPOCH_TIMEOUT / 12, has_it).await.is_err() {
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
    tokio::time::timeout(EPOCH_TIMEOUT, begun)
        .await
        .map_err(|_| late("this node does not follow the log"))?
        .ok();
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
        && let Err(error) = draw_once(&epoch_key_file(secrets, epoch))
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
    let event = Proposed::of(random(), WRAPPED, &key)?;
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
        if begun.elapsed() > EPOCH_TIMEOUT {
            return Err(late("this node does not follow the log"));
        }
        tokio::time::sleep(LOOK / 5).await;
    }
    Ok(())
}

async fn end_before(node: &Arc<Node>, epoch: u32) -> Result<(), KeyError> {
    let file = epoch_key_file(&node.folder, epoch);
    let key = read_secret(&file).map_err(Box::new)?;
    let notice = ended(epoch, &file, &key)?;
    node.connection.append_surely(&node.names.epochs(), Expected::Any, &[notice]).await?;
    if let Some(secrets) = &node.secrets {
        remove_old(secrets, epoch);
    }
    node.wake.notify_one();
    let mut seen = node.epochs.subscribe();
    let ended = seen.wait_for(|(oldest, _)| *oldest >= epoch);
    tokio::time::timeout(EPOCH_TIMEOUT, ended)
        .await
        .map_err(|_| late("this node does not follow the log"))?
        .ok();
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
