//! Who has seen whom? Every time that people were shown to an auditor, taken away as a file or followed live.

use chrono::{DateTime, Utc};
use domain::{
    Event, Kind, Recorded, Role,
    disclosure::{DisclosureEvent, Manner, Purpose},
};
use rusqlite::params;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::kit::{
    ApplyError, Page, Projection, Shows, Tables, ViewError,
    column::{moment, read_word, word},
};

/// The projection.
pub struct Disclosures;

/// Which disclosures; all where nothing is asked.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Those in which this contact was named or asked for.
    contact: Option<Uuid>,
    /// Those whose question named nobody: only asking again says who was shown.
    listed: Option<bool>,
    /// Those to this reader: `member:ann`.
    reader: Option<String>,
    /// Those of this view.
    view: Option<String>,
}

/// A page of disclosures, the newest first.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct View {
    /// One row a disclosure.
    pub rows: Vec<DisclosureRow>,
    /// The cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One time that people were shown.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct DisclosureRow {
    /// Its place in the log.
    pub position: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// To whom.
    pub reader: String,
    /// What their token allowed.
    pub role: Role,
    /// What for.
    pub purpose: Purpose,
    /// How.
    pub manner: Manner,
    /// What was asked.
    pub view: String,
    /// With which parameters, without those that are personal.
    pub query: String,
    /// How many events the log held: ask again with `known_at=` this.
    pub size: u64,
    /// How many rows were shown.
    pub rows: u64,
    /// Whether the question named nobody.
    pub listed: bool,
}

impl Projection for Disclosures {
    const NAME: &'static str = "disclosures";
    const QUESTION: &'static str = "Who has seen whom, when, how and what for?";
    const VERSION: u32 = 1;
    const READERS: &'static [Role] = &[Role::Admin, Role::Auditor];
    // Rows about readers, not about those who were shown: looking at them is not a disclosure itself.
    const SHOWS: Shows = Shows::Cells;
    const KINDS: &'static [Kind] = &[Kind::Disclosure];
    const TABLES: &'static str = "
        CREATE TABLE disclosures (
            position INTEGER PRIMARY KEY, at INTEGER NOT NULL, reader TEXT NOT NULL, role TEXT NOT NULL,
            purpose TEXT NOT NULL, manner TEXT NOT NULL, view TEXT NOT NULL, query TEXT NOT NULL,
            size INTEGER NOT NULL, rows INTEGER NOT NULL, listed INTEGER NOT NULL
        );
        CREATE TABLE named (contact BLOB, position INTEGER, PRIMARY KEY (contact, position)) WITHOUT ROWID;";
    const INDEXES: &'static str = "
        CREATE INDEX disclosures_by_reader ON disclosures (reader, position);
        CREATE INDEX disclosures_by_view ON disclosures (view, position);";

    type Query = Query;
    type View = View;

    fn apply(tables: &Tables, recorded: &Recorded) -> Result<(), ApplyError> {
        let Event::Disclosure(DisclosureEvent::Recorded {
            role,
            purpose,
            manner,
            view,
            query,
            size,
            rows,
            shown,
        }) = &recorded.event
        else {
            return Ok(());
        };
        let mut named: Vec<Uuid> = shown.iter().map(|contact| contact.0).collect();
        named.extend(ids_in(query));
        tables.execute(
            "INSERT INTO disclosures VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                recorded.position.0,
                recorded.recorded_at.timestamp_micros(),
                recorded.by.to_string(),
                word(role),
                word(purpose),
                word(manner),
                view,
                query,
                size,
                rows,
                named.is_empty() && *rows > 0,
            ],
        )?;
        for contact in named {
            tables.execute(
                "INSERT OR IGNORE INTO named VALUES (?1, ?2)",
                params![contact, recorded.position.0],
            )?;
        }
        Ok(())
    }

    fn view(tables: &Tables, query: Query, page: &Page) -> Result<Option<View>, ViewError> {
        let before: i64 = page.after()?.unwrap_or(i64::MAX);
        let sql = "SELECT position, at, reader, role, purpose, manner, view, query, size, rows, listed
             FROM disclosures
             WHERE position < ?1 AND (?2 IS NULL OR position IN (SELECT position FROM named WHERE contact = ?2))
                 AND (?3 IS NULL OR listed = ?3) AND (?4 IS NULL OR reader = ?4) AND (?5 IS NULL OR view = ?5)
             ORDER BY position DESC LIMIT ?6";
        let Query { contact, listed, reader, view } = query;
        let asked = params![before, contact, listed, reader, view, page.fetch() as u64];
        let mut rows = tables.rows(sql, asked, |row| {
            Ok(DisclosureRow {
                position: row.get(0)?,
                at: moment(row, 1)?,
                reader: row.get(2)?,
                role: read_word(row, 3)?,
                purpose: read_word(row, 4)?,
                manner: read_word(row, 5)?,
                view: row.get(6)?,
                query: row.get(7)?,
                size: row.get(8)?,
                rows: row.get(9)?,
                listed: row.get(10)?,
            })
        })?;
        let next = page.cut(&mut rows, |row| row.position);
        Ok(Some(View { rows, next }))
    }
}

/// The contacts that a query string names.
fn ids_in(query: &str) -> impl Iterator<Item = Uuid> {
    query.split('&').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let id = match name {
            "contact" | "id" | "subject" | "donor" => value,
            "stream" => value.strip_prefix("contact-").or_else(|| value.strip_prefix("contact%2F"))?,
            // Another thing: who it is about is named beside, or the question is asked again.
            _ => return None,
        };
        Uuid::parse_str(id).ok()
    })
}

#[cfg(test)]
mod tests {
    use domain::ContactId;
    use serde_json::json;

    use super::*;
    use crate::kit::testing::given;

    const ANN: Uuid = Uuid::from_u128(7);

    fn recorded(query: &str, rows: u64, shown: &[Uuid]) -> DisclosureEvent {
        DisclosureEvent::Recorded {
            role: Role::Auditor,
            purpose: Purpose::Audit,
            manner: Manner::Read,
            view: "contacts".into(),
            query: query.into(),
            size: 3,
            rows,
            shown: shown.iter().copied().map(ContactId).collect(),
        }
    }

    #[test]
    fn who_was_named_finds_it_and_a_list_has_to_be_asked_again() {
        let positions = |view: &serde_json::Value| -> Vec<u64> {
            view["rows"].as_array().unwrap().iter().map(|row| row["position"].as_u64().unwrap()).collect()
        };
        given::<Disclosures>()
            .happened("2026-01-01", 1, recorded(&format!("id={ANN}"), 1, &[]))
            .happened("2026-01-02", 2, recorded("tag=vip", 12, &[]))
            .happened("2026-01-03", 3, recorded("", 2, &[ANN, Uuid::from_u128(8)]))
            .happened("2026-01-04", 4, recorded(&format!("stream=contact-{ANN}"), 0, &[]))
            .then(&format!("contact={ANN}"), |view| assert_eq!(positions(&view), [4, 3, 1]))
            .then(&format!("contact={}", Uuid::from_u128(8)), |view| assert_eq!(positions(&view), [3]))
            .then("listed=true", |view| assert_eq!(positions(&view), [2]))
            .then("view=contacts", |view| assert_eq!(positions(&view), [4, 3, 2, 1]))
            .then("view=history", |view| assert_eq!(view["rows"], json!([])))
            .then("", |view| insta::assert_json_snapshot!(view));
    }
}
