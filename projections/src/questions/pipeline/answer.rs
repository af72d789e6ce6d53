//! The answers about the pipeline: cells added up by group, and the deals behind them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{Currency, Money};
use rusqlite::params;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::{
    fold::{NOT_CLOSED, read_deal},
    query::{Group, Query, Show},
};
use crate::kit::{Amounts, Month, Page, Period, Tables, ViewError};

/// The pipeline.
#[derive(Debug, Serialize, JsonSchema)]
pub struct View {
    /// Over all rows, this page and others.
    totals: Cell,
    /// The cells or the deals.
    rows: Vec<ViewRow>,
    /// The cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum ViewRow {
    Cell(NamedCell),
    Deal(DealRow),
}

#[derive(Debug, Serialize, JsonSchema)]
struct NamedCell {
    /// The stage, name, team, region, product or month; empty where the deals have none.
    group: String,
    #[serde(flatten)]
    cell: Cell,
}

/// Deals counted together.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(super) struct Cell {
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
#[derive(Debug, Serialize, JsonSchema)]
struct DealRow {
    deal: Uuid,
    stage: String,
    outcome: String,
    value: Option<Money>,
    owner: Option<String>,
    team: Option<String>,
    region: Option<String>,
    product: Option<String>,
    contact: Option<Uuid>,
    /// Where the contact is merged with others: the one that all are merged into.
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<Uuid>,
    opened_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
}

impl Cell {
    fn add(&mut self, other: &Self) {
        self.deals += other.deals;
        self.open += other.open;
        self.won += other.won;
        self.lost += other.lost;
        self.cycle_seconds += other.cycle_seconds;
        self.value.add_all(&other.value);
        self.won_value.add_all(&other.won_value);
    }

    /// Derives the rates from the counts.
    #[expect(clippy::cast_precision_loss, reason = "counts of deals are far below 2^52")]
    fn finish(&mut self) {
        let closed = self.won + self.lost;
        self.win_rate = (closed > 0).then(|| self.won as f64 / closed as f64);
        self.cycle_days = (self.won > 0).then(|| self.cycle_seconds as f64 / self.won as f64 / 86_400.0);
    }
}

pub(super) fn view(tables: &Tables, query: &Query, page: &Page) -> Result<View, ViewError> {
    let cells = cells(tables, query)?;
    let mut totals = Cell::default();
    for cell in cells.values() {
        totals.add(cell);
    }
    totals.finish();
    let (rows, next) =
        if query.show == Show::Deals { deals(tables, query, page)? } else { named(cells, page)? };
    Ok(View { totals, rows, next })
}

/// The cells asked for, by the name of their group.
pub(super) fn cells(tables: &Tables, query: &Query) -> Result<BTreeMap<String, Cell>, ViewError> {
    let group = match query.by {
        Group::Stage => "stage",
        Group::Owner => "coalesce(name, '')",
        Group::Team => "coalesce(team, '')",
        Group::Region => "coalesce(region, '')",
        Group::Product => "product",
        Group::Opened => "opened",
        Group::Closed => "closed",
    };
    let months = matches!(query.by, Group::Opened | Group::Closed);
    let sql = format!(
        "SELECT {group}, outcome, currency, sum(deals), sum(minor), sum(cycle_seconds)
         FROM cells LEFT JOIN members ON member = owner
         WHERE (?1 IS NULL OR stage = ?1) AND (?2 IS NULL OR owner = ?2) AND (?3 IS NULL OR team = ?3)
             AND (?4 IS NULL OR region = ?4) AND (?5 IS NULL OR product = ?5)
             AND opened BETWEEN ?6 AND ?7 AND closed BETWEEN ?8 AND ?9
         GROUP BY 1, 2, 3"
    );
    let ((from, to), (closed_from, closed_to)) = (months_of(query.opened), months_of(query.closed));
    let filters = params![
        query.stage,
        query.owner,
        query.team,
        query.region,
        query.product,
        from,
        to,
        closed_from,
        closed_to
    ];
    let found = tables.rows(&sql, filters, |row| {
        let name = if months { month_name(row.get(0)?) } else { row.get(0)? };
        let (outcome, currency): (String, String) = (row.get(1)?, row.get(2)?);
        Ok((name, outcome, currency.parse::<Currency>().ok(), [row.get(3)?, row.get(4)?, row.get(5)?]))
    })?;
    let mut cells = BTreeMap::<String, Cell>::new();
    for (name, outcome, currency, [deals, minor, cycle_seconds]) in found {
        let cell = cells.entry(name).or_default();
        cell.deals += deals;
        cell.cycle_seconds += cycle_seconds;
        match outcome.as_str() {
            "won" => cell.won += deals,
            "lost" => cell.lost += deals,
            _ => cell.open += deals,
        }
        if let Some(currency) = currency {
            cell.value.add(minor, currency);
            if outcome == "won" {
                cell.won_value.add(minor, currency);
            }
        }
    }
    cells.values_mut().for_each(Cell::finish);
    Ok(cells)
}

