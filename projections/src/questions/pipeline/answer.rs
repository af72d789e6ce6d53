//! The answers about the pipeline: cells added up by group, and the deals behind them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{ContactId, Currency, Money, Outcome};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    fold::{COLUMNS, WIDTH, read_deal},
    query::{Query, Show},
};
use crate::kit::{
    Amounts, Page, Tables, ViewError,
    cells::{Listed, NamedCell, Summed, totals},
    column::read_word,
    filter::Over,
};

/// The pipeline.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum View {
    /// Counted together.
    Cells(Listed<Cell, NamedCell<Cell>>),
    /// One by one.
    Deals(Listed<Cell, DealRow>),
}

/// Deals counted together.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PipelineCell")]
pub struct Cell {
    /// How many deals.
    pub(super) deals: i64,
    /// What they bring or are expected to bring.
    pub(super) value: Amounts,
    /// How many are open.
    pub(super) open: i64,
    /// How many were won.
    pub(super) won: i64,
    /// How many were lost.
    pub(super) lost: i64,
    /// What the won ones bring.
    pub(super) won_value: Amounts,
    /// Won ÷ (won + lost); absent where none is closed.
    pub(super) win_rate: Option<f64>,
    /// Mean days from opening to winning; absent where none was won.
    pub(super) cycle_days: Option<f64>,
    #[serde(skip)]
    pub(super) cycle_seconds: i64,
}

/// One deal behind a cell.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct DealRow {
    deal: Uuid,
    stage: String,
    outcome: Outcome,
    value: Option<Money>,
    owner: Option<String>,
    team: Option<String>,
    region: Option<String>,
    product: Option<String>,
    contact: Option<ContactId>,
    /// Where the contact is merged with others: the one that all are merged into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    person: Option<ContactId>,
    opened_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
}

impl Summed for Cell {
    fn add(&mut self, other: &Self) {
        self.deals += other.deals;
        self.open += other.open;
        self.won += other.won;
        self.lost += other.lost;
        self.cycle_seconds += other.cycle_seconds;
        self.value.add_all(&other.value);
        self.won_value.add_all(&other.won_value);
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of deals are far below 2^52")]
    fn finish(&mut self) {
        let closed = self.won + self.lost;
        self.win_rate = (closed > 0).then(|| self.won as f64 / closed as f64);
        self.cycle_days = (self.won > 0).then(|| self.cycle_seconds as f64 / self.won as f64 / 86_400.0);
    }
}

pub(super) fn view(tables: &Tables, query: &Query, page: &Page) -> Result<View, ViewError> {
    let cells = cells(tables, query)?;
    let totals = totals(&cells);
    Ok(match query.show {
        Show::Cells => View::Cells(Listed::cells(totals, cells, page)?),
        Show::Deals => View::Deals(Listed::things(totals, deals(tables, query, page)?)),
    })
}

/// The cells asked for, by the name of their group.
pub(super) fn cells(tables: &Tables, query: &Query) -> Result<BTreeMap<String, Cell>, ViewError> {
    let (filter, by) = (query.filter(Over::Cells), query.by.property());
    let sql = format!(
        "SELECT {}, outcome, currency, sum(deals), sum(minor), sum(cycle_seconds)
         FROM cells LEFT JOIN members ON member = owner WHERE {} GROUP BY 1, 2, 3",
        by.over(Over::Cells),
        filter.sql()
    );
    let found = tables.rows(&sql, filter.params().as_slice(), |row| {
        let (outcome, currency): (Outcome, String) = (read_word(row, 1)?, row.get(2)?);
        let sums = [row.get(3)?, row.get(4)?, row.get(5)?];
        Ok((by.group(row, 0)?, outcome, currency.parse::<Currency>().ok(), sums))
    })?;
    let mut cells = BTreeMap::<String, Cell>::new();
    for (name, outcome, currency, [deals, minor, cycle_seconds]) in found {
        let cell = cells.entry(name).or_default();
        cell.deals += deals;
        cell.cycle_seconds += cycle_seconds;
        match outcome {
            Outcome::Won => cell.won += deals,
            Outcome::Lost => cell.lost += deals,
            Outcome::Open => cell.open += deals,
        }
        if let Some(currency) = currency {
            cell.value.add(minor, currency);
            if outcome == Outcome::Won {
                cell.won_value.add(minor, currency);
            }
        }
    }
    cells.values_mut().for_each(Cell::finish);
    Ok(cells)
}

fn deals(tables: &Tables, query: &Query, page: &Page) -> Result<(Vec<DealRow>, Option<String>), ViewError> {
    let filter = query.filter(Over::Things).page("deal", page)?;
    let sql = format!(
        "SELECT {COLUMNS}, deal, name, team, region,
             (SELECT person FROM person WHERE person.contact = deals.contact)
         FROM deals LEFT JOIN members ON member = owner WHERE {}",
        filter.sql()
    );
    let mut rows = tables.rows(&sql, filter.params().as_slice(), |row| {
        let deal = read_deal(row)?;
        Ok(DealRow {
            deal: row.get(WIDTH)?,
            stage: deal.stage,
            outcome: deal.outcome,
            value: deal.value,
            owner: row.get(WIDTH + 1)?,
            team: row.get(WIDTH + 2)?,
            region: row.get(WIDTH + 3)?,
            product: deal.product,
            contact: deal.contact.map(ContactId),
            person: row.get::<_, Option<_>>(WIDTH + 4)?.map(ContactId),
            opened_at: deal.opened.at,
            closed_at: deal.closed.map(|closed| closed.at),
        })
    })?;
    let next = page.cut(&mut rows, |row| row.deal);
    Ok((rows, next))
}
