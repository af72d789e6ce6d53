//! The list of conversations, longest waiting first, and what is counted over all of it.

use rusqlite::{Row, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    fold::{COLUMNS, NOBODY, read_known},
    query::{Query, StateAsked},
    row::{ConversationRow, count_of, minutes, row},
};
use crate::kit::{Page, Tables, ViewError, column::word};

/// Conversations, longest waiting first.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
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

impl List {
    pub(super) fn read(tables: &Tables, query: &Query, page: &Page) -> Result<Self, ViewError> {
        let totals = totals(tables, query)?;
        let (rows, next) = rows(tables, query, page)?;
        Ok(Self { totals, rows, next })
    }
}

/// What is counted over every row: from the cells, or from one contact's own conversations.
fn totals(tables: &Tables, query: &Query) -> Result<Totals, ViewError> {
    let (channel, resolved) = (query.channel.map(word), resolved(query.state));
    let read = |row: &Row<'_>| {
        let (answered, response): (i64, i64) = (row.get(2)?, row.get(3)?);
        Ok(Totals {
            conversations: row.get(0)?,
            waiting: row.get(1)?,
            answered,
            first_response_minutes: (answered > 0).then(|| minutes(response) / count_of(answered)),
        })
    };
    let totals = match query.contact {
        None => tables.row(
            "SELECT coalesce(sum(conversations), 0), coalesce(sum(waiting), 0), coalesce(sum(answered), 0),
                 coalesce(sum(response), 0)
             FROM cells WHERE (?1 IS NULL OR channel = ?1) AND (?2 IS NULL OR resolved = ?2)",
            params![channel, resolved],
            read,
        )?,
        Some(contact) => tables.row(
            &format!("SELECT count(*), count(*) FILTER (WHERE waiting < ?4), count(response), coalesce(sum(response), 0)
             FROM conversations
             WHERE (?1 IS NULL OR channel = ?1) AND (?2 IS NULL OR resolved = ?2) AND {}", theirs("?3")),
            params![channel, resolved, contact, NOBODY],
            read,
        )?,
    };
    Ok(totals.unwrap_or_default())
}

const fn resolved(state: StateAsked) -> Option<bool> {
    match state {
        StateAsked::Open => Some(false),
        StateAsked::Resolved => Some(true),
        StateAsked::All => None,
    }
}

fn rows(
    tables: &Tables,
    query: &Query,
    page: &Page,
) -> Result<(Vec<ConversationRow>, Option<String>), ViewError> {
    let (waiting, after) = page.after::<(i64, Uuid)>()?.unzip();
    // Said outright, so that each question finds its index.
    let found_by = match (query.contact, query.state) {
        (Some(_), _) => format!("{} AND (?3 IS NULL OR resolved = ?3)", theirs("?2")),
        (None, StateAsked::All) => "?2 IS NULL AND ?3 IS NULL".to_owned(),
        (None, StateAsked::Open | StateAsked::Resolved) => "?2 IS NULL AND resolved = ?3".to_owned(),
    };
    let sql = format!(
        "SELECT {COLUMNS}, conversation FROM conversations
         WHERE {found_by} AND (?1 IS NULL OR channel = ?1) AND (waiting, conversation) > (?4, ?5)
         ORDER BY waiting, conversation LIMIT ?6"
    );
    let filters = params![
        query.channel.map(word),
        query.contact,
        resolved(query.state),
        waiting.unwrap_or(i64::MIN),
        after.map_or(Vec::new(), |after| after.as_bytes().to_vec()),
        page.fetch() as u64,
    ];
    let mut found = tables.rows(&sql, filters, |row| Ok((read_known(row)?, row.get::<_, Uuid>(12)?)))?;
    let next = page.cut(&mut found, |(known, id)| (known.waiting(), *id));
    let rows = found.iter().map(|(known, id)| row(tables, *id, known, query.at));
    Ok((rows.collect::<rusqlite::Result<_>>()?, next))
}

/// Conversations with any contact of the person of the one asked for.
fn theirs(contact: &str) -> String {
    format!(
        "contact IN (SELECT {contact} UNION SELECT mate.contact FROM person AS me
             JOIN person AS mate ON mate.person = me.person WHERE me.contact = {contact})"
    )
}
