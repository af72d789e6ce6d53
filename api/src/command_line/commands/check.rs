//! `rapport check`.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::command_line::{long_work::carry_out, shared::Shared, terminal::say};

/// Fold views anew and compare them row by row; exit status 1 where anything differs.
#[derive(Args)]
#[command(after_help = "Example, for a nightly job:\n  rapport check || notify-somebody")]
pub(crate) struct Check {
    /// Names of views; all where none is given.
    names: Vec<String>,
}

impl Check {
    pub(crate) async fn run(self, shared: &Shared) -> anyhow::Result<ExitCode> {
        let last = carry_out(shared, "/admin/check", "checking", &json!({ "views": self.names })).await?;
        for view in last["rows"].as_array().into_iter().flatten() {
            say(&report(view))?;
        }
        Ok(if last["sound"] == true { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn report(view: &Value) -> String {
    let name = view["view"].as_str().unwrap_or_default();
    let mut text = String::new();
    for difference in view["differences"].as_array().into_iter().flatten() {
        let part = |name: &str| difference[name].as_str().unwrap_or_default();
        text += &format!("{name}: table {}, row {}: {}\n", part("table"), part("row"), part("what"));
    }
    if let Some(stopped) = view["stopped"].as_str() {
        text += &format!("{name}: {stopped}\n");
    }
    if text.is_empty() {
        text =
            format!("{name}: as the log says, {} rows through position {}\n", view["rows"], view["position"]);
    }
    text
}
