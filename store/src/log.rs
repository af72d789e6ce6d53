//! A log as the program sees it, wherever it is kept. What goes beyond the port, since it is about files, keys and other
//! nodes, is asked here; by default there are no other nodes.

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{AppendError, EventStore, Keyring, Position};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    backup_outcome::{BackupError, Copied},
    folder::data_folder::DataFolder,
    sealing::{key_error::KeyError, keys::Keys, rotation::Rotated},
    troubles::Trouble,
};

/// How the store is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// The position of the last durable event.
    pub head: Position,
    /// How many appends wait for the writer.
    pub queued: usize,
    /// How many events and answers are kept in memory because they are not in the index yet.
    pub tail: usize,
    /// How long the last transaction took, with its sync, in microseconds.
    pub last_sync_micros: u64,
    /// How far the clock is from where it ought to be, in microseconds.
    pub clock_offset_micros: i64,
}

/// How a node stands to its cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeStatus {
    /// How long ago the end of the log was last reached; `None` where it never was since the start.
    pub behind: Option<Duration>,
    /// Whether that is lately enough for the node to be asked.
    pub is_near: bool,
    /// What keeps it from following.
    pub trouble: Option<String>,
    /// How often a call to the cluster had to be tried again.
    pub tried_again: u64,
}

/// Another node of the same log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its id.
    pub node: Uuid,
    /// Whether it was heard of lately.
    pub is_living: bool,
    /// Its last checkpoint, a signed note.
    pub checkpoint: Option<String>,
}

/// A document that all nodes of a log share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// How often it was written: whoever writes it next says so.
    pub revision: u64,
    /// What it says, JSON.
    pub text: String,
}

/// A log that is open.
#[async_trait]
pub trait Log: EventStore {
    /// The keys of personal values.
    fn keys(&self) -> &Arc<Keys>;

    /// The data folder.
    fn folder(&self) -> &DataFolder;

    /// How the store is doing.
    fn statistics(&self) -> Statistics;

    /// What keeps parts of the log from their work at the moment.
    fn troubles(&self) -> Vec<Trouble>;

    /// Begins a new epoch, on every node where there are several; for a thread that may wait. `progress` is told how many
    /// of how many keys have been wrapped anew.
    fn rotate(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Rotated, KeyError>;

    /// Copies the log and, apart from it, the keys. The log of a cluster is backed up with the cluster. `progress` is told
    /// how many of how many bytes are copied.
    fn back_up(
        &self,
        to: &Path,
        keys: Option<&Path>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Copied, BackupError>;

    /// Opens what was sealed.
    fn keyring(&self) -> Arc<dyn Keyring> {
        Arc::clone(self.keys()) as _
    }

    /// How this node stands to its cluster; `None` where the log lies in the folder.
    fn node_status(&self) -> Option<NodeStatus> {
        None
    }

    /// Waits until everything has been followed that was recorded when this was called; at once where the log lies in
    /// the folder. `progress` is told how many events there are so far.
    async fn catch_up(&self, _progress: &mut (dyn FnMut(u64) + Send)) {}

    /// The other nodes of the log, as they were last heard of.
    fn peers(&self) -> Vec<Peer> {
        Vec::new()
    }

    /// Says to the other nodes up to where this one has signed what it read.
    fn announce(&self, _checkpoint: &str) {}

    /// Ends whatever needs the runtime: called before the runtime ends, by a thread that it does not need.
    fn close(&self) {}

    /// Says to the other nodes that this one ends, so that none waits for it.
    async fn leave(&self) {}

    /// The document that all nodes share, and a notice whenever it is written; none where there is one node only.
    fn document(&self) -> Option<watch::Receiver<Option<Document>>> {
        None
    }

    /// Writes the document that all nodes share, unless another node has written it since it was read; whether it was.
    async fn write_document(&self, _revision: u64, _text: &str) -> Result<bool, AppendError> {
        Ok(true)
    }
}
