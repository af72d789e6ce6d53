//! Cells by the name of their group, and the things that they count: what counting views have in common.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
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

/// Things counted together.
pub(crate) trait Summed: Default {
    /// Adds what another cell has counted.
    fn add(&mut self, other: &Self);

    /// Derives rates and means from what was counted, once all of it is.
    fn finish(&mut self);
}

/// A page of rows, cells or what stands behind them, with the cells of all pages added up.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "{R}Page")]
pub struct Listed<C, R> {
    /// Over all rows, this page and others.
    totals: C,
    /// The cells, or the things that they count.
    rows: Vec<R>,
    /// The cursor of the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Cells by name: those of one group.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Named{C}")]
pub struct NamedCell<C> {
    /// The name of the group; empty where the things have none.
    group: String,
    #[serde(flatten)]
    cell: C,
}

impl<C> Listed<C, NamedCell<C>> {
    /// The cells of a page, in the order of their groups.
    pub(crate) fn cells(totals: C, cells: BTreeMap<String, C>, page: &Page) -> Result<Self, ViewError> {
        let (rows, next) = page_of(cells, page)?;
        let rows = rows.into_iter().map(|(group, cell)| NamedCell { group, cell }).collect();
        Ok(Self { totals, rows, next })
    }
}

impl<C, R> Listed<C, R> {
    /// A page of the things that the cells count.
    pub(crate) fn things(totals: C, (rows, next): (Vec<R>, Option<String>)) -> Self {
        Self { totals, rows, next }
    }
}

/// All cells together.
pub(crate) fn totals<C: Summed>(cells: &BTreeMap<String, C>) -> C {
    let mut totals = C::default();
    for cell in cells.values() {
        totals.add(cell);
    }
    totals.finish();
    totals
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
