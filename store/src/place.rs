//! Where a log is kept, and opening it there.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    cluster::Cluster, clusters, embedded::store::EmbeddedStore, folder::data_folder::DataFolder, log::Log,
    open_error::OpenError, options::Options,
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

/// Opens the log of a data folder, which is made where there is none.
pub async fn open(folder: &Path, place: &Place, options: Options) -> Result<Arc<dyn Log>, OpenError> {
    match place {
        Place::Folder => {
            let folder = folder.to_owned();
            let open = move || EmbeddedStore::open(&DataFolder::open(folder)?, options);
            // Opening reads and checks files, which must not hold up what else the runtime does.
            let opened = tokio::task::spawn_blocking(open).await;
            Ok(opened.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?)
        }
        Place::Cluster { cluster, secrets } => {
            clusters::open(folder, cluster, secrets.as_deref(), options).await
        }
    }
}
