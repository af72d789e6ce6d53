//! `rapport history`.

use std::{fs, os::unix::fs::OpenOptionsExt as _, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use axum::http::Method;
use clap::{Args, ValueEnum};
use domain::{Kind, StreamId};
use projections::{
    Comparison, HistoryRow, JOURNEY_VIEW, Sheet, Steps, questions::history::History as Events,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::{
    application::clock,
    client::Client,
    command_line::{
        asking::{ask, fetch, history_path, open, pretty},
        rendering::{history_page, steps, table},
        shared::Shared,
        terminal::say,
    },
};

/// Everything that was recorded about one thing, or about a contact across all things.
#[derive(Args)]
#[command(after_help = "\
Examples:
  rapport history contact/5f0c0e6e-7a4e-4c39-b1a5-0d8d5a1f9f11 --as-of 2024-12-31
  rapport history contact/5f0c… --changes                        what each event changed: before and after
  rapport history contact/5f0c… --compare 2023-12-31 2024-12-31  what is different, and what happened between
  rapport history contact/5f0c… --html zoe.html                  a page to read, to print and to file")]
#[command(group(clap::ArgGroup::new("form").args(["changes", "compare", "html", "wide"])))]
pub(crate) struct History {
    /// KIND/ID, for example contact/5f0c… or deal/5f0c….
    #[arg(value_name = "KIND/ID")]
    subject: String,
    /// What had happened by then: a day (its end) or a moment.
    #[arg(long, value_name = "T")]
    as_of: Option<String>,
    /// What was recorded by then: a day, a moment, or a number of events.
    #[arg(long, value_name = "T")]
    known_at: Option<String>,
    /// Event by event, with what each changed.
    #[arg(long)]
    changes: bool,
    /// What is different between two moments, and the events between.
    #[arg(long, num_args = 2, value_names = ["FROM", "TO"])]
    compare: Option<Vec<String>>,
    /// Which time FROM and TO are of.
    #[arg(long, value_enum, default_value = "as_of", requires = "compare")]
    time: Time,
    /// Write it as a page that can be read, printed and filed.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    html: Option<PathBuf>,
    /// As JSON, with everything that is known.
    #[arg(long)]
    json: bool,
    /// With every column.
    #[arg(long)]
    wide: bool,
    /// How many events at the most; a page holds all of them.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    limit: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Time {
    /// What had happened by then.
    AsOf,
    /// What was recorded by then.
    KnownAt,
}

/// The most events that stand on a page to be filed.
const EVENTS_ON_A_SHEET: usize = 10_000;

impl History {
    pub(crate) async fn run(self, shared: &Shared) -> anyhow::Result<ExitCode> {
        let stream: StreamId = self.subject.parse().context("whose history?")?;
        let client = open(shared).await?;
        if let Some(file) = &self.html {
            // What is taken away as a file is recorded as such.
            self.file(&client.exporting("other"), stream, file, &shared.name()).await?;
        } else if let Some([from, to]) = self.compare.as_deref() {
            self.compare(&client, stream, from, to).await?;
        } else if self.changes {
            self.changes(&client, stream).await?;
        } else {
            self.table(&client, stream).await?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn times(&self) -> Vec<(String, String)> {
        let times = [("as_of", &self.as_of), ("known_at", &self.known_at)];
        times.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))).collect()
    }

    async fn table(&self, client: &Client, stream: StreamId) -> anyhow::Result<()> {
        let about = if stream.kind == Kind::Contact {
            ("contact".to_owned(), stream.id.to_string())
        } else {
            ("stream".to_owned(), stream.to_string())
        };
        let mut pairs = vec![about, ("limit".to_owned(), self.limit.to_string())];
        pairs.extend(self.times());
        if self.json {
            return say(&pretty(&ask(client, JOURNEY_VIEW, &pairs).await?)?);
        }
        let Some(view) = client.ask::<Events>(&pairs).await? else {
            // The answer says what is not there.
            ask(client, JOURNEY_VIEW, &pairs).await?;
            return Ok(());
        };
        let mut sheet = if self.wide {
            Sheet::of(&view)?
        } else {
            Sheet::of(&Narrow { rows: view.rows.into_iter().map(NarrowRow::from).collect() })?
        };
        let more = view.next.is_some();
        sheet.next = None;
        say(&table::text(&sheet))?;
        if more {
            say(
                "\nThere are more events: `rapport view history` pages through them, and --json shows them whole.\n",
            )?;
        }
        Ok(())
    }

    async fn changes(&self, client: &Client, stream: StreamId) -> anyhow::Result<()> {
        let mut pairs = vec![("limit".to_owned(), self.limit.to_string())];
        pairs.extend(self.times());
        let answer: Value = fetch(client, &history_path(stream, ""), &pairs).await?;
        if self.json {
            return say(&format!("{}\n", serde_json::to_string_pretty(&answer)?));
        }
        let answer: Steps = serde_json::from_value(answer)?;
        let mut text: String = answer.rows.iter().map(|step| steps::step(step, stream)).collect();
        if answer.next.is_some() {
            text += "There are more events: --html writes all of them into a page.\n";
        }
        say(&text)
    }

    async fn compare(&self, client: &Client, stream: StreamId, from: &str, to: &str) -> anyhow::Result<()> {
        let time = if self.time == Time::AsOf { "as_of" } else { "known_at" };
        let mut pairs = [("from", from), ("to", to), ("time", time)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
        pairs.extend(self.times());
        let answer: Value = fetch(client, &history_path(stream, "/compare"), &pairs).await?;
        if self.json {
            return say(&format!("{}\n", serde_json::to_string_pretty(&answer)?));
        }
        let answer: Comparison = serde_json::from_value(answer)?;
        say(&steps::comparison(&answer))
    }

    /// Writes the whole history into a file.
    async fn file(
        &self,
        client: &Client,
        stream: StreamId,
        file: &PathBuf,
        name: &str,
    ) -> anyhow::Result<()> {
        // Signed now, so that it covers everything that will stand on the page.
        let checkpoint =
            client.fetch(Method::POST, "/admin/checkpoint", "text/plain", Vec::new()).await?.text;
        let mut pairs = vec![("limit".to_owned(), "1000".to_owned())];
        pairs.extend(self.times());
        let mut whole: Steps = fetch(client, &history_path(stream, ""), &pairs).await?;
        while let Some(next) = whole.next.take().filter(|_| whole.rows.len() < EVENTS_ON_A_SHEET) {
            pairs.retain(|(name, _)| name != "cursor");
            pairs.push(("cursor".to_owned(), next));
            let page: Steps = fetch(client, &history_path(stream, ""), &pairs).await?;
            whole.rows.extend(page.rows);
            whole.next = page.next;
        }
        let sheet = history_page::Sheet {
            steps: &whole,
            as_of: self.as_of.as_deref(),
            known_at: self.known_at.as_deref(),
            printed_by: name,
            printed_at: clock::now(),
            checkpoint,
        };
        write(file, &history_page::page(&sheet).into_string())
            .with_context(|| format!("the page cannot be written to {}", file.display()))?;
        say(&format!("{} events are written to {}\n", whole.rows.len(), file.display()))
    }
}

/// The page is as personal as what stands on it: nobody else on the machine may read it.
fn write(file: &PathBuf, page: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(file)?;
    file.write_all(page.as_bytes())
}

/// What a person reads first.
#[derive(Serialize, JsonSchema)]
struct Narrow {
    rows: Vec<NarrowRow>,
}

/// When, what, more about it, by whom, why and from where.
#[derive(Serialize, JsonSchema)]
struct NarrowRow {
    when: String,
    what: String,
    detail: String,
    by: String,
    why: String,
    from: String,
    position: u64,
}

impl From<HistoryRow> for NarrowRow {
    fn from(row: HistoryRow) -> Self {
        let when = steps::when(steps::happened_at(&row));
        let from = match (row.file, row.line) {
            (Some(file), Some(line)) => format!("{file}:{line}"),
            (file, _) => file.unwrap_or_default(),
        };
        Self {
            when,
            what: row.what,
            detail: row.detail.unwrap_or_default(),
            by: row.by,
            why: row.reason.unwrap_or_default(),
            from,
            position: row.position,
        }
    }
}
