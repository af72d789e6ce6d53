//! `rapport views`.

use std::process::ExitCode;

use axum::http::Method;
use clap::Args;
use domain::Position;
use projections::{Phase, Sheet};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    application::questions::{ListedView, Listing},
    command_line::{asking::pretty, rendering::table, shared::Shared, terminal::say},
};

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
        if self.json {
            say(&pretty(&answer.text)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        let Listing { head, views, .. } = serde_json::from_str(&answer.text)?;
        let rows = views.into_iter().map(Row::from).collect();
        say(&table::text(&Sheet::of(&Table { head, rows })?))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What is shown of the views.
#[derive(Serialize, JsonSchema)]
struct Table {
    head: Position,
    rows: Vec<Row>,
}

#[derive(Serialize, JsonSchema)]
struct Row {
    name: String,
    version: u32,
    position: Position,
    lag: u64,
    phase: String,
    rebuilding: Option<Position>,
    question: String,
}

impl From<ListedView> for Row {
    fn from(view: ListedView) -> Self {
        let ListedView { name, question, version, position, lag, phase, rebuilding, .. } = view;
        let phase = match phase {
            Phase::Building => "building".to_owned(),
            Phase::Following => "following".to_owned(),
            Phase::Stopped { at, reason } => format!("stopped at {at}: {reason}"),
        };
        Self { name, version, position, lag, phase, rebuilding, question }
    }
}
