//! What is held about somebody, for that person: a page to read, a vCard, and everything as JSON. What others have
//! said, or are called, is theirs, and is left out of it.

use std::{
    collections::HashMap,
    fs::{DirBuilder, OpenOptions, read_dir},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use axum::http::{Method, StatusCode};
use domain::{Kind, StreamId};
use serde_json::{Value, json};

use super::{Shared, say, subject_page, vcard, view};
use crate::door::Door;

/// How many rows are asked for at a time, and how many of one kind are put into the folder.
const PAGE: &str = "1000";
const LIMIT: usize = 100_000;

/// Everything that is held about one contact.
pub(super) struct Held {
    /// The card, where they were ever registered.
    pub(super) card: Value,
    /// Every event that concerns them, the oldest first.
    pub(super) events: Vec<Value>,
    /// Every conversation with them or in which they wrote or are mentioned.
    pub(super) conversations: Vec<Value>,
}

/// Writes the folder.
pub(super) async fn write(
    shared: &Shared,
    about: StreamId,
    folder: &Path,
    purpose: &str,
) -> anyhow::Result<ExitCode> {
    if about.kind != Kind::Contact {
        bail!("{about} is no contact: what is held about somebody is asked for by contact/ID");
    }
    let door = view::open(shared).await?.exporting(purpose);
    let id = about.id.to_string();
    let held = gather(&door, &id).await?;
    refuse_erased(&door, &id).await?;
    keep(folder, &id, &held)?;
    // Whoever was erased while it was written is taken out again.
    if let Err(error) = refuse_erased(&door, &id).await {
        std::fs::remove_dir_all(folder)?;
        return Err(error);
    }
    say(&format!(
        "{} events and {} conversations of {about}: open {}\n",
        held.events.len(),
        held.conversations.len(),
        folder.join("index.html").display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// The certificate of an erasure is there for whoever was erased, and for nobody else.
async fn refuse_erased(door: &Door, id: &str) -> anyhow::Result<()> {
    let path = format!("/erasures/{id}");
    let answer = door.send(Method::GET, &path, "application/json", Vec::new()).await?;
    match answer.status() {
        StatusCode::NOT_FOUND => Ok(()),
        StatusCode::OK => {
            bail!("contact/{id} was erased: nothing is held about them; `rapport erase` says more")
        }
        status => bail!("whether contact/{id} was erased cannot be told ({status}): try again in a moment"),
    }
}

async fn gather(door: &Door, id: &str) -> anyhow::Result<Held> {
    let card = match view::ask(door, "contacts", &[pair("id", id)]).await {
        Ok(card) => without_names_of_others(card),
        // Somebody of whom others have said something was perhaps never registered.
        Err(_) => Value::Null,
    };
    let mut events = rows(door, "history", &[pair("contact", id)])
        .await
        .with_context(|| format!("nothing is held about contact/{id}"))?;
    let mut ids: Vec<String> = Vec::new();
    for event in &events {
        let stream = event["stream"].as_str().unwrap_or_default();
        if let Some(conversation) = stream.strip_prefix("conversation-")
            && !ids.iter().any(|known| known == conversation)
        {
            ids.push(conversation.to_owned());
        }
    }
    let (mut conversations, mut owners) = (Vec::new(), HashMap::new());
    for conversation in ids {
        let asked = [pair("conversation", &conversation)];
        // One that was voided is not shown any more; its events are in the history.
        let Ok(mut thread) = view::ask(door, "conversations", &asked).await else { continue };
        let with = thread["contact"].clone();
        for message in thread["tree"].as_array_mut().into_iter().flatten() {
            withhold(message, &with, id, &mut owners);
        }
        conversations.push(thread);
    }
    for event in &mut events {
        leave_out_what_is_of_others(event, id, &owners);
    }
    Ok(Held { card, events, conversations })
}

/// Leaves out the words of others, and notes whose each message is.
fn withhold(message: &mut Value, with: &Value, id: &str, owners: &mut HashMap<String, bool>) {
    let owner = if message["author"].is_null() { with } else { &message["author"] };
    let is_theirs = owner == id;
    owners.insert(message["message"].as_str().unwrap_or_default().to_owned(), is_theirs);
    if !is_theirs && !message["text"].is_null() {
        message["text"] = Value::Null;
        message["withheld"] = json!("said by or to somebody else");
    }
    for reply in message["replies"].as_array_mut().into_iter().flatten() {
        withhold(reply, with, id, owners);
    }
}

/// A detail and a reason belong to the person whom the event is about first of all.
fn leave_out_what_is_of_others(event: &mut Value, id: &str, owners: &HashMap<String, bool>) {
    let stream = event["stream"].as_str().unwrap_or_default();
    let is_theirs = match stream.split_once('-') {
        Some(("contact", of)) => of == id,
        // What is not known to be theirs is left out.
        Some(("conversation", _)) => {
            event["event"].as_str().is_some_and(|message| owners.get(message).copied().unwrap_or(false))
        }
        _ => true,
    };
    if !is_theirs {
        for part in ["detail", "reason"] {
            if !event[part].is_null() {
                event[part] = Value::Null;
                event["withheld"] = json!("of somebody else");
            }
        }
    }
}

fn without_names_of_others(mut card: Value) -> Value {
    for relationship in card["relationships"].as_array_mut().into_iter().flatten() {
        relationship.as_object_mut().map(|relationship| relationship.remove("name"));
    }
    card
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Every row of an answer, page after page.
async fn rows(door: &Door, name: &str, pairs: &[(String, String)]) -> anyhow::Result<Vec<Value>> {
    let (mut rows, mut cursor) = (Vec::new(), None);
    loop {
        let mut asked = [pairs, &[pair("limit", PAGE)]].concat();
        asked.extend(cursor.map(|cursor: String| pair("cursor", &cursor)));
        let mut page = view::ask(door, name, &asked).await?;
        rows.append(page["rows"].as_array_mut().unwrap_or(&mut Vec::new()));
        cursor = page["next"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return Ok(rows);
        }
        if rows.len() >= LIMIT {
            bail!("more than {LIMIT} events concern them: ask `rapport view {name}` page by page");
        }
    }
}

/// The events about things of one of these kinds.
fn about(held: &Held, kinds: &[&str]) -> Vec<Value> {
    let is_about = |event: &&Value| {
        let stream = event["stream"].as_str().unwrap_or_default();
        kinds.iter().any(|kind| stream.starts_with(&format!("{kind}-")))
    };
    held.events.iter().filter(is_about).cloned().collect()
}

/// Writes the files, readable by their owner only, into a folder of their own.
fn keep(folder: &Path, id: &str, held: &Held) -> anyhow::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    if read_dir(folder)?.next().is_some() {
        bail!("{} is not empty: name an empty folder or a new one", folder.display());
    }
    let data = json!({
        "contact": id,
        "card": held.card,
        "consents": held.card["consents"],
        "conversations": held.conversations,
        "gifts": about(held, &["gift"]),
        "enrolments": about(held, &["enrolment", "gathering"]),
        "leads_and_deals": about(held, &["lead", "deal"]),
        "events": held.events,
    });
    let page = subject_page::page(id, held).into_string();
    let files = [
        ("data.json", format!("{data:#}\n")),
        ("contact.vcf", vcard::of(id, &held.card)),
        ("index.html", page),
    ];
    for (name, text) in files {
        let path = folder.join(name);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(text.as_bytes()).with_context(|| format!("{} cannot be written", path.display()))?;
        file.sync_all()?;
    }
    Ok(())
}
