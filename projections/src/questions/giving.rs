//! What was given? Gifts, refunds and what is kept of them, by donor, fund, campaign, year, month, method and
//! stage; who stayed a donor and who did not; the rollups of one donor or of all.

use chrono::NaiveDate;
use domain::{
    Event, Kind, Personal, Recorded, Role, contact::ContactEvent, fund::FundEvent, setting::SettingEvent,
};
use rusqlite::params;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::kit::{ApplyError, Behind, Month, Page, Period, Projection, Shows, Tables, ViewError};

mod behind;
mod cells;
mod gift;
mod retention;
mod rollups;
mod year;

use cells::{Cell, NamedCell};
use retention::{LostDonor, TwoYears};
use rollups::Rollups;
use year::YearKind;

/// The projection.
pub struct Giving;

/// What can be asked about gifts.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// What the rows are.
    #[serde(default)]
    show: Show,
    /// What cells are grouped by; by year unless asked otherwise.
    by: Option<Group>,
    /// Only what this contact gave, and those that are merged with it.
    donor: Option<Uuid>,
    /// Only what is meant for this fund.
    fund: Option<Uuid>,
    /// Only gifts that answer this campaign.
    campaign: Option<String>,
    /// Only gifts paid so.
    method: Option<String>,
    /// Only gifts to which the source gives this stage.
    stage: Option<String>,
    /// Only gifts that came in during this period.
    received: Option<Period>,
    /// Which years are meant.
    #[serde(default)]
    year_kind: YearKind,
    /// The year of `retention`, `lybunt` and `sybunt`; a fiscal year is named after the year in which it ends.
    year: Option<i32>,
    /// Rollups over one year only: 0 is the year of `on`, 1 the one before.
    years_ago: Option<u16>,
    /// Rollups over the day `on` and this many days before it.
    days_back: Option<u32>,
    /// The day from which rollups look back, by default that of the latest gift; later gifts do not count.
    on: Option<NaiveDate>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Show {
    /// Gifts counted and summed by `by`.
    #[default]
    Cells,
    /// Who stayed a donor in `year`, who came and who went.
    Retention,
    /// Donors who gave last year, but unfortunately not this `year`.
    Lybunt,
    /// Donors who gave some year before, but unfortunately not this `year`.
    Sybunt,
    /// Count, sum, average, first, last, best year and so on for every donor.
    Rollups,
}

/// What cells are grouped by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Group {
    Donor,
    Fund,
    Campaign,
    #[default]
    Year,
    Month,
    Method,
    Stage,
}

/// What was given.
#[derive(Debug, Serialize, JsonSchema)]
pub struct View {
    /// What exactly is counted here, with the version of the definition.
    definition: &'static str,
    /// Over all rows, this page and others; a gift to two funds counts once here.
    #[serde(skip_serializing_if = "Option::is_none")]
    totals: Option<Cell>,
    /// How many donors the list has, this page and others.
    #[serde(skip_serializing_if = "Option::is_none")]
    donors: Option<i64>,
    /// The cells, the year, the donors or their rollups.
    rows: Vec<ViewRow>,
    /// The cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum ViewRow {
    Cell(NamedCell),
    TwoYears(Box<TwoYears>),
    LostDonor(LostDonor),
    Rollups(Box<Rollups>),
}

impl Projection for Giving {
    const NAME: &'static str = "giving";
    const QUESTION: &'static str = "What was given, by whom and for what, and which donors stayed?";
    const VERSION: u32 = 2;
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
            received_at INTEGER NOT NULL, month INTEGER NOT NULL, allocations TEXT NOT NULL
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
        CREATE INDEX gifts_by_donor ON gifts (donor, received_at);
        CREATE INDEX donor_years_by_donor ON donor_years (year_kind, donor, year);
        CREATE INDEX names_by_subject ON names (subject);";
    type Query = Query;
    type View = View;

