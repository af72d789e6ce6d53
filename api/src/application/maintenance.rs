//! Looking after the whole: rebuilding and checking views, signing a checkpoint, a new epoch of the keys, and copies for
//! the day on which the machine is gone. What takes long says how far it has come.

use std::path::{Path, PathBuf};

use domain::{Position, Role};
use ledger::verification::Verification;
use projections::{Checked, Difference};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Copied, KeyAudit, LostKey, OpenError, Rotated};

use super::{error::Error, rapport::Rapport};

/// Who may rebuild views, and who may have a checkpoint signed.
pub const REBUILDERS: &[Role] = &[Role::Admin, Role::Staff];
/// Who may check views.
pub const CHECKERS: &[Role] = &[Role::Admin, Role::Staff, Role::Auditor];
/// Who may end an epoch of the keys, and who may copy everything.
pub const KEEPERS: &[Role] = &[Role::Admin];

/// Which views; all where none is named.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    /// Names of views.
    #[serde(default)]
    pub views: Vec<String>,
}

impl Chosen {
    /// Refuses views that there are not.
    pub fn exist(&self, rapport: &Rapport) -> Result<(), Error> {
        for view in &self.views {
            rapport.views.description(view)?;
        }
        Ok(())
    }
}

/// Where to copy to, on the machine of the server.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupFolders {
    /// The folder of the backup, from the root.
    pub to: PathBuf,
    /// The folder of the keys, from the root; without it they are not copied.
    pub keys: Option<PathBuf>,
}

impl BackupFolders {
    /// Refuses paths that depend on where the server was started.
    pub fn are_whole(&self) -> Result<(), Error> {
        for (field, folder) in [("to", Some(&self.to)), ("keys", self.keys.as_ref())] {
            if folder.is_some_and(|folder| !folder.is_absolute()) {
                return Err(Error::malformed_at(field, "must be a whole path"));
            }
        }
        Ok(())
    }
}

/// What a check came to.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Whether every view is as the log says.
    pub sound: bool,
    /// View by view.
    pub rows: Vec<Checked>,
}

/// Rebuilds views beside those that serve; through which position.
pub async fn rebuild(
    rapport: &Rapport,
    views: &[String],
    tell: impl Fn(Position, Position) + Send + Sync,
) -> Result<Position, Error> {
    let head = rapport.views.head();
    let rebuilt = rapport.views.rebuild(views, |position| tell(position, head)).await;
    rebuilt.map(|()| head).map_err(Error::unavailable)
}

/// Folds views anew and compares.
pub async fn check(
    rapport: &Rapport,
    views: &[String],
    tell: impl Fn(Position, Position) + Send + Sync + Clone + 'static,
) -> Result<Report, Error> {
    let head = rapport.views.head();
    let mut rows = rapport.views.check(views, move |_: &str, position| tell(position, head)).await?;
    if views.is_empty() && rapport.log.node_status().is_none() {
        let folder = rapport.folder.path().to_owned();
        let beside =
            tokio::task::spawn_blocking(move || [check_keys(&folder, head), check_answers(&folder, head)]);
        rows.extend(beside.await.map_err(Error::unavailable)?);
    }
    let sound = rows
        .iter()
        .all(|view| view.differences.is_empty() && view.stopped.is_none() && view.unknown.is_none());
    Ok(Report { sound, rows })
}

/// Whether every key is there that something in the log is sealed with, as a row of the report.
fn check_keys(folder: &Path, head: Position) -> Checked {
    let look = || -> Result<(u64, Vec<Difference>), OpenError> {
        let audit = KeyAudit::open(folder)?;
        let rows_lost = audit.rows_lost()?;
        let (count, lost) = audit.of_whole_log(folder)?;
        let gone = |lost: LostKey| Difference {
            table: "keys".to_owned(),
            row: format!("contact={}", lost.contact),
            what: format!(
                "{} keys are gone although no event erased them; the first is needed by the event at position {}",
                lost.keys, lost.needed_by
            ),
        };
        let mut gone: Vec<_> = lost.into_iter().map(gone).collect();
        if rows_lost > 0 && gone.is_empty() {
            let what = format!("{rows_lost} rows are gone that nothing in the log needs any more");
            gone.push(Difference { table: "keys".to_owned(), row: "some".to_owned(), what });
        }
        Ok((count, gone))
    };
    checked("keys", head, look())
}

/// Whether the answers that are kept for repeated commands name what is in the log, as a row of the report.
fn check_answers(folder: &Path, head: Position) -> Checked {
    let held = store::check_answers(folder).map(|held| {
        let wrong = held.wrong.into_iter().map(|(number, what)| Difference {
            table: "answers".to_owned(),
            row: format!("number={number}"),
            what,
        });
        (held.count, wrong.collect())
    });
    checked("answers", head, held)
}

fn checked(name: &str, position: Position, found: Result<(u64, Vec<Difference>), OpenError>) -> Checked {
    let (view, stopped) = (name.to_owned(), None);
    match found {
        Ok((rows, differences)) => Checked { view, position, rows, differences, stopped, unknown: None },
        Err(error) => {
            let unknown = Some(error.to_string());
            Checked { view, position, rows: 0, differences: Vec::new(), stopped, unknown }
        }
    }
}

/// Signs what has been recorded so far; the checkpoint as a signed note.
pub async fn sign(rapport: &Rapport) -> Result<String, Error> {
    let signed = rapport.ledger.sign().await.map_err(Error::unavailable)?;
    let trouble = || rapport.ledger.state().trouble.unwrap_or_default();
    let signed =
        signed.ok_or_else(|| Error::Unavailable(format!("the ledger cannot go on: {}", trouble())))?;
    Ok(signed.note.clone())
}

/// Begins a new epoch: the living keys are wrapped anew, and the old epoch key is destroyed. Waits for the disk.
pub fn rotate(rapport: &Rapport, mut tell: impl FnMut(u64, u64) + Send) -> Result<Rotated, Error> {
    rapport.log.rotate(&mut tell).map_err(Error::unavailable)
}

/// Copies the log, and the keys apart from it. Waits for the disk.
pub fn back_up(
    rapport: &Rapport,
    to: &Path,
    keys: Option<&Path>,
    mut tell: impl FnMut(u64, u64) + Send,
) -> Result<Copied, Error> {
    let copied = rapport.log.back_up(to, keys, &mut tell).map_err(Error::unavailable)?;
    prove(to)?;
    Ok(copied)
}

/// Holds the log of a backup against the ledger beside it, before anybody is told that it is done.
fn prove(backup: &Path) -> Result<(), Error> {
    let ledger = backup.join("ledger");
    if !ledger.is_dir() {
        return Ok(());
    }
    let fault = |fault: String| Error::Unavailable(format!("the backup is not what was recorded: {fault}"));
    let mut verification =
        Verification::begin(&ledger, None, &[]).map_err(|found| fault(found.to_string()))?;
    let log = store::StoredLog::open(backup).map_err(Error::unavailable)?;
    log.each(|event| verification.event(event));
    verification.end().fault.map_or(Ok(()), |found| Err(fault(found.to_string())))
}
