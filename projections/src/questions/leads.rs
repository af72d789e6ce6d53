//! What becomes of leads? Captured, in work, converted or lost, by source, owner, status and month; how many
//! convert and how long it takes; the leads behind a cell.

mod answer;
mod behind;

use chrono::{DateTime, Utc};
use domain::{
    Event, Kind, Recorded, Role,
    lead::{DisqualifiedBecause, LeadEvent},
    member::MemberEvent,
};
use rusqlite::{Row, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::kit::{ApplyError, Behind, Month, Page, Period, Projection, Shows, Tables, ViewError};
use answer::{cells, leads, named};

/// The projection.
pub struct Leads;

/// What can be asked of the leads.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// What the rows are grouped by.
    #[serde(default)]
    by: Group,
    /// Whether the rows are cells, or the single leads behind them.
    #[serde(default)]
    show: Show,
    /// Only leads from this source.
    source: Option<String>,
    /// Only leads of this member of staff.
    owner: Option<Uuid>,
    /// Only leads that stand so.
    status: Option<Status>,
    /// Only leads captured in this period.
    captured: Option<Period>,
}

/// What cells are grouped by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Group {
    Source,
    Owner,
    #[default]
    Status,
    /// Month of capture.
    Month,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Show {
    #[default]
    Cells,
    Leads,
}

/// How a lead stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// Captured, and nobody's yet.
    New,
    /// Given to a member of staff.
    Contacted,
    /// Worth pursuing.
    Qualified,
    /// Not worth pursuing, not to be reached or not interested.
    Unqualified,
    /// No real lead, or one that was here already.
    Junk,
    /// Became a deal.
    Converted,
}

/// What a status comes to, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum StatusType {
    Open,
    Won,
    Lost,
}

/// The leads.
#[derive(Debug, Serialize, JsonSchema)]
pub struct View {
    /// Over all rows, this page and others.
    totals: Cell,
    /// The cells or the leads.
    rows: Vec<ViewRow>,
    /// The cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum ViewRow {
    Cell(NamedCell),
    Lead(LeadRow),
}

#[derive(Debug, Serialize, JsonSchema)]
struct NamedCell {
    /// The source, name, status or month; empty where the leads have none.
    group: String,
    #[serde(flatten)]
    cell: Cell,
}

/// Leads counted together.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
struct Cell {
    /// How many were captured.
    captured: i64,
    /// How many of them are open: new, contacted or qualified.
    open: i64,
    /// How many were won: converted.
    won: i64,
    /// How many were lost: unqualified or junk.
    lost: i64,
    /// Converted ÷ captured; absent where none was captured.
    conversion_rate: Option<f64>,
    /// Mean days from capture to conversion; absent where none was converted.
    days_to_conversion: Option<f64>,
    #[serde(skip)]
    seconds: i64,
}

/// One lead behind a cell.
#[derive(Debug, Serialize, JsonSchema)]
struct LeadRow {
    lead: Uuid,
    status: Status,
    /// What the status comes to.
    #[serde(rename = "type")]
    status_type: StatusType,
    /// Why it came to nothing.
    because: Option<DisqualifiedBecause>,
    source: String,
    /// The name of the member of staff who has it.
    owner: Option<String>,
    contact: Uuid,
    /// Where the contact is merged with others: the one that all are merged into.
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<Uuid>,
    /// How much it is worth pursuing, 0 to 100.
    score: Option<u8>,
    /// The deal that it became.
    deal: Option<Uuid>,
    captured_at: DateTime<Utc>,
    converted_at: Option<DateTime<Utc>>,
}

