//! A report over a period, with a row per group.

use std::borrow::Cow;

use chrono::{Datelike as _, NaiveDate};
use rusqlite::params;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    cells::{ANY_COHORT, ANY_PROGRAM, ANY_TYPE, Day, find},
    numbers::Cell,
    query::{Group, Query},
    tallies::{Reporter, Span, last_day},
};
use crate::kit::{Month, Page, Tables, ViewError};

/// How many attendances make an engagement deep unless said otherwise.
const DEPTH: u32 = 6;

/// Counts over a period, and how each is defined.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The first day; absent where the period begins with the first fact.
    from: Option<NaiveDate>,
    /// The last day.
    to: Option<NaiveDate>,
    /// The first day of the period before, which `retained`, `reactivated` and `lapsed` compare with; absent
    /// where nothing is before.
    previous_from: Option<NaiveDate>,
    /// The last day of the period before.
    previous_to: Option<NaiveDate>,
    /// How many attendances make an engagement deep here.
    depth: u32,
    /// Over the whole period and all groups; people in several groups count once.
    totals: Cell,
    /// A row per group.
    rows: Vec<NamedCell>,
    /// The cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// What each number means.
    definitions: Cow<'static, [Definition]>,
}

/// What a number means; where the meaning changes, so does the version.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Definition {
    /// The name of the number.
    name: Cow<'static, str>,
    /// The version of its definition.
    version: u32,
    /// How it comes about.
    is: Cow<'static, str>,
}

const fn define(name: &'static str, is: &'static str) -> Definition {
    define_anew(1, name, is)
}

/// One whose meaning has changed since.
const fn define_anew(version: u32, name: &'static str, is: &'static str) -> Definition {
    Definition { name: Cow::Borrowed(name), version, is: Cow::Borrowed(is) }
}

const DEFINITIONS: &[Definition] = &[
    define_anew(
        2,
        "participants",
        "distinct people with at least one attendance that counts in the period; merged contacts are one",
    ),
    define_anew(
        2,
        "participations",
        "attendances in the period, on the day of the organisation on which each happened; those voided, and those of \
         gatherings cancelled or voided, do not count",
    ),
    define("headcount", "people counted without names in the period; never added to participants"),
    define("registered", "registrations made in the period, whatever came of them"),
    define("excused", "absences excused in the period"),
    define("missed", "absences without excuse in the period"),
    define("attendance_rate", "participations / (participations + excused + missed); absent where that is 0"),
    define("deep", "participants with at least `depth` attendances in the period"),
    define("depth_share", "deep / participants; absent where there are none"),
    define(
        "previous_participants",
        "participants of the period before: for `period` as many months, else as many days, directly before",
    ),
    define("retained", "participants who also attended in the period before"),
    define("retention_rate", "retained / previous_participants; absent where there were none"),
    define(
        "new",
        "participants who never attended before the period, within the program, cohort and type asked about",
    ),
    define("reactivated", "participants who attended before, but not in the period before"),
    define("lapsed", "participants of the period before who did not attend in this one"),
    define("enrolments", "enrolments made in the period, in any role; those voided do not count"),
    define_anew(
        2,
        "enrolled_people",
        "distinct people with an enrolment made in the period; merged contacts are one",
    ),
    define("withdrawn", "enrolments left in the period and not reinstated since"),
    define("completed", "enrolments completed in the period and not reinstated since"),
];

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "NamedEngagementCell")]
struct NamedCell {
    /// The id of the program, the cohort, the type, the month or the year; empty where there is none.
    group: String,
    /// The name of the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(flatten)]
    cell: Cell,
}

/// The period asked about and the one before it.
#[derive(Clone, Copy)]
struct Asked {
    span: Span,
    previous: Option<Span>,
}

pub(super) fn report(tables: &Tables, query: &Query, page: &Page) -> Result<Report, ViewError> {
    let depth = query.depth.unwrap_or(DEPTH);
    if depth == 0 {
        return Err(ViewError::query("depth", "must be at least 1"));
    }
    let asked = asked(tables, query)?;
    let cell = cell(tables, query)?;
    let merged = tables.merged_numbers("people")?;
    let totals = match cell {
        Some(cell) => Reporter::new(tables, &merged, cell, depth).report(asked.span, asked.previous)?,
        None => Cell::default(),
    };
    let (rows, next) = match (query.by, cell) {
        (Group::None, _) => {
            (vec![NamedCell { group: String::new(), name: None, cell: totals.clone() }], None)
        }
        (Group::Program | Group::Cohort | Group::Type, _) => {
            parts(tables, &merged, query, asked, depth, page)?
        }
        (Group::Month | Group::Year, Some(cell)) => {
            times(Reporter::new(tables, &merged, cell, depth), query.by, asked, page)?
        }
        (Group::Month | Group::Year, None) => (Vec::new(), None),
    };
    let date = |day: Day| (day != Span::BEGINNING).then(|| day.date());
    Ok(Report {
        from: date(asked.span.from),
        to: date(asked.span.to),
        previous_from: asked.previous.and_then(|previous| date(previous.from)),
        previous_to: asked.previous.and_then(|previous| date(previous.to)),
        depth,
        totals,
        rows,
        next,
        definitions: Cow::Borrowed(DEFINITIONS),
    })
}

