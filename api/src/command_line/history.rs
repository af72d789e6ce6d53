//! `rapport history`.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use domain::{Kind, StreamId};
use serde_json::{Value, json};

use super::{Shared, say, table, view};

/// Everything that was recorded about one thing, or about a contact across all things.
#[derive(Args)]
#[command(
    after_help = "Example:\n  rapport history contact/5f0c0e6e-7a4e-4c39-b1a5-0d8d5a1f9f11 --as-of 2024-12-31"
)]
pub(super) struct History {
    /// KIND/ID, for example contact/5f0c… or deal/5f0c….
    #[arg(value_name = "KIND/ID")]
    subject: String,
    /// What had happened by then: a day (its end) or a moment.
    #[arg(long, value_name = "T")]
    as_of: Option<String>,
    /// What was recorded by then: a day, a moment, or a number of events.
    #[arg(long, value_name = "T")]
    known_at: Option<String>,
    /// As JSON, with everything that is known.
    #[arg(long)]
    json: bool,
    /// With every column.
    #[arg(long)]
    wide: bool,
    /// How many events at the most.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    limit: u16,
}

impl History {
    pub(super) async fn run(self, shared: &Shared) -> anyhow::Result<ExitCode> {
        let stream: StreamId = self.subject.parse().context("whose history?")?;
        let about = if stream.kind == Kind::Contact {
            ("contact".to_owned(), stream.id.to_string())
        } else {
            ("stream".to_owned(), stream.to_string())
        };
        let mut pairs = vec![about, ("limit".to_owned(), self.limit.to_string())];
        let times = [("as_of", self.as_of), ("known_at", self.known_at)];
        pairs.extend(times.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        let mut answer = view::ask(&view::open(shared).await?, "history", &pairs).await?;
        if self.json {
            say(&format!("{}\n", serde_json::to_string_pretty(&answer)?))?;
            return Ok(ExitCode::SUCCESS);
        }
        if !self.wide {
            narrow(&mut answer);
        }
        let more = answer.as_object_mut().and_then(|answer| answer.remove("next")).is_some();
        say(&table::text(&answer))?;
        if more {
            say(
                "\nThere are more events: `rapport view history` pages through them, and --json shows them whole.\n",
            )?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Leaves what a person reads first: when, what, more about it, by whom, why and from where.
fn narrow(answer: &mut Value) {
    for row in answer["rows"].as_array_mut().into_iter().flatten() {
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let when = if row["occurred_at"].is_null() { text("recorded_at") } else { text("occurred_at") };
        let from =
            if row["file"].is_null() { String::new() } else { format!("{}:{}", text("file"), row["line"]) };
        *row = json!({
            "when": when.chars().take(16).collect::<String>().replace('T', " "),
            "what": text("what"),
            "detail": text("detail"),
            "by": text("by"),
            "why": text("reason"),
            "from": from,
            "position": row["position"],
        });
    }
}
