//! The same contract as everywhere, on the double and on a real server.

use std::{path::Path, sync::Arc};

use store::{Cluster, KurrentStore, Options};
use tempfile::TempDir;

use crate::{
    contract::{Store, contract},
    kurrent_double::Double,
};

/// A node of its own folder.
pub(super) async fn node(folder: &Path, cluster: &Cluster) -> Arc<KurrentStore> {
    let store = KurrentStore::open(folder, cluster.clone(), None, Options::default()).await.unwrap();
    store.catch_up(|_| ()).await;
    store
}

mod on_the_double {
    use super::*;

    contract!(empty().await);

    async fn empty() -> Option<(Store, (TempDir, Double))> {
        let (place, double) = (tempfile::tempdir().unwrap(), Double::start());
        double.stream_reads_have_positions(true);
        let store: Store = node(place.path(), &double.url().parse().unwrap()).await;
        Some((store, (place, double)))
    }
}

mod on_a_double_that_answers_where_the_first_event_stands {
    use super::*;

    contract!(empty().await);

    async fn empty() -> Option<(Store, (TempDir, Double))> {
        let (place, double) = (tempfile::tempdir().unwrap(), Double::start());
        double.stream_reads_have_positions(true);
        double.answers_first_position(true);
        let store: Store = node(place.path(), &double.url().parse().unwrap()).await;
        Some((store, (place, double)))
    }
}
