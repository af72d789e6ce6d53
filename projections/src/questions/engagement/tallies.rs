//! Adding up the tallies of one cell over one period.

use rusqlite::params;

use super::{
    cells::{Day, Measure, Unit, at, key},
    numbers::Cell,
};
use crate::kit::{Month, Tables, read_tally};

/// The days from the first to the last, both included; open where it begins before everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Day,
    pub(super) to: Day,
}

impl Span {
    pub(super) const BEGINNING: Day = Day(i32::MIN);

    /// Whole months.
    pub(super) fn of_months(first: Month, last: Month) -> Self {
        Self { from: Day::first_of(first), to: Day(Day::first_of(Month(last.0 + 1)).0 - 1) }
    }

    /// The same number of days directly before.
    pub(super) fn days_before(self) -> Option<Self> {
        let days = self.to.0.checked_sub(self.from.0)?.checked_add(1)?;
        Some(Self { from: Day(self.from.0.checked_sub(days)?), to: Day(self.from.0 - 1) })
    }

    /// The runs of keys that cover it: days, whole months, days.
    fn keys(self, cell: u32) -> Vec<(i64, i64)> {
        let run = |unit, first, last| (key(cell, unit, first), key(cell, unit, last));
        if self.from > self.to {
            return Vec::new();
        }
        let beginning = self.from == Self::BEGINNING;
        let starts_month = beginning || Day::first_of(self.from.month()) == self.from;
        let first = match (beginning, starts_month) {
            (true, _) => i32::MIN,
            (false, true) => self.from.month().0,
            (false, false) => self.from.month().0 + 1,
        };
        // The month after the last day begins right after it where it ends a month.
        let last = Day(self.to.0.saturating_add(1)).month().0 - 1;
        if first > last {
            let first_day = if beginning { i32::MIN } else { self.from.0 };
            return vec![run(Unit::Day, first_day, self.to.0)];
        }
        let mut keys = Vec::new();
        if !starts_month {
            keys.push(run(Unit::Day, self.from.0, Day::first_of(Month(first)).0 - 1));
        }
        keys.push(run(Unit::Month, first, last));
        let after = Day::first_of(Month(last + 1));
        if after <= self.to {
            keys.push(run(Unit::Day, after.0, self.to.0));
        }
        keys
    }
}

/// The last day on which a cell has anything.
pub(super) fn last_day(tables: &Tables, cell: u32) -> rusqlite::Result<Option<Day>> {
    let (from, to) = (key(cell, Unit::Day, i32::MIN), key(cell, Unit::Day, i32::MAX));
    let sql = "SELECT max(
            coalesce((SELECT max(key) FROM attended WHERE key BETWEEN ?1 AND ?2), -1),
            coalesce((SELECT max(key) FROM enrolled WHERE key BETWEEN ?1 AND ?2), -1),
            coalesce((SELECT max(key) FROM sums WHERE key BETWEEN ?1 AND ?2), -1))";
    let last: Option<i64> = tables.row(sql, params![from, to], |row| row.get(0))?;
    Ok(last.filter(|key| *key >= 0).map(|key| Day(at(key))))
}

/// Walks through every count of a table over a span.
fn each(
    tables: &Tables,
    table: &str,
    cell: u32,
    span: Span,
    mut each: impl FnMut(u32, u64),
) -> rusqlite::Result<()> {
    let sql = format!("SELECT counts FROM {table} WHERE key BETWEEN ?1 AND ?2");
    for (first, last) in span.keys(cell) {
        tables.rows(&sql, params![first, last], |row| read_tally(row, 0, &mut each))?;
    }
    Ok(())
}

/// Counts per person, by the number of the person.
fn people(
    tables: &Tables,
    merged: &[(u32, u32)],
    table: &str,
    cell: u32,
    span: Span,
) -> rusqlite::Result<Vec<u32>> {
    let mut counts = Vec::new();
    each(tables, table, cell, span, |person, count| {
        let person = person as usize;
        if person >= counts.len() {
            counts.resize((person | 0xFFFF) + 1, 0_u32);
        }
        counts[person] = counts[person].saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
    })?;
    for (number, person) in merged {
        // Where the number was counted, the length holds the person's as well, since that is the lower one.
        if let Some(count) = counts.get_mut(*number as usize) {
            let count = std::mem::take(count);
            counts[*person as usize] = counts[*person as usize].saturating_add(count);
        }
    }
    Ok(counts)
}

/// A set of people, by their numbers.
#[derive(Clone, Default)]
struct People(Vec<u64>);

impl People {
    fn insert(&mut self, person: usize) {
        if person / 64 >= self.0.len() {
            self.0.resize(person / 64 + 1, 0);
        }
        self.0[person / 64] |= 1 << (person % 64);
    }

    /// Whether they were there.
    fn remove(&mut self, person: usize) -> bool {
        let was_there = self.contains(person);
        if was_there {
            self.0[person / 64] &= !(1 << (person % 64));
        }
        was_there
    }

    fn contains(&self, person: usize) -> bool {
        self.0.get(person / 64).is_some_and(|word| word >> (person % 64) & 1 == 1)
    }

