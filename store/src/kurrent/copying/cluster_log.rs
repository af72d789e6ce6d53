//! Reading a whole log in a cluster as it stands, without being a node of it: for whoever verifies it or copies it.

use async_trait::async_trait;
use uuid::Uuid;

use crate::{
    cluster::Cluster,
    kurrent::{
        envelope::StoredEvent,
        identity::{Identity, Opening},
        names::Names,
        wire::{
            connection::{Connection, Server},
            events::Raw,
        },
    },
    open_error::OpenError,
    whole_log::{Each, WholeLog},
};

/// How many events are read at a time.
const PAGE: usize = 4_096;

/// A log that is only read.
pub(crate) struct ClusterLog {
    pub(crate) connection: Connection,
    pub(crate) names: Names,
    pub(crate) identity: Identity,
}

impl ClusterLog {
    /// Opens the log of a cluster; refuses a cluster that has none.
    pub(crate) async fn open(cluster: &Cluster) -> Result<Self, OpenError> {
        let names = Names::new(cluster.prefix());
        let connection = Connection::open(cluster.clone()).await?;
        let opening = Opening { connection: &connection, names: &names, secrets: None };
        let Some(identity) = opening.read_identity().await? else {
            return Err(connection.cannot("there is no log in it".to_owned()));
        };
        Ok(Self { connection, names, identity })
    }

    /// Hands out page after page of what stands after a position, until told to stop.
    pub(crate) async fn pages(
        &self,
        mut after: u64,
        prefixes: &[String],
        mut each: impl FnMut(&[Raw]) -> Result<bool, OpenError> + Send,
    ) -> Result<(), OpenError> {
        loop {
            // Whoever reads the whole log wants all of it: another server may not have come as far.
            let read = self.connection.read_beyond(Server::Leader, (after, after), PAGE, prefixes).await;
            let (page, is_full) = read.map_err(|trouble| self.connection.cannot(trouble.to_string()))?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.position;
            if !each(&page)? || !is_full {
                return Ok(());
            }
        }
    }
}

#[async_trait]
impl WholeLog for ClusterLog {
    fn log_id(&self) -> Option<Uuid> {
        Some(self.identity.log)
    }

    fn length(&self) -> Option<u64> {
        None
    }

    fn numbers_its_positions(&self) -> bool {
        false
    }

    async fn each(&mut self, each: Each<'_>) -> Result<(), OpenError> {
        self.pages(0, &self.names.of_events(), |page| {
            for raw in page {
                let event = StoredEvent::of(raw, &self.names);
                if !each(&event.as_ref().map(StoredEvent::as_stored).map_err(Clone::clone)) {
                    return Ok(false);
                }
            }
            Ok(true)
        })
        .await
    }
}
