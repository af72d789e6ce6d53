//! The witness: holds what the other nodes have signed against what this one has read. They all follow the same log, so
//! at every size they must come to the same root; where they do not, one of them reads something else, and people must
//! find out which.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use ledger::{Ledger, checkpoint::Checkpoint};
use store::Peer;
use uuid::Uuid;

/// What has come out so far.
#[derive(Default)]
pub struct Witness(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    /// Up to where each node was found to agree.
    agreed: HashMap<Uuid, u64>,
    /// What is wrong with what a node has signed.
    disagreeing: HashMap<Uuid, String>,
}

impl Witness {
    /// The nodes whose checkpoints do not agree with this one's ledger, each with what is wrong.
    pub fn disagreeing(&self) -> Vec<(Uuid, String)> {
        let mut found: Vec<_> =
            self.seen().disagreeing.iter().map(|(node, why)| (*node, why.clone())).collect();
        found.sort();
        found
    }

    /// Up to how many events every other living node was found to agree; `None` where there is no other.
    pub fn agreed(&self) -> Option<u64> {
        self.seen().agreed.values().min().copied()
    }

    /// Holds what the living ones of the other nodes have signed against the ledger of this one.
    pub fn look(&self, peers: &[Peer], ledger: &Ledger) {
        let is_living = |node: &Uuid| peers.iter().any(|peer| peer.node == *node && peer.is_living);
        self.seen().agreed.retain(|node, _| is_living(node));
        for peer in peers.iter().filter(|peer| peer.is_living) {
            let Some(note) = &peer.checkpoint else { continue };
            match compare(ledger, note) {
                Some(Ok(size)) => self.agree(peer.node, size),
                Some(Err(why)) => self.disagree(peer.node, why),
                // It has signed more than this node has read: the next time.
                None => {}
            }
        }
    }

    fn agree(&self, node: Uuid, size: u64) {
        let mut seen = self.seen();
        let agreed = seen.agreed.entry(node).or_default();
        *agreed = size.max(*agreed);
    }

    /// Whoever has once disagreed stays named until somebody has looked and started this node again.
    fn disagree(&self, node: Uuid, why: String) {
        self.seen().disagreeing.entry(node).or_insert_with(|| {
            tracing::error!(%node, why, "another node has signed another log: find out which of the two is right");
            why
        });
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a checkpoint is that of the log that this node reads; nothing where this node has not signed as much yet.
fn compare(ledger: &Ledger, note: &str) -> Option<Result<u64, String>> {
    let checkpoint = match Checkpoint::open(note, &ledger.key()) {
        Ok(checkpoint) => checkpoint,
        Err(error) => return Some(Err(format!("its checkpoint cannot be relied on: {error}"))),
    };
    let size = checkpoint.size;
    if size > ledger.signed().checkpoint.size {
        return None;
    }
    match ledger.root(size) {
        // There is nothing yet on which they could differ.
        _ if size == 0 => Some(Ok(0)),
        Ok(root) if root == checkpoint.root => Some(Ok(size)),
        Ok(_) => Some(Err(format!("of the first {size} events it has read others than this node"))),
        Err(error) => Some(Err(error.to_string())),
    }
}
