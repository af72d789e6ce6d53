//! What happened, and who says so? Every event that concerns one contact, across all streams, or the events of
//! one stream, each with its whole envelope and one plain sentence.

use chrono::{DateTime, NaiveDate, Utc};
use domain::{Event, Kind, Metadata, Recorded, Role, StreamId, conversation::ConversationEvent};
use rusqlite::{Row, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    kit::{
        ApplyError, Page, Projection, Shows, Tables, ViewError,
        column::{maybe_moment, moment},
    },
    meaning::{self, Said},
};

mod names;

use names::NamesOfTheDay;

/// The projection.
pub struct History;

/// Whose history is asked for: a contact's, one stream's, or that of some positions.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Every event that concerns this contact or one that is merged with it, whatever it happened to.
    contact: Option<Uuid>,
    /// Every event of one thing: `deal-<uuid>` or `deal/<uuid>`.
    stream: Option<StreamId>,
    /// The events at these positions of the log, at most 1,000, with commas between.
    at: Option<Positions>,
    /// Which end comes first.
    #[serde(default)]
    order: Order,
}

/// Positions as they stand in a query: `12,15`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
struct Positions(Vec<u64>);

impl TryFrom<String> for Positions {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let positions: Result<Vec<u64>, _> = text.split(',').map(|part| part.trim().parse()).collect();
        match positions {
            Ok(positions) if positions.len() <= Page::MOST => Ok(Self(positions)),
            Ok(_) => Err(format!("at most {} positions can be asked for", Page::MOST)),
            Err(_) => Err("positions are numbers with commas between: 12,15".to_owned()),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Order {
    #[default]
    Oldest,
    Newest,
}

/// A page of history, in the order in which it was recorded.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct View {
    /// One row an event.
    pub rows: Vec<HistoryRow>,
    /// The cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One event with its envelope.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct HistoryRow {
    /// Its place in the log.
    pub position: u64,
    /// What it happened to.
    pub stream: StreamId,
    /// Its number in that stream.
    pub revision: u64,
    /// Its id.
    pub event: Uuid,
    /// Its stored name.
    pub tag: String,
    /// What happened, in one sentence without anything personal.
    pub what: String,
    /// The personal text that belongs to the sentence; empty where it was forgotten.
    pub detail: Option<String>,
    /// The event that this one corrects.
    pub corrects: Option<Uuid>,
    /// Who wrote it.
    pub by: String,
    /// For whom.
    pub on_behalf_of: Option<String>,
    /// Why, in the writer's words; empty where it was forgotten.
    pub reason: Option<String>,
    /// When it was so, where that was said.
    pub occurred_at: Option<DateTime<Utc>>,
    /// When it was learnt.
    pub recorded_at: DateTime<Utc>,
    /// The source of an imported fact.
    pub source: Option<String>,
    /// Its file.
    pub file: Option<String>,
    /// The line of the file.
    pub line: Option<i64>,
    /// The zone in which the source states its times.
    pub zone: Option<String>,
    /// What the event belongs to.
    pub correlation: Option<Uuid>,
    /// The event that caused it.
    pub causation: Option<Uuid>,
    /// The day on which it was so, where it was told as a day: then it has no time of the day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<NaiveDate>,
}

impl Projection for History {
    const NAME: &'static str = "history";
    const QUESTION: &'static str = "What happened to this contact, or to this one thing, and who says so?";
    const VERSION: u32 = 2;
    const READERS: &'static [Role] = &[Role::Admin, Role::Staff, Role::Auditor];
    const SHOWS: Shows = Shows::People;
    // All but disclosures: who looked at a history is not part of it, and reading must not make it longer.
    const KINDS: &'static [Kind] = &Kind::all_but::<{ Kind::ALL.len() - 1 }>(Kind::Disclosure);
    // Ten million events stand here, so what repeats (tags, actors, sources) is a number into `words`, and a
    // contact is a number too. `names` holds what staff, programs, gatherings and funds are called at this
    // point of the log: a sentence keeps the name of its day.
    const TABLES: &'static str = "
        CREATE TABLE events (
            position INTEGER PRIMARY KEY, stream BLOB NOT NULL, revision INTEGER NOT NULL, event BLOB NOT NULL,
            tag INTEGER NOT NULL, what TEXT NOT NULL, corrects BLOB, by INTEGER NOT NULL, on_behalf_of INTEGER,
            occurred_at INTEGER, recorded_at INTEGER NOT NULL, source INTEGER, file INTEGER, line INTEGER,
            zone INTEGER, correlation BLOB, causation BLOB, day TEXT
        );
        CREATE TABLE contacts (number INTEGER PRIMARY KEY, contact BLOB NOT NULL UNIQUE);
        CREATE TABLE concerned (contact INTEGER, position INTEGER, PRIMARY KEY (contact, position)) WITHOUT ROWID;
        CREATE TABLE texts (
            position INTEGER, part INTEGER, subject BLOB NOT NULL, text PERSONAL TEXT NOT NULL,
            PRIMARY KEY (position, part)
        ) WITHOUT ROWID;
        CREATE TABLE words (number INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE);
        CREATE TABLE names (id BLOB PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;";
    // An index ends with the position by itself, and along a stream positions grow with revisions. The second
    // one is for erasing: one person's texts must be found among millions.
    const INDEXES: &'static str = "
        CREATE INDEX events_by_stream ON events (stream);
        CREATE INDEX texts_by_subject ON texts (subject);";
    type Query = Query;
    type View = View;

    fn apply(tables: &Tables, recorded: &Recorded) -> Result<(), ApplyError> {
        let unreadable = |error: serde_json::Error| {
            ApplyError::Contradiction(format!("the event cannot be read: {error}"))
        };
        let metadata = recorded.metadata().map_err(unreadable)?;
        let (tag, _) = recorded.event.encode().map_err(unreadable)?;
        let names = NamesOfTheDay(tables);
        let said = meaning::sentence(&names, recorded)?;
        keep(tables, recorded, &metadata, &tag, &said)?;
        let texts = [(DETAIL, said.detail), (REASON, metadata.reason.as_ref())];
        for (part, text) in texts {
            let Some(text) = text else { continue };
            tables.execute(
                "INSERT INTO texts VALUES (?1, ?2, ?3, ?4)",
                params![recorded.position.0, part, text.subject().0, tables.reveal(text)],
            )?;
        }
        if let Event::Conversation(ConversationEvent::MessageRedacted { message, .. }) = &recorded.event {
            let sql = "UPDATE texts SET text = '' WHERE part = ?3 AND position IN
                       (SELECT position FROM events WHERE stream = ?1 AND event = ?2)";
            tables.forget(recorded, sql, params![recorded.stream.id, message.0, DETAIL])?;
        }
        for contact in &recorded.subjects {
            tables.execute("INSERT OR IGNORE INTO contacts (contact) VALUES (?1)", [contact.0])?;
            tables.execute(
                "INSERT OR IGNORE INTO concerned SELECT number, ?2 FROM contacts WHERE contact = ?1",
                params![contact.0, recorded.position.0],
            )?;
        }
        Ok(())
    }

    fn view(tables: &Tables, query: Query, page: &Page) -> Result<Option<View>, ViewError> {
        let after: Option<u64> = page.after()?;
        let (comparison, order, start) = match query.order {
            Order::Oldest => (">", "ASC", i64::MIN),
            Order::Newest => ("<", "DESC", i64::MAX),
        };
        let start = after.map_or(start, |after| i64::try_from(after).unwrap_or(i64::MAX));
        let fetch = page.fetch() as u64;
        let rest = format!("position {comparison} ?2 ORDER BY position {order} LIMIT ?3");
        let mut rows = match (query.contact, query.stream, query.at) {
            (Some(contact), None, None) => {
                let numbers = numbers_of(tables, contact)?;
                let Some(first) = numbers.first() else { return Ok(None) };
                // What concerns several contacts of one person is told once.
                let theirs = if let [_] = numbers.as_slice() {
                    "SELECT position FROM concerned WHERE contact = ?1".to_owned()
                } else {
                    let all = numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                    format!("SELECT DISTINCT position FROM concerned WHERE contact IN ({all}) AND ?1")
                };
                let positions = rows_at(&format!("{theirs} AND {rest}"), order);
                tables.rows(&positions, params![first, start, fetch], read_row)?
            }
            (None, Some(StreamId { kind, id }), None) => {
                // Things of two kinds may bear one id, so the tag decides.
                let theirs = "stream = ?1 AND EXISTS (SELECT 1 FROM words WHERE number = tag
                     AND substr(word, 1, length(?4)) = ?4)";
                let kind = format!("{kind}.");
                let any = format!("SELECT 1 FROM events WHERE {theirs} LIMIT 1");
                if tables.row(&any, params![id, start, fetch, kind], |_| Ok(()))?.is_none() {
                    return Ok(None);
                }
                let positions = format!("SELECT position FROM events WHERE {theirs} AND {rest}");
                tables.rows(&rows_at(&positions, order), params![id, start, fetch, kind], read_row)?
            }
            (None, None, Some(Positions(positions))) => {
                let listed =
                    format!("[{}]", positions.iter().map(u64::to_string).collect::<Vec<_>>().join(","));
                let positions = format!("SELECT DISTINCT value AS position FROM json_each(?1) WHERE {rest}");
                tables.rows(&rows_at(&positions, order), params![listed, start, fetch], read_row)?
            }
            (None, None, None) => {
                return Err(ViewError::query("contact", "is missing: give a contact's id, or a `stream`"));
            }
            (None, _, Some(_)) | (Some(_), None, Some(_)) => {
                return Err(ViewError::query("at", "goes alone: leave out `contact` and `stream`"));
            }
            (Some(_), Some(_), _) => {
                return Err(ViewError::query("stream", "goes without `contact`: give one of the two"));
            }
        };
        let next = page.cut(&mut rows, |row| row.position);
        Ok(Some(View { rows, next }))
    }
}

/// The numbers of all contacts of the person of a contact, as far as anything concerns them.
fn numbers_of(tables: &Tables, contact: Uuid) -> Result<Vec<i64>, ViewError> {
    let mut numbers = Vec::new();
    for part in tables.parts_of(contact)? {
        let number = "SELECT number FROM contacts WHERE contact = ?1";
        numbers.extend(tables.row(number, [part], |row| row.get::<_, i64>(0))?);
    }
    Ok(numbers)
}

/// The parts of an event's personal texts.
const DETAIL: i64 = 0;
const REASON: i64 = 1;

fn keep(
    tables: &Tables,
    recorded: &Recorded,
    metadata: &Metadata,
    tag: &str,
    said: &Said<'_>,
) -> Result<(), ApplyError> {
    let Metadata { on_behalf_of, reason: _, source, correlation, causation, day } = metadata;
    let number = |word: Option<&str>| word.map(|word| word_number(tables, word)).transpose();
    let source = source.as_ref();
    tables.execute(
        "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
        params![
            recorded.position.0,
            recorded.stream.id,
            recorded.revision,
            recorded.id.0,
            word_number(tables, tag)?,
            said.what,
            said.corrects,
            word_number(tables, &recorded.by.to_string())?,
            number(on_behalf_of.as_ref().map(ToString::to_string).as_deref())?,
            recorded.occurred_at.map(|at| at.timestamp_micros()),
            recorded.recorded_at.timestamp_micros(),
            number(source.map(|source| source.name.as_str()))?,
            number(source.and_then(|source| source.file.as_deref()))?,
            source.and_then(|source| source.line),
            number(source.and_then(|source| source.zone.as_deref()))?,
            correlation,
            causation.map(|event| event.0),
            day.map(|day| day.to_string()),
        ],
    )?;
    Ok(())
}

/// The number of a word that repeats, given when it is first seen.
fn word_number(tables: &Tables, word: &str) -> Result<i64, ApplyError> {
    let known = tables.row("SELECT number FROM words WHERE word = ?1", [word], |row| row.get(0))?;
    if let Some(number) = known {
        return Ok(number);
    }
    let sql = "INSERT INTO words (word) VALUES (?1) RETURNING number";
    tables
        .row(sql, [word], |row| row.get(0))?
        .ok_or_else(|| ApplyError::Contradiction("a word was given no number".to_owned()))
}

/// Whole rows at some positions, in their order.
fn rows_at(positions: &str, order: &str) -> String {
    format!(
        "SELECT e.position, t.word, e.stream, e.revision, e.event, e.what, d.text, e.corrects, b.word, o.word,
             r.text, e.occurred_at, e.recorded_at, s.word, f.word, e.line, z.word, e.correlation, e.causation, e.day
         FROM ({positions}) AS p
         CROSS JOIN events AS e ON e.position = p.position
         JOIN words AS t ON t.number = e.tag
         JOIN words AS b ON b.number = e.by
         LEFT JOIN words AS o ON o.number = e.on_behalf_of
         LEFT JOIN words AS s ON s.number = e.source
         LEFT JOIN words AS f ON f.number = e.file
         LEFT JOIN words AS z ON z.number = e.zone
         LEFT JOIN texts AS d ON d.position = e.position AND d.part = {DETAIL}
         LEFT JOIN texts AS r ON r.position = e.position AND r.part = {REASON}
         ORDER BY e.position {order}"
    )
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<HistoryRow> {
    let tag: String = row.get(1)?;
    let kind = tag.split_once('.').and_then(|(kind, _)| kind.parse().ok()).ok_or_else(|| {
        let unknown = format!("`{tag}` is the tag of no kind");
        rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, unknown.into())
    })?;
    let stream = StreamId::new(kind, row.get(2)?);
    Ok(HistoryRow {
        position: row.get(0)?,
        stream,
        tag,
        revision: row.get(3)?,
        event: row.get(4)?,
        what: row.get(5)?,
        detail: row.get(6)?,
        corrects: row.get(7)?,
        by: row.get(8)?,
        on_behalf_of: row.get(9)?,
        reason: row.get(10)?,
        occurred_at: maybe_moment(row, 11)?,
        recorded_at: moment(row, 12)?,
        source: row.get(13)?,
        file: row.get(14)?,
        line: row.get(15)?,
        zone: row.get(16)?,
        correlation: row.get(17)?,
        causation: row.get(18)?,
        day: row.get::<_, Option<String>>(19)?.and_then(|day| day.parse().ok()),
    })
}

#[cfg(test)]
mod tests;
