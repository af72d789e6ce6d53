//! `rapport backup` and `rapport restore`.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use serde_json::json;

use crate::command_line::{
    asking::open,
    long_work::carry_out_with,
    shared::Shared,
    terminal::{bar, say},
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

/// Put a backup into a new data folder. Whoever was erased since the keys were copied is erased again.
#[derive(Args)]
#[command(after_help = "\
Example:
  rapport --data ./restored restore /mnt/backup/rapport --keys /mnt/safe/rapport-keys")]
pub(crate) struct Restore {
    /// The folder of the backup.
    #[arg(value_name = "DIR")]
    from: PathBuf,
    /// The folder of the keys.
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
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
        let bar = bar(0, BYTES).with_message("copying");
        let (from, keys, to) = (self.from, self.keys, shared.data.clone());
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
        // What was erased is erased again before anything is answered; the views are built on the way.
        drop(open(shared).await?);
        Ok(ExitCode::SUCCESS)
    }
}
