//! The subcommands, one file each; whatever is asked over HTTP is asked through the same routes.

use std::process::ExitCode;

use clap::Subcommand;

use super::shared::Shared;

mod backup;
mod check;
mod copy;
mod demo;
mod disclosures;
mod erase;
mod events;
mod export;
mod history;
mod import;
mod keys;
mod rebuild;
mod serve;
mod token;
mod unsubscribe_link;
mod verify;
mod view;
mod views;
mod why;

/// Every subcommand.
#[derive(Subcommand)]
pub(super) enum Command {
    Demo(demo::Demo),
    Serve(serve::Serve),
    Import(import::Import),
    History(history::History),
    Why(why::Why),
    Events(events::Events),
    View(view::View),
    Views(views::Views),
    Rebuild(rebuild::Rebuild),
    Check(check::Check),
    Erase(erase::Erase),
    Keys(keys::Keys),
    Backup(backup::Backup),
    Restore(backup::Restore),
    Copy(copy::Copy),
    Token(token::Token),
    UnsubscribeLink(unsubscribe_link::UnsubscribeLink),
    Verify(verify::Verify),
    Export(export::Export),
    Disclosures(disclosures::Disclosures),
}

impl Command {
    /// Whether the process goes on serving.
    pub(super) fn serves(&self) -> bool {
        matches!(self, Self::Serve(_))
    }

    /// Carries it out.
    pub(crate) async fn run(self, shared: &Shared) -> anyhow::Result<ExitCode> {
        match self {
            Self::Demo(demo) => demo.run(shared).await,
            Self::Serve(serve) => serve.run(shared).await,
            Self::Import(import) => import.run(shared).await,
            Self::History(history) => history.run(shared).await,
            Self::Why(why) => why.run(shared).await,
            Self::Events(events) => events.run(shared).await,
            Self::View(view) => view.run(shared).await,
            Self::Views(views) => views.run(shared).await,
            Self::Rebuild(rebuild) => rebuild.run(shared).await,
            Self::Check(check) => check.run(shared).await,
            Self::Erase(erase) => erase.run(shared).await,
            Self::Keys(keys) => keys.run(shared).await,
            Self::Backup(backup) => backup.run(shared).await,
            Self::Restore(restore) => restore.run(shared).await,
            Self::Copy(copy) => copy.run(shared).await,
            Self::Token(token) => token.run(shared).await,
            Self::UnsubscribeLink(link) => link.run(shared).await,
            Self::Verify(verify) => verify.run(shared).await,
            Self::Export(export) => export.run(shared).await,
            Self::Disclosures(disclosures) => disclosures.run(shared).await,
        }
    }
}
