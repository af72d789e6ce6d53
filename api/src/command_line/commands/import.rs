//! `rapport import`.

use std::{
    collections::{BTreeMap, HashMap},
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use axum::http::Method;
use clap::Args;
use intake::{Ids, Import as Intake, Map, Original, Reject, Rejects};
use projections::questions::erasures::Erasures;
use serde_json::Value;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{
    application::questions::Listing,
    client::Client,
    command_line::{
        asking::ask_list,
        shared::Shared,
        terminal::{bar, say},
    },
};

/// How many commands are sent at a time.
const LINES_PER_BATCH: usize = 2_000;
/// How many batches are read ahead.
const BATCHES_AHEAD: usize = 2;
/// How many rows are named on the screen; all of them are in the file of rejects.
const NAMED: usize = 10;

/// Turn files into events by a map. Importing a file again changes only what its source has changed.
#[derive(Args)]
#[command(after_help = "\
Examples:
  rapport import csv sales_pipeline.csv --map maven-opportunities --dry-run
  rapport import csv sales_pipeline.csv --map maven-opportunities
  rapport import csv members.csv --map ./members.toml --source club

Rows that cannot be used go to FILE.rejects.csv with file, line, column, value and reason; mend them there and
import that file with the same map.")]
pub(crate) struct Import {
    /// The format of the files: csv.
    format: String,
    /// The files; those that the map looks things up in are found beside the first.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A built-in map, or a file of your own.
    #[arg(long, value_name = "NAME|FILE.toml")]
    map: Option<String>,
    /// Under which name the source is known; rows of the same source and id are the same thing [default: the map's name].
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Import into an empty log that is thrown away, and say what came of it.
    #[arg(long)]
    dry_run: bool,
}

/// What an import came to.
#[derive(Default)]
struct Tally {
    rows: u64,
    events: BTreeMap<String, u64>,
    rejected: u64,
    kept: u64,
    /// How many commands were left out because the person was erased, and of how many rows.
    left_out: u64,
    rows_without: u64,
    named: Vec<String>,
}

impl Import {
    pub(crate) async fn run(self, shared: &Shared) -> anyhow::Result<ExitCode> {
        if self.format != "csv" {
            bail!("`{}` is no format that can be imported: use csv", self.format);
        }
        let map = self.map()?;
        let source = self.source.clone().unwrap_or_else(|| map.name().to_owned());
        let thrown_away = self.dry_run.then(tempfile::tempdir).transpose()?;
        let folder = thrown_away.as_ref().map_or(shared.data.as_path(), tempfile::TempDir::path);
        let client = if self.dry_run {
            // What is thrown away needs no cluster.
            Client::open(folder, &shared.name(), &store::Place::Folder).await?
        } else {
            shared.open(folder).await?
        };
        let ids = ids(folder)?.with_erased(erased(&client).await?);
        let import = Intake::open(map, &source, &self.files, ids)?;
        for notice in import.notices() {
            say(&format!("note: {notice}\n"))?;
        }
        let rejects = (!self.dry_run).then(|| import.rejects(None));
        let (tally, rejects) = carry_out(&client, import, rejects).await?;
        if !self.dry_run {
            // What has been imported is pinned at once; an import that stops before is signed within a minute.
            client.fetch(Method::POST, "/admin/checkpoint", "text/plain", Vec::new()).await?;
        }
        report(&tally, &source, self.dry_run, rejects)
    }

    fn map(&self) -> anyhow::Result<Map> {
        let names = || Map::names().collect::<Vec<_>>().join(", ");
        let name = self
            .map
            .as_deref()
            .with_context(|| format!("say with --map how to read the file: {}, or a file", names()))?;
        if Path::new(name).extension().is_some_and(|extension| extension == "toml") {
            let text =
                std::fs::read_to_string(name).with_context(|| format!("the map {name} cannot be read"))?;
            return Ok(Map::parse(&text)?);
        }
        Ok(Map::named(name)?)
    }
}

/// The ids of imported things follow from a secret of the installation, so that nobody can guess them back.
fn ids(folder: &Path) -> anyhow::Result<Ids> {
    let mut secret = [0; 32];
    let mut file = std::fs::File::open(folder.join("installation.secret"))
        .context("the secret of the folder cannot be read")?;
    file.read_exact(&mut secret).context("the secret of the folder cannot be read")?;
    Ok(Ids::new(&secret))
}

/// Those who were erased and whether they may be known again: an import does not bring them back.
async fn erased(client: &Client) -> anyhow::Result<HashMap<Uuid, bool>> {
    client.settle(|_, _| ()).await;
    let views = client.fetch(Method::GET, "/views", "application/json", Vec::new()).await?;
    let head = serde_json::from_str::<Listing>(&views.text)?.head.to_string();
    let (mut erased, mut cursor) = (HashMap::new(), None);
    loop {
        let mut pairs = [("of", "contact"), ("limit", "1000"), ("after", &head)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
        pairs.extend(cursor.map(|cursor| ("cursor".to_owned(), cursor)));
        let page = ask_list::<Erasures>(client, &pairs).await?;
        erased.extend(page.rows.iter().map(|row| (row.contact.0, row.readmitted_at.is_some())));
        cursor = page.next;
        if cursor.is_none() {
            return Ok(erased);
        }
    }
}

/// The rows of one batch, each with its lines and how many were left out, or why it has none.
type Batch = Vec<(Original, Result<Vec<String>, Reject>, usize)>;

/// Reads rows on a thread of their own, sends them batch by batch, and writes down what was refused.
async fn carry_out(
    client: &Client,
    import: Intake,
    mut rejects: Option<Rejects>,
) -> anyhow::Result<(Tally, Option<Rejects>)> {
    let bar = bar(import.total_bytes(), "importing {bar:30} {bytes}/{total_bytes}  {msg}  {eta}");
    let (batches, mut read) = mpsc::channel::<anyhow::Result<(u64, Batch)>>(BATCHES_AHEAD);
    let reading = tokio::task::spawn_blocking(move || read_ahead(import, &batches));
    let mut tally = Tally::default();
    while let Some(batch) = read.recv().await {
        let (bytes_read, batch) = batch?;
        send(client, batch, &mut tally, rejects.as_mut()).await?;
        bar.set_position(bytes_read);
        bar.set_message(format!("{} rows", tally.rows));
    }
    reading.await?;
    bar.finish_and_clear();
    Ok((tally, rejects))
}

fn read_ahead(import: Intake, batches: &mpsc::Sender<anyhow::Result<(u64, Batch)>>) {
    let (mut batch, mut lines, mut bytes_read) = (Batch::new(), 0, 0);
    for row in import {
        match row {
            Ok(row) => {
                bytes_read = row.bytes_read;
                let outcome =
                    row.outcome.map(|lines| lines.into_iter().map(|line| line.json).collect::<Vec<_>>());
                lines += outcome.as_ref().map_or(1, Vec::len);
                batch.push((row.original, outcome, row.left_out));
            }
            Err(error) => {
                // What was read before the error is good.
                let _ = batches.blocking_send(Ok((bytes_read, std::mem::take(&mut batch))));
                let _ = batches.blocking_send(Err(error.into()));
                return;
            }
        }
        if lines >= LINES_PER_BATCH {
            lines = 0;
            if batches.blocking_send(Ok((bytes_read, std::mem::take(&mut batch)))).is_err() {
                return;
            }
        }
    }
    let _ = batches.blocking_send(Ok((bytes_read, batch)));
}

async fn send(
    client: &Client,
    batch: Batch,
    tally: &mut Tally,
    mut rejects: Option<&mut Rejects>,
) -> anyhow::Result<()> {
    let mut body = String::new();
    for line in batch.iter().filter_map(|(_, outcome, _)| outcome.as_ref().ok()).flatten() {
        body.push_str(line);
        body.push('\n');
    }
    let answer = client.fetch(Method::POST, "/commands", "application/x-ndjson", body.into_bytes()).await?;
    let mut answers = answer.text.lines();
    for (original, outcome, left_out) in batch {
        tally.rows += 1;
        tally.left_out += left_out as u64;
        tally.rows_without += u64::from(left_out > 0);
        let rejected = match outcome {
            Ok(lines) => tally.count(&original, lines.len(), &mut answers)?,
            Err(reject) => Some(reject),
        };
        let Some(reject) = rejected else { continue };
        tally.rejected += 1;
        tally.name(&original, reject.column.as_deref(), &reject.reason);
        if let Some(rejects) = rejects.as_deref_mut() {
            rejects.write(&original, &reject).context("the rejected row cannot be written down")?;
        }
    }
    Ok(())
}

impl Tally {
    /// Takes the answers to a row's lines; the first refusal is the row's.
    fn count(
        &mut self,
        original: &Original,
        lines: usize,
        answers: &mut std::str::Lines<'_>,
    ) -> anyhow::Result<Option<Reject>> {
        let (mut rejected, mut recorded) = (None, 0);
        for _ in 0..lines {
            let answer = answers.next().context("the server answered fewer lines than were sent")?;
            let answer: Value = serde_json::from_str(answer)?;
            recorded += usize::from(answer["status"] == 200);
            for event in answer["events"].as_array().into_iter().flatten() {
                *self.events.entry(event["tag"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
            }
            for field in answer["kept"].as_array().into_iter().flatten() {
                self.kept += 1;
                let reason = "kept as a person has set it";
                self.name(original, field.as_str(), reason);
            }
            if matches!(answer["status"].as_u64(), Some(409 | 429 | 503)) {
                bail!(
                    "{}:{}: {}; import the file again in a moment: what is recorded stays, the rest is added",
                    original.file(),
                    original.line(),
                    answer["problem"]["detail"].as_str().unwrap_or("not at the moment")
                );
            }
            if let Some(problem) = answer["problem"]["detail"].as_str() {
                rejected.get_or_insert_with(|| problem.to_owned());
            }
        }
        Ok(rejected.map(|problem| match recorded {
            0 => Reject::refused(problem),
            // Commands are about different things, or one after the other about one: each stands by itself.
            _ => Reject::refused(format!("{problem} ({recorded} of the row's {lines} commands went in)")),
        }))
    }

    fn name(&mut self, original: &Original, column: Option<&str>, reason: &str) {
        if self.named.len() < NAMED {
            let column = column.map_or(String::new(), |column| format!(" {column}:"));
            self.named.push(format!("{}:{}:{column} {reason}", original.file(), original.line()));
        }
    }
}

fn report(tally: &Tally, source: &str, dry_run: bool, rejects: Option<Rejects>) -> anyhow::Result<ExitCode> {
    let recorded: u64 = tally.events.values().sum();
    let would = if dry_run { "would be " } else { "" };
    let mut text = format!("{} rows of {source}: {recorded} events {would}recorded\n", tally.rows);
    for (tag, count) in &tally.events {
        text += &format!("  {count:>9}  {tag}\n");
    }
    for named in &tally.named {
        text += &format!("  {named}\n");
    }
    let unnamed = (tally.rejected + tally.kept).saturating_sub(tally.named.len() as u64);
    if unnamed > 0 {
        text += &format!("  … and {unnamed} more\n");
    }
    if tally.kept > 0 {
        text += &format!("{} fields were kept as a person has set them\n", tally.kept);
    }
    if tally.left_out > 0 {
        text += &format!(
            "{} rows are about somebody who was erased: {} of their commands were left out\n",
            tally.rows_without, tally.left_out
        );
    }
    if tally.rejected > 0 {
        text += &format!("{} rows {would}rejected\n", tally.rejected);
    }
    for file in rejects.map(Rejects::finish).transpose()?.into_iter().flatten() {
        text += &format!(
            "mend the {} rows in {} and import that file with the same map\n",
            file.rows,
            file.path.display()
        );
    }
    say(&text)?;
    Ok(if tally.rejected > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
