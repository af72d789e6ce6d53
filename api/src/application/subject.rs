//! What is held about somebody, for that person. What others have said, or are called, is theirs, and is left out of it.

use std::collections::{HashMap, HashSet};

use anyhow::bail;
use domain::{ContactId, Kind};
use projections::{
    HistoryRow, Projection,
    questions::{
        contacts::{self, Card, Contacts},
        conversations::{self, Conversations, MessageRow, Thread},
        history::History,
    },
};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// How many rows are asked for at a time, and how many of one kind are put into the folder.
const PAGE: &str = "1000";
const LIMIT: usize = 100_000;
/// Why a text is not there, for whoever looks for it.
pub const SAID_BY_OTHERS: &str = "said by or to somebody else";
const OF_OTHERS: &str = "of somebody else";

/// Everything that is held about one contact.
#[derive(Debug)]
pub struct Held {
    /// The card, where they were ever registered.
    pub card: Option<Card>,
    /// Every event that concerns them, the oldest first.
    pub events: Vec<Entry>,
    /// Every conversation with them or in which they wrote or are mentioned.
    pub conversations: Vec<Thread>,
    /// The messages whose texts are withheld.
    pub withheld: HashSet<Uuid>,
}

/// One event.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// The event, without what is of others.
    #[serde(flatten)]
    pub row: HistoryRow,
    /// Why something is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withheld: Option<&'static str>,
}

impl Held {
    /// All of it as one document for machines.
    pub fn document(&self, contact: ContactId) -> anyhow::Result<Value> {
        let conversations: anyhow::Result<Vec<Value>> =
            self.conversations.iter().map(|thread| self.conversation(thread)).collect();
        Ok(json!({
            "contact": contact,
            "card": self.card,
            "consents": self.card.as_ref().map(|card| &card.consents),
            "conversations": conversations?,
            "gifts": self.about(&[Kind::Gift]),
            "enrolments": self.about(&[Kind::Enrolment, Kind::Gathering]),
            "leads_and_deals": self.about(&[Kind::Lead, Kind::Deal]),
            "events": self.events,
        }))
    }

    /// The events about things of one of these kinds.
    fn about(&self, kinds: &[Kind]) -> Vec<&Entry> {
        self.events.iter().filter(|event| kinds.contains(&event.row.stream.kind)).collect()
    }

    fn conversation(&self, thread: &Thread) -> anyhow::Result<Value> {
        let mut value = serde_json::to_value(thread)?;
        value["tree"] = self.messages(&thread.tree)?;
        Ok(value)
    }

    /// Messages, each saying where its text is withheld.
    fn messages(&self, messages: &[MessageRow]) -> anyhow::Result<Value> {
        let told = messages.iter().map(|message| {
            let mut value = serde_json::to_value(message)?;
            value["replies"] = self.messages(&message.replies)?;
            if self.withheld.contains(&message.message) {
                value["withheld"] = json!(SAID_BY_OTHERS);
            }
            Ok(value)
        });
        Ok(Value::Array(told.collect::<anyhow::Result<_>>()?))
    }
}

/// Where it is asked for: a server, or a folder that is open.
pub trait Source {
    /// The answer of a view to its parameters, by their names; `None` where what is asked about does not exist.
    fn ask<P: Projection>(
        &self,
        parameters: &[(String, String)],
    ) -> impl Future<Output = anyhow::Result<Option<P::View>>> + Send;
}

/// Gathers it.
pub async fn gather(source: &impl Source, contact: ContactId) -> anyhow::Result<Held> {
    let id = contact.to_string();
    let card = match source.ask::<Contacts>(&[pair("id", &id)]).await? {
        Some(contacts::View::Card(card)) => Some(without_names_of_others(*card)),
        // Somebody of whom others have said something was perhaps never registered.
        Some(contacts::View::Found(_)) | None => None,
    };
    let rows = rows(source, contact).await?;
    let (mut conversations, mut owners, mut asked) = (Vec::new(), Owners::new(contact), HashSet::new());
    for stream in rows.iter().map(|row| row.stream).filter(|stream| stream.kind == Kind::Conversation) {
        if !asked.insert(stream.id) {
            continue;
        }
        let parameters = [pair("conversation", &stream.id.to_string())];
        // One that was voided is not shown any more; its events are in the history.
        if let Some(conversations::View::Thread(mut thread)) =
            source.ask::<Conversations>(&parameters).await?
        {
            let with = thread.row.contact;
            thread.tree.iter_mut().for_each(|message| owners.withhold(message, with));
            conversations.push(*thread);
        }
    }
    let events = rows.into_iter().map(|row| owners.entry(row)).collect();
    Ok(Held { card, events, conversations, withheld: owners.withheld })
}

/// Whose the messages are that were seen.
struct Owners {
    contact: ContactId,
    is_theirs: HashMap<Uuid, bool>,
    withheld: HashSet<Uuid>,
}

impl Owners {
    fn new(contact: ContactId) -> Self {
        Self { contact, is_theirs: HashMap::new(), withheld: HashSet::new() }
    }

    /// Leaves out the words of others, and notes whose each message is.
    fn withhold(&mut self, message: &mut MessageRow, with: ContactId) {
        let is_theirs = message.author.unwrap_or(with) == self.contact;
        self.is_theirs.insert(message.message, is_theirs);
        if !is_theirs && message.text.take().is_some() {
            self.withheld.insert(message.message);
        }
        message.replies.iter_mut().for_each(|reply| self.withhold(reply, with));
    }

    /// A detail and a reason belong to the person whom the event is about first of all.
    fn entry(&self, mut row: HistoryRow) -> Entry {
        let is_theirs = match row.stream.kind {
            Kind::Contact => row.stream.id == self.contact.0,
            // What is not known to be theirs is left out.
            Kind::Conversation => self.is_theirs.get(&row.event).copied().unwrap_or(false),
            _ => true,
        };
        let mut withheld = None;
        if !is_theirs && [row.detail.take(), row.reason.take()].iter().any(Option::is_some) {
            withheld = Some(OF_OTHERS);
        }
        Entry { row, withheld }
    }
}

fn without_names_of_others(mut card: Card) -> Card {
    for relationship in &mut card.relationships {
        relationship.name = None;
    }
    card
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Every event that concerns them, page after page.
async fn rows(source: &impl Source, contact: ContactId) -> anyhow::Result<Vec<HistoryRow>> {
    let (mut rows, mut cursor) = (Vec::new(), None);
    loop {
        let mut asked = vec![pair("contact", &contact.to_string()), pair("limit", PAGE)];
        asked.extend(cursor.map(|cursor: String| pair("cursor", &cursor)));
        let Some(page) = source.ask::<History>(&asked).await? else {
            bail!("nothing is held about contact/{contact}");
        };
        rows.extend(page.rows);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(rows);
        }
        if rows.len() >= LIMIT {
            bail!("more than {LIMIT} events concern them: ask `rapport view history` page by page");
        }
    }
}
