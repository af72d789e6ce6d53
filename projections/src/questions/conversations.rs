//! Who waits for an answer, and since when? Open conversations, longest waiting first; one of them as a tree
//! of messages; how long first answers take.

mod list;
mod thread;

use chrono::{DateTime, Utc};
use domain::{
    Event, Kind, Recorded, Role,
    conversation::{Channel, ConversationEvent, Direction, Message},
};
use rusqlite::{Row, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::kit::{ApplyError, Page, Projection, Shows, Tables, ViewError, column::moment};
use list::{row, rows, totals};
use thread::Thread;

/// The projection.
pub struct Conversations;

/// What can be asked of the conversations.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Which conversations are shown.
    #[serde(default)]
    state: StateAsked,
    /// Only conversations through this channel.
    channel: Option<Channel>,
    /// Only conversations with this contact, or with one that is merged with it.
    contact: Option<Uuid>,
    /// Say how many minutes they had waited at this moment.
    at: Option<DateTime<Utc>>,
    /// One conversation with all its messages; the other filters are then left aside.
    conversation: Option<Uuid>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum StateAsked {
    /// Those in which something is to be done.
    #[default]
    Open,
    /// Those in which nothing more is to be done.
    Resolved,
    /// Both.
    All,
}

/// What is answered.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum View {
    /// Conversations, longest waiting first.
    List(List),
    /// One conversation.
    Thread(Box<Thread>),
}

/// Conversations, longest waiting first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct List {
    /// Over all rows, this page and others.
    totals: Totals,
    /// The conversations; those that nobody waits in come last.
    rows: Vec<ConversationRow>,
    /// The cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Conversations counted together.
#[derive(Debug, Default, Serialize, JsonSchema)]
struct Totals {
    /// How many conversations.
    conversations: i64,
    /// In how many of them somebody waits for an answer.
    waiting: i64,
    /// In how many of them a contact's first message was ever answered.
    answered: i64,
    /// Mean minutes from a contact's first message to the first answer; absent where none was answered.
    first_response_minutes: Option<f64>,
}

/// One conversation.
#[derive(Debug, Serialize, JsonSchema)]
struct ConversationRow {
    conversation: Uuid,
    contact: Uuid,
    /// Where the contact is merged with others: the one that all are merged into. Nothing is sent to it: an answer
    /// goes to the contact that wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<Uuid>,
    channel: Channel,
    /// Whether nothing more is to be done.
    resolved: bool,
    /// When the first message came in that nobody has answered yet; notes are no answers, and in a resolved
    /// conversation nobody waits.
    waiting_since: Option<DateTime<Utc>>,
    /// How many minutes that was before `at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_minutes: Option<i64>,
    /// How many messages, notes included.
    messages: i64,
    /// When the first message was.
    began_at: DateTime<Utc>,
    /// When the last message was.
    last_activity: DateTime<Utc>,
    /// Minutes from the contact's first message to the first answer.
    first_response_minutes: Option<f64>,
}

impl Projection for Conversations {
    const NAME: &'static str = "conversations";
    const QUESTION: &'static str = "Who waits for an answer, and since when?";
    const VERSION: u32 = 2;
    const READERS: &'static [Role] = &[Role::Admin, Role::Staff, Role::Auditor];
    const SHOWS: Shows = Shows::People;
    const KINDS: &'static [Kind] = &[Kind::Conversation];
    // Moments are microseconds. A message is kept under when it was and its position, since imports bring
    // messages in any order. `fresh` is as `unanswered`, of what came in since it was last resolved.
    const TABLES: &'static str = "
        CREATE TABLE conversations (
            conversation BLOB PRIMARY KEY, contact BLOB NOT NULL, channel TEXT NOT NULL, resolved INTEGER NOT NULL,
            resolved_position INTEGER NOT NULL, waiting INTEGER NOT NULL, messages INTEGER NOT NULL,
            began INTEGER NOT NULL, last INTEGER NOT NULL, last_position INTEGER NOT NULL,
            first_incoming INTEGER, response INTEGER, unanswered INTEGER, fresh INTEGER
        ) WITHOUT ROWID;
        CREATE TABLE messages (
            conversation BLOB, at INTEGER, position INTEGER, message BLOB NOT NULL, direction TEXT NOT NULL,
            author BLOB, recipient BLOB, member BLOB, reply_to BLOB, occurred_at INTEGER, recorded_at INTEGER NOT NULL,
            mentions TEXT NOT NULL, PRIMARY KEY (conversation, at, position)
        ) WITHOUT ROWID;
        CREATE TABLE texts (
            conversation BLOB, position INTEGER, subject BLOB NOT NULL, text PERSONAL TEXT NOT NULL,
            PRIMARY KEY (conversation, position)
        ) WITHOUT ROWID;
        CREATE TABLE cells (
            channel TEXT, resolved INTEGER, conversations INTEGER NOT NULL, waiting INTEGER NOT NULL,
            answered INTEGER NOT NULL, response INTEGER NOT NULL, PRIMARY KEY (channel, resolved)
        ) WITHOUT ROWID;";
    const INDEXES: &'static str = "
        CREATE INDEX conversations_by_state ON conversations (resolved, waiting, conversation);
        CREATE INDEX conversations_by_waiting ON conversations (waiting, conversation);
        CREATE INDEX conversations_by_contact ON conversations (contact, waiting, conversation);
        CREATE INDEX texts_by_subject ON texts (subject);";
    type Query = Query;
    type View = View;

