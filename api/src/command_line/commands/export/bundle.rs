//! Writing a bundle: the history of somebody with the proof of each event.

use std::{path::Path, process::ExitCode};

use anyhow::{Context as _, bail};
use axum::http::Method;
use domain::{Kind, StreamId};
use ledger::bundle::{Bundle, BundledEvent, FORMAT, Meaning};
use serde_json::{Value, json};

use crate::{
    application::whole_file,
    client::Client,
    command_line::{
        asking::{ask, open},
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
        prove(&client, size, &page, &mut bundle).await?;
        bar.set_position(bundle.events.len() as u64);
        cursor = page["next"].as_str().map(str::to_owned);
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
    whole_file::write(file, &serde_json::to_vec(&bundle)?)
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
async fn history(client: &Client, about: StreamId, size: u64, cursor: Option<&str>) -> anyhow::Result<Value> {
    let whose = match about.kind {
        Kind::Contact => ("contact", about.id.to_string()),
        _ => ("stream", about.to_string()),
    };
    let mut pairs = vec![whose, ("limit", PAGE.to_string()), ("after", size.to_string())];
    pairs.extend(cursor.map(|cursor| ("cursor", cursor.to_owned())));
    let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    ask(client, "history", &pairs).await
}

/// Adds the events of a page with their proofs.
async fn prove(client: &Client, size: u64, page: &Value, bundle: &mut Bundle) -> anyhow::Result<()> {
    let covered = |row: &&Value| row["position"].as_u64().is_some_and(|position| position <= size);
    let rows: Vec<&Value> = page["rows"].as_array().into_iter().flatten().filter(covered).collect();
    let positions: Vec<&Value> = rows.iter().map(|row| &row["position"]).collect();
    let wanted = json!({ "positions": positions, "size": size }).to_string().into_bytes();
    let proven = client.fetch(Method::POST, "/ledger/proofs", "application/json", wanted).await?;
    let mut proven: Value = serde_json::from_str(&proven.text)?;
    let events = proven["events"].as_array_mut().map(std::mem::take).unwrap_or_default();
    for (row, mut event) in rows.into_iter().zip(events) {
        event.as_object_mut().and_then(|event| event.remove("leaf"));
        event["meaning"] = serde_json::to_value(meaning(row))?;
        bundle.events.push(serde_json::from_value::<BundledEvent>(event)?);
    }
    Ok(())
}

fn meaning(row: &Value) -> Meaning {
    let text = |name: &str| row[name].as_str().map(str::to_owned);
    Meaning {
        what: text("what").unwrap_or_default(),
        detail: text("detail"),
        reason: text("reason"),
        when: text("occurred_at").or_else(|| text("recorded_at")).unwrap_or_default(),
    }
}
