//! Cells and the keys of their tallies.

use chrono::{Datelike as _, NaiveDate};
use rusqlite::params;
use uuid::Uuid;

use crate::kit::{ApplyError, Month, Tables};

/// A day, counted from the beginning of the common era.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Day(pub(super) i32);

impl Day {
    pub(super) fn of(date: NaiveDate) -> Self {
        Self(date.num_days_from_ce())
    }

    pub(super) fn date(self) -> NaiveDate {
        NaiveDate::from_num_days_from_ce_opt(self.0).unwrap_or_default()
    }

    pub(super) fn month(self) -> Month {
        let date = self.date();
        Month(date.year() * 12 + date.month0().cast_signed())
    }

    /// The first day of a month.
    pub(super) fn first_of(month: Month) -> Self {
        let number = u32::try_from(month.0.rem_euclid(12) + 1).unwrap_or(1);
        let first = NaiveDate::from_ymd_opt(month.0.div_euclid(12), number, 1);
        first.map_or(Self(if month.0 < 0 { i32::MIN } else { i32::MAX }), Self::of)
    }
}

/// What is added up without regard to persons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    Registered,
    Attended,
    Excused,
    Missed,
    Headcount,
    Withdrawn,
    Completed,
}

impl Measure {
    const ALL: [Self; 7] = [
        Self::Registered,
        Self::Attended,
        Self::Excused,
        Self::Missed,
        Self::Headcount,
        Self::Withdrawn,
        Self::Completed,
    ];

    /// The number under which it is kept in tables: its place in the list, for ever.
    pub(super) const fn number(self) -> u32 {
        self as u32
    }

    pub(super) fn of(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|measure| measure.number() == number)
    }
}

/// What a tally covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Day,
    Month,
}

/// The key of a tally: the cell, the unit, and which day or month, so that a run of days or months of one cell
/// is a run of keys.
pub(super) fn key(cell: u32, unit: Unit, at: i32) -> i64 {
    // Flipping the highest bit puts what is negative before what is not.
    let at = i64::from(at.cast_unsigned() ^ 1 << 31);
    i64::from(cell) << 33 | i64::from(unit == Unit::Month) << 32 | at
}

/// Which month or day the key of a tally names.
pub(super) fn at(key: i64) -> i32 {
    (u32::try_from(key & 0xFFFF_FFFF).unwrap_or_default() ^ 1 << 31).cast_signed()
}

/// Which of program, cohort and type may be any.
pub(super) const ANY_PROGRAM: u32 = 1;
pub(super) const ANY_COHORT: u32 = 2;
pub(super) const ANY_TYPE: u32 = 4;

/// The cells in which something counts, made where they are new: all eight, or the four of any type where it
/// has none. Packed, since that is how a gathering keeps them.
pub(super) fn of(
    tables: &Tables,
    program: Option<Uuid>,
    cohort: Option<&str>,
    gathering_type: Option<&str>,
) -> Result<Vec<u8>, ApplyError> {
    let mut cells = Vec::with_capacity(32);
    for any in (0..8).filter(|any| gathering_type.is_some() || any & ANY_TYPE != 0) {
        let program = program.filter(|_| any & ANY_PROGRAM == 0);
        let cohort = cohort.filter(|_| any & ANY_COHORT == 0).unwrap_or_default();
        let gathering_type = gathering_type.filter(|_| any & ANY_TYPE == 0).unwrap_or_default();
        let known = find(tables, any, program, cohort, gathering_type)?;
        let cell = if let Some(cell) = known {
            cell
        } else {
            let sql = "INSERT INTO cells (any, program, cohort, type) VALUES (?1, ?2, ?3, ?4)";
            tables.execute(sql, params![any, program_key(program), cohort, gathering_type])?;
            find(tables, any, program, cohort, gathering_type)?.unwrap_or_default()
        };
        cells.extend(cell.to_le_bytes());
    }
    Ok(cells)
}

/// The cell with these parts, where anything ever counted in it.
pub(super) fn find(
    tables: &Tables,
    any: u32,
    program: Option<Uuid>,
    cohort: &str,
    gathering_type: &str,
) -> rusqlite::Result<Option<u32>> {
    tables.row(
        "SELECT cell FROM cells WHERE any = ?1 AND program = ?2 AND cohort = ?3 AND type = ?4",
        params![any, program_key(program), cohort, gathering_type],
        |row| row.get(0),
    )
}

/// No program is an empty key, since SQLite holds any two NULLs to be different.
fn program_key(program: Option<Uuid>) -> Vec<u8> {
    program.map_or(Vec::new(), |program| program.as_bytes().to_vec())
}

fn each_key(
    cells: &[u8],
    day: Day,
    mut count: impl FnMut(i64) -> rusqlite::Result<()>,
) -> Result<(), ApplyError> {
    let month = day.month().0;
    for cell in cells.chunks_exact(4) {
        let cell = cell.iter().rev().fold(0, |cell, byte| cell << 8 | u32::from(*byte));
        count(key(cell, Unit::Day, day.0))?;
        count(key(cell, Unit::Month, month))?;
    }
    Ok(())
}

/// Adds to a measure on a day, in every cell.
pub(super) fn count_in(
    tables: &Tables,
    cells: &[u8],
    day: Day,
    measure: Measure,
    by: i64,
) -> Result<(), ApplyError> {
    each_key(cells, day, |key| tables.count("sums", key, measure.number(), by))
}

/// Counts a person on a day, in every cell.
pub(super) fn count_person_in(
    tables: &Tables,
    table: &'static str,
    cells: &[u8],
    day: Day,
    person: u32,
    by: i64,
) -> Result<(), ApplyError> {
    each_key(cells, day, |key| tables.count(table, key, person, by))
}