    fn apply(tables: &Tables, recorded: &Recorded) -> Result<(), ApplyError> {
        match &recorded.event {
            Event::Conversation(event) => apply(tables, recorded.stream.id, event, recorded),
            _ => Ok(()),
        }
    }

    fn view(tables: &Tables, query: Query, page: &Page) -> Result<Option<View>, ViewError> {
        if let Some(conversation) = query.conversation {
            let known = read(tables, conversation)?;
            let row = known.map(|known| row(tables, conversation, &known, query.at)).transpose()?;
            let thread = row.map(|row| Thread::read(tables, row)).transpose()?;
            return Ok(thread.map(|thread| View::Thread(Box::new(thread))));
        }
        let totals = totals(tables, &query)?;
        let (rows, next) = rows(tables, &query, page)?;
        Ok(Some(View::List(List { totals, rows, next })))
    }
}

/// When nobody waits: after every moment, so that the longest waiting come first.
const NOBODY: i64 = i64::MAX;

/// What is known of a conversation; moments are microseconds.
#[derive(Clone, Debug)]
struct Known {
    contact: Uuid,
    channel: Channel,
    resolved: bool,
    resolved_position: u64,
    messages: i64,
    began: i64,
    last: (i64, u64),
    first_incoming: Option<i64>,
    response: Option<i64>,
    unanswered: Option<i64>,
    fresh: Option<i64>,
}

impl Known {
    fn new(contact: Uuid, channel: Channel) -> Self {
        Self {
            contact,
            channel,
            resolved: false,
            resolved_position: 0,
            messages: 0,
            began: i64::MAX,
            last: (i64::MIN, 0),
            first_incoming: None,
            response: None,
            unanswered: None,
            fresh: None,
        }
    }

    /// The same before its first message.
    fn emptied(&self) -> Self {
        let Self { contact, channel, resolved, resolved_position, .. } = *self;
        Self { resolved, resolved_position, ..Self::new(contact, channel) }
    }

    /// Takes in the next message, in the order of when they were.
    fn next(&mut self, at: i64, position: u64, direction: Direction) {
        self.messages += 1;
        self.began = self.began.min(at);
        self.last = (at, position);
        match direction {
            Direction::Incoming => {
                self.first_incoming.get_or_insert(at);
                self.unanswered.get_or_insert(at);
                if position > self.resolved_position {
                    self.fresh.get_or_insert(at);
                }
            }
            Direction::Outgoing => {
                if let Some(first) = self.first_incoming {
                    self.response.get_or_insert(at - first);
                }
                (self.unanswered, self.fresh) = (None, None);
            }
            Direction::Note => {}
        }
    }

    /// Since when somebody waits. Resolving settles what came in before, unless it is reopened for just that.
    fn waiting(&self) -> i64 {
        self.fresh.or(self.unanswered).filter(|_| !self.resolved).unwrap_or(NOBODY)
    }
}

fn apply(
    tables: &Tables,
    id: Uuid,
    event: &ConversationEvent,
    recorded: &Recorded,
) -> Result<(), ApplyError> {
    let before = read(tables, id)?;
    let now = match event {
        ConversationEvent::Logged { contact, channel, message } => {
            let known = before.clone().unwrap_or_else(|| Known::new(contact.0, *channel));
            Some(said(tables, id, known, message, recorded)?)
        }
        ConversationEvent::Replied { message } => match before.clone() {
            Some(known) => Some(said(tables, id, known, message, recorded)?),
            None => None,
        },
        ConversationEvent::Resolved {} => before.clone().map(|known| Known {
            resolved: true,
            resolved_position: recorded.position.0,
            fresh: None,
            ..known
        }),
        ConversationEvent::Reopened {} => before.clone().map(|known| Known { resolved: false, ..known }),
        ConversationEvent::Voided {} => None,
        ConversationEvent::MessageRedacted { message, .. } => {
            let sql = "UPDATE texts SET text = '' WHERE conversation = ?1 AND position IN
                       (SELECT position FROM messages WHERE conversation = ?1 AND message = ?2)";
            tables.forget(recorded, sql, params![id, message.0])?;
            return Ok(());
        }
    };
    if let Some(before) = &before {
        count(tables, before, -1)?;
    }
    let Some(known) = now else {
        for table in ["conversations", "messages", "texts"] {
            tables.execute(&format!("DELETE FROM {table} WHERE conversation = ?1"), [id])?;
        }
        return Ok(());
    };
    count(tables, &known, 1)?;
    write(tables, id, &known)
}

