//! The command line: one file per subcommand. Whatever can be asked over HTTP is asked through the same routes
//! (see [`crate::door`]), so that nothing is decided here.

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use store::{Cluster, Place};

use crate::door::Door;

mod backup;
mod bundle;
mod check;
mod copy;
mod demo;
mod disclosures;
mod erase;
mod events;
mod export;
mod history;
mod history_page;
mod import;
mod keys;
mod rebuild;
mod serve;
mod steps;
mod subject;
mod subject_page;
mod table;
mod token;
mod unsubscribe_link;
mod vcard;
mod verify;
mod view;
mod views;
mod why;

/// An event-sourced Social CRM: every interaction is an immutable event, everything else is computed from them.
#[derive(Parser)]
#[command(name = "rapport", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  rapport demo                                            a campus organisation to look around in
  rapport serve --listen 127.0.0.1:4700                   serve your own data
  rapport import csv sales.csv --map maven-opportunities  turn a file into events
  rapport view pipeline by=region --as-of 2017-06-30      ask a view about any moment
  rapport history contact/5f0c0e6e-…                      everything that concerns a contact
  rapport why deal/5f0c0e6e-… stage                       the event behind it, its writer, its reason
  rapport token create ann --role staff                   let somebody in
  rapport verify                                          prove that nothing was altered";

/// What every subcommand understands.
#[derive(Args)]
struct Shared {
    /// The folder that holds the log, the keys and the views.
    #[arg(long, global = true, value_name = "DIR", default_value = "./rapport-data", env = "RAPPORT_DATA")]
    data: PathBuf,
    /// In whose name: recorded with every event [default: the system user].
    #[arg(long = "as", id = "as", global = true, value_name = "NAME", env = "RAPPORT_AS")]
    acting_as: Option<String>,
    /// Where the log is kept.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        default_value = "embedded",
        env = "RAPPORT_STORE",
        hide_env_values = true,
        help = "Where the log is kept: `embedded`, in the folder, or the address of a KurrentDB cluster, as its client \
                takes it: esdb://HOST:2113, kurrentdb://HOST1,HOST2,HOST3?tlsCaFile=ca.pem, esdb+discover://NAME"
    )]
    store: String,
    /// A file that holds USER:PASSWORD for the cluster; `RAPPORT_STORE_CREDENTIALS` may hold the same itself.
    #[arg(long, global = true, value_name = "FILE", env = "RAPPORT_STORE_CREDENTIALS_FILE")]
    store_credentials: Option<PathBuf>,
    /// How the names of all streams begin, where several logs lie in one cluster.
    #[arg(
        long,
        global = true,
        value_name = "TEXT",
        default_value = "",
        env = "RAPPORT_STORE_PREFIX",
        hide_default_value = true
    )]
    store_prefix: String,
    /// Where the secrets lie that all nodes of a cluster share, for those that the folder does not hold.
    #[arg(long, global = true, value_name = "DIR", env = "RAPPORT_SECRETS")]
    secrets: Option<PathBuf>,
    /// What the process says about itself, for example `info` or `api=debug`.
    #[arg(long, global = true, value_name = "FILTER", env = "RAPPORT_LOG")]
    log: Option<String>,
    /// Say it as JSON, one object a line.
    #[arg(long, global = true)]
    log_json: bool,
}

