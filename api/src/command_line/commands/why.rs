//! `rapport why`.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use domain::StreamId;
use projections::{CellReasons, Why as Reasons};
use serde_json::Value;

use crate::{
    client::Client,
    command_line::{
        asking::{fetch, history_path, open, view_path},
        rendering::steps,
        shared::Shared,
        terminal::say,
    },
};

/// Why a field, or a cell of a view, is what it is: the event, its writer, its reason, its file and line.
#[derive(Args)]
#[command(after_help = "\
Examples:
  rapport why deal/5f0c0e6e-7a4e-4c39-b1a5-0d8d5a1f9f11 stage
  rapport why contact/5f0c… consent to newsletter by email --as-of 2024-12-31
  rapport why view pipeline by=region group=West stage=Won    the deals counted there, and what put each there")]
pub(crate) struct Why {
    /// KIND/ID, or the word `view`.
    #[arg(value_name = "KIND/ID | view")]
    what: String,
    /// The field; or the view's name, its parameters, and the cell as `group=`.
    #[arg(value_name = "FIELD | NAME key=value", required = true)]
    rest: Vec<String>,
    /// What had happened by then: a day (its end) or a moment.
    #[arg(long, value_name = "T")]
    as_of: Option<String>,
    /// What was recorded by then: a day, a moment, or a number of events.
    #[arg(long, value_name = "T")]
    known_at: Option<String>,
    /// The answer as JSON.
    #[arg(long)]
    json: bool,
}

impl Why {
    pub(crate) async fn run(self, shared: &Shared) -> anyhow::Result<ExitCode> {
        let times = [("as_of", &self.as_of), ("known_at", &self.known_at)];
        let times: Vec<(String, String)> =
            times.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))).collect();
        let client = open(shared).await?;
        if self.what == "view" {
            self.of_a_cell(&client, times).await?;
        } else {
            self.of_a_field(&client, times).await?;
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn of_a_field(&self, client: &Client, mut pairs: Vec<(String, String)>) -> anyhow::Result<()> {
        let thing: StreamId = self.what.parse().context("why what? Give KIND/ID, or `view` and its name")?;
        pairs.push(("field".to_owned(), self.rest.join(" ")));
        let answer: Value = fetch(client, &history_path(thing, "/why"), &pairs).await?;
        if self.json {
            return say(&format!("{}\n", serde_json::to_string_pretty(&answer)?));
        }
        let answer: Reasons = serde_json::from_value(answer)?;
        let mut text = format!("{}: {}\n\n", answer.field.label, steps::values(&answer.field.values));
        text += &steps::step(&answer.event, thing);
        if !answer.earlier.is_empty() {
            text += "Before that:\n\n";
            text.extend(answer.earlier.iter().map(|step| steps::step(step, thing)));
        }
        if answer.more > 0 {
            text += &format!("and {} earlier changes\n", answer.more);
        }
        say(&text)
    }

    async fn of_a_cell(&self, client: &Client, mut pairs: Vec<(String, String)>) -> anyhow::Result<()> {
        let Some((name, parameters)) = self.rest.split_first() else {
            bail!("which view? `rapport views` lists them");
        };
        for parameter in parameters {
            let (name, value) = parameter
                .split_once('=')
                .with_context(|| format!("`{parameter}`: write key=value, for example group=West"))?;
            pairs.push((name.to_owned(), value.to_owned()));
        }
        let answer: Value = fetch(client, &format!("{}/why", view_path(name)?), &pairs).await?;
        if self.json {
            return say(&format!("{}\n", serde_json::to_string_pretty(&answer)?));
        }
        let answer: CellReasons = serde_json::from_value(answer)?;
        let mut text = format!("{} behind this cell, {} of them here\n\n", answer.count, answer.rows.len());
        for reason in &answer.rows {
            text += &format!("{}/{}\n", reason.thing.kind, reason.thing.id);
            let step = steps::step(&reason.event, reason.thing);
            text.extend(step.lines().map(|line| format!("    {line}\n")));
        }
        if let Some(next) = &answer.next {
            text += &format!("There are more: add cursor={next}, or a larger limit=\n");
        }
        say(&text)
    }
}
