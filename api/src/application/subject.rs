//! What is held about somebody, for that person. What others have said, or are called, is theirs, and is left out of it.

use std::collections::HashMap;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

/// How many rows are asked for at a time, and how many of one kind are put into the folder.
const PAGE: &str = "1000";
const LIMIT: usize = 100_000;

/// Everything that is held about one contact.
#[derive(Debug)]
pub struct Held {
    /// The card, where they were ever registered.
    pub card: Value,
    /// Every event that concerns them, the oldest first.
    pub events: Vec<Value>,
    /// Every conversation with them or in which they wrote or are mentioned.
    pub conversations: Vec<Value>,
}

impl Held {
    /// All of it as one document for machines.
    pub fn document(&self, id: &str) -> Value {
        json!({
            "contact": id,
            "card": self.card,
            "consents": self.card["consents"],
            "conversations": self.conversations,
            "gifts": self.about(&["gift"]),
            "enrolments": self.about(&["enrolment", "gathering"]),
            "leads_and_deals": self.about(&["lead", "deal"]),
            "events": self.events,
        })
    }

    /// The events about things of one of these kinds.
    fn about(&self, kinds: &[&str]) -> Vec<Value> {
        let is_about = |event: &&Value| {
            let stream = event["stream"].as_str().unwrap_or_default();
            kinds.iter().any(|kind| stream.starts_with(&format!("{kind}-")))
        };
        self.events.iter().filter(is_about).cloned().collect()
    }
}

/// Where it is asked for: a server, or a folder that is open.
pub trait Source {
    /// The answer of a view to its parameters, by their names.
    fn ask(
        &self,
        view: &str,
        parameters: &[(String, String)],
    ) -> impl Future<Output = anyhow::Result<Value>> + Send;
}

/// Gathers it.
pub async fn gather(source: &impl Source, id: &str) -> anyhow::Result<Held> {
    let card = match source.ask("contacts", &[pair("id", id)]).await {
        Ok(card) => without_names_of_others(card),
        // Somebody of whom others have said something was perhaps never registered.
        Err(_) => Value::Null,
    };
    let mut events = rows(source, "history", &[pair("contact", id)])
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
        let Ok(mut thread) = source.ask("conversations", &asked).await else { continue };
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
async fn rows(source: &impl Source, name: &str, pairs: &[(String, String)]) -> anyhow::Result<Vec<Value>> {
    let (mut rows, mut cursor) = (Vec::new(), None);
    loop {
        let mut asked = [pairs, &[pair("limit", PAGE)]].concat();
        asked.extend(cursor.map(|cursor: String| pair("cursor", &cursor)));
        let mut page = source.ask(name, &asked).await?;
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
