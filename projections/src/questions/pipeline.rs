//! How does the pipeline stand? Count and value of deals by stage, owner, team, region, product and period;
//! win rate and cycle time; the deals behind a cell.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{
    Currency, Event, Kind, Money, Recorded, Role,
    deal::{DealCorrection, DealEvent},
    member::MemberEvent,
};
use rusqlite::{Row, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::kit::{Amounts, ApplyError, Behind, Month, Page, Period, Projection, Shows, Tables, ViewError};

mod behind;

/// The projection.
pub struct Pipeline;

/// What can be asked of the pipeline.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// What the rows are grouped by.
    #[serde(default)]
    by: Group,
    /// Whether the rows are cells, or the single deals behind them.
    #[serde(default)]
    show: Show,
    /// Only deals at this stage; closed ones are at `Won` or `Lost`.
    stage: Option<String>,
    /// Only deals of this member of staff.
    owner: Option<Uuid>,
    /// Only deals whose owner is in this team.
    team: Option<String>,
    /// Only deals whose owner works in this region.
    region: Option<String>,
    /// Only deals about this product.
    product: Option<String>,
    /// Only deals opened in this period.
    opened: Option<Period>,
    /// Only deals won or lost in this period.
    closed: Option<Period>,
}

/// What cells are grouped by.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Group {
    #[default]
    Stage,
    Owner,
    Team,
    Region,
    Product,
    /// Month of opening.
    Opened,
    /// Month of winning or losing.
    Closed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Show {
    #[default]
    Cells,
    Deals,
}

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
struct Cell {
    /// How many deals.
    deals: i64,
    /// What they bring or are expected to bring.
    value: Amounts,
    /// How many are open.
    open: i64,
    /// How many were won.
    won: i64,
    /// How many were lost.
    lost: i64,
    /// What the won ones bring.
    won_value: Amounts,
    /// Won ÷ (won + lost); absent where none is closed.
    win_rate: Option<f64>,
    /// Mean days from opening to winning; absent where none was won.
    cycle_days: Option<f64>,
    #[serde(skip)]
    cycle_seconds: i64,
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

impl Projection for Pipeline {
    const NAME: &'static str = "pipeline";
    const QUESTION: &'static str =
        "How does the pipeline stand, by stage, owner, team, region, product and period?";
    const VERSION: u32 = 1;
    const READERS: &'static [Role] = &[Role::Admin, Role::Staff, Role::Fundraiser, Role::Auditor];
    const SHOWS: Shows = Shows::Cells;
    const KINDS: &'static [Kind] = &[Kind::Deal, Kind::Member];
    const TABLES: &'static str = "
        CREATE TABLE deals (
            deal BLOB PRIMARY KEY, stage TEXT NOT NULL, outcome TEXT NOT NULL, minor INTEGER, currency TEXT,
            owner BLOB, product TEXT, contact BLOB, opened_at INTEGER NOT NULL, closed_at INTEGER
        ) WITHOUT ROWID;
        CREATE TABLE cells (
            stage TEXT, outcome TEXT, currency TEXT, owner BLOB, product TEXT, opened INTEGER, closed INTEGER,
            deals INTEGER NOT NULL, minor INTEGER NOT NULL, cycle_seconds INTEGER NOT NULL,
            PRIMARY KEY (stage, outcome, currency, owner, product, opened, closed)
        ) WITHOUT ROWID;
        CREATE TABLE members (member BLOB PRIMARY KEY, name TEXT NOT NULL, team TEXT, region TEXT) WITHOUT ROWID;";
    const INDEXES: &'static str = "
        CREATE INDEX deals_by_stage ON deals (stage, deal);
        CREATE INDEX deals_by_owner ON deals (owner, deal);";
    type Query = Query;
    type View = View;

