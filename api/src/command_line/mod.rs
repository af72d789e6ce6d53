//! The command line. Whatever can be asked over HTTP is asked through the same routes (see [`crate::client`]), so that
//! nothing is decided here.

use std::process::ExitCode;

use clap::Parser;

use self::{commands::Command, shared::Shared, terminal::complain};

mod asking;
mod commands;
mod long_work;
mod rendering;
mod shared;
mod terminal;

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

/// Runs the command line that the process was started with.
pub fn run() -> ExitCode {
    let Arguments { shared, command } = Arguments::parse();
    speak(&shared, command.serves());
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&error.into()),
    };
    runtime.block_on(command.run(&shared)).unwrap_or_else(|error| complain(&error))
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
