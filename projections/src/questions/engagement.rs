//! How many students took part, how deeply, and did they come back? By program, cohort, type of gathering and
//! any period, with exact distinct counts.
//!
//! People are tallied per cell and day, and per cell and month. A cell is a program, a cohort and a type, each
//! of them "this one" or "any": whatever is asked is then one cell, and a period is its whole months and at
//! most some sixty days at the edges.

mod cells;
mod fold;
mod numbers;
mod one_gathering;
mod query;
mod report;
mod tallies;
#[cfg(test)]
mod tests;

use domain::{Event, Kind, Recorded, Role};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kit::{ApplyError, Page, Projection, Shape, Shows, Tables, ViewError};
use fold::{apply_enrolment, apply_gathering, apply_program, day_of};
use one_gathering::OneGathering;
pub use query::Query;
use report::{Report, report};

/// The projection.
pub struct Engagement;

/// What is answered.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum View {
    /// Counts over a period.
    Report(Box<Report>),
    /// The counts of one gathering.
    Gathering(Box<OneGathering>),
}

impl Projection for Engagement {
    const NAME: &'static str = "engagement";
    const QUESTION: &'static str = "How many students took part, how deeply, and did they come back?";
    const VERSION: u32 = 2;
    const READERS: &'static [Role] = &[Role::Admin, Role::Staff, Role::Fundraiser, Role::Auditor];
    const SHOWS: Shows = Shows::Cells;
    const KINDS: &'static [Kind] = &[Kind::Program, Kind::Enrolment, Kind::Gathering];
    // Keys of tallies: see `cells::key`. In `attended` and `enrolled` people are counted by their numbers, in
    // `sums` measures by theirs.
    const TABLES: &'static str = "
        CREATE TABLE people (number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE);
        CREATE TABLE programs (program BLOB PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE cells (
            cell INTEGER PRIMARY KEY, any INTEGER NOT NULL, program BLOB NOT NULL, cohort TEXT NOT NULL,
            type TEXT NOT NULL, UNIQUE (any, program, cohort, type)
        );
        CREATE TABLE gatherings (
            gathering BLOB PRIMARY KEY, number INTEGER NOT NULL, name TEXT NOT NULL, cells BLOB NOT NULL,
            program BLOB, cohort TEXT, type TEXT NOT NULL, cancelled INTEGER NOT NULL,
            headcount INTEGER NOT NULL, headcount_day INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE presences (
            gathering INTEGER NOT NULL, person INTEGER NOT NULL, registered INTEGER, outcome INTEGER, day INTEGER,
            PRIMARY KEY (gathering, person)
        ) WITHOUT ROWID;
        CREATE TABLE enrolments (
            enrolment BLOB PRIMARY KEY, person INTEGER NOT NULL, program BLOB NOT NULL, cohort TEXT NOT NULL,
            day INTEGER NOT NULL, outcome INTEGER, outcome_day INTEGER
        ) WITHOUT ROWID;
        CREATE TABLE attended (key INTEGER PRIMARY KEY, counts BLOB NOT NULL);
        CREATE TABLE enrolled (key INTEGER PRIMARY KEY, counts BLOB NOT NULL);
        CREATE TABLE sums (key INTEGER PRIMARY KEY, counts BLOB NOT NULL);";
    const INDEXES: &'static str = "";
    type Query = Query;
    type View = View;

    fn apply(tables: &Tables, recorded: &Recorded) -> Result<(), ApplyError> {
        let id = recorded.stream.id;
        match &recorded.event {
            Event::Gathering(event) => apply_gathering(tables, id, event, recorded)?,
            Event::Enrolment(event) => apply_enrolment(tables, id, event, day_of(tables, recorded)?)?,
            Event::Program(event) => apply_program(tables, id, event)?,
            _ => {}
        }
        Ok(())
    }

    fn view(tables: &Tables, query: Query, page: &Page) -> Result<Option<View>, ViewError> {
        match query.gathering {
            Some(gathering) => {
                let one = one_gathering::read(tables, gathering)?;
                Ok(one.map(|one| View::Gathering(Box::new(one))))
            }
            None => report(tables, &query, page).map(|report| Some(View::Report(Box::new(report)))),
        }
    }

    fn shape(view: &View) -> Shape {
        match view {
            View::Report(_) => Shape::of::<Report>(),
            View::Gathering(_) => Shape::of::<OneGathering>(),
        }
    }
}
