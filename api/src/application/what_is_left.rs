//! Going on after a loss that no backup makes good: the one way on, taken by an operator and recorded in the log itself.

use std::path::Path;

use anyhow::bail;
use commands::{
    Malformed, Request, Sender,
    setting::{Command, Setting},
    text::Line,
};
use domain::{Actor, Role, setting::SETTINGS};
use ledger::LedgerError;
use projections::FileError;
use store::{Left, OpenError, Place, StoredLog};

use super::rapport::Rapport;

/// What stands in the way of opening a folder; nothing where it opens. An error where what stands in the way is no loss: a
/// process that has the folder, say.
pub async fn what_is_lost(folder: &Path) -> anyhow::Result<Option<anyhow::Error>> {
    // Without a log there is nothing to go on with, whatever else is lost.
    drop(StoredLog::open(folder)?);
    match Rapport::open_at(folder, &Place::Folder).await {
        Ok(rapport) => {
            tokio::task::spawn_blocking(move || rapport.close()).await?;
            Ok(None)
        }
        Err(error) if is_loss(&error) => Ok(Some(error)),
        Err(error) => Err(error),
    }
}

/// Makes a folder fit to be opened again, opens it and records what was lost and why somebody went on.
pub async fn go_on(folder: &Path, name: &str, because: &str) -> anyhow::Result<Left> {
    let because = Line::try_from(because).map_err(Malformed::at("because"))?;
    let Some(lost) = what_is_lost(folder).await? else {
        bail!("nothing stands in the way: the folder opens as it is");
    };
    let hashed = ledger::hashed(&folder.join("ledger")).unwrap_or_default();
    let mut left = mend(folder, lost.downcast_ref::<LedgerError>().is_some()).await?;
    let opened = match Rapport::open_at(folder, &Place::Folder).await {
        // What was wrong first may have hidden what is wrong with the ledger.
        Err(error) if error.downcast_ref::<LedgerError>().is_some_and(LedgerError::is_loss) => {
            left = mend(folder, true).await?.after(left);
            Rapport::open_at(folder, &Place::Folder).await
        }
        opened => opened,
    };
    let rapport = opened?;
    left.is_known_to_have_held(hashed);
    record(&rapport, name, &left, because).await?;
    tokio::task::spawn_blocking(move || rapport.close()).await?;
    Ok(left)
}

/// Records that a backup was restored without its keys, or with older ones: whatever cannot be read is not to be taken for a loss
/// of which nobody knows.
pub async fn note_restored_without_keys(folder: &Path, name: &str, held: u64) -> anyhow::Result<()> {
    let rapport = Rapport::open_at(folder, &Place::Folder).await?;
    let because =
        Line::try_from("restored without the keys of all that it holds").map_err(Malformed::at("because"))?;
    let left = Left { lost: vec!["keys.sqlite".to_owned()], held, known: held, set_apart: None };
    record(&rapport, name, &left, because).await?;
    tokio::task::spawn_blocking(move || rapport.close()).await?;
    Ok(())
}

async fn record(rapport: &Rapport, name: &str, left: &Left, because: Line) -> anyhow::Result<()> {
    let lost = left.lost.iter().map(|name| Line::try_from(name.as_str()));
    let lost = lost.collect::<Result<_, _>>().map_err(Malformed::at("lost"))?;
    let command = Command::AcceptLoss { lost, held: left.held, known: left.known, because };
    let sender = Sender { by: Actor::Member(name.to_owned()), role: Role::Admin, system: true };
    rapport.commands.carry_out::<Setting>(Request::new(SETTINGS, command, sender)).await?;
    Ok(())
}

async fn mend(folder: &Path, is_ledger_wrong: bool) -> anyhow::Result<Left> {
    let folder = folder.to_owned();
    let mend = move || store::make_do_with_what_is_left(&folder, is_ledger_wrong);
    Ok(tokio::task::spawn_blocking(mend).await??)
}

/// Whether an error says that something is gone, or is not what it was.
fn is_loss(error: &anyhow::Error) -> bool {
    error.downcast_ref::<OpenError>().is_some_and(OpenError::is_loss)
        || error.downcast_ref::<LedgerError>().is_some_and(LedgerError::is_loss)
        || matches!(error.downcast_ref(), Some(FileError::Shorter { .. }))
}
