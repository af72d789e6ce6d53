//! Gifts counted and summed by one of their properties.

use std::collections::BTreeMap;

use domain::Currency;
use rusqlite::{params, types::Value};
use uuid::Uuid;

use super::{
    answer::{Cell, NamedCell, View, ViewRow},
    gift::{self, Gift},
    names::name_of,
    query::{Group, Query},
    year::Years,
};
use crate::kit::{Month, Page, Tables, ViewError};

const DEFINITION: &str = "giving 2: gifts in force, in the month (UTC) in which they came in. A refund counts \
    against the month, donor and funds of its gift, on all its funds alike. Net is received less refunded. A gift \
    to several funds counts once with each of them and once in the totals; what is not allocated has no fund. \
    Merged contacts are one donor. Gifts without a donor count in sums. Soft credits are not added. Currencies are never added up.";

pub(super) fn view(tables: &Tables, query: &Query, page: &Page) -> Result<View, ViewError> {
    let group = query.by.unwrap_or_default();
    let years = Years::of(tables, query.year_kind)?;
    let (totals, cells) = match query.donor {
        Some(donor) => one_donor(tables, query, group, years, donor)?,
        None if group == Group::Donor => {
            let (totals, _) = all(tables, query, Group::Year, years, None)?;
            (totals, donors(tables, query, years, page)?)
        }
        None => all(tables, query, group, years, None)?,
    };
    let after: Option<String> = page.after()?;
    let later = cells.into_iter().filter(|(group, _)| after.as_ref().is_none_or(|after| group > after));
    let mut rows: Vec<_> =
        later.take(page.fetch()).map(|(group, cell)| NamedCell { group, name: None, cell }).collect();
    let next = page.cut(&mut rows, |row| row.group.clone());
    for row in &mut rows {
        row.name = name(tables, group, &row.group)?;
    }
    let rows = rows.into_iter().map(ViewRow::Cell).collect();
    Ok(View { definition: DEFINITION, totals: Some(totals), donors: None, rows, next })
}

/// How many gifts stand in the cell of a group, or in all cells.
pub(super) fn count(
    tables: &Tables,
    query: &Query,
    by: Group,
    years: Years,
    group: Option<&str>,
) -> Result<i64, ViewError> {
    let donor = match (by, group) {
        (Group::Donor, Some(donor)) => donor.parse().ok(),
        _ => query.donor,
    };
    let (totals, cells) = match donor {
        Some(donor) => one_donor(tables, query, by, years, donor)?,
        None => all(tables, query, by, years, (by == Group::Donor && group.is_some()).then_some(false))?,
    };
    Ok(group.map_or(totals.gifts, |group| cells.get(group).map_or(0, |cell| cell.gifts)))
}

fn name(tables: &Tables, group: Group, id: &str) -> Result<Option<String>, ViewError> {
    let Ok(id) = id.parse::<Uuid>() else { return Ok(None) };
    match group {
        Group::Donor => name_of(tables, id),
        Group::Fund => Ok(tables.row("SELECT name FROM funds WHERE fund = ?1", [id], |row| row.get(0))?),
        Group::Campaign | Group::Year | Group::Month | Group::Method | Group::Stage => Ok(None),
    }
}

pub(super) type Cells = BTreeMap<String, Cell>;

/// The cells of all donors together, from the sums kept; of gifts with or without a donor only, where asked.
fn all(
    tables: &Tables,
    query: &Query,
    group: Group,
    years: Years,
    has_donor: Option<bool>,
) -> Result<(Cell, Cells), ViewError> {
    let column = match group {
        Group::Donor => "x''",
        Group::Fund => "fund",
        Group::Campaign => "campaign",
        Group::Year => "(month + ?7) / 12",
        Group::Month => "month",
        Group::Method => "method",
        Group::Stage => "stage",
    };
    let sql = format!(
        "SELECT {column}, currency, sum(gifts), sum(whole), sum(received), sum(refunded) FROM cells
         WHERE (?1 IS NULL OR fund = ?1) AND (?2 IS NULL OR campaign = ?2) AND (?3 IS NULL OR method = ?3)
             AND (?4 IS NULL OR stage = ?4) AND month BETWEEN ?5 AND ?6
             AND (?8 IS NULL OR has_donor = ?8)
         GROUP BY 1, 2"
    );
    let (from, to) = months(query);
    let filters = params![
        query.fund,
        query.campaign,
        query.method,
        query.stage,
        from.0,
        to.0,
        years.shift(),
        has_donor
    ];
    let found = tables.rows(&sql, filters, |row| {
        let (key, currency): (Value, String) = (row.get(0)?, row.get(1)?);
        let sums: [i64; 4] = [row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?];
        Ok((key, currency.parse::<Currency>(), sums))
    })?;
    let (mut totals, mut cells) = (Cell::default(), Cells::new());
    for (key, currency, [parts, whole, received, refunded]) in found {
        let Ok(currency) = currency else { continue };
        let of_fund = query.fund.is_some();
        let cell = cells.entry(key_name(group, key)).or_default();
        cell.add(if of_fund || group == Group::Fund { parts } else { whole }, received, refunded, currency);
        totals.add(if of_fund { parts } else { whole }, received, refunded, currency);
    }
    Ok((totals, cells))
}

