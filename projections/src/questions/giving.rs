//! What was given? Gifts, refunds and what is kept of them, by donor, fund, campaign, year, month, method and
//! stage; who stayed a donor and who did not; the rollups of one donor or of all.

mod answer;
mod asked;
mod behind;
mod cells;
mod gift;
mod names;
mod query;
mod retention;
mod rollups;
#[cfg(test)]
mod tests;
mod year;

use domain::{Event, Kind, Recorded, Role, fund::FundEvent, setting::SettingEvent};
use rusqlite::params;
use uuid::Uuid;

use crate::kit::{ApplyError, Behind, Page, Projection, Shape, Shows, Tables, ViewError};
pub use answer::View;
use answer::{Listed, LostDonor, NamedCell, Rollups, TwoYears};
pub use query::Query;
use query::{Show, check};

/// The projection.
pub struct Giving;

impl Projection for Giving {
    const NAME: &'static str = "giving";
    const QUESTION: &'static str = "What was given, by whom and for what, and which donors stayed?";
    const VERSION: u32 = 3;
    const READERS: &'static [Role] = &[Role::Admin, Role::Staff, Role::Fundraiser, Role::Auditor];
    const SHOWS: Shows = Shows::Donors;
    const KINDS: &'static [Kind] = &[Kind::Gift, Kind::Fund, Kind::Contact, Kind::Setting];
    // A key without a value is empty, since SQLite holds any two NULLs in a key to be different. In `cells`,
    // `gifts` counts the gifts with a part in the fund and `whole` every gift once, with its first part.
    // `donor_years` has the gifts that count for their donor; its fiscal rows are there only while the fiscal
    // year is not the calendar year.
    const TABLES: &'static str = "
        CREATE TABLE gifts (
            gift BLOB PRIMARY KEY, donor BLOB NOT NULL, minor INTEGER NOT NULL, currency TEXT NOT NULL,
            refunded INTEGER NOT NULL, campaign TEXT NOT NULL, method TEXT NOT NULL, stage TEXT NOT NULL,
            received_at INTEGER NOT NULL, month INTEGER NOT NULL, allocations TEXT NOT NULL,
            received_on INTEGER NOT NULL, position INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE cells (
            month INTEGER, currency TEXT, campaign TEXT, method TEXT, stage TEXT, fund BLOB, has_donor INTEGER,
            gifts INTEGER NOT NULL, whole INTEGER NOT NULL, received INTEGER NOT NULL, refunded INTEGER NOT NULL,
            PRIMARY KEY (month, currency, campaign, method, stage, fund, has_donor)
        ) WITHOUT ROWID;
        CREATE TABLE days (day INTEGER PRIMARY KEY, gifts INTEGER NOT NULL);
        CREATE TABLE donor_years (
            year_kind TEXT, year INTEGER, donor BLOB, currency TEXT, gifts INTEGER NOT NULL, net INTEGER NOT NULL,
            PRIMARY KEY (year_kind, year, donor, currency)
        ) WITHOUT ROWID;
        CREATE TABLE fiscal_year (one INTEGER PRIMARY KEY CHECK (one = 1), first_month INTEGER NOT NULL);
        CREATE TABLE funds (fund BLOB PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE names (
            contact BLOB PRIMARY KEY, subject BLOB NOT NULL, name PERSONAL TEXT NOT NULL
        ) WITHOUT ROWID;";
    const INDEXES: &'static str = "
        CREATE INDEX gifts_by_donor ON gifts (donor, received_at, position);
        CREATE INDEX donor_years_by_donor ON donor_years (year_kind, donor, year);
        CREATE INDEX names_by_subject ON names (subject);";
    type Query = Query;
    type View = View;

    fn apply(tables: &Tables, recorded: &Recorded) -> Result<(), ApplyError> {
        let id = recorded.stream.id;
        match &recorded.event {
            Event::Gift(event) => gift::apply(tables, id, event, recorded)?,
            Event::Fund(event) => fund(tables, id, event)?,
            Event::Contact(event) => names::keep(tables, id, event)?,
            Event::Setting(event) => setting(tables, event)?,
            _ => {}
        }
        Ok(())
    }

    fn view(tables: &Tables, query: Query, page: &Page) -> Result<Option<View>, ViewError> {
        check(&query)?;
        let view = match query.show {
            Show::Cells => cells::view(tables, &query, page)?,
            Show::Retention => retention::view(tables, &query)?,
            Show::Lybunt | Show::Sybunt => retention::lost(tables, &query, page)?,
            Show::Rollups => rollups::view(tables, &query, page)?,
        };
        Ok(Some(view))
    }

    fn shape(view: &View) -> Shape {
        match view {
            View::Cells(_) => Shape::of::<Listed<NamedCell>>(),
            View::Retention(_) => Shape::of::<Listed<TwoYears>>(),
            View::Lost(_) => Shape::of::<Listed<LostDonor>>(),
            View::Rollups(_) => Shape::of::<Listed<Rollups>>(),
        }
    }

    fn behind(
        tables: &Tables,
        query: Query,
        group: Option<&str>,
        page: &Page,
    ) -> Result<Option<Behind>, ViewError> {
        check(&query)?;
        // Lists of donors are people, not cells.
        if query.show == Show::Cells {
            behind::behind(tables, &query, group, page).map(Some)
        } else {
            Ok(None)
        }
    }
}

fn fund(tables: &Tables, id: Uuid, event: &FundEvent) -> Result<(), ApplyError> {
    match event {
        FundEvent::Opened { name, restriction: _ } | FundEvent::Renamed { name } => {
            tables.execute("INSERT OR REPLACE INTO funds VALUES (?1, ?2)", params![id, name])?;
        }
        // What a fund may be spent on changes no sum; gifts to a fund set up in error stay where they are.
        FundEvent::Restricted { .. } | FundEvent::Closed {} | FundEvent::Voided {} => {}
    }
    Ok(())
}

fn setting(tables: &Tables, event: &SettingEvent) -> Result<(), ApplyError> {
    match event {
        SettingEvent::FiscalYearChosen { first_month } => year::choose_first_month(tables, *first_month),
        SettingEvent::ZoneChosen { .. } | SettingEvent::LossAccepted { .. } => Ok(()),
    }
}
