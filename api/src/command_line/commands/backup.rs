//! `rapport backup` and `rapport restore`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::bail;
use clap::Args;
use serde_json::json;
use store::Place;

use crate::{
    application::what_is_left,
    command_line::{
        asking::open,
        long_work::carry_out_with,
        shared::Shared,
        terminal::{bar, say},
    },
};

const BYTES: &str = "{msg} {bar:30} {bytes}/{total_bytes}  {bytes_per_sec}  {eta}";

/// Copy the log and its ledger into a folder, also while a server runs. The keys go into another folder, or nowhere.
#[derive(Args)]
#[command(after_help = "\
Example:
  rapport backup /mnt/backup/rapport --keys /mnt/safe/rapport-keys

A later backup into the same folders takes the place of the earlier one, and destroys the epoch keys in the folder
of the keys that have ended: whoever was erased before the last `rapport keys rotate` is then gone from both.")]
pub(crate) struct Backup {
    /// The folder of the backup: empty, new, or of an earlier backup.
    #[arg(value_name = "DIR")]
    to: PathBuf,
    /// The folder of the keys, apart from the backup; without it personal values cannot be read after a restore.
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
}

/// Put a backup into a new data folder, or go on with what is left of one. Whoever was erased since the keys were copied is
/// erased again.
#[derive(Args)]
#[command(after_help = "\
Examples:
  rapport --data ./restored restore /mnt/backup/rapport --keys /mnt/safe/rapport-keys
  rapport restore --what-is-left                                       what is lost, and what would be done
  rapport restore --what-is-left --because \"the disk broke, no backup\"    do it

Going on with what is left destroys nothing: what cannot be used and a ledger that disagrees are set apart in the data folder,
and that it was done is recorded, with the reason, where every auditor sees it (setting.loss_accepted). A checkpoint that
somebody keeps elsewhere goes on to show what was lost.")]
pub(crate) struct Restore {
    /// The folder of the backup.
    #[arg(value_name = "DIR", required_unless_present = "what_is_left", conflicts_with = "what_is_left")]
    from: Option<PathBuf>,
    /// The folder of the keys.
    #[arg(long, value_name = "DIR", conflicts_with = "what_is_left")]
    keys: Option<PathBuf>,
    /// Go on with what is left in the data folder itself, where no backup has what was lost.
    #[arg(long)]
    what_is_left: bool,
    /// Why, in one line that stays in the log for ever: name nobody in it.
    #[arg(long, value_name = "TEXT", requires = "what_is_left")]
    because: Option<String>,
}

impl Backup {
    pub(crate) async fn run(self, shared: &Shared) -> anyhow::Result<ExitCode> {
        let to = std::path::absolute(&self.to)?;
        let keys = self.keys.as_ref().map(std::path::absolute).transpose()?;
        let client = shared.open_existing().await?;
        let bar = bar(0, BYTES).with_message("copying");
        let last = carry_out_with(&client, "/admin/backup", bar, &json!({ "to": to, "keys": keys })).await?;
        say(&format!("copied through position {}: {}\n", last["copied"]["position"], to.display()))?;
        say(&match keys {
            Some(keys) => format!("the keys are in {}: keep them apart\n", keys.display()),
            None => "without the keys: give --keys DIR to be able to read personal values after a restore\n"
                .to_owned(),
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Restore {
    pub(crate) async fn run(self, shared: &Shared) -> anyhow::Result<ExitCode> {
        let Some(from) = self.from else { return go_on(shared, self.because.as_deref()).await };
        let bar = bar(0, BYTES).with_message("copying");
        let (keys, to) = (self.keys, shared.data.clone());
        let shown = bar.clone();
        let restore = move || {
            store::restore(&from, keys.as_deref(), &to, |done, all| {
                shown.set_length(all);
                shown.set_position(done);
            })
        };
        let copied = tokio::task::spawn_blocking(restore).await??;
        bar.finish_and_clear();
        say(&format!("restored through position {} into {}\n", copied.position, shared.data.display()))?;
        match copied.keys_position {
            None => say(
                "without keys: names, addresses, texts and reasons cannot be read, and imports meet nothing that they \
                 imported before\n",
            )?,
            Some(keys) if keys < copied.position => say(&format!(
                "the keys are older, from position {keys}: what was sealed with a key drawn later cannot be read\n"
            ))?,
            Some(_) => {}
        }
        if copied.new_ledger {
            say(
                "the key that signs the ledger was not there: the log gets a new ledger, and the old one stays in the \
                 backup\n",
            )?;
        }
        if copied.keys_position.is_none_or(|keys| keys < copied.position) {
            let (name, held) = (shared.name(), copied.position.0);
            what_is_left::note_restored_without_keys(&shared.data, &name, held).await?;
        }
        // What was erased is erased again before anything is answered; the views are built on the way.
        drop(open(shared).await?);
        Ok(ExitCode::SUCCESS)
    }
}

/// Says what is lost, and goes on without it where somebody says why.
async fn go_on(shared: &Shared, because: Option<&str>) -> anyhow::Result<ExitCode> {
    if !matches!(shared.place()?, Place::Folder) {
        bail!("the log lies in a cluster: begin an empty folder, which is filled from there");
    }
    let Some(because) = because else {
        return match what_is_left::what_is_lost(&shared.data).await? {
            None => {
                say("nothing stands in the way: the folder opens as it is\n")?;
                Ok(ExitCode::SUCCESS)
            }
            Some(lost) => bail!(
                "{lost:#}\n\nTo go on with what is left, say why: rapport restore --what-is-left --because TEXT. What cannot be \
                 used is set apart in the data folder, index and views are made again from the log, and what was done is \
                 recorded."
            ),
        };
    };
    let left = what_is_left::go_on(&shared.data, &shared.name(), because).await?;
    say(&format!(
        "lost: {}\nthe log goes on with {} events of {} that it is known to have held; that is recorded as setting.loss_accepted\n",
        left.lost.join(", "),
        left.held,
        left.known.max(left.held)
    ))?;
    if let Some(set_apart) = left.set_apart {
        say(&format!("what cannot be used lies in {}\n", set_apart.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}
