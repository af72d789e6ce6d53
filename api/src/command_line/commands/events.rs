//! `rapport events`.

use std::process::ExitCode;

use anyhow::Context as _;
use axum::http::Method;
use clap::Args;
use domain::Kind;
use serde_json::Value;

use crate::command_line::{shared::Shared, terminal::say};

/// Read the log itself, event by event.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  rapport events --kind gift --json | head\n  rapport events --from 120000"
)]
pub(crate) struct Events {
    /// After this position.
    #[arg(long, value_name = "N", default_value_t = 0)]
    from: u64,
    /// Only of this kind.
    #[arg(long, value_name = "K")]
    kind: Option<Kind>,
    /// As CloudEvents, one a line.
    #[arg(long)]
    json: bool,
}

impl Events {
    pub(crate) async fn run(self, shared: &Shared) -> anyhow::Result<ExitCode> {
        let client = shared.open_existing().await?;
        let kind = self.kind.map_or(String::new(), |kind| format!("&kind={kind}"));
        let mut from = self.from;
        loop {
            let path = format!("/events?from={from}&limit=1000{kind}");
            let batch = client.fetch(Method::GET, &path, "application/json", Vec::new()).await?;
            let events: Vec<Value> = serde_json::from_str(&batch.text)?;
            let lines = events.iter().map(|event| if self.json { format!("{event}\n") } else { line(event) });
            say(&lines.collect::<String>())?;
            let next = batch.next.context("the answer does not say where to go on")?.parse()?;
            if next <= from {
                return Ok(ExitCode::SUCCESS);
            }
            from = next;
        }
    }
}

fn line(event: &Value) -> String {
    let text = |name: &str| event[name].as_str().unwrap_or_default();
    let tag = text("type").trim_start_matches("rapport.").trim_end_matches(".v1");
    format!(
        "{:>9}  {}  {:<30} {:<22} {}  {}\n",
        event["position"],
        text("time"),
        tag,
        text("by"),
        text("stream"),
        event["data"]
    )
}