    fn insert_all(&mut self, others: &Self) {
        self.0.resize(self.0.len().max(others.0.len()), 0);
        for (word, other) in self.0.iter_mut().zip(&others.0) {
            *word |= other;
        }
    }

    fn len(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }
}

/// Whoever attended within a span.
fn attenders(tables: &Tables, merged: &[(u32, u32)], cell: u32, span: Span) -> rusqlite::Result<People> {
    let mut people = People::default();
    each(tables, "attended", cell, span, |person, _| people.insert(person as usize))?;
    for (number, person) in merged {
        if people.remove(*number as usize) {
            people.insert(*person as usize);
        }
    }
    Ok(people)
}

/// Reports on one cell, span after span; what it has read once it keeps, so that twelve months in a row cost
/// little more than a year.
pub(super) struct Reporter<'t> {
    tables: &'t Tables,
    /// The numbers of people under which nobody counts, since they are merged: each with the one that counts.
    merged: &'t [(u32, u32)],
    cell: u32,
    depth: u32,
    /// Whoever attended before a day.
    seen: Option<(Day, People)>,
    /// Whoever attended within the spans read last: the one reported, and the one before it.
    read: Vec<(Span, People)>,
}

impl<'t> Reporter<'t> {
    pub(super) const fn new(tables: &'t Tables, merged: &'t [(u32, u32)], cell: u32, depth: u32) -> Self {
        Self { tables, merged, cell, depth, seen: None, read: Vec::new() }
    }

    /// The months in which the cell has anything, within a span.
    pub(super) fn months(&self, span: Span) -> rusqlite::Result<Vec<Month>> {
        let first = if span.from == Span::BEGINNING { i32::MIN } else { span.from.month().0 };
        let from = key(self.cell, Unit::Month, first);
        let to = key(self.cell, Unit::Month, span.to.month().0);
        let sql = "SELECT key FROM attended WHERE key BETWEEN ?1 AND ?2 UNION
            SELECT key FROM enrolled WHERE key BETWEEN ?1 AND ?2 UNION
            SELECT key FROM sums WHERE key BETWEEN ?1 AND ?2 ORDER BY 1";
        self.tables.rows(sql, params![from, to], |row| row.get(0).map(|key| Month(at(key))))
    }

    /// What happened within a span, compared with the one before.
    pub(super) fn report(&mut self, span: Span, previous: Option<Span>) -> rusqlite::Result<Cell> {
        let mut cell = Cell::default();
        self.add_sums(span, &mut cell)?;
        let seen = match previous {
            Some(previous) => self.seen_before(previous.from)?,
            None => People::default(),
        };
        let before = match previous {
            Some(previous) => self.attenders(previous)?,
            None => People::default(),
        };
        let mut here = People::default();
        let attended = people(self.tables, self.merged, "attended", self.cell, span)?;
        for (person, count) in attended.into_iter().enumerate() {
            if count == 0 {
                continue;
            }
            here.insert(person);
            cell.participants += 1;
            cell.participations += u64::from(count);
            cell.deep += u64::from(count >= self.depth);
            if before.contains(person) {
                cell.retained += 1;
            } else if seen.contains(person) {
                cell.reactivated += 1;
            } else {
                cell.new += 1;
            }
        }
        cell.previous_participants = before.len();
        cell.lapsed = cell.previous_participants - cell.retained;
        cell.finish();
        self.seen = previous.map(|previous| (previous.from, seen));
        self.read = previous.map(|previous| (previous, before)).into_iter().chain([(span, here)]).collect();
        Ok(cell)
    }

    fn add_sums(&self, span: Span, cell: &mut Cell) -> rusqlite::Result<()> {
        each(self.tables, "sums", self.cell, span, |measure, sum| match Measure::of(measure) {
            Some(Measure::Registered) => cell.registered += sum,
            Some(Measure::Excused) => cell.excused += sum,
            Some(Measure::Missed) => cell.missed += sum,
            Some(Measure::Headcount) => cell.headcount += sum,
            Some(Measure::Withdrawn) => cell.withdrawn += sum,
            Some(Measure::Completed) => cell.completed += sum,
            // Attendances are counted by person.
            Some(Measure::Attended) | None => {}
        })?;
        for count in people(self.tables, self.merged, "enrolled", self.cell, span)? {
            cell.enrolments += u64::from(count);
            cell.enrolled_people += u64::from(count > 0);
        }
        Ok(())
    }

    /// Whoever attended before a day; asked for later and later days it reads only what is between.
    fn seen_before(&mut self, day: Day) -> rusqlite::Result<People> {
        let (from, mut seen) = match self.seen.take() {
            Some((until, seen)) if until <= day => (until, seen),
            _ => (Span::BEGINNING, People::default()),
        };
        let between = self.attenders(Span { from, to: Day(day.0.saturating_sub(1)) })?;
        seen.insert_all(&between);
        Ok(seen)
    }

    fn attenders(&self, span: Span) -> rusqlite::Result<People> {
        match self.read.iter().find(|(read, _)| *read == span) {
            Some((_, people)) => Ok(people.clone()),
            None => attenders(self.tables, self.merged, self.cell, span),
        }
    }
}
