//! `rapport export`: what is held about somebody, for somebody outside.

use std::{path::PathBuf, process::ExitCode};

use anyhow::bail;
use clap::Args;
use domain::StreamId;

use crate::command_line::shared::Shared;

mod bundle;
mod subject;

/// Everything about a contact or another thing, as a file for somebody outside.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Export {
    /// KIND/ID, for example contact/5f0c… or deal/5f0c….
    #[arg(value_name = "KIND/ID")]
    about: StreamId,
    /// Every event with the proof that it is in the log, for `rapport verify FILE`.
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// What is held about a contact, for that person: a folder with a page to read, a vCard, and all of it as JSON.
    #[arg(long, value_name = "DIR", conflicts_with = "bundle")]
    subject: Option<PathBuf>,
    /// What for: `audit`, `subject_request`, `legal_request`, `reporting`, `maintenance` or `other`. It is recorded
    /// [default: `other`; with --subject `subject_request`].
    #[arg(long, value_name = "PURPOSE")]
    purpose: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  rapport export contact/5f0c0e6e-7a4e-4c39-b1a5-0d8d5a1f9f11 --subject ./ann
  rapport export contact/5f0c0e6e-7a4e-4c39-b1a5-0d8d5a1f9f11 --bundle ann.bundle
  rapport verify ann.bundle --key ledger.key";

impl Export {
    pub(crate) async fn run(self, shared: &Shared) -> anyhow::Result<ExitCode> {
        let purpose = |usual: &str| self.purpose.clone().unwrap_or_else(|| usual.to_owned());
        match (&self.bundle, &self.subject) {
            (Some(file), _) => bundle::write(shared, self.about, file, &purpose("other")).await,
            (None, Some(folder)) => {
                subject::write(shared, self.about, folder, &purpose("subject_request")).await
            }
            (None, None) => bail!("say what to write: --bundle FILE or --subject DIR"),
        }
    }
}
