//! What the nodes say to one another: each writes into a stream of its own which epochs it has the keys of, how far it
//! has come, and its last checkpoint. So every node sees whether the others read the same log, and whoever begins a new
//! epoch sees who is ready for it.

use std::{
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    folder::private_files::read_secret,
    kurrent::{
        keys::fingerprint::fingerprint,
        node::Node,
        peer::{ANNOUNCED, Announcement},
        wire::{
            connection::set_metadata,
            events::{Expected, Proposed, random},
            trouble::Trouble,
        },
    },
    sealing::epochs::files,
};

/// How often a node says how it is getting on where nothing has changed.
const EVERY: Duration = Duration::from_secs(30);
/// How often it is looked whether something has.
const LOOK: Duration = Duration::from_secs(1);
/// How many of its announcements the cluster keeps.
const KEPT: u64 = 10;

/// Says how this node is getting on, at once and whenever something changes, until it ends.
pub(crate) async fn run(node: Arc<Node>) {
    if let Err(trouble) = keep_few(&node).await {
        tracing::warn!(%trouble, "the announcements of this node are kept for ever");
    }
    loop {
        let epochs = epochs_at_hand(&node);
        if let Err(trouble) = announce(&node, epochs.clone(), false).await {
            tracing::warn!(%trouble, "this node could not say to the others how it is getting on");
        }
        let said = Instant::now();
        // Somebody may be putting the key of a new epoch where this node looks for it.
        while said.elapsed() < EVERY && epochs_at_hand(&node) == epochs {
            if tokio::time::timeout(LOOK, node.announce.notified()).await.is_ok() {
                break;
            }
        }
    }
}

/// Says that this node ends, so that nobody waits for it.
pub(crate) async fn leave(node: &Node) {
    if let Err(trouble) = announce(node, Vec::new(), true).await {
        tracing::debug!(%trouble, "the others will find out that this node has ended");
    }
}

/// The epochs whose keys this node has or can take at once, by number and fingerprint.
fn epochs_at_hand(node: &Node) -> Vec<(u32, String)> {
    let oldest = node.keys.epochs().0.first().copied().unwrap_or_default();
    let folders = [Some(node.folder.as_path()), node.secrets.as_deref()];
    let mut epochs: Vec<(u32, String)> = Vec::new();
    for folder in folders.into_iter().flatten() {
        // What cannot be read now is not at hand.
        for (epoch, file) in
            files(folder).unwrap_or_default().into_iter().filter(|(epoch, _)| *epoch >= oldest)
        {
            // A node uses the key in its own folder, whatever lies where the secrets are.
            if !epochs.iter().any(|(known, _)| *known == epoch) {
                epochs.extend(read_secret(&file).ok().map(|key| (epoch, fingerprint(&file, &key))));
            }
        }
    }
    epochs
}

async fn announce(node: &Node, epochs: Vec<(u32, String)>, leaves: bool) -> Result<(), Trouble> {
    let announcement = Announcement {
        node: node.id,
        at: node.clock.now(),
        epochs,
        current: node.keys.epochs().1,
        position: node.position(),
        checkpoint: node.checkpoint.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        leaves,
    };
    let event = Proposed::of(random(), ANNOUNCED, &announcement)?;
    node.connection.append(&node.names.node(node.id), Expected::Any, &[event]).await.map(|_| ())
}

async fn keep_few(node: &Node) -> Result<(), Trouble> {
    let metadata = serde_json::json!({ "$maxCount": KEPT });
    set_metadata(&node.connection, &node.names.node(node.id), &metadata).await
}
