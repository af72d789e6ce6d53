//! `rapport view`.

use std::process::ExitCode;

use anyhow::Context as _;
use axum::http::Method;
use clap::Args;
use projections::Sheet;

use crate::{
    client::Client,
    command_line::{
        asking::{ask, open, pretty, view_path},
        rendering::table,
        shared::Shared,
        terminal::say,
    },
};

/// Ask a view; `rapport views` lists them.
#[derive(Args)]
#[command(after_help = "\
Examples:
  rapport view pipeline
  rapport view pipeline by=region closed=2017-Q2
  rapport view pipeline show=deals stage=Won region=West --csv > won.csv
  rapport view giving --as-of 2012-12-31 --known-at 14000")]
pub(crate) struct View {
    /// The view's name.
    name: String,
    /// Its parameters, and `cursor=` or `limit=`.
    #[arg(value_name = "key=value")]
    parameters: Vec<String>,
    /// What had happened by then: a day (its end) or a moment.
    #[arg(long, value_name = "T")]
    as_of: Option<String>,
    /// What was recorded by then: a day, a moment, or a number of events.
    #[arg(long, value_name = "T")]
    known_at: Option<String>,
    /// All rows as CSV.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// The answer as JSON.
    #[arg(long)]
    json: bool,
}

impl View {
    pub(crate) async fn run(self, shared: &Shared) -> anyhow::Result<ExitCode> {
        let mut pairs = Vec::new();
        for parameter in &self.parameters {
            let (name, value) = parameter
                .split_once('=')
                .with_context(|| format!("`{parameter}`: write key=value, for example by=region"))?;
            pairs.push((name.to_owned(), value.to_owned()));
        }
        let times = [("as_of", self.as_of), ("known_at", self.known_at)];
        pairs.extend(times.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        let client = open(shared).await?;
        if self.csv {
            return copy(&client, &self.name, pairs).await;
        }
        let json = ask(&client, &self.name, &pairs).await?;
        say(&if self.json { pretty(&json)? } else { table::text(&sheet(&self.name, &json)?) })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The answer in the type of its view, which says the columns.
fn sheet(view: &str, json: &str) -> anyhow::Result<Sheet> {
    let known = projections::descriptions().into_iter().find(|known| known.name == view);
    let known = known.with_context(|| format!("this program knows no view `{view}`, the server does"));
    let answer = known.and_then(|known| Ok(known.read(json)?));
    let sheet = answer.and_then(|answer| Ok(answer.sheet()?));
    sheet.context("the answer cannot be shown as a table: ask with --json")
}

/// Writes all rows, page after page; the header once.
async fn copy(client: &Client, view: &str, mut pairs: Vec<(String, String)>) -> anyhow::Result<ExitCode> {
    if !pairs.iter().any(|(name, _)| name == "limit") {
        pairs.push(("limit".to_owned(), "1000".to_owned()));
    }
    let mut first = true;
    loop {
        let body = serde_html_form::to_string(&pairs)?;
        let page = client.fetch(Method::POST, &view_path(view)?, "text/csv", body.into_bytes()).await?;
        let rows = page.text.split_once("\r\n").map_or("", |(_, rows)| rows);
        say(if first { &page.text } else { rows })?;
        first = false;
        let Some(next) = page.next else { return Ok(ExitCode::SUCCESS) };
        pairs.retain(|(name, _)| name != "cursor");
        pairs.push(("cursor".to_owned(), next));
    }
}
