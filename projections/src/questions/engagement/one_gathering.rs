//! The counts of one gathering.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{cells::Measure, numbers::rate};
use crate::kit::{Tables, ViewError};

/// Answers for one gathering.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct OneGathering {
    /// The gathering.
    gathering: Uuid,
    /// Its name.
    name: String,
    /// Its type.
    #[serde(rename = "type")]
    gathering_type: String,
    /// Its program.
    program: Option<Uuid>,
    /// The cohort that it is held for.
    cohort: Option<String>,
    /// Whether it was cancelled; what is recorded of it then counts in no report.
    cancelled: bool,
    /// Who registered, whatever came of it.
    registered: u64,
    /// Who attended.
    attended: u64,
    /// Who was excused.
    excused: u64,
    /// Who missed it.
    missed: u64,
    /// People counted without names.
    headcount: u64,
    /// Attended ÷ (attended + excused + missed); absent where that is 0.
    attendance_rate: Option<f64>,
}

pub(super) fn read(tables: &Tables, gathering: Uuid) -> Result<Option<OneGathering>, ViewError> {
    let sql = "SELECT name, type, program, cohort, cancelled, headcount, number FROM gatherings
        WHERE gathering = ?1";
    let found = tables.row(sql, [gathering], |row| {
        let one = OneGathering {
            gathering,
            name: row.get(0)?,
            gathering_type: row.get(1)?,
            program: row.get(2)?,
            cohort: row.get(3)?,
            cancelled: row.get(4)?,
            registered: 0,
            attended: 0,
            excused: 0,
            missed: 0,
            headcount: row.get(5)?,
            attendance_rate: None,
        };
        Ok((one, row.get::<_, i64>(6)?))
    })?;
    let Some((one, number)) = found else { return Ok(None) };
    let [registered, attended, excused, missed] = outcomes(tables, number)?;
    let attendance_rate = rate(attended, attended + excused + missed);
    let one = OneGathering { registered, attended, excused, missed, attendance_rate, ..one };
    Ok(Some(one))
}

/// How many people registered for a gathering, attended it, were excused and missed it. Who came under one of
/// several merged contacts came, whatever is said of the others; being excused goes before having missed it.
fn outcomes(tables: &Tables, gathering: i64) -> Result<[u64; 4], ViewError> {
    let merged: HashMap<u32, u32> = tables.merged_numbers("people")?.into_iter().collect();
    let mut people = HashMap::<u32, (bool, u8)>::new();
    let sql = "SELECT registered IS NOT NULL, outcome, person FROM presences WHERE gathering = ?1";
    tables.rows(sql, [gathering], |row| {
        let (registered, number): (bool, u32) = (row.get(0)?, row.get(2)?);
        let outcome = match row.get::<_, Option<u32>>(1)?.and_then(Measure::of) {
            Some(Measure::Attended) => 3,
            Some(Measure::Excused) => 2,
            Some(Measure::Missed) => 1,
            _ => 0,
        };
        let known = people.entry(merged.get(&number).copied().unwrap_or(number)).or_default();
        *known = (known.0 | registered, known.1.max(outcome));
        Ok(())
    })?;
    let count = |wanted: u8| people.values().filter(|(_, outcome)| *outcome == wanted).count() as u64;
    let registered = people.values().filter(|(registered, _)| *registered).count() as u64;
    Ok([registered, count(3), count(2), count(1)])
}