fn months(query: &Query) -> (Month, Month) {
    query.received.map_or((Month(i32::MIN), Month(i32::MAX)), |period| (period.first, period.last))
}

fn key_name(group: Group, key: Value) -> String {
    match key {
        Value::Integer(number) => {
            let number = i32::try_from(number).unwrap_or_default();
            if group == Group::Month { Month(number).to_string() } else { year_name(number) }
        }
        Value::Text(text) => text,
        Value::Blob(bytes) => Uuid::from_slice(&bytes).map_or(String::new(), |id| id.to_string()),
        Value::Null | Value::Real(_) => String::new(),
    }
}

fn year_name(year: i32) -> String {
    format!("{year:04}")
}

/// The cells of one donor, from their own gifts.
fn one_donor(
    tables: &Tables,
    query: &Query,
    group: Group,
    years: Years,
    donor: Uuid,
) -> Result<(Cell, Cells), ViewError> {
    let (mut totals, mut cells) = (Cell::default(), Cells::new());
    for gift in gifts_of(tables, donor)? {
        add_gift(&gift, query, group, years, &mut totals, &mut cells);
    }
    Ok((totals, cells))
}

/// The gifts of a donor, in the order in which they came in; those of merged contacts as of one.
pub(super) fn gifts_of(tables: &Tables, donor: Uuid) -> Result<Vec<Gift>, ViewError> {
    let sql =
        format!("SELECT {} FROM gifts WHERE donor = ?1 ORDER BY donor, received_at, gift", gift::COLUMNS);
    let parts = tables.parts_of(donor)?;
    let person = parts.first().copied();
    let mut gifts = Vec::new();
    for part in &parts {
        gifts.extend(tables.rows(&sql, [part], gift::read)?);
    }
    if parts.len() > 1 {
        gifts.sort_by_key(|gift| gift.received_at);
        for gift in &mut gifts {
            gift.donor = person;
        }
    }
    Ok(gifts)
}

/// Adds what a gift brings to the question, if anything.
pub(super) fn add_gift(
    gift: &Gift,
    query: &Query,
    group: Group,
    years: Years,
    totals: &mut Cell,
    cells: &mut BTreeMap<String, Cell>,
) {
    let is = |wanted: &Option<String>, value: &String| wanted.as_ref().is_none_or(|wanted| wanted == value);
    let (from, to) = months(query);
    let wanted = is(&query.campaign, &gift.campaign)
        && is(&query.method, &gift.method)
        && is(&query.stage, &gift.stage)
        && (from..=to).contains(&gift.month());
    if !wanted {
        return;
    }
    let parts = gift.parts().into_iter().filter(|part| query.fund.is_none() || part.fund == query.fund);
    for (index, part) in parts.enumerate() {
        let key = match group {
            Group::Donor => gift.donor.map_or(String::new(), |donor| donor.to_string()),
            Group::Fund => part.fund.map_or(String::new(), |fund| fund.to_string()),
            Group::Campaign => gift.campaign.clone(),
            Group::Year => year_name(years.year(gift.month())),
            Group::Month => gift.month().to_string(),
            Group::Method => gift.method.clone(),
            Group::Stage => gift.stage.clone(),
        };
        let whole = i64::from(index == 0);
        let cell = cells.entry(key).or_default();
        let gifts = if group == Group::Fund { 1 } else { whole };
        cell.add(gifts, part.received, part.refunded, gift.currency());
        totals.add(whole, part.received, part.refunded, gift.currency());
    }
}

/// How many donors are looked up at a time.
const DONORS_READ: usize = 500;

/// The next donors after an id, in the order of their ids; of merged contacts the one that all are merged into.
pub(super) fn donors_after(tables: &Tables, after: &[u8]) -> Result<Vec<Uuid>, ViewError> {
    let sql = if tables.any_merged()? {
        "SELECT donor FROM gifts WHERE donor > ?1 AND NOT EXISTS (SELECT 1 FROM person WHERE contact = donor)
         UNION
         SELECT person FROM person JOIN gifts ON donor = contact WHERE person > ?1
         ORDER BY 1 LIMIT ?2"
    } else {
        "SELECT DISTINCT donor FROM gifts WHERE donor > ?1 ORDER BY donor LIMIT ?2"
    };
    Ok(tables.rows(sql, params![after, DONORS_READ as u64], |row| row.get(0))?)
}

/// One cell a donor, as many as a page takes; gifts without a donor are in front, under nothing.
fn donors(tables: &Tables, query: &Query, years: Years, page: &Page) -> Result<Cells, ViewError> {
    let after: Option<String> = page.after()?;
    let (mut found, mut unused) = (Cells::new(), Cell::default());
    if after.is_none() {
        found = all(tables, query, Group::Donor, years, Some(false))?.1;
    }
    let mut seen = gift::blob(after.and_then(|after| after.parse().ok()));
    while found.len() < page.fetch() {
        let donors = donors_after(tables, &seen)?;
        for donor in &donors {
            for gift in gifts_of(tables, *donor)? {
                add_gift(&gift, query, Group::Donor, years, &mut unused, &mut found);
            }
            if found.len() >= page.fetch() {
                break;
            }
        }
        match donors.last() {
            Some(last) if donors.len() == DONORS_READ => seen = last.as_bytes().to_vec(),
            _ => break,
        }
    }
    Ok(found)
}
