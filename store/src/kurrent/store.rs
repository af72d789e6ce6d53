//! The log on a cluster, as one node sees it: how it is opened, and what it answers beyond the port.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use async_trait::async_trait;
use domain::{AppendError, EventStore as _};
use tokio::{runtime::Handle, sync::watch};

use crate::{
    backup_outcome::{BackupError, Copied},
    cluster::Cluster,
    folder::data_folder::DataFolder,
    kurrent::{
        appending::Appending,
        document,
        identity::{Found, Opening},
        joining::Joining,
        keys::new_epoch,
        names::Names,
        node::{LAG_LIMIT, Node, Parts},
        peer, peers,
        starting::{hear_others, keep_answers_a_day, node_id, open_index},
        tracker::Tracker,
        wire::connection::Connection,
    },
    log::{Document, Log, NodeStatus, Peer, Statistics},
    open_error::OpenError,
    options::Options,
    recording::clock::Clock,
    sealing::{key_error::KeyError, keys::Keys, rotation::Rotated},
    troubles::Trouble,
};

/// How long a node that ends tries to say so.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// The log on a cluster, as one node sees it.
pub struct KurrentStore {
    pub(crate) node: Arc<Node>,
    pub(crate) appending: Arc<Appending>,
    runtime: Handle,
    cluster: Cluster,
    pub(crate) prefixes: Vec<String>,
    folder: DataFolder,
    tracker: Mutex<Option<JoinHandle<()>>>,
    announcer: tokio::task::JoinHandle<()>,
}

impl KurrentStore {
    /// Opens the log on a cluster for one node with a folder of its own; begins it where there is none. Secrets that the
    /// folder lacks are taken from `secrets`.
    pub async fn open(
        folder: &Path,
        cluster: Cluster,
        secrets: Option<PathBuf>,
        options: Options,
    ) -> Result<Arc<Self>, OpenError> {
        let joining = Joining::begin(folder)?;
        let names = Names::new(cluster.prefix());
        let connection = Arc::new(Connection::open(cluster.clone()).await?);
        let opening = Opening { connection: &connection, names: &names, secrets: secrets.as_deref() };
        let Found { log, epochs } = opening.open(joining.path(), joining.log_id(), None).await?;
        let folder = joining.finish(log)?;
        let keys = Arc::new(Keys::open_copy(folder.path(), &options, epochs)?);
        let (index, reach) = open_index(&folder, &keys)?;
        let node = Arc::new(Node::new(Parts {
            id: node_id(&folder)?,
            log_id: log,
            folder: folder.path().to_owned(),
            secrets,
            names,
            connection,
            keys,
            clock: Clock::new(options.faults.clone()),
            index,
            reach,
            epochs,
        }));
        Self::start(node, folder, cluster).await
    }

    async fn start(node: Arc<Node>, folder: DataFolder, cluster: Cluster) -> Result<Arc<Self>, OpenError> {
        let runtime = Handle::current();
        hear_others(&node).await;
        document::read(&node).await.map_err(|trouble| node.connection.cannot(trouble.to_string()))?;
        keep_answers_a_day(&node).await;
        let tracker = Tracker::new(Arc::clone(&node), runtime.clone());
        let thread = std::thread::Builder::new().name("log tracker".to_owned()).spawn(move || tracker.run());
        let thread = thread.map_err(OpenError::io(folder.path()))?;
        let announcer = runtime.spawn(peers::run(Arc::clone(&node)));
        let prefixes = node.names.of_events();
        let appending = Arc::new(Appending::new(Arc::clone(&node)));
        let tracker = Mutex::new(Some(thread));
        Ok(Arc::new(Self { node, appending, runtime, cluster, prefixes, folder, tracker, announcer }))
    }

    /// Where the log lies.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }
}

impl Drop for KurrentStore {
    fn drop(&mut self) {
        self.close();
    }
}

#[async_trait]
impl Log for KurrentStore {
    fn close(&self) {
        self.node.closing.send_replace(true);
        self.node.wake.notify_one();
        self.announcer.abort();
        let thread = self.tracker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that follows the log had panicked");
        }
    }

    fn troubles(&self) -> Vec<Trouble> {
        // What passes is told by how the node stands to its cluster.
        let thread = self.tracker.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = thread.as_ref().is_some_and(JoinHandle::is_finished);
        let parts =
            [("following the log", is_over), ("speaking to the other nodes", self.announcer.is_finished())];
        parts.into_iter().filter(|(_, is_over)| *is_over).map(|(part, _)| Trouble::ended(part)).collect()
    }

    fn keys(&self) -> &Arc<Keys> {
        &self.node.keys
    }

    fn folder(&self) -> &DataFolder {
        &self.folder
    }

    fn statistics(&self) -> Statistics {
        Statistics {
            head: self.head(),
            queued: self.appending.waiting(),
            tail: 0,
            last_sync_micros: 0,
            clock_offset_micros: 0,
        }
    }

    fn rotate(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Rotated, KeyError> {
        self.runtime.block_on(new_epoch::rotate(&self.node, progress))
    }

    fn back_up(
        &self,
        _to: &Path,
        _keys: Option<&Path>,
        _progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Copied, BackupError> {
        Err(BackupError::InCluster)
    }

    fn node_status(&self) -> Option<NodeStatus> {
        let following = self.node.following.borrow();
        let behind = following.at_end.map(|at| at.elapsed());
        Some(NodeStatus {
            behind,
            is_near: behind.is_some_and(|behind| behind < LAG_LIMIT),
            trouble: following.trouble.clone(),
            tried_again: self.node.connection.troubles(),
        })
    }

    async fn catch_up(&self, progress: &mut (dyn FnMut(u64) + Send)) {
        let begun = std::time::Instant::now();
        let mut following = self.node.following.subscribe();
        let mut head = self.node.head.subscribe();
        loop {
            if following.borrow_and_update().at_end.is_some_and(|at| at >= begun) {
                return;
            }
            progress(self.node.reach().events);
            tokio::select! {
                changed = following.changed() => if changed.is_err() { return },
                changed = head.changed() => if changed.is_err() { return },
            }
        }
    }

    fn peers(&self) -> Vec<Peer> {
        let peers = self.node.peers.borrow();
        let others = peers.values().filter(|peer| peer.node != self.node.id);
        others.map(peer::Peer::shown).collect()
    }

    fn announce(&self, checkpoint: &str) {
        let mut said = self.node.checkpoint.lock().unwrap_or_else(PoisonError::into_inner);
        if said.as_deref() != Some(checkpoint) {
            *said = Some(checkpoint.to_owned());
            self.node.announce.notify_one();
        }
    }

    async fn leave(&self) {
        self.announcer.abort();
        if tokio::time::timeout(LEAVE_TIMEOUT, peers::leave(&self.node)).await.is_err() {
            tracing::debug!("the cluster does not answer; the others will find out that this node has ended");
        }
    }

    fn document(&self) -> Option<watch::Receiver<Option<Document>>> {
        Some(self.node.document.subscribe())
    }

    async fn write_document(&self, revision: u64, text: &str) -> Result<bool, AppendError> {
        let written = document::write(&self.node, revision, text).await;
        written.map_err(|trouble| AppendError::Unavailable(trouble.to_string()))
    }
}
