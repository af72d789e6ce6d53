//! Cells by the name of their group, and the things that they count: what counting views have in common.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::kit::{
    error::ViewError,
    filter::Filter,
    page::Page,
    projection::{Behind, Cause},
    tables::Tables,
};

/// Cells with the names of their groups, and the cursor of the next page.
type PageOfCells<C> = (Vec<(String, C)>, Option<String>);

/// The cells of a page, in the order of their groups, and the cursor of the next one.
pub(crate) fn page_of<C>(cells: BTreeMap<String, C>, page: &Page) -> Result<PageOfCells<C>, ViewError> {
    let after: Option<String> = page.after()?;
    let later = cells.into_iter().filter(|(group, _)| after.as_ref().is_none_or(|after| group > after));
    let mut rows: Vec<_> = later.take(page.fetch()).collect();
    let next = page.cut(&mut rows, |(group, _)| group.clone());
    Ok((rows, next))
}

/// How many things the cell of a group counts, or all cells together.
pub(crate) fn counted<C>(
    cells: &BTreeMap<String, C>,
    group: Option<&str>,
    of_cell: impl Fn(&C) -> i64,
) -> i64 {
    cells
        .iter()
        .filter(|(name, _)| group.is_none_or(|group| group == *name))
        .map(|(_, cell)| of_cell(cell))
        .sum()
}

/// A page of the things that a filter lets through, each with the member of staff who has it. `from` says where they
/// stand, `id` is the column of their ids.
pub(crate) fn behind(
    tables: &Tables,
    count: i64,
    (from, id): (&str, &str),
    filter: Filter,
    page: &Page,
    cause: impl Fn(Uuid, Option<Uuid>) -> Cause,
) -> Result<Behind, ViewError> {
    let filter = filter.page(id, page)?;
    let sql = format!("SELECT {id}, owner FROM {from} WHERE {}", filter.sql());
    let mut found = tables.rows(&sql, filter.params().as_slice(), |row| {
        Ok((row.get::<_, Uuid>(0)?, row.get::<_, Option<Uuid>>(1)?))
    })?;
    let next = page.cut(&mut found, |(thing, _)| *thing);
    let causes = found.into_iter().map(|(thing, owner)| cause(thing, owner)).collect();
    Ok(Behind { count, causes, next })
}