    fn apply(tables: &Tables, recorded: &Recorded) -> Result<(), ApplyError> {
        let id = recorded.stream.id;
        match &recorded.event {
            Event::Deal(event) => change(tables, id, |deal| after(deal, event, recorded))?,
            Event::Member(MemberEvent::Joined { name, team, region }) => {
                tables.execute(
                    "INSERT OR REPLACE INTO members VALUES (?1, ?2, ?3, ?4)",
                    params![id, name, team, region],
                )?;
            }
            Event::Member(MemberEvent::Moved { team, region }) => {
                tables.execute(
                    "UPDATE members SET team = ?2, region = ?3 WHERE member = ?1",
                    params![id, team, region],
                )?;
            }
            Event::Member(MemberEvent::Renamed { name }) => {
                tables.execute("UPDATE members SET name = ?2 WHERE member = ?1", params![id, name])?;
            }
            // Deals stay with those who have left, and tokens change nothing here.
            Event::Member(
                MemberEvent::Left {} | MemberEvent::TokenGranted { .. } | MemberEvent::TokenRevoked {},
            ) => {}
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
            if query.show == Show::Deals { deals(tables, &query, page)? } else { named(cells, page)? };
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

#[derive(Clone, Debug, PartialEq)]
struct Deal {
    stage: String,
    outcome: &'static str,
    value: Option<Money>,
    owner: Option<Uuid>,
    product: Option<String>,
    contact: Option<Uuid>,
    opened_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
}

/// The deal after an event; none where it counts nowhere.
fn after(deal: Option<Deal>, event: &DealEvent, recorded: &Recorded) -> Option<Deal> {
    let at = recorded.happened_at();
    if let DealEvent::Opened { contact, owner, product, value, stage, lead: _ } = event {
        return Some(Deal {
            stage: stage.clone(),
            outcome: "open",
            value: *value,
            owner: owner.map(|owner| owner.0),
            product: product.clone(),
            contact: contact.map(|contact| contact.0),
            opened_at: at,
            closed_at: None,
        });
    }
    let deal = deal?;
    Some(match event {
        DealEvent::Opened { .. } => deal,
        DealEvent::Advanced { stage } => Deal { stage: stage.clone(), ..deal },
        DealEvent::Reopened { stage } => {
            Deal { stage: stage.clone(), outcome: "open", closed_at: None, ..deal }
        }
        DealEvent::Converted { value } => Deal {
            stage: "Won".to_owned(),
            outcome: "won",
            value: value.or(deal.value),
            closed_at: Some(at),
            ..deal
        },
        DealEvent::Lost { because: _ } => {
            Deal { stage: "Lost".to_owned(), outcome: "lost", closed_at: Some(at), ..deal }
        }
        DealEvent::Corrected { correction, fact: _ } => corrected(deal, correction),
        DealEvent::Voided {} => return None,
    })
}

fn corrected(deal: Deal, correction: &DealCorrection) -> Deal {
    let DealCorrection { contact, owner, product, value, opened_at, closed_at } = correction;
    Deal {
        contact: contact.map(|contact| contact.0).or(deal.contact),
        owner: owner.map(|owner| owner.0).or(deal.owner),
        product: product.clone().or(deal.product),
        value: value.or(deal.value),
        opened_at: opened_at.unwrap_or(deal.opened_at),
        closed_at: closed_at.or(deal.closed_at),
        ..deal
    }
}

/// Replaces one deal, and moves it from its old cell to its new one.
fn change(
    tables: &Tables,
    id: Uuid,
    after: impl FnOnce(Option<Deal>) -> Option<Deal>,
) -> Result<(), ApplyError> {
    let before = tables.row(
        "SELECT stage, outcome, minor, currency, owner, product, contact, opened_at, closed_at FROM deals WHERE deal = ?1",
        [id],
        read_deal,
    )?;
    let now = after(before.clone());
    if let Some(before) = &before {
        count(tables, before, -1)?;
    }
    let Some(deal) = now else {
        tables.execute("DELETE FROM deals WHERE deal = ?1", [id])?;
        return Ok(());
    };
    count(tables, &deal, 1)?;
    tables.execute(
        "INSERT OR REPLACE INTO deals VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            id,
            deal.stage,
            deal.outcome,
            deal.value.map(|value| value.minor),
            deal.value.map(|value| value.currency.to_string()),
            deal.owner,
            deal.product,
            deal.contact,
            deal.opened_at.timestamp_micros(),
            deal.closed_at.map(|at| at.timestamp_micros()),
        ],
    )?;
    Ok(())
}

/// Counts a deal into its cell (`sign` 1) or out of it (−1).
fn count(tables: &Tables, deal: &Deal, sign: i64) -> Result<(), ApplyError> {
    let won_after =
        deal.closed_at.filter(|_| deal.outcome == "won").map_or(0, |at| (at - deal.opened_at).num_seconds());
    // A key without a value is empty, since SQLite holds any two NULLs in a key to be different.
    let currency = deal.value.map_or(String::new(), |value| value.currency.to_string());
    let owner = deal.owner.map_or(Vec::new(), |owner| owner.as_bytes().to_vec());
    let product = deal.product.as_deref().unwrap_or_default();
    let (opened, closed) =
        (Month::of(deal.opened_at).0, deal.closed_at.map_or(NOT_CLOSED, |at| Month::of(at).0));
    let minor = deal.value.map_or(0, |value| value.minor);
    tables.execute(
        "INSERT INTO cells VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT DO UPDATE SET deals = deals + excluded.deals, minor = minor + excluded.minor,
             cycle_seconds = cycle_seconds + excluded.cycle_seconds",
        params![
            deal.stage,
            deal.outcome,
            currency,
            owner,
            product,
            opened,
            closed,
            sign,
            sign * minor,
            sign * won_after
        ],
    )?;
    if sign < 0 {
        tables.execute(
            "DELETE FROM cells WHERE stage = ?1 AND outcome = ?2 AND currency = ?3 AND owner = ?4 AND product = ?5
                 AND opened = ?6 AND closed = ?7 AND deals = 0",
            params![deal.stage, deal.outcome, currency, owner, product, opened, closed],
        )?;
    }
    Ok(())
}

/// The month of closing of a deal that is open.
const NOT_CLOSED: i32 = i32::MIN;

fn read_deal(row: &Row<'_>) -> rusqlite::Result<Deal> {
    let outcome: String = row.get(1)?;
    let outcome = ["won", "lost"].into_iter().find(|known| *known == outcome).unwrap_or("open");
    let moment = |micros: i64| DateTime::from_timestamp_micros(micros).unwrap_or_default();
    Ok(Deal {
        stage: row.get(0)?,
        outcome,
        value: money(row.get(2)?, row.get(3)?),
        owner: row.get(4)?,
        product: row.get(5)?,
        contact: row.get(6)?,
        opened_at: moment(row.get(7)?),
        closed_at: row.get::<_, Option<i64>>(8)?.map(moment),
    })
}

fn money(minor: Option<i64>, currency: Option<String>) -> Option<Money> {
    Some(Money::new(minor?, currency?.parse().ok()?))
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

/// The cells asked for, by the name of their group.
fn cells(tables: &Tables, query: &Query) -> Result<BTreeMap<String, Cell>, ViewError> {
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

fn moments_of(period: Option<Period>) -> (i64, i64) {
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

#[cfg(test)]
mod tests {
    use domain::{MemberId, deal::DealEvent, member::MemberEvent};

    use super::*;
    use crate::kit::testing::given;

    fn member(team: &str, region: &str) -> MemberEvent {
        MemberEvent::Joined {
            name: format!("of {team}"),
            team: Some(team.into()),
            region: Some(region.into()),
        }
    }

    fn opened(owner: u128) -> DealEvent {
        DealEvent::Opened {
            contact: None,
            owner: Some(MemberId(Uuid::from_u128(owner))),
            product: Some("GTX".into()),
            value: None,
            stage: "Engaging".into(),
            lead: None,
        }
    }

    fn won(minor: i64) -> DealEvent {
        DealEvent::Converted { value: Some(Money::new(minor, Currency::USD)) }
    }

    #[test]
    fn won_deals_are_counted_and_valued_by_region() {
        given::<Pipeline>()
            .happened("2017-01-01", 1, member("Ann", "West"))
            .happened("2017-01-01", 2, member("Bob", "East"))
            .happened("2017-01-02", 10, opened(1))
            .happened("2017-01-02", 11, opened(1))
            .happened("2017-01-02", 12, opened(2))
            .happened("2017-01-12", 10, won(105_400))
            .happened("2017-02-12", 12, DealEvent::Lost { because: None })
            .then("by=region", |view| insta::assert_json_snapshot!(view))
            .then("show=deals&stage=Won", |view| insta::assert_json_snapshot!(view));
    }

    #[test]
    fn a_deal_reopened_corrected_and_voided_leaves_no_trace_in_the_cells() {
        let correction =
            DealCorrection { value: Some(Money::new(7, Currency::USD)), ..DealCorrection::default() };
        given::<Pipeline>()
            .happened("2017-01-02", 10, opened(1))
            .happened("2017-01-12", 10, won(5))
            .happened(
                "2017-01-13",
                10,
                DealEvent::Corrected { fact: crate::kit::testing::event_id(2), correction },
            )
            .then("stage=Won", |view| assert_eq!(view["totals"]["won_value"][0]["minor"], 7))
            .happened("2017-01-14", 10, DealEvent::Reopened { stage: "Engaging".into() })
            .happened("2017-01-15", 10, DealEvent::Advanced { stage: "Proposal".into() })
            .then("", |view| assert_eq!(view["rows"][0]["group"], "Proposal"))
            .happened("2017-01-16", 10, DealEvent::Voided {})
            .then("", |view| assert_eq!(view["rows"], serde_json::json!([])));
    }

    #[test]
    fn periods_pages_and_nonsense_are_understood() {
        given::<Pipeline>()
            .happened("2017-01-02", 10, opened(1))
            .happened("2017-03-02", 11, opened(1))
            .then("opened=2017-Q1&by=opened", |view| assert_eq!(view["rows"][1]["group"], "2017-03"))
            .then("closed=2017&show=deals", |view| assert_eq!(view["rows"], serde_json::json!([])))
            .then_refused("opened=17", "opened")
            .then_refused("colour=red", "colour");
    }
}
