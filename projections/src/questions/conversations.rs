//! Who waits for an answer, and since when? Open conversations, longest waiting first; one of them as a tree
//! of messages; how long first answers take.

mod fold;
mod list;
mod query;
mod row;
#[cfg(test)]
mod tests;
mod thread;

use domain::{Event, Kind, Recorded, Role};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kit::{ApplyError, Page, Projection, Shape, Shows, Tables, ViewError};
use fold::{apply, read};
use list::List;
pub use query::Query;
use row::row;
pub use thread::{MessageRow, Thread};

/// The projection.
pub struct Conversations;

/// What is answered.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum View {
    /// Conversations, longest waiting first.
    List(List),
    /// One conversation.
    Thread(Box<Thread>),
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
        List::read(tables, &query, page).map(|list| Some(View::List(list)))
    }

    fn shape(view: &View) -> Shape {
        match view {
            View::List(_) => Shape::of::<List>(),
            View::Thread(_) => Shape::of::<Thread>(),
        }
    }
}
