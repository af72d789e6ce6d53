//! The leads behind a cell, and the fields that put them there.

use domain::{Kind, StreamId};

use super::{
    answer::cells,
    query::{Group, Query},
};
use crate::kit::{
    Behind, Cause, Page, Tables, ViewError,
    cells::{self, counted},
    filter::Over,
};

pub(super) fn behind(
    tables: &Tables,
    query: &Query,
    group: Option<&str>,
    page: &Page,
) -> Result<Behind, ViewError> {
    let count = counted(&cells(tables, query)?, group, |cell| cell.captured);
    let filter = query.filter(Over::Things).in_group(&query.by.property(), group);
    let fields = fields(query);
    let from = ("leads LEFT JOIN members ON member = owner", "lead");
    cells::behind(tables, count, from, filter, page, |lead, owner| {
        let owner = owner.filter(|_| query.by == Group::Owner);
        Cause {
            thing: StreamId::new(Kind::Lead, lead),
            fields: fields.clone(),
            through: owner.map(|owner| (StreamId::new(Kind::Member, owner), "name".to_owned())),
        }
    })
}

/// The fields of a lead that decide in which of the cells asked for it counts.
fn fields(query: &Query) -> Vec<String> {
    let asked = [
        (query.source.is_some() || query.by == Group::Source, "source"),
        (query.owner.is_some() || query.by == Group::Owner, "owner"),
        (query.status.is_some() || query.by == Group::Status, "status"),
        (query.captured.is_some() || query.by == Group::Month, "captured"),
    ];
    asked.into_iter().filter(|(asked, _)| *asked).map(|(_, field)| field.to_owned()).collect()
}