fn months_of(period: Option<Period>) -> (i32, i32) {
    period.map_or((i32::MIN, i32::MAX), |period| (period.first.0, period.last.0))
}

pub(super) fn moments_of(period: Option<Period>) -> (i64, i64) {
    period.map_or((i64::MIN, i64::MAX), |Period { first, last }| (first.begins(), Month(last.0 + 1).begins()))
}

fn month_name(month: i32) -> String {
    if month == NOT_CLOSED { String::new() } else { Month(month).to_string() }
}

fn named(cells: BTreeMap<String, Cell>, page: &Page) -> Result<(Vec<ViewRow>, Option<String>), ViewError> {
    let after: Option<String> = page.after()?;
    let later = cells.into_iter().filter(|(group, _)| after.as_ref().is_none_or(|after| group > after));
    let mut rows: Vec<_> = later.take(page.fetch()).map(|(group, cell)| NamedCell { group, cell }).collect();
    let next = page.cut(&mut rows, |row| row.group.clone());
    Ok((rows.into_iter().map(ViewRow::Cell).collect(), next))
}

fn deals(tables: &Tables, query: &Query, page: &Page) -> Result<(Vec<ViewRow>, Option<String>), ViewError> {
    let after: Option<Uuid> = page.after()?;
    let ((from, to), (closed_from, closed_to)) = (moments_of(query.opened), moments_of(query.closed));
    let sql = "SELECT stage, outcome, minor, currency, owner, product, contact, opened_at, closed_at, deal, name, team, region,
             (SELECT person FROM person WHERE person.contact = deals.contact)
         FROM deals LEFT JOIN members ON member = owner
         WHERE (?1 IS NULL OR stage = ?1) AND (?2 IS NULL OR owner = ?2) AND (?3 IS NULL OR team = ?3)
             AND (?4 IS NULL OR region = ?4) AND (?5 IS NULL OR product = ?5)
             AND opened_at >= ?6 AND opened_at < ?7
             AND (?12 OR (closed_at >= ?8 AND closed_at < ?9)) AND deal > ?10
         ORDER BY deal LIMIT ?11";
    let filters = params![
        query.stage,
        query.owner,
        query.team,
        query.region,
        query.product,
        from,
        to,
        closed_from,
        closed_to,
        after.map_or(Vec::new(), |after| after.as_bytes().to_vec()),
        page.fetch() as u64,
        query.closed.is_none()
    ];
    let mut rows = tables.rows(sql, filters, |row| {
        let deal = read_deal(row)?;
        Ok(DealRow {
            deal: row.get(9)?,
            stage: deal.stage,
            outcome: deal.outcome.to_owned(),
            value: deal.value,
            owner: row.get(10)?,
            team: row.get(11)?,
            region: row.get(12)?,
            product: deal.product,
            contact: deal.contact,
            person: row.get(13)?,
            opened_at: deal.opened_at,
            closed_at: deal.closed_at,
        })
    })?;
    let next = page.cut(&mut rows, |row| row.deal);
    Ok((rows.into_iter().map(ViewRow::Deal).collect(), next))
}
