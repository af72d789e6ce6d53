//! The command line. Whatever can be asked over HTTP is asked through the same routes (see [`crate::client`]), so that
//! nothing is decided here.

use std::{process::ExitCode, time::Duration};

use clap::Parser;

use self::{commands::Command, shared::Shared, terminal::complain};

mod asking;
mod commands;
mod logging;
mod long_work;
mod rendering;
mod shared;
mod terminal;
mod verdict;

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

/// How long work on threads may take to end once the command is done.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs the command line that the process was started with.
pub fn run() -> ExitCode {
    let Arguments { shared, command } = Arguments::parse();
    let _speaking = logging::begin(&shared, command.serves());
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&error.into()),
    };
    let status = runtime.block_on(command.run(&shared)).unwrap_or_else(|error| complain(&error));
    // Whatever a thread still waits for: the process ends.
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    status
}
