//! One conversation as a tree: every message with its answers below it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::{ContactId, conversation::Direction};
use rusqlite::params;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::row::ConversationRow;
use crate::kit::{
    Tables,
    column::{maybe_moment, moment, read_word},
};

/// How deep answers are nested; those deeper stand side by side on the last level, since readers of JSON bear
/// only so much nesting.
const DEPTH: usize = 30;
/// How many messages of one conversation are shown.
const MESSAGES: usize = 5_000;

/// One conversation with its messages.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Thread {
    /// The conversation itself.
    #[serde(flatten)]
    pub row: ConversationRow,
    /// Whether the conversation has more messages than are shown; the earliest are.
    pub cut: bool,
    /// The messages that answer no other, in the order of when they were.
    pub tree: Vec<MessageRow>,
}

/// One message.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct MessageRow {
    /// Its id, which is the id of the event that recorded it.
    pub message: Uuid,
    /// The message it answers.
    pub reply_to: Option<Uuid>,
    /// Whether it came in, went out, or is a note.
    pub direction: Direction,
    /// The contact who wrote it.
    pub author: Option<ContactId>,
    /// The contact to whom it went: the one who wrote what it answers, whoever they are merged with.
    pub to: Option<ContactId>,
    /// The member of staff who wrote it.
    pub member: Option<Uuid>,
    /// When it was said, where that is known.
    pub occurred_at: Option<DateTime<Utc>>,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// What was said; empty where it has been forgotten, absent where there never was a text.
    pub text: Option<String>,
    /// The contacts that it mentions.
    pub mentions: Vec<ContactId>,
    /// The messages that answer it.
    pub replies: Vec<MessageRow>,
    #[serde(skip)]
    order: (i64, u64),
}

impl Thread {
    pub(super) fn read(tables: &Tables, row: ConversationRow) -> rusqlite::Result<Self> {
        let sql =
            "SELECT at, position, message, direction, author, member, reply_to, occurred_at, recorded_at,
                 mentions, text, recipient
             FROM messages LEFT JOIN texts USING (conversation, position)
             WHERE conversation = ?1 ORDER BY at, position LIMIT ?2";
        let mut messages = tables.rows(sql, params![row.conversation, MESSAGES as u64 + 1], |row| {
            let mentions = row.get_ref(9)?.as_str()?.split(' ');
            Ok(MessageRow {
                order: (row.get(0)?, row.get(1)?),
                message: row.get(2)?,
                direction: read_word(row, 3)?,
                author: row.get::<_, Option<_>>(4)?.map(ContactId),
                to: row.get::<_, Option<_>>(11)?.map(ContactId),
                member: row.get(5)?,
                reply_to: row.get(6)?,
                occurred_at: maybe_moment(row, 7)?,
                recorded_at: moment(row, 8)?,
                mentions: mentions.filter_map(|id| Uuid::parse_str(id).ok()).map(ContactId).collect(),
                text: row.get(10)?,
                replies: Vec::new(),
            })
        })?;
        let cut = messages.len() > MESSAGES;
        messages.truncate(MESSAGES);
        Ok(Self { row, cut, tree: tree(messages) })
    }
}

/// Puts every message below the one it answers. A message can answer only one recorded before it, so that in
/// the order of recording every parent comes before its children, and nothing goes round in a circle.
fn tree(mut messages: Vec<MessageRow>) -> Vec<MessageRow> {
    messages.sort_unstable_by_key(|message| message.order.1);
    let mut places = HashMap::new();
    let mut parents: Vec<(Option<usize>, usize)> = Vec::with_capacity(messages.len());
    for (place, message) in messages.iter().enumerate() {
        let answered = message.reply_to.and_then(|answered| places.get(&answered).copied());
        parents.push(match answered.map(|answered| (answered, parents[answered])) {
            Some((_, (beside, DEPTH))) => (beside, DEPTH),
            Some((answered, (_, depth))) => (Some(answered), depth + 1),
            None => (None, 1),
        });
        places.insert(message.message, place);
    }
    let mut roots = Vec::new();
    // From the last to the first: whatever answers a message is already in it when it moves itself.
    while let (Some(mut message), Some((parent, _))) = (messages.pop(), parents.pop()) {
        message.replies.sort_unstable_by_key(|reply| reply.order);
        match parent.and_then(|parent| messages.get_mut(parent)) {
            Some(parent) => parent.replies.push(message),
            None => roots.push(message),
        }
    }
    roots.sort_unstable_by_key(|root| root.order);
    roots
}