/// Keeps a message, and what the conversation has come to with it.
fn said(
    tables: &Tables,
    id: Uuid,
    mut known: Known,
    message: &Message,
    recorded: &Recorded,
) -> Result<Known, ApplyError> {
    let (at, position) = (recorded.happened_at().timestamp_micros(), recorded.position.0);
    let mentions = message.mentions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    tables.execute(
        "INSERT INTO messages VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            id,
            at,
            position,
            recorded.id.0,
            direction_word(message.direction),
            message.author.map(|author| author.0),
            message.to.map(|to| to.0),
            message.member.map(|member| member.0),
            message.reply_to.map(|message| message.0),
            recorded.occurred_at.map(|at| at.timestamp_micros()),
            recorded.recorded_at.timestamp_micros(),
            mentions,
        ],
    )?;
    if let Some(text) = &message.text {
        tables.execute(
            "INSERT INTO texts VALUES (?1, ?2, ?3, ?4)",
            params![id, position, text.subject().0, tables.reveal(text)],
        )?;
    }
    if (at, position) > known.last {
        known.next(at, position, message.direction);
        return Ok(known);
    }
    // It was said before something that is known already, so that all is gone through again.
    let mut known = known.emptied();
    let sql = "SELECT at, position, direction FROM messages WHERE conversation = ?1 ORDER BY at, position";
    let all = tables
        .rows(sql, [id], |row| Ok((row.get(0)?, row.get(1)?, direction_of(row.get_ref(2)?.as_str()?))))?;
    for (at, position, direction) in all {
        known.next(at, position, direction);
    }
    Ok(known)
}

fn write(tables: &Tables, id: Uuid, known: &Known) -> Result<(), ApplyError> {
    tables.execute(
        "INSERT OR REPLACE INTO conversations
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        params![
            id,
            known.contact,
            channel_word(known.channel),
            known.resolved,
            known.resolved_position,
            known.waiting(),
            known.messages,
            known.began,
            known.last.0,
            known.last.1,
            known.first_incoming,
            known.response,
            known.unanswered,
            known.fresh,
        ],
    )?;
    Ok(())
}

/// Counts a conversation into its cell (`sign` 1) or out of it (−1).
fn count(tables: &Tables, known: &Known, sign: i64) -> Result<(), ApplyError> {
    let channel = channel_word(known.channel);
    tables.execute(
        "INSERT INTO cells VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET conversations = conversations + excluded.conversations,
             waiting = waiting + excluded.waiting, answered = answered + excluded.answered,
             response = response + excluded.response",
        params![
            channel,
            known.resolved,
            sign,
            if known.waiting() == NOBODY { 0 } else { sign },
            known.response.map_or(0, |_| sign),
            sign * known.response.unwrap_or(0),
        ],
    )?;
    if sign < 0 {
        tables.execute(
            "DELETE FROM cells WHERE channel = ?1 AND resolved = ?2 AND conversations = 0",
            params![channel, known.resolved],
        )?;
    }
    Ok(())
}

const COLUMNS: &str = "contact, channel, resolved, resolved_position, messages, began, last, last_position,
    first_incoming, response, unanswered, fresh";

fn read(tables: &Tables, id: Uuid) -> rusqlite::Result<Option<Known>> {
    tables.row(&format!("SELECT {COLUMNS} FROM conversations WHERE conversation = ?1"), [id], read_known)
}

fn read_known(row: &Row<'_>) -> rusqlite::Result<Known> {
    Ok(Known {
        contact: row.get(0)?,
        channel: channel_of(row.get_ref(1)?.as_str()?),
        resolved: row.get(2)?,
        resolved_position: row.get(3)?,
        messages: row.get(4)?,
        began: row.get(5)?,
        last: (row.get(6)?, row.get(7)?),
        first_incoming: row.get(8)?,
        response: row.get(9)?,
        unanswered: row.get(10)?,
        fresh: row.get(11)?,
    })
}

fn minutes(micros: i64) -> f64 {
    count_of(micros) / 60_000_000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts, and microseconds of some centuries, are below 2^53")]
const fn count_of(number: i64) -> f64 {
    number as f64
}

const CHANNELS: [(Channel, &str); 8] = [
    (Channel::Email, "email"),
    (Channel::Phone, "phone"),
    (Channel::Sms, "sms"),
    (Channel::Chat, "chat"),
    (Channel::Social, "social"),
    (Channel::Meeting, "meeting"),
    (Channel::Post, "post"),
    (Channel::Other, "other"),
];

fn channel_word(channel: Channel) -> &'static str {
    CHANNELS.into_iter().find(|(known, _)| *known == channel).map_or("other", |(_, word)| word)
}

fn channel_of(word: &str) -> Channel {
    CHANNELS.into_iter().find(|(_, known)| *known == word).map_or(Channel::Other, |(channel, _)| channel)
}

const fn direction_word(direction: Direction) -> &'static str {
    match direction {
        Direction::Incoming => "incoming",
        Direction::Outgoing => "outgoing",
        Direction::Note => "note",
    }
}

fn direction_of(word: &str) -> Direction {
    match word {
        "incoming" => Direction::Incoming,
        "outgoing" => Direction::Outgoing,
        _ => Direction::Note,
    }
}

#[cfg(test)]
mod tests;
