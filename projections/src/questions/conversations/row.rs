//! One conversation as a row of an answer.

use chrono::{DateTime, Utc};
use domain::{ContactId, conversation::Channel};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::fold::{Known, NOBODY};
use crate::kit::{Tables, column::moment_of};

/// One conversation.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ConversationRow {
    pub conversation: Uuid,
    pub contact: ContactId,
    /// Where the contact is merged with others: the one that all are merged into. Nothing is sent to it: an answer
    /// goes to the contact that wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<ContactId>,
    pub channel: Channel,
    /// Whether nothing more is to be done.
    pub resolved: bool,
    /// When the first message came in that nobody has answered yet; notes are no answers, and in a resolved
    /// conversation nobody waits.
    pub waiting_since: Option<DateTime<Utc>>,
    /// How many minutes that was before `at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_minutes: Option<i64>,
    /// How many messages, notes included.
    pub messages: i64,
    /// When the first message was.
    pub began_at: DateTime<Utc>,
    /// When the last message was.
    pub last_activity: DateTime<Utc>,
    /// Minutes from the contact's first message to the first answer.
    pub first_response_minutes: Option<f64>,
}

/// Where the moments shown stand among the columns of a conversation.
const BEGAN: usize = 5;
const LAST: usize = 6;
const WAITING: usize = 10;

pub(super) fn row(
    tables: &Tables,
    conversation: Uuid,
    known: &Known,
    at: Option<DateTime<Utc>>,
) -> rusqlite::Result<ConversationRow> {
    let waiting = Some(known.waiting()).filter(|waiting| *waiting != NOBODY);
    let waiting = waiting.map(|since| moment_of(WAITING, since)).transpose()?;
    let waited = waiting.zip(at).map(|(since, at)| (at - since).num_minutes());
    Ok(ConversationRow {
        conversation,
        contact: ContactId(known.contact),
        person: tables.merged_person(known.contact)?.map(ContactId),
        channel: known.channel,
        resolved: known.resolved(),
        waiting_since: waiting,
        waiting_minutes: waited.filter(|minutes| *minutes >= 0),
        messages: known.messages,
        began_at: moment_of(BEGAN, known.began)?,
        last_activity: moment_of(LAST, known.last.0)?,
        first_response_minutes: known.response.map(minutes),
    })
}

pub(super) fn minutes(micros: i64) -> f64 {
    count_of(micros) / 60_000_000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts, and microseconds of some centuries, are below 2^53")]
pub(super) const fn count_of(number: i64) -> f64 {
    number as f64
}
