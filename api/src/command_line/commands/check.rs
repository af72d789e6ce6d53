//! `rapport check`.

use std::process::ExitCode;

use clap::Args;
use projections::{Checked, Difference};
use serde_json::json;

use crate::{
    application::maintenance::Report,
    command_line::{long_work::carry_out, shared::Shared, terminal::say},
};

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
        let report: Report = serde_json::from_value(last)?;
        for view in &report.rows {
            say(&rendered(view))?;
        }
        Ok(if report.sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn rendered(checked: &Checked) -> String {
    let Checked { view, position, rows, differences, stopped } = checked;
    let mut text = String::new();
    for Difference { table, row, what } in differences {
        text += &format!("{view}: table {table}, row {row}: {what}\n");
    }
    if let Some(stopped) = stopped {
        text += &format!("{view}: {stopped}\n");
    }
    if text.is_empty() {
        text = format!("{view}: as the log says, {rows} rows through position {position}\n");
    }
    text
}
