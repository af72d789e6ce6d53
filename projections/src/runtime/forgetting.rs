//! What is left of a person who was erased: counted in every file of every view, not claimed. Whatever the author of
//! a view wrote, every column declared personal is emptied in the rows of a contact; rows, numbers and counts stay.

use std::sync::Arc;

use domain::{ContactId, Position};
use rusqlite::{Connection, OpenFlags};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    kit::personal::{count, is_personal},
    runtime::{
        served::{Phase, Status},
        shared::Shared,
        snapshot,
        view_file::FileError,
        views::Views,
    },
};

/// What is left of a contact in the files of one view: counted, not claimed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LeftInView {
    /// The view.
    pub view: String,
    /// How far it has come.
    pub position: Position,
    /// Whether it has carried out the erasure in every file of its own.
    pub carried_out: bool,
    /// How many of its rows are about what the contact said or was called.
    pub rows: u64,
    /// In how many of them anything is left.
    pub left: u64,
    /// How many snapshots of it are kept.
    pub snapshots: u64,
    /// In how many rows of these anything is left.
    pub left_in_snapshots: u64,
}

/// What is left of a contact in all files of all views.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Left {
    /// In each view that holds anything personal.
    pub views: Vec<LeftInView>,
    /// How many files of the past are kept.
    pub past: u64,
    /// How many of these were begun before the last erasure.
    pub past_from_before: u64,
}

impl Left {
    /// Whether every view has carried out the erasure and nothing is left anywhere.
    pub fn is_nothing(&self) -> bool {
        let nothing = |view: &LeftInView| view.carried_out && view.left == 0 && view.left_in_snapshots == 0;
        self.views.iter().all(nothing) && self.past_from_before == 0
    }
}

impl Views {
    /// A number that changes with every erasure; waits until each view has carried out all there were. Whoever
    /// hands out what they have gathered from views asks before and after, and begins again where it has changed.
    pub async fn erasures(&self) -> u64 {
        let erasures = self.shared.store.erasures();
        self.settle(self.head(), |_| ()).await;
        erasures
    }

    /// Looks into every file of every view for what is left of a contact whose erasure lies at a position.
    pub async fn left(&self, contact: ContactId, erased_at: Position) -> Result<Left, FileError> {
        let shared = Arc::clone(&self.shared);
        let look = move || look(&shared, contact, erased_at);
        tokio::task::spawn_blocking(look).await.map_err(std::io::Error::other)?
    }
}

fn look(shared: &Shared, contact: ContactId, erased_at: Position) -> Result<Left, FileError> {
    let mut views = Vec::new();
    for served in shared.views.iter().filter(|served| is_personal(served.view.tables)) {
        let Status { position, phase, rebuilding, emptying, trouble: _ } = served.status.borrow().clone();
        // A view that stands still has no more of its events folded, but what was erased is erased.
        let has_seen = position >= erased_at || matches!(phase, Phase::Stopped { .. });
        let is_built = rebuilding.is_none_or(|position| position >= erased_at);
        let (mut rows, mut left) = (0, 0);
        if let Some(generation) = served.generation() {
            let connection = Connection::open_with_flags(&generation.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            connection.busy_timeout(std::time::Duration::from_secs(5))?;
            (rows, left) = count(&connection, contact)?;
        }
        let (snapshots, left_in_snapshots) = snapshot::count(&shared.folder, &served.view, contact)?;
        views.push(LeftInView {
            view: served.view.description.name.to_owned(),
            position,
            carried_out: has_seen && is_built && !emptying,
            rows,
            left,
            snapshots,
            left_in_snapshots,
        });
    }
    let (past, past_from_before) = shared.past.count(shared.store.erasures());
    Ok(Left { views, past, past_from_before })
}
