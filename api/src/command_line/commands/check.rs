//! `rapport check`.

use std::process::ExitCode;

use clap::Args;
use projections::{Checked, Difference};
use serde_json::json;

use crate::{
    application::maintenance::Report,
    command_line::{long_work::carry_out, shared::Shared, terminal::say, verdict::Verdict},
};

/// Fold views anew and compare them, and their snapshots, row by row; without names also hold the keys and the answers that are
/// kept for repeated commands against the log. Exit status 0 where all is as the log says, 1 where anything differs, 2 where
/// that cannot be told.
#[derive(Args)]
#[command(after_help = "Example, for a nightly job:\n  rapport check || notify-somebody")]
pub(crate) struct Check {
    /// Names of views; all where none is given.
    names: Vec<String>,
}

impl Check {
    pub(crate) async fn run(self, shared: &Shared) -> anyhow::Result<ExitCode> {
        let verdict = self.check(shared).await;
        Ok(verdict.unwrap_or_else(|error| Verdict::of(&error)).exit())
    }

    async fn check(&self, shared: &Shared) -> anyhow::Result<Verdict> {
        let last = carry_out(shared, "/admin/check", "checking", &json!({ "views": self.names })).await?;
        let report: Report = serde_json::from_value(last)?;
        for view in &report.rows {
            say(&rendered(view))?;
        }
        let differs = |view: &Checked| !view.differences.is_empty() || view.stopped.is_some();
        Ok(if report.sound {
            Verdict::Sound
        } else if report.rows.iter().any(differs) {
            Verdict::Altered
        } else {
            Verdict::CannotBeTold
        })
    }
}

fn rendered(checked: &Checked) -> String {
    let Checked { view, position, rows, differences, stopped, unknown } = checked;
    let mut text = String::new();
    for Difference { table, row, what } in differences {
        text += &format!("{view}: table {table}, row {row}: {what}\n");
    }
    if let Some(stopped) = stopped {
        text += &format!("{view}: {stopped}\n");
    }
    if let Some(unknown) = unknown {
        text += &format!("{view}: cannot be told: {unknown}\n");
    }
    if text.is_empty() {
        text = format!("{view}: as the log says, {rows} rows through position {position}\n");
    }
    text
}