impl Shared {
    fn name(&self) -> String {
        let from_system = || std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).ok();
        let name = self.acting_as.clone().or_else(from_system).filter(|name| !name.is_empty());
        name.unwrap_or_else(|| "operator".to_owned())
    }

    /// Where the log is kept.
    fn place(&self) -> anyhow::Result<Place> {
        if self.store == "embedded" {
            return Ok(Place::Folder);
        }
        Ok(Place::Cluster { cluster: self.cluster(&self.store)?, secrets: self.secrets.clone() })
    }

    /// The cluster at an address, with the name and the password that were given for it.
    fn cluster(&self, address: &str) -> anyhow::Result<Cluster> {
        let cluster: Cluster = address.parse().context("--store")?;
        let cluster = cluster.with_prefix(&self.store_prefix)?;
        let credentials = match &self.store_credentials {
            Some(file) => {
                let read = std::fs::read_to_string(file);
                Some(read.with_context(|| format!("{} cannot be read", file.display()))?)
            }
            None => std::env::var("RAPPORT_STORE_CREDENTIALS").ok().filter(|text| !text.is_empty()),
        };
        match credentials {
            Some(credentials) => Ok(cluster.with_credentials(&credentials)?),
            None => Ok(cluster),
        }
    }

    /// The way into a folder that there is.
    async fn found(&self) -> anyhow::Result<Door> {
        Door::found(&self.data, &self.name(), &self.place()?).await
    }

    /// The way into a folder, which is begun where there is none.
    async fn enter(&self, folder: &Path) -> anyhow::Result<Door> {
        Door::open(folder, &self.name(), &self.place()?).await
    }
}

#[derive(Subcommand)]
enum Command {
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

/// Runs the command line that the process was started with.
pub fn run() -> ExitCode {
    let Arguments { shared, command } = Arguments::parse();
    speak(&shared, matches!(command, Command::Serve(_)));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&error.into()),
    };
    let outcome = runtime.block_on(async {
        match command {
            Command::Demo(demo) => demo.run(&shared).await,
            Command::Serve(serve) => serve.run(&shared).await,
            Command::Import(import) => import.run(&shared).await,
            Command::History(history) => history.run(&shared).await,
            Command::Why(why) => why.run(&shared).await,
            Command::Events(events) => events.run(&shared).await,
            Command::View(view) => view.run(&shared).await,
            Command::Views(views) => views.run(&shared).await,
            Command::Rebuild(rebuild) => rebuild.run(&shared).await,
            Command::Check(check) => check.run(&shared).await,
            Command::Erase(erase) => erase.run(&shared).await,
            Command::Keys(keys) => keys.run(&shared).await,
            Command::Backup(backup) => backup.run(&shared).await,
            Command::Restore(restore) => restore.run(&shared).await,
            Command::Copy(copy) => copy.run(&shared).await,
            Command::Token(token) => token.run(&shared).await,
            Command::UnsubscribeLink(link) => link.run(&shared).await,
            Command::Verify(verify) => verify.run(&shared).await,
            Command::Export(export) => export.run(&shared).await,
            Command::Disclosures(disclosures) => disclosures.run(&shared).await,
        }
    });
    outcome.unwrap_or_else(|error| complain(&error))
}

/// A reader that has gone away (`rapport events | head`) is no reason to complain.
#[expect(clippy::print_stderr, reason = "this is how the command line tells people what is wrong")]
fn complain(error: &anyhow::Error) -> ExitCode {
    let broken_pipe = |cause: &std::io::Error| cause.kind() == std::io::ErrorKind::BrokenPipe;
    if error.downcast_ref::<std::io::Error>().is_some_and(broken_pipe) {
        return ExitCode::SUCCESS;
    }
    eprintln!("rapport: {error:#}");
    ExitCode::FAILURE
}

/// Where the process speaks about itself: to standard error, and unless asked otherwise only when something is
/// wrong, or when it serves.
fn speak(shared: &Shared, serves: bool) {
    // The client of the cluster speaks of every attempt; what comes of them is told here.
    let default = if serves { "info,kurrentdb=off" } else { "warn,kurrentdb=off" };
    let filter = shared.log.as_deref().unwrap_or(default);
    let filter = tracing_subscriber::EnvFilter::try_new(filter)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second subscriber in one process is refused; the first stays.
    let _ = if shared.log_json { subscriber.json().try_init() } else { subscriber.try_init() };
}

/// Writes to standard output; a reader that has gone away ends the command quietly.
fn say(text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// A bar for long work; silent where nobody looks at a terminal.
fn bar(length: u64, template: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style.progress_chars("█▉▊▋▌▍▎▏ "))
}

/// The bar of work that walks through the log.
fn log_bar(what: &'static str) -> ProgressBar {
    bar(0, "{msg} {bar:30} {human_pos}/{human_len} events  {per_sec}  {eta}").with_message(what)
}
