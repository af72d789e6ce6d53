//! The answers about leads: cells added up by group, and the leads behind them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{
    ContactId, Outcome,
    lead::{DisqualifiedBecause, LeadStatus},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    fold::{COLUMNS, WIDTH, read_lead},
    query::{Query, Show},
};
use crate::kit::{
    Page, Tables, ViewError,
    cells::{Listed, NamedCell, Summed, totals},
    column::read_word,
    filter::Over,
};

/// The leads.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum View {
    /// Counted together.
    Cells(Listed<Cell, NamedCell<Cell>>),
    /// One by one.
    Leads(Listed<Cell, LeadRow>),
}

/// Leads counted together.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "LeadsCell")]
pub struct Cell {
    /// How many were captured.
    pub(super) captured: i64,
    /// How many of them are open: new, assigned or qualified.
    pub(super) open: i64,
    /// How many were won: converted.
    pub(super) won: i64,
    /// How many were lost: unqualified or junk.
    pub(super) lost: i64,
    /// Converted ÷ captured; absent where none was captured.
    pub(super) conversion_rate: Option<f64>,
    /// Mean days from capture to conversion; absent where none was converted.
    pub(super) days_to_conversion: Option<f64>,
    #[serde(skip)]
    pub(super) seconds: i64,
}

/// One lead behind a cell.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct LeadRow {
    lead: Uuid,
    status: LeadStatus,
    /// What the status comes to.
    #[serde(rename = "type")]
    status_type: Outcome,
    /// Why it came to nothing.
    because: Option<DisqualifiedBecause>,
    source: String,
    /// The name of the member of staff who has it.
    owner: Option<String>,
    contact: ContactId,
    /// Where the contact is merged with others: the one that all are merged into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    person: Option<ContactId>,
    /// How much it is worth pursuing, 0 to 100.
    score: Option<u8>,
    /// The deal that it became.
    deal: Option<Uuid>,
    captured_at: DateTime<Utc>,
    converted_at: Option<DateTime<Utc>>,
}

impl Summed for Cell {
    fn add(&mut self, other: &Self) {
        self.captured += other.captured;
        self.open += other.open;
        self.won += other.won;
        self.lost += other.lost;
        self.seconds += other.seconds;
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of leads are far below 2^52")]
    fn finish(&mut self) {
        self.conversion_rate = (self.captured > 0).then(|| self.won as f64 / self.captured as f64);
        self.days_to_conversion = (self.won > 0).then(|| self.seconds as f64 / self.won as f64 / 86_400.0);
    }
}

pub(super) fn view(tables: &Tables, query: &Query, page: &Page) -> Result<View, ViewError> {
    let cells = cells(tables, query)?;
    let totals = totals(&cells);
    Ok(match query.show {
        Show::Cells => View::Cells(Listed::cells(totals, cells, page)?),
        Show::Leads => View::Leads(Listed::things(totals, leads(tables, query, page)?)),
    })
}

/// The cells asked for, by the name of their group.
pub(super) fn cells(tables: &Tables, query: &Query) -> Result<BTreeMap<String, Cell>, ViewError> {
    let (filter, by) = (query.filter(Over::Cells), query.by.property());
    let sql = format!(
        "SELECT {}, status, sum(leads), sum(seconds) FROM cells LEFT JOIN members ON member = owner
         WHERE {} GROUP BY 1, 2",
        by.over(Over::Cells),
        filter.sql()
    );
    let found = tables.rows(&sql, filter.params().as_slice(), |row| {
        let status: LeadStatus = read_word(row, 1)?;
        Ok((by.group(row, 0)?, status, row.get::<_, i64>(2)?, row.get::<_, i64>(3)?))
    })?;
    let mut cells = BTreeMap::<String, Cell>::new();
    for (name, status, leads, seconds) in found {
        let cell = cells.entry(name).or_default();
        cell.captured += leads;
        cell.seconds += seconds;
        match status.outcome() {
            Outcome::Open => cell.open += leads,
            Outcome::Won => cell.won += leads,
            Outcome::Lost => cell.lost += leads,
        }
    }
    cells.values_mut().for_each(Cell::finish);
    Ok(cells)
}

fn leads(tables: &Tables, query: &Query, page: &Page) -> Result<(Vec<LeadRow>, Option<String>), ViewError> {
    let filter = query.filter(Over::Things).page("lead", page)?;
    let sql = format!(
        "SELECT {COLUMNS}, lead, name, (SELECT person FROM person WHERE person.contact = leads.contact)
         FROM leads LEFT JOIN members ON member = owner WHERE {}",
        filter.sql()
    );
    let mut rows = tables.rows(&sql, filter.params().as_slice(), |row| {
        let lead = read_lead(row)?;
        Ok(LeadRow {
            lead: row.get(WIDTH)?,
            status: lead.status,
            status_type: lead.status.outcome(),
            because: lead.because,
            source: lead.source,
            owner: row.get(WIDTH + 1)?,
            contact: ContactId(lead.contact),
            person: row.get::<_, Option<_>>(WIDTH + 2)?.map(ContactId),
            score: lead.score,
            deal: lead.deal,
            captured_at: lead.captured.at,
            converted_at: lead.converted_at,
        })
    })?;
    let next = page.cut(&mut rows, |row| row.lead);
    Ok((rows, next))
}
