//! One conversation as it stands, and the cell that it is counted in.

use domain::{
    Recorded,
    conversation::{Channel, ConversationEvent, ConversationStatus, Direction, Message},
};
use rusqlite::{Row, params};
use uuid::Uuid;

use crate::kit::{
    ApplyError, Tables,
    column::{read_word, word},
};

/// When nobody waits: after every moment, so that the longest waiting come first.
pub(super) const NOBODY: i64 = i64::MAX;

/// What is known of a conversation; moments are microseconds.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) contact: Uuid,
    pub(super) channel: Channel,
    pub(super) status: ConversationStatus,
    pub(super) resolved_position: u64,
    pub(super) messages: i64,
    pub(super) began: i64,
    pub(super) last: (i64, u64),
    pub(super) first_incoming: Option<i64>,
    pub(super) response: Option<i64>,
    pub(super) unanswered: Option<i64>,
    pub(super) fresh: Option<i64>,
}

impl Known {
    fn new(contact: Uuid, channel: Channel) -> Self {
        Self {
            contact,
            channel,
            status: ConversationStatus::Open,
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
        let Self { contact, channel, status, resolved_position, .. } = *self;
        Self { status, resolved_position, ..Self::new(contact, channel) }
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

    /// Whether nothing more is to be done.
    pub(super) fn resolved(&self) -> bool {
        self.status == ConversationStatus::Resolved
    }

    /// Since when somebody waits. Resolving settles what came in before, unless it is reopened for just that.
    pub(super) fn waiting(&self) -> i64 {
        self.fresh.or(self.unanswered).filter(|_| !self.resolved()).unwrap_or(NOBODY)
    }
}

pub(super) fn apply(
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
            status: known.status.after(event),
            resolved_position: recorded.position.0,
            fresh: None,
            ..known
        }),
        ConversationEvent::Reopened {} => {
            before.clone().map(|known| Known { status: known.status.after(event), ..known })
        }
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
            word(message.direction),
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
    let all = tables.rows(sql, [id], |row| Ok((row.get(0)?, row.get(1)?, read_word(row, 2)?)))?;
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
            word(known.channel),
            known.resolved(),
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
    let channel = word(known.channel);
    tables.execute(
        "INSERT INTO cells VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET conversations = conversations + excluded.conversations,
             waiting = waiting + excluded.waiting, answered = answered + excluded.answered,
             response = response + excluded.response",
        params![
            channel,
            known.resolved(),
            sign,
            if known.waiting() == NOBODY { 0 } else { sign },
            known.response.map_or(0, |_| sign),
            sign * known.response.unwrap_or(0),
        ],
    )?;
    if sign < 0 {
        tables.execute(
            "DELETE FROM cells WHERE channel = ?1 AND resolved = ?2 AND conversations = 0",
            params![channel, known.resolved()],
        )?;
    }
    Ok(())
}

pub(super) const COLUMNS: &str =
    "contact, channel, resolved, resolved_position, messages, began, last, last_position,
    first_incoming, response, unanswered, fresh";

pub(super) fn read(tables: &Tables, id: Uuid) -> rusqlite::Result<Option<Known>> {
    tables.row(&format!("SELECT {COLUMNS} FROM conversations WHERE conversation = ?1"), [id], read_known)
}

const fn status(resolved: bool) -> ConversationStatus {
    if resolved { ConversationStatus::Resolved } else { ConversationStatus::Open }
}

pub(super) fn read_known(row: &Row<'_>) -> rusqlite::Result<Known> {
    Ok(Known {
        contact: row.get(0)?,
        channel: read_word(row, 1)?,
        status: status(row.get(2)?),
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
