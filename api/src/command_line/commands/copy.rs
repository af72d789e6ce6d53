//! `rapport copy`: moving a log from a folder into a cluster, and back.

use std::{path::PathBuf, process::ExitCode, time::Instant};

use anyhow::{Context as _, bail};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use clap::Args;
use indicatif::ProgressBar;
use ledger::{leaf::LeafHasher, merkle::Frontier};
use store::{Cluster, Side};

use crate::command_line::{
    shared::Shared,
    terminal::{log_bar, say},
};

/// Copy a whole log, in the order in which it was recorded, and prove that the copy is the same: with the same ids,
/// revisions, times and writers it comes to the same root. Cut off, the same command goes on where it was.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Copy {
    /// The data folder, or the address of the cluster, that holds the log.
    #[arg(long, value_name = "DIR|URL")]
    from: String,
    /// The cluster, or the new folder, that is to hold it.
    #[arg(long, value_name = "URL|DIR")]
    to: String,
}

const EXAMPLES: &str = "\
Examples:
  rapport copy --from ./rapport-data --to esdb://db1,db2,db3 --store-credentials db.txt
  rapport serve --data ./node-1 --store esdb://db1,db2,db3 --secrets ./rapport-data
  rapport copy --from esdb://db1,db2,db3 --to ./back-home --secrets ./node-1

The secrets never go into the cluster: each node takes them from where --secrets says.";

impl Copy {
    pub(crate) async fn run(self, shared: &Shared) -> anyhow::Result<ExitCode> {
        let (from, to) = (side(shared, &self.from)?, side(shared, &self.to)?);
        let begun = Instant::now();
        let bar = log_bar("copying");
        let length = match &from {
            Side::Folder(_) => store::open_whole_log(&from).await.ok().and_then(|log| log.length()),
            Side::Cluster(_) => None,
        };
        bar.set_length(length.unwrap_or_default());
        let copied =
            store::copy(&from, &to, shared.secrets.as_deref(), &mut |events| bar.set_position(events)).await;
        bar.finish_and_clear();
        copied?;
        let seconds = begun.elapsed().as_secs_f64();
        let (original, copy) =
            (root(&from, "reading the original").await?, root(&to, "reading the copy").await?);
        // What was recorded meanwhile is not in the copy; what is in it must be the beginning of the original.
        if original.size() == copy.size() && original.root() != copy.root() {
            bail!("the copy does not come to the root of the original: do not use it");
        }
        if copy.size() < original.size() {
            bail!(
                "{} events have been recorded meanwhile: stop what writes to the original, and copy again",
                original.size() - copy.size()
            );
        }
        if copy.size() > original.size() {
            bail!("the copy holds more events than the original: somebody has begun to write to it");
        }
        store::finish_copy(&to)?;
        say(&in_words(&copy, seconds, &self.to))?;
        say(&format!("root {}, the same as the original's\n", BASE64_STANDARD.encode(copy.root())))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn side(shared: &Shared, text: &str) -> anyhow::Result<Side> {
    if Cluster::is_meant_by(text) {
        return Ok(Side::Cluster(shared.cluster(text)?));
    }
    Ok(Side::Folder(PathBuf::from(text)))
}

/// The tree over all events of a log, as its ledger has it.
async fn root(side: &Side, what: &'static str) -> anyhow::Result<Frontier> {
    let bar: ProgressBar = log_bar(what);
    let (mut hasher, mut frontier, mut bad) = (LeafHasher::default(), Frontier::default(), None);
    let mut log = store::open_whole_log(side).await.context(what)?;
    bar.set_length(log.length().unwrap_or_default());
    log.each(&mut |event| match event {
        Ok(event) => {
            frontier.push(hasher.hash(event), |_, _, _| {});
            bar.inc(1);
            true
        }
        Err(found) => {
            bad = Some(found.clone());
            false
        }
    })
    .await?;
    bar.finish_and_clear();
    match bad {
        Some(bad) => Err(bad.into()),
        None => Ok(frontier),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn in_words(copy: &Frontier, seconds: f64, to: &str) -> String {
    let rate = copy.size() as f64 / seconds.max(1e-9);
    // An address may hold a password, so it is not repeated.
    let to = if Cluster::is_meant_by(to) { "the cluster" } else { to };
    format!("copied {} events in {seconds:.1} s ({rate:.0} a second) into {to}\n", copy.size())
}
