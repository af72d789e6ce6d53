//! `rapport views`.

use std::process::ExitCode;

use axum::http::Method;
use clap::Args;
use serde_json::{Value, json};

use crate::command_line::{rendering::table, shared::Shared, terminal::say};

/// List the views with their status and lag.
#[derive(Args)]
pub(crate) struct Views {
    /// With schemas, as JSON.
    #[arg(long)]
    json: bool,
}

impl Views {
    pub(crate) async fn run(self, shared: &Shared) -> anyhow::Result<ExitCode> {
        let client = shared.open_existing().await?;
        let answer = client.fetch(Method::GET, "/views", "application/json", Vec::new()).await?;
        let answer: Value = serde_json::from_str(&answer.text)?;
        if self.json {
            say(&format!("{}\n", serde_json::to_string_pretty(&answer)?))?;
            return Ok(ExitCode::SUCCESS);
        }
        let shown = ["name", "version", "position", "lag", "phase", "rebuilding", "question"];
        let rows: Vec<Value> = answer["views"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|view| {
                Value::Object(shown.iter().map(|name| ((*name).to_owned(), view[name].clone())).collect())
            })
            .collect();
        say(&table::text(&json!({ "head": answer["head"], "rows": rows })))?;
        Ok(ExitCode::SUCCESS)
    }
}
