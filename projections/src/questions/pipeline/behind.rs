//! The deals behind a cell of the pipeline, and the fields that put them there.

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
    let count = counted(&cells(tables, query)?, group, |cell| cell.deals);
    let filter = query.filter(Over::Things).in_group(&query.by.property(), group);
    let (fields, of_owner) = (fields(query), of_owner(query));
    let from = ("deals LEFT JOIN members ON member = owner", "deal");
    cells::behind(tables, count, from, filter, page, |deal, owner| {
        let owner = owner.map(|owner| StreamId::new(Kind::Member, owner));
        Cause {
            thing: StreamId::new(Kind::Deal, deal),
            fields: fields.clone(),
            through: owner.zip(of_owner.map(str::to_owned)),
        }
    })
}

/// The fields of a deal that decide in which of the cells asked for it counts, and with how much.
fn fields(query: &Query) -> Vec<String> {
    let asked = [
        (true, "value"),
        (query.stage.is_some() || matches!(query.by, Group::Stage), "stage"),
        (query.owner.is_some() || matches!(query.by, Group::Owner) || of_owner(query).is_some(), "owner"),
        (query.product.is_some() || matches!(query.by, Group::Product), "product"),
        (query.opened.is_some() || matches!(query.by, Group::Opened), "opened"),
        (query.closed.is_some() || matches!(query.by, Group::Closed), "closed"),
    ];
    asked.into_iter().filter(|(asked, _)| *asked).map(|(_, field)| field.to_owned()).collect()
}

/// The field of the owner that decides too.
fn of_owner(query: &Query) -> Option<&'static str> {
    match query.by {
        Group::Team => Some("team"),
        Group::Region => Some("region"),
        Group::Owner => Some("name"),
        Group::Stage | Group::Product | Group::Opened | Group::Closed => {
            query.team.as_ref().map(|_| "team").or(query.region.as_ref().map(|_| "region"))
        }
    }
}
