//! The gifts behind a cell, and the fields that put them there.

use domain::{Kind, StreamId};
use rusqlite::{Row, types::Value};
use uuid::Uuid;

use super::{
    answer::Cell,
    asked::Asked,
    cells::{self, Cells},
    gift::{self, Gift},
    query::{Group, Query},
    year::Years,
};
use crate::kit::{Behind, Cause, Page, Tables, ViewError, persons::person_in};

/// How many gifts one page looks through for those of its cell; the next page goes on from there.
const LOOKED_THROUGH: usize = 20_000;

pub(super) fn behind(
    tables: &Tables,
    query: &Query,
    group: Option<&str>,
    page: &Page,
) -> Result<Behind, ViewError> {
    let years = Years::of(tables, query.year_kind)?;
    let asked = Asked { query, by: query.by.unwrap_or_default(), years };
    let count = cells::count(tables, asked, group)?;
    let (mut found, mut after) = (Vec::new(), page.after::<Uuid>()?);
    let mut looked = 0;
    while found.len() < page.fetch() && looked < LOOKED_THROUGH {
        let gifts = gifts_after(tables, asked, after)?;
        looked += gifts.len();
        for (id, wanted, gift) in &gifts {
            let mut in_cells = Cells::new();
            if *wanted {
                cells::add_gift(gift, asked, &mut Cell::default(), &mut in_cells);
            }
            if group.map_or(!in_cells.is_empty(), |group| in_cells.contains_key(group)) {
                found.push(*id);
            }
            after = Some(*id);
            if found.len() == page.fetch() {
                break;
            }
        }
        if gifts.len() < READ && found.len() < page.fetch() {
            after = None;
            break;
        }
    }
    let cut = page.cut(&mut found, |gift| *gift);
    let next = cut.or_else(|| after.and_then(|after| Page::cursor(&after)));
    let fields = fields(query, asked.by, group);
    let cause =
        |gift| Cause { thing: StreamId::new(Kind::Gift, gift), fields: fields.clone(), through: None };
    Ok(Behind { count, causes: found.into_iter().map(cause).collect(), next })
}

/// How many gifts are read at a time.
const READ: usize = 1_000;

/// The next gifts, those of merged contacts as of one donor, each with whether it is asked for. That is no condition
/// of the search, which might otherwise look through all gifts for a page.
fn gifts_after(
    tables: &Tables,
    asked: Asked<'_>,
    after: Option<Uuid>,
) -> Result<Vec<(Uuid, bool, Gift)>, ViewError> {
    let filter = asked.of_gifts();
    let sql = format!(
        "SELECT {}, gift, {} FROM gifts
         WHERE gift > :after AND (:donor IS NULL OR {} = :donor) ORDER BY gift LIMIT {READ}",
        gift::COLUMNS,
        filter.sql(),
        person_in("donor"),
    );
    let donor = asked.query.donor.map(|donor| tables.person_of(donor)).transpose()?;
    let (after, donor) = (Value::from(gift::blob(after)), donor.map_or(Value::Null, Value::from));
    let mut params = filter.params();
    params.extend([(":after", &after), (":donor", &donor)]);
    let read = |row: &Row<'_>| Ok((row.get(gift::WIDTH)?, row.get(gift::WIDTH + 1)?, gift::read(row)?));
    let mut gifts = tables.rows(&sql, params.as_slice(), read)?;
    if tables.any_merged()? {
        for (_, _, gift) in &mut gifts {
            gift.donor = gift.donor.map(|donor| tables.person_of(donor)).transpose()?;
        }
    }
    Ok(gifts)
}

/// The fields of a gift that decide in which of the cells asked for it counts, and with how much.
fn fields(query: &Query, by: Group, group: Option<&str>) -> Vec<String> {
    let fund = query.fund.map(|fund| fund.to_string());
    let fund = fund.or_else(|| group.filter(|_| by == Group::Fund).map(str::to_owned));
    let fund = fund.map(|fund| format!("allocation to {}-{fund}", Kind::Fund));
    let asked = [
        (true, "amount"),
        (true, "refunded in all"),
        (query.received.is_some() || matches!(by, Group::Year | Group::Month), "received"),
        (query.donor.is_some() || by == Group::Donor, "donor"),
        (query.campaign.is_some() || by == Group::Campaign, "campaign"),
        (query.method.is_some() || by == Group::Method, "method"),
        (query.stage.is_some() || by == Group::Stage, "stage"),
    ];
    let asked = asked.into_iter().filter(|(asked, _)| *asked).map(|(_, field)| field.to_owned());
    asked.chain(fund).collect()
}