impl Projection for Leads {
    const NAME: &'static str = "leads";
    const QUESTION: &'static str =
        "What becomes of leads, by source, owner, status and month, and how many convert?";
    const VERSION: u32 = 1;
    const READERS: &'static [Role] = &[Role::Admin, Role::Staff, Role::Fundraiser, Role::Auditor];
    const SHOWS: Shows = Shows::Cells;
    const KINDS: &'static [Kind] = &[Kind::Lead, Kind::Member];
    const TABLES: &'static str = "
        CREATE TABLE leads (
            lead BLOB PRIMARY KEY, status TEXT NOT NULL, because TEXT, source TEXT NOT NULL, owner BLOB,
            contact BLOB NOT NULL, score INTEGER, deal BLOB, captured_at INTEGER NOT NULL, converted_at INTEGER
        ) WITHOUT ROWID;
        CREATE TABLE cells (
            source TEXT, owner BLOB, status TEXT, captured INTEGER, leads INTEGER NOT NULL, seconds INTEGER NOT NULL,
            PRIMARY KEY (source, owner, status, captured)
        ) WITHOUT ROWID;
        CREATE TABLE members (member BLOB PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;";
    const INDEXES: &'static str = "
        CREATE INDEX leads_by_status ON leads (status, lead);
        CREATE INDEX leads_by_owner ON leads (owner, lead);";
    type Query = Query;
    type View = View;

    fn apply(tables: &Tables, recorded: &Recorded) -> Result<(), ApplyError> {
        let id = recorded.stream.id;
        match &recorded.event {
            Event::Lead(event) => change(tables, id, |lead| after(lead, event, recorded.happened_at()))?,
            Event::Member(event) => apply_member(tables, id, event)?,
            _ => {}
        }
        Ok(())
    }

    fn view(tables: &Tables, query: Query, page: &Page) -> Result<Option<View>, ViewError> {
        let cells = cells(tables, &query)?;
        let mut totals = Cell::default();
        for cell in cells.values() {
            totals.add(cell);
        }
        totals.finish();
        let (rows, next) =
            if query.show == Show::Leads { leads(tables, &query, page)? } else { named(cells, page)? };
        Ok(Some(View { totals, rows, next }))
    }

    fn behind(
        tables: &Tables,
        query: Query,
        group: Option<&str>,
        page: &Page,
    ) -> Result<Option<Behind>, ViewError> {
        behind::behind(tables, &query, group, page).map(Some)
    }
}

fn apply_member(tables: &Tables, id: Uuid, event: &MemberEvent) -> Result<(), ApplyError> {
    match event {
        MemberEvent::Joined { name, .. } | MemberEvent::Renamed { name } => {
            tables.execute("INSERT OR REPLACE INTO members VALUES (?1, ?2)", params![id, name])?;
        }
        // Leads stay with those who have left; teams and tokens change nothing here.
        MemberEvent::Moved { .. }
        | MemberEvent::Left {}
        | MemberEvent::TokenGranted { .. }
        | MemberEvent::TokenRevoked {} => {}
    }
    Ok(())
}

impl Status {
    const ALL: [Self; 6] =
        [Self::New, Self::Contacted, Self::Qualified, Self::Unqualified, Self::Junk, Self::Converted];

