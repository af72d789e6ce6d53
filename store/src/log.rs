//! The log of a data folder, wherever it is kept: in the folder itself or in a cluster. What goes beyond the port, since
//! it is about files, keys and other nodes, is asked here.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use domain::{EventStore, Keyring};

#[cfg(feature = "kurrentdb")]
use crate::kurrent::KurrentStore;
use crate::{
    backup::{BackupError, Copied},
    cluster::Cluster,
    embedded::{EmbeddedStore, Statistics},
    folder::DataFolder,
    keys::{KeyError, Keys},
    open_error::OpenError,
    options::Options,
    rotation::Rotated,
};

/// Where a log is kept.
#[derive(Clone, Debug)]
pub enum Place {
    /// In the data folder.
    Folder,
    /// In a cluster; what the folder of a node lacks of the secrets of the log is taken from `secrets`.
    Cluster {
        /// Which cluster.
        cluster: Cluster,
        /// Where the secrets lie that all nodes share.
        secrets: Option<PathBuf>,
    },
}

/// A log that is open.
#[derive(Clone)]
pub enum Log {
    /// In the data folder.
    Embedded(Arc<EmbeddedStore>),
    /// In a cluster.
    #[cfg(feature = "kurrentdb")]
    Cluster(Arc<KurrentStore>),
}

/// How a node stands to its cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
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
    pub node: uuid::Uuid,
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

impl Log {
    /// Opens the log of a data folder, which is made where there is none.
    pub async fn open(folder: &Path, place: &Place, options: Options) -> Result<Self, OpenError> {
        match place {
            Place::Folder => {
                let folder = folder.to_owned();
                let open = move || EmbeddedStore::open(&DataFolder::open(folder)?, options);
                // Opening reads and checks files, which must not hold up what else the runtime does.
                let opened = tokio::task::spawn_blocking(open).await;
                opened
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
                    .map(Self::Embedded)
            }
            #[cfg(feature = "kurrentdb")]
            Place::Cluster { cluster, secrets } => {
                let opened = KurrentStore::open(folder, cluster.clone(), secrets.clone(), options).await;
                opened.map(Self::Cluster)
            }
            #[cfg(not(feature = "kurrentdb"))]
            Place::Cluster { cluster, .. } => Err(not_built_in(cluster)),
        }
    }

    /// The port.
    pub fn port(&self) -> Arc<dyn EventStore> {
        match self {
            Self::Embedded(store) => Arc::clone(store) as _,
            #[cfg(feature = "kurrentdb")]
            Self::Cluster(store) => Arc::clone(store) as _,
        }
    }

    /// Opens what was sealed.
    pub fn keyring(&self) -> Arc<dyn Keyring> {
        Arc::clone(self.keys()) as _
    }

    /// The keys themselves.
    pub fn keys(&self) -> &Arc<Keys> {
        match self {
            Self::Embedded(store) => store.keys(),
            #[cfg(feature = "kurrentdb")]
            Self::Cluster(store) => store.keys(),
        }
    }

    /// The data folder.
    pub fn folder(&self) -> &DataFolder {
        match self {
            Self::Embedded(store) => store.folder(),
            #[cfg(feature = "kurrentdb")]
            Self::Cluster(store) => store.folder(),
        }
    }

    /// How the store is doing.
    pub fn statistics(&self) -> Statistics {
        match self {
            Self::Embedded(store) => store.statistics(),
            #[cfg(feature = "kurrentdb")]
            Self::Cluster(store) => store.statistics(),
        }
    }

    /// Begins a new epoch, on every node where there are several; for a thread that may wait.
    pub fn rotate(&self, progress: impl FnMut(u64, u64)) -> Result<Rotated, KeyError> {
        match self {
            Self::Embedded(store) => store.keys().rotate(progress),
            #[cfg(feature = "kurrentdb")]
            Self::Cluster(store) => store.rotate(progress),
        }
    }

    /// Copies the log and, apart from it, the keys. The log of a cluster is backed up with the cluster.
    pub fn back_up(
        &self,
        to: &Path,
        keys: Option<&Path>,
        progress: impl FnMut(u64, u64),
    ) -> Result<Copied, BackupError> {
        match self {
            Self::Embedded(store) => store.back_up(to, keys, progress),
            #[cfg(feature = "kurrentdb")]
            Self::Cluster(_) => Err(BackupError::InCluster),
        }
    }

    /// How this node stands to its cluster; `None` where the log lies in the folder.
    pub fn standing(&self) -> Option<Standing> {
        match self {
            Self::Embedded(_) => None,
            #[cfg(feature = "kurrentdb")]
            Self::Cluster(store) => Some(store.standing()),
        }
    }

    /// Waits until everything has been followed that was recorded when this was called; at once where the log lies in
    /// the folder. `progress` is told how many events there are so far.
    #[cfg_attr(
        not(feature = "kurrentdb"),
        expect(unused_variables, clippy::unused_async, reason = "nothing to wait for")
    )]
    pub async fn catch_up(&self, progress: impl FnMut(u64)) {
        match self {
            Self::Embedded(_) => {}
            #[cfg(feature = "kurrentdb")]
            Self::Cluster(store) => store.catch_up(progress).await,
        }
    }

    /// The other nodes of the log, as they were last heard of.
    pub fn peers(&self) -> Vec<Peer> {
        match self {
            Self::Embedded(_) => Vec::new(),
            #[cfg(feature = "kurrentdb")]
            Self::Cluster(store) => store.peers(),
        }
    }

    /// Says to the other nodes up to where this one has signed what it read.
    #[cfg_attr(not(feature = "kurrentdb"), expect(unused_variables, reason = "there are no others"))]
    pub fn announce(&self, checkpoint: &str) {
        match self {
            Self::Embedded(_) => {}
            #[cfg(feature = "kurrentdb")]
            Self::Cluster(store) => store.announce(checkpoint),
        }
    }

    /// Says to the other nodes that this one ends, so that none waits for it.
    #[cfg_attr(
        not(feature = "kurrentdb"),
        expect(clippy::unused_async, reason = "only a cluster is waited for")
    )]
    pub async fn leave(&self) {
        match self {
            Self::Embedded(_) => {}
            #[cfg(feature = "kurrentdb")]
            Self::Cluster(store) => store.leave().await,
        }
    }

    /// The document that all nodes share, and a notice whenever it is written; none where there is one node only.
    pub fn document(&self) -> Option<tokio::sync::watch::Receiver<Option<Document>>> {
        match self {
            Self::Embedded(_) => None,
            #[cfg(feature = "kurrentdb")]
            Self::Cluster(store) => Some(store.document()),
        }
    }

    /// Writes the document that all nodes share, unless another node has written it since it was read; whether it was.
    #[cfg_attr(
        not(feature = "kurrentdb"),
        expect(unused_variables, clippy::unused_async, reason = "there are no others")
    )]
    pub async fn write_document(&self, revision: u64, text: &str) -> Result<bool, domain::AppendError> {
        match self {
            Self::Embedded(_) => Ok(true),
            #[cfg(feature = "kurrentdb")]
            Self::Cluster(store) => store.write_document(revision, text).await,
        }
    }
}

/// What is said where the program was built without the client of clusters.
#[cfg(not(feature = "kurrentdb"))]
pub(crate) fn not_built_in(cluster: &Cluster) -> OpenError {
    let reason = "this program was built without the client of clusters; build it with `cargo build --release`, without \
                  --no-default-features";
    OpenError::Cluster { cluster: cluster.to_string(), reason: reason.to_owned() }
}
