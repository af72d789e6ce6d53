//! `rapport export`: what is held about somebody, for somebody outside.

use std::{path::PathBuf, process::ExitCode};

use anyhow::bail;
use clap::Args;
use domain::StreamId;

use super::{Shared, bundle};

/// Everything about a contact or another thing, as a file for somebody outside.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Export {
    /// KIND/ID, for example contact/5f0c… or deal/5f0c….
    #[arg(value_name = "KIND/ID")]
    about: StreamId,
    /// Every event with the proof that it is in the log, for `rapport verify FILE`.
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// What for: `audit`, `subject_request`, `legal_request`, `reporting`, `maintenance` or `other`. It is recorded.
    #[arg(long, value_name = "PURPOSE", default_value = "other")]
    purpose: String,
}

const EXAMPLES: &str = "\
Example:
  rapport export contact/5f0c0e6e-7a4e-4c39-b1a5-0d8d5a1f9f11 --bundle ann.bundle
  rapport verify ann.bundle --key ledger.key";

impl Export {
    pub(super) async fn run(self, shared: &Shared) -> anyhow::Result<ExitCode> {
        let Some(file) = &self.bundle else { bail!("say what to write: --bundle FILE") };
        bundle::write(shared, self.about, file, &self.purpose).await
    }
}