    const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Contacted => "contacted",
            Self::Qualified => "qualified",
            Self::Unqualified => "unqualified",
            Self::Junk => "junk",
            Self::Converted => "converted",
        }
    }

    fn of(word: &str) -> Self {
        Self::ALL.into_iter().find(|status| status.word() == word).unwrap_or(Self::New)
    }

    const fn status_type(self) -> StatusType {
        match self {
            Self::New | Self::Contacted | Self::Qualified => StatusType::Open,
            Self::Unqualified | Self::Junk => StatusType::Lost,
            Self::Converted => StatusType::Won,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Lead {
    status: Status,
    because: Option<DisqualifiedBecause>,
    source: String,
    owner: Option<Uuid>,
    contact: Uuid,
    score: Option<u8>,
    deal: Option<Uuid>,
    captured_at: DateTime<Utc>,
    converted_at: Option<DateTime<Utc>>,
}

/// The lead after an event; none where it counts nowhere.
fn after(lead: Option<Lead>, event: &LeadEvent, at: DateTime<Utc>) -> Option<Lead> {
    if let LeadEvent::Captured { contact, source, conversation: _, interest: _ } = event {
        return Some(Lead {
            status: Status::New,
            because: None,
            source: source.clone(),
            owner: None,
            contact: contact.0,
            score: None,
            deal: None,
            captured_at: at,
            converted_at: None,
        });
    }
    let lead = lead?;
    Some(match event {
        LeadEvent::Captured { .. } => lead,
        LeadEvent::Assigned { owner } => {
            let status = if lead.status == Status::New { Status::Contacted } else { lead.status };
            Lead { owner: Some(owner.0), status, ..lead }
        }
        // What has become a deal stays converted, whatever is said about the lead afterwards.
        LeadEvent::Qualified { .. } | LeadEvent::Disqualified { .. } if lead.deal.is_some() => lead,
        LeadEvent::Qualified { score } => {
            Lead { status: Status::Qualified, because: None, score: score.or(lead.score), ..lead }
        }
        LeadEvent::Disqualified { because } => {
            let status = match because {
                DisqualifiedBecause::Junk | DisqualifiedBecause::Duplicate => Status::Junk,
                DisqualifiedBecause::Unqualified
                | DisqualifiedBecause::Unreachable
                | DisqualifiedBecause::NotInterested => Status::Unqualified,
            };
            Lead { status, because: Some(*because), ..lead }
        }
        LeadEvent::Converted { deal, value: _ } => Lead {
            status: Status::Converted,
            because: None,
            deal: Some(deal.0),
            converted_at: Some(at),
            ..lead
        },
        LeadEvent::Corrected { fact: _, source, contact } => Lead {
            source: source.clone().unwrap_or(lead.source),
            contact: contact.map_or(lead.contact, |contact| contact.0),
            ..lead
        },
        LeadEvent::Voided {} => return None,
    })
}

/// Replaces one lead, and moves it from its old cell to its new one.
fn change(
    tables: &Tables,
    id: Uuid,
    after: impl FnOnce(Option<Lead>) -> Option<Lead>,
) -> Result<(), ApplyError> {
    let before = tables.row(
        "SELECT status, because, source, owner, contact, score, deal, captured_at, converted_at
         FROM leads WHERE lead = ?1",
        [id],
        read_lead,
    )?;
    let now = after(before.clone());
    if let Some(before) = &before {
        count(tables, before, -1)?;
    }
    let Some(lead) = now else {
        tables.execute("DELETE FROM leads WHERE lead = ?1", [id])?;
        return Ok(());
    };
    count(tables, &lead, 1)?;
    tables.execute(
        "INSERT OR REPLACE INTO leads VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            id,
            lead.status.word(),
            lead.because.map(because_word),
            lead.source,
            lead.owner,
            lead.contact,
            lead.score,
            lead.deal,
            lead.captured_at.timestamp_micros(),
            lead.converted_at.map(|at| at.timestamp_micros()),
        ],
    )?;
    Ok(())
}

/// Counts a lead into its cell (`sign` 1) or out of it (−1).
fn count(tables: &Tables, lead: &Lead, sign: i64) -> Result<(), ApplyError> {
    let seconds = lead.converted_at.map_or(0, |at| (at - lead.captured_at).num_seconds());
    // A key without a value is empty, since SQLite holds any two NULLs in a key to be different.
    let owner = lead.owner.map_or(Vec::new(), |owner| owner.as_bytes().to_vec());
    let (status, captured) = (lead.status.word(), Month::of(lead.captured_at).0);
    tables.execute(
        "INSERT INTO cells VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET leads = leads + excluded.leads, seconds = seconds + excluded.seconds",
        params![lead.source, owner, status, captured, sign, sign * seconds],
    )?;
    if sign < 0 {
        tables.execute(
            "DELETE FROM cells
             WHERE source = ?1 AND owner = ?2 AND status = ?3 AND captured = ?4 AND leads = 0",
            params![lead.source, owner, status, captured],
        )?;
    }
    Ok(())
}

const REASONS: [(DisqualifiedBecause, &str); 5] = [
    (DisqualifiedBecause::Unqualified, "unqualified"),
    (DisqualifiedBecause::Junk, "junk"),
    (DisqualifiedBecause::Duplicate, "duplicate"),
    (DisqualifiedBecause::Unreachable, "unreachable"),
    (DisqualifiedBecause::NotInterested, "not_interested"),
];

fn because_word(because: DisqualifiedBecause) -> &'static str {
    REASONS.into_iter().find(|(known, _)| *known == because).map_or("", |(_, word)| word)
}

fn read_lead(row: &Row<'_>) -> rusqlite::Result<Lead> {
    let because: Option<String> = row.get(1)?;
    let because = because
        .and_then(|because| REASONS.into_iter().find(|(_, word)| *word == because))
        .map(|(because, _)| because);
    let moment = |micros: i64| DateTime::from_timestamp_micros(micros).unwrap_or_default();
    Ok(Lead {
        status: Status::of(row.get_ref(0)?.as_str()?),
        because,
        source: row.get(2)?,
        owner: row.get(3)?,
        contact: row.get(4)?,
        score: row.get(5)?,
        deal: row.get(6)?,
        captured_at: moment(row.get(7)?),
        converted_at: row.get::<_, Option<i64>>(8)?.map(moment),
    })
}

#[cfg(test)]
mod tests;