    fn apply(tables: &Tables, recorded: &Recorded) -> Result<(), ApplyError> {
        let id = recorded.stream.id;
        match &recorded.event {
            Event::Gift(event) => gift::apply(tables, id, event, recorded.happened_at())?,
            Event::Fund(event) => fund(tables, id, event)?,
            Event::Contact(event) => name(tables, id, event)?,
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
        SettingEvent::ZoneChosen { zone: _ } => Ok(()),
    }
}

/// Keeps what a contact is called; the names of donors stand beside their gifts.
fn name(tables: &Tables, contact: Uuid, event: &ContactEvent) -> Result<(), ApplyError> {
    let keep = |name: &Personal<String>| {
        tables.execute(
            "INSERT OR REPLACE INTO names VALUES (?1, ?2, ?3)",
            params![contact, name.subject().0, tables.reveal(name)],
        )
    };
    match event {
        ContactEvent::Registered { form: _, name: Some(name) } | ContactEvent::Renamed { name } => {
            keep(name)?;
        }
        ContactEvent::Voided {} => {
            tables.execute("DELETE FROM names WHERE contact = ?1", [contact])?;
        }
        ContactEvent::Registered { form: _, name: None }
        | ContactEvent::DetailChanged { .. }
        | ContactEvent::IdentityLinked { .. }
        | ContactEvent::IdentityUnlinked { .. }
        | ContactEvent::Tagged { .. }
        | ContactEvent::Untagged { .. }
        | ContactEvent::ConsentGiven { .. }
        | ContactEvent::ConsentWithdrawn { .. }
        | ContactEvent::RelationshipStarted { .. }
        | ContactEvent::RelationshipEnded { .. }
        | ContactEvent::Merged { .. }
        | ContactEvent::Unmerged { .. }
        | ContactEvent::MergeDismissed { .. }
        | ContactEvent::Erased { .. }
        | ContactEvent::Readmitted { .. } => {}
    }
    Ok(())
}

/// What a donor is called; empty where the name was forgotten. Of merged contacts the first name counts that can
/// still be read.
fn name_of(tables: &Tables, donor: Uuid) -> Result<Option<String>, ViewError> {
    let mut names = Vec::new();
    for contact in tables.parts_of(donor)? {
        let sql = "SELECT name FROM names WHERE contact = ?1";
        names.extend(tables.row(sql, [contact], |row| row.get::<_, String>(0))?);
    }
    names.sort_by_key(String::is_empty);
    Ok(names.into_iter().next())
}

/// A parameter that the rows asked for take no notice of would mislead whoever gave it.
fn check(query: &Query) -> Result<(), ViewError> {
    let Query { show, by, donor, fund, campaign, method, stage, received, .. } = query;
    let Query { year_kind: _, year, years_ago, days_back, on, .. } = query;
    let (cells, rollups) = (*show == Show::Cells, *show == Show::Rollups);
    let years = !cells && !rollups;
    for (field, given, taken) in [
        ("by", by.is_some(), cells),
        ("donor", donor.is_some(), cells || rollups),
        ("fund", fund.is_some(), cells),
        ("campaign", campaign.is_some(), cells),
        ("method", method.is_some(), cells),
        ("stage", stage.is_some(), cells),
        ("received", received.is_some(), cells),
        ("year", year.is_some(), years),
        ("years_ago", years_ago.is_some(), rollups),
        ("days_back", days_back.is_some(), rollups && years_ago.is_none()),
        ("on", on.is_some(), rollups),
    ] {
        if given && !taken {
            return Err(ViewError::query(field, "does not go with what is asked for: leave it out"));
        }
    }
    if years && year.is_none() {
        return Err(ViewError::query("year", "is missing: which year is compared with those before?"));
    }
    if year.is_some_and(|year| !(1..=9_999).contains(&year)) {
        return Err(ViewError::query("year", "must lie between 1 and 9999"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