fn asked(tables: &Tables, query: &Query) -> Result<Asked, ViewError> {
    if let Some(period) = query.period {
        if query.from.is_some() || query.to.is_some() {
            return Err(ViewError::query("period", "give either `period` or `from` and `to`"));
        }
        let before = Month(period.first.0 - (period.last.0 - period.first.0 + 1));
        return Ok(Asked {
            span: Span::of_months(period.first, period.last),
            previous: Some(Span::of_months(before, Month(period.first.0 - 1))),
        });
    }
    for (field, date) in [("from", query.from), ("to", query.to)] {
        if date.is_some_and(|date| !(1..=9_999).contains(&date.year())) {
            return Err(ViewError::query(field, "must lie between the years 1 and 9999"));
        }
    }
    let to = match query.to {
        Some(to) => Day::of(to),
        None => last(tables, query.by)?,
    };
    let Some(from) = query.from.map(Day::of) else {
        return Ok(Asked { span: Span { from: Span::BEGINNING, to }, previous: None });
    };
    if query.to.is_some() && from > to {
        return Err(ViewError::query("to", "must not lie before `from`"));
    }
    let span = Span { from, to: to.max(from) };
    Ok(Asked { span, previous: span.days_before() })
}

/// The last day on which anything happened; the end of its month or year where rows are months or years, so
/// that the last row is a whole one.
fn last(tables: &Tables, by: Group) -> Result<Day, ViewError> {
    let all = find(tables, ANY_PROGRAM | ANY_COHORT | ANY_TYPE, None, "", "")?;
    let last = match all {
        Some(cell) => last_day(tables, cell)?,
        None => None,
    };
    let last = last.unwrap_or_else(|| Day::first_of(Month(1970 * 12)));
    Ok(match by {
        Group::Month => Span::of_months(last.month(), last.month()).to,
        Group::Year => year(last.month()).to,
        Group::None | Group::Program | Group::Cohort | Group::Type => last,
    })
}

fn year(month: Month) -> Span {
    let first = month.0.div_euclid(12) * 12;
    Span::of_months(Month(first), Month(first + 11))
}

fn any(query: &Query) -> u32 {
    let any = |wanted: bool, by, bit| if wanted || query.by == by { 0 } else { bit };
    any(query.program.is_some(), Group::Program, ANY_PROGRAM)
        | any(query.cohort.is_some(), Group::Cohort, ANY_COHORT)
        | any(query.gathering_type.is_some(), Group::Type, ANY_TYPE)
}

/// The one cell that is asked about, groups taken together.
fn cell(tables: &Tables, query: &Query) -> Result<Option<u32>, ViewError> {
    let cohort = query.cohort.as_deref().unwrap_or_default();
    let gathering_type = query.gathering_type.as_deref().unwrap_or_default();
    let ungrouped = Query { by: Group::None, ..query.clone() };
    Ok(find(tables, any(&ungrouped), query.program, cohort, gathering_type)?)
}

/// A row per program, cohort or type.
fn parts(
    tables: &Tables,
    merged: &[(u32, u32)],
    query: &Query,
    asked: Asked,
    depth: u32,
    page: &Page,
) -> Result<(Vec<NamedCell>, Option<String>), ViewError> {
    let group = match query.by {
        Group::Program => "coalesce(hex(cells.program), '')",
        Group::Cohort => "cohort",
        _ => "type",
    };
    let after: Option<String> = page.after()?;
    let sql = format!(
        "SELECT cell, {group}, name FROM cells LEFT JOIN programs ON programs.program = cells.program
         WHERE any = ?1 AND (?2 IS NULL OR cells.program = ?2) AND (?3 IS NULL OR cohort = ?3)
             AND (?4 IS NULL OR type = ?4) AND (?5 IS NULL OR {group} > ?5)
         ORDER BY 2 LIMIT ?6"
    );
    let limit = page.fetch() as u64;
    let filters = params![any(query), query.program, query.cohort, query.gathering_type, after, limit];
    let mut found = tables.rows(&sql, filters, |row| {
        Ok((row.get::<_, u32>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?))
    })?;
    let next = page.cut(&mut found, |(_, group, _)| group.clone());
    let mut rows = Vec::with_capacity(found.len());
    for (cell, group, name) in found {
        let cell = Reporter::new(tables, merged, cell, depth).report(asked.span, asked.previous)?;
        // Where nothing happened now or before, there is nothing to say.
        if cell != Cell::default() {
            let group = Uuid::parse_str(&group)
                .ok()
                .filter(|_| query.by == Group::Program)
                .map_or(group, |id| id.to_string());
            rows.push(NamedCell { group, name, cell });
        }
    }
    Ok((rows, next))
}

/// A row per month or year in which anything happened.
fn times(
    mut reporter: Reporter<'_>,
    by: Group,
    asked: Asked,
    page: &Page,
) -> Result<(Vec<NamedCell>, Option<String>), ViewError> {
    let after: Option<i32> = page.after()?;
    let mut groups: Vec<(i32, String, Span, Span)> = Vec::new();
    for month in reporter.months(asked.span)? {
        let (key, name, whole, before) = if by == Group::Year {
            let (this, before) = (year(month), year(Month(month.0 - 12)));
            (month.0.div_euclid(12), format!("{:04}", month.0.div_euclid(12)), this, before)
        } else {
            let before = Month(month.0 - 1);
            let (this, before) = (Span::of_months(month, month), Span::of_months(before, before));
            (month.0, month.to_string(), this, before)
        };
        let known = groups.last().is_some_and(|(last, ..)| *last == key);
        if !known && after.is_none_or(|after| key > after) {
            groups.push((key, name, whole, before));
        }
    }
    let next = page.cut(&mut groups, |(key, ..)| *key);
    let mut rows = Vec::with_capacity(groups.len());
    for (_, group, whole, before) in groups {
        let span = Span { from: whole.from.max(asked.span.from), to: whole.to.min(asked.span.to) };
        let previous = if span == whole { Some(before) } else { span.days_before() };
        let cell = reporter.report(span, previous)?;
        if cell != Cell::default() {
            rows.push(NamedCell { group, name: None, cell });
        }
    }
    Ok((rows, next))
}
