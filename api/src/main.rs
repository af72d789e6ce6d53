//! `rapport`: see `rapport --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::command_line::run()
}
