//! The deals behind a cell of the pipeline, and the fields that put them there.

use domain::{Kind, StreamId};
use rusqlite::params;
use uuid::Uuid;

use super::{
    answer::{cells, moments_of},
    query::{Group, Query},
};
use crate::kit::{Behind, Cause, Page, Period, Tables, ViewError};

pub(super) fn behind(
    tables: &Tables,
    query: &Query,
    group: Option<&str>,
    page: &Page,
) -> Result<Behind, ViewError> {
    let cells = cells(tables, query)?;
    let counted = cells.iter().filter(|(name, _)| group.is_none_or(|group| group == *name));
    let count = counted.map(|(_, cell)| cell.deals).sum();
    let mut found = deals(tables, query, group, page)?;
    let next = page.cut(&mut found, |(deal, _)| *deal);
    let (fields, of_owner) = (fields(query), of_owner(query));
    let cause = |(deal, owner): (Uuid, Option<Uuid>)| {
        let owner = owner.map(|owner| StreamId::new(Kind::Member, owner));
        Cause {
            thing: StreamId::new(Kind::Deal, deal),
            fields: fields.clone(),
            through: owner.zip(of_owner.map(str::to_owned)),
        }
    };
    Ok(Behind { count, causes: found.into_iter().map(cause).collect(), next })
}

/// The deals of a cell with their owners.
fn deals(
    tables: &Tables,
    query: &Query,
    group: Option<&str>,
    page: &Page,
) -> Result<Vec<(Uuid, Option<Uuid>)>, ViewError> {
    let after: Option<Uuid> = page.after()?;
    // A month is compared as a run of moments, everything else as it is shown.
    let (shown, month) = match query.by {
        Group::Stage => ("stage", None),
        Group::Owner => ("coalesce(name, '')", None),
        Group::Team => ("coalesce(team, '')", None),
        Group::Region => ("coalesce(region, '')", None),
        Group::Product => ("coalesce(product, '')", None),
        Group::Opened => ("''", Some("opened_at")),
        Group::Closed => ("''", Some("closed_at")),
    };
    let column = month.unwrap_or("opened_at");
    let sql = format!(
        "SELECT deal, owner FROM deals LEFT JOIN members ON member = owner
         WHERE (?1 IS NULL OR stage = ?1) AND (?2 IS NULL OR owner = ?2) AND (?3 IS NULL OR team = ?3)
             AND (?4 IS NULL OR region = ?4) AND (?5 IS NULL OR product = ?5)
             AND opened_at >= ?6 AND opened_at < ?7 AND (?12 OR (closed_at >= ?8 AND closed_at < ?9))
             AND (?13 IS NULL OR {shown} = ?13)
             AND (?14 IS NULL OR ({column} >= ?14 AND {column} < ?15)) AND (NOT ?16 OR {column} IS NULL)
             AND deal > ?10
         ORDER BY deal LIMIT ?11"
    );
    let of_month = month.and(group).filter(|group| !group.is_empty());
    let of_month = of_month.map(str::parse::<Period>).transpose();
    // What is no month names no cell.
    let Ok(of_month) = of_month else { return Ok(Vec::new()) };
    let ((from, to), (closed_from, closed_to)) = (moments_of(query.opened), moments_of(query.closed));
    let of_month = of_month.map(|period| moments_of(Some(period)));
    let filters = params![
        query.stage,
        query.owner,
        query.team,
        query.region,
        query.product,
        from,
        to,
        closed_from,
        closed_to,
        after.map_or(Vec::new(), |after| after.as_bytes().to_vec()),
        page.fetch() as u64,
        query.closed.is_none(),
        group.filter(|_| month.is_none()),
        of_month.map(|(from, _)| from),
        of_month.map(|(_, to)| to),
        month.is_some() && group == Some(""),
    ];
    Ok(tables.rows(&sql, filters, |row| Ok((row.get(0)?, row.get(1)?)))?)
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
