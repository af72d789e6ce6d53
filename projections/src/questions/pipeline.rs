//! How does the pipeline stand? Count and value of deals by stage, owner, team, region, product and period;
//! win rate and cycle time; the deals behind a cell.

mod answer;
mod behind;
mod fold;
mod query;
#[cfg(test)]
mod tests;

use domain::{Event, Kind, Recorded, Role, member::MemberEvent};
use rusqlite::params;
use uuid::Uuid;

use crate::kit::{
    ApplyError, Behind, Page, Projection, Shape, Shows, Tables, ViewError,
    cells::{Listed, NamedCell},
};
pub use answer::View;
use answer::{Cell, DealRow};
use fold::{Told, after, change};
pub use query::Query;

/// The projection.
pub struct Pipeline;

impl Projection for Pipeline {
    const NAME: &'static str = "pipeline";
    const QUESTION: &'static str =
        "How does the pipeline stand, by stage, owner, team, region, product and period?";
    const VERSION: u32 = 2;
    const READERS: &'static [Role] = &[Role::Admin, Role::Staff, Role::Fundraiser, Role::Auditor];
    const SHOWS: Shows = Shows::Cells;
    const KINDS: &'static [Kind] = &[Kind::Deal, Kind::Member];
    const TABLES: &'static str = "
        CREATE TABLE deals (
            deal BLOB PRIMARY KEY, stage TEXT NOT NULL, outcome TEXT NOT NULL, minor INTEGER, currency TEXT,
            owner BLOB, product TEXT, contact BLOB, opened_at INTEGER NOT NULL, closed_at INTEGER,
            opened_on INTEGER NOT NULL, closed_on INTEGER
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
            Event::Deal(event) => {
                let told = Told::by(tables, recorded)?;
                change(tables, id, |deal| after(deal, event, &told))?;
            }
            Event::Member(event) => apply_member(tables, id, event)?,
            _ => {}
        }
        Ok(())
    }

    fn view(tables: &Tables, query: Query, page: &Page) -> Result<Option<View>, ViewError> {
        answer::view(tables, &query, page).map(Some)
    }

    fn shape(view: &View) -> Shape {
        match view {
            View::Cells(_) => Shape::of::<Listed<Cell, NamedCell<Cell>>>(),
            View::Deals(_) => Shape::of::<Listed<Cell, DealRow>>(),
        }
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

/// Whose deals they are: teams and regions are those of today.
fn apply_member(tables: &Tables, id: Uuid, event: &MemberEvent) -> Result<(), ApplyError> {
    match event {
        MemberEvent::Joined { name, team, region } => {
            let sql = "INSERT OR REPLACE INTO members VALUES (?1, ?2, ?3, ?4)";
            tables.execute(sql, params![id, name, team, region])?;
        }
        MemberEvent::Moved { team, region } => {
            let sql = "UPDATE members SET team = ?2, region = ?3 WHERE member = ?1";
            tables.execute(sql, params![id, team, region])?;
        }
        MemberEvent::Renamed { name } => {
            tables.execute("UPDATE members SET name = ?2 WHERE member = ?1", params![id, name])?;
        }
        // Deals stay with those who have left, and tokens change nothing here.
        MemberEvent::Left {} | MemberEvent::TokenGranted { .. } | MemberEvent::TokenRevoked {} => {}
    }
    Ok(())
}
