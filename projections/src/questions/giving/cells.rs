//! Gifts counted and summed by one of their properties.

use std::collections::BTreeMap;

use domain::Currency;
use rusqlite::{params, types::Value};
use uuid::Uuid;

use super::{
    answer::{Cell, Listed, NamedCell, View},
    asked::Asked,
    gift::{self, Gift},
    names::name_of,
    query::{Group, Query},
    year::Years,
};
use crate::kit::{Page, Tables, ViewError, cells::page_of, filter::Filter};

const DEFINITION: &str = "giving 3: gifts in force, in the month in which they came in, by the days of the organisation. A refund counts \
    against the month, donor and funds of its gift, on all its funds alike. Net is received less refunded. A gift \
    to several funds counts once with each of them and once in the totals; what is not allocated has no fund. \
    Merged contacts are one donor. Gifts without a donor count in sums. Soft credits are not added. Currencies are never added up.";

pub(super) fn view(tables: &Tables, query: &Query, page: &Page) -> Result<View, ViewError> {
    let years = Years::of(tables, query.year_kind)?;
    let asked = Asked { query, by: query.by.unwrap_or_default(), years };
    let (totals, cells) = match query.donor {
        Some(donor) => one_donor(tables, asked, donor)?,
        None if asked.by == Group::Donor => {
            let (totals, _) = all(tables, Asked { by: Group::Year, ..asked }, None)?;
            (totals, donors(tables, asked, page)?)
        }
        None => all(tables, asked, None)?,
    };
    let (found, next) = page_of(cells, page)?;
    let mut rows = Vec::with_capacity(found.len());
    for (group, cell) in found {
        let name = name(tables, asked.by, &group)?;
        rows.push(NamedCell { group, name, cell });
    }
    let definition = DEFINITION.into();
    Ok(View::Cells(Listed { definition, totals: Some(totals), donors: None, rows, next }))
}

/// How many gifts stand in the cell of a group, or in all cells.
pub(super) fn count(tables: &Tables, asked: Asked<'_>, group: Option<&str>) -> Result<i64, ViewError> {
    let donor = match (asked.by, group) {
        (Group::Donor, Some(donor)) => donor.parse().ok(),
        _ => asked.query.donor,
    };
    let without_donor = (asked.by == Group::Donor && group.is_some()).then_some(false);
    let (totals, cells) = match donor {
        Some(donor) => one_donor(tables, asked, donor)?,
        None => all(tables, asked, without_donor)?,
    };
    Ok(group.map_or(totals.gifts, |group| cells.get(group).map_or(0, |cell| cell.gifts)))
}

pub(super) type Cells = BTreeMap<String, Cell>;

fn name(tables: &Tables, group: Group, id: &str) -> Result<Option<String>, ViewError> {
    let Ok(id) = id.parse::<Uuid>() else { return Ok(None) };
    match group {
        Group::Donor => name_of(tables, id),
        Group::Fund => Ok(tables.row("SELECT name FROM funds WHERE fund = ?1", [id], |row| row.get(0))?),
        Group::Campaign | Group::Year | Group::Month | Group::Method | Group::Stage => Ok(None),
    }
}

/// The cells of all donors together, from the sums kept; of gifts with or without a donor only, where asked.
fn all(tables: &Tables, asked: Asked<'_>, has_donor: Option<bool>) -> Result<(Cell, Cells), ViewError> {
    let filter = asked.of_cells(has_donor);
    let sql = format!(
        "SELECT {}, currency, sum(gifts), sum(whole), sum(received), sum(refunded) FROM cells
         WHERE {} GROUP BY 1, 2",
        asked.key(),
        filter.sql()
    );
    let found = tables.rows(&sql, filter.params().as_slice(), |row| {
        let (key, currency): (Value, String) = (row.get(0)?, row.get(1)?);
        let sums: [i64; 4] = [row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?];
        Ok((key, currency.parse::<Currency>(), sums))
    })?;
    let (mut totals, mut cells) = (Cell::default(), Cells::new());
    for (key, currency, [parts, whole, received, refunded]) in found {
        let Ok(currency) = currency else { continue };
        let of_fund = asked.query.fund.is_some();
        let cell = cells.entry(asked.group(key)).or_default();
        cell.add(
            if of_fund || asked.by == Group::Fund { parts } else { whole },
            received,
            refunded,
            currency,
        );
        totals.add(if of_fund { parts } else { whole }, received, refunded, currency);
    }
    Ok((totals, cells))
}

/// The cells of one donor, from their own gifts.
fn one_donor(tables: &Tables, asked: Asked<'_>, donor: Uuid) -> Result<(Cell, Cells), ViewError> {
    let (mut totals, mut cells) = (Cell::default(), Cells::new());
    for gift in gifts_of(tables, donor, &asked.of_gifts())? {
        add_gift(&gift, asked, &mut totals, &mut cells);
    }
    Ok((totals, cells))
}

/// The gifts of a donor that a filter lets through, in the order in which they came in; those of merged contacts as
/// of one.
pub(super) fn gifts_of(tables: &Tables, donor: Uuid, filter: &Filter) -> Result<Vec<Gift>, ViewError> {
    let parts = tables.parts_of(donor)?;
    let person = parts.first().copied();
    let mut gifts = Vec::new();
    for part in &parts {
        let filter = filter.clone().only(&gift::DONOR, Some(*part));
        let sql = format!(
            "SELECT {} FROM gifts WHERE {} ORDER BY donor, received_at, position",
            gift::COLUMNS,
            filter.sql()
        );
        gifts.extend(tables.rows(&sql, filter.params().as_slice(), gift::read)?);
    }
    if parts.len() > 1 {
        gifts.sort_by_key(|gift| (gift.received.at, gift.position));
        for gift in &mut gifts {
            gift.donor = person;
        }
    }
    Ok(gifts)
}

/// Adds what a gift that [`Asked::of_gifts`] lets through brings to the question, if anything.
pub(super) fn add_gift(gift: &Gift, asked: Asked<'_>, totals: &mut Cell, cells: &mut Cells) {
    let parts = gift.parts().into_iter().filter(|part| asked.takes(part));
    for (index, part) in parts.enumerate() {
        let whole = i64::from(index == 0);
        let cell = cells.entry(asked.group_of(gift, &part)).or_default();
        let gifts = if asked.by == Group::Fund { 1 } else { whole };
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
fn donors(tables: &Tables, asked: Asked<'_>, page: &Page) -> Result<Cells, ViewError> {
    let after: Option<String> = page.after()?;
    let (mut found, mut unused) = (Cells::new(), Cell::default());
    if after.is_none() {
        found = all(tables, asked, Some(false))?.1;
    }
    let mut seen = gift::blob(after.and_then(|after| after.parse().ok()));
    while found.len() < page.fetch() {
        let donors = donors_after(tables, &seen)?;
        for donor in &donors {
            for gift in gifts_of(tables, *donor, &asked.of_gifts())? {
                add_gift(&gift, asked, &mut unused, &mut found);
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
