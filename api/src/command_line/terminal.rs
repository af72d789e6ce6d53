//! What people see at the terminal: text, complaints, and bars for long work.

use std::{io::IsTerminal as _, process::ExitCode};

use indicatif::{ProgressBar, ProgressStyle};

/// A reader that has gone away (`rapport events | head`) is no reason to complain.
#[expect(clippy::print_stderr, reason = "this is how the command line tells people what is wrong")]
pub(super) fn complain(error: &anyhow::Error) -> ExitCode {
    let broken_pipe = |cause: &std::io::Error| cause.kind() == std::io::ErrorKind::BrokenPipe;
    if error.downcast_ref::<std::io::Error>().is_some_and(broken_pipe) {
        return ExitCode::SUCCESS;
    }
    eprintln!("rapport: {error:#}");
    ExitCode::FAILURE
}

/// Writes to standard output; a reader that has gone away ends the command quietly.
pub(super) fn say(text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// A bar for long work; silent where nobody looks at a terminal.
pub(super) fn bar(length: u64, template: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style.progress_chars("█▉▊▋▌▍▎▏ "))
}

/// The bar of work that walks through the log.
pub(super) fn log_bar(what: &'static str) -> ProgressBar {
    bar(0, "{msg} {bar:30} {human_pos}/{human_len} events  {per_sec}  {eta}").with_message(what)
}
