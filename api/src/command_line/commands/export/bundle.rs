//! Writing a bundle: the history of somebody with the proof of each event.

use std::{path::Path, process::ExitCode};

use anyhow::{Context as _, bail};
use axum::http::Method;
use chrono::SecondsFormat;
use domain::{Kind, StreamId};
use ledger::bundle::{Bundle, BundledEvent, FORMAT, Meaning};
use projections::{
    HistoryRow,
    questions::history::{History, View},
};
use serde_json::json;

use crate::{
    application::proofs::{Proofs, ProvenEvent},
    client::Client,
    command_line::{
        asking::open,
        shared::Shared,
        terminal::{log_bar, say},
    },
};

/// How many events are asked for at a time.
const PAGE: usize = 1_000;
/// How many events a bundle may hold.
const LIMIT: usize = 100_000;

/// Writes the bundle of a contact, with all that concerns it, or of one stream.
pub(super) async fn write(
    shared: &Shared,
    about: StreamId,
    file: &Path,
    purpose: &str,
) -> anyhow::Result<ExitCode> {
    let client = open(shared).await?.exporting(purpose);
    // What has just been recorded is to be covered as well.
    let note = client.fetch(Method::POST, "/admin/checkpoint", "text/plain", Vec::new()).await?.text;
    let size = note.lines().nth(1).and_then(|size| size.parse::<u64>().ok());
    let size = size.context("the server answered no checkpoint")?;
    let key = client.fetch(Method::GET, "/ledger/key", "text/plain", Vec::new()).await?.text;
    let key = key.trim().to_owned();
    let mut bundle = Bundle { format: FORMAT.to_owned(), about, key, checkpoint: note, events: Vec::new() };
    let bar = log_bar("proving");
    let mut cursor = None;
    loop {
        let page = history(&client, about, size, cursor.as_deref()).await?;
        cursor = page.next;
        prove(&client, size, page.rows, &mut bundle).await?;
        bar.set_position(bundle.events.len() as u64);
        if cursor.is_none() {
            break;
        }
        if bundle.events.len() >= LIMIT {
            bail!("more than {LIMIT} events concern it: export its streams one by one");
        }
    }
    bar.finish_and_clear();
    // What cannot be verified is not handed out.
    bundle.verify(&bundle.own_key()?).context("the bundle would prove nothing: run `rapport verify`")?;
    machine::files::write(file, &serde_json::to_vec(&bundle)?)
        .with_context(|| format!("{} cannot be written", file.display()))?;
    say(&format!(
        "{} events of {about} with their proofs, up to event {size} of the log: {}\n\
         It holds readable personal texts. Verify it anywhere: rapport verify {}\n",
        bundle.events.len(),
        file.display(),
        file.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// A page of what was recorded up to a size of the log.
async fn history(client: &Client, about: StreamId, size: u64, cursor: Option<&str>) -> anyhow::Result<View> {
    let whose = match about.kind {
        Kind::Contact => ("contact", about.id.to_string()),
        _ => ("stream", about.to_string()),
    };
    let mut pairs = vec![whose, ("limit", PAGE.to_string()), ("after", size.to_string())];
    pairs.extend(cursor.map(|cursor| ("cursor", cursor.to_owned())));
    let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    client.ask::<History>(&pairs).await?.with_context(|| format!("nothing is recorded about {about}"))
}

/// Adds the events of a page with their proofs.
async fn prove(client: &Client, size: u64, rows: Vec<HistoryRow>, bundle: &mut Bundle) -> anyhow::Result<()> {
    let rows: Vec<HistoryRow> = rows.into_iter().filter(|row| row.position <= size).collect();
    let positions: Vec<u64> = rows.iter().map(|row| row.position).collect();
    let requested = json!({ "positions": positions, "size": size }).to_string().into_bytes();
    let proven = client.fetch(Method::POST, "/ledger/proofs", "application/json", requested).await?;
    let Proofs { events, .. } = serde_json::from_str(&proven.text)?;
    if events.len() != rows.len() {
        bail!("{} events were to be proven, and {} were: try again in a moment", rows.len(), events.len());
    }
    let bundled = rows.into_iter().zip(events).map(|(row, event)| {
        let ProvenEvent { number, leaf: _, stored, proof } = event;
        BundledEvent { number, stored, proof, meaning: meaning(row) }
    });
    bundle.events.extend(bundled);
    Ok(())
}

fn meaning(row: HistoryRow) -> Meaning {
    let when = row.occurred_at.unwrap_or(row.recorded_at);
    Meaning {
        what: row.what,
        detail: row.detail,
        reason: row.reason,
        when: when.to_rfc3339_opts(SecondsFormat::AutoSi, true),
    }
}
