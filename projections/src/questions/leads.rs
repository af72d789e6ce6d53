//! What becomes of leads? Captured, in work, converted or lost, by source, owner, status and month; how many
//! convert and how long it takes; the leads behind a cell.

mod answer;
mod behind;
mod fold;
mod query;
#[cfg(test)]
mod tests;

use domain::{Event, Kind, Recorded, Role};

use crate::kit::{
    ApplyError, Behind, Page, Projection, Shape, Shows, Tables, ViewError,
    cells::{Listed, NamedCell},
};
pub use answer::View;
use answer::{Cell, LeadRow};
use fold::{after, apply_member, change};
pub use query::Query;

/// The projection.
pub struct Leads;

impl Projection for Leads {
    const NAME: &'static str = "leads";
    const QUESTION: &'static str =
        "What becomes of leads, by source, owner, status and month, and how many convert?";
    const VERSION: u32 = 3;
    const READERS: &'static [Role] = &[Role::Admin, Role::Staff, Role::Fundraiser, Role::Auditor];
    const SHOWS: Shows = Shows::Cells;
    const KINDS: &'static [Kind] = &[Kind::Lead, Kind::Member];
    const TABLES: &'static str = "
        CREATE TABLE leads (
            lead BLOB PRIMARY KEY, status TEXT NOT NULL, because TEXT, source TEXT NOT NULL, owner BLOB,
            contact BLOB NOT NULL, score INTEGER, deal BLOB, captured_at INTEGER NOT NULL, converted_at INTEGER,
            captured_on INTEGER NOT NULL
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
            Event::Lead(event) => {
                let when = tables.when(recorded)?;
                change(tables, id, |lead| after(lead, event, when))?;
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
            View::Leads(_) => Shape::of::<Listed<Cell, LeadRow>>(),
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
