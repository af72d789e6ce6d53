//! The leads behind a cell, and the fields that put them there.

use domain::{Kind, StreamId};
use rusqlite::params;
use uuid::Uuid;

use super::{
    answer::{cells, moments_of},
    query::{Group, Query},
    status::Status,
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
    let count = counted.map(|(_, cell)| cell.captured).sum();
    let mut found = leads(tables, query, group, page)?;
    let next = page.cut(&mut found, |(lead, _)| *lead);
    let fields = fields(query);
    let cause = |(lead, owner): (Uuid, Option<Uuid>)| {
        let owner =
            owner.filter(|_| query.by == Group::Owner).map(|owner| StreamId::new(Kind::Member, owner));
        Cause {
            thing: StreamId::new(Kind::Lead, lead),
            fields: fields.clone(),
            through: owner.map(|owner| (owner, "name".to_owned())),
        }
    };
    Ok(Behind { count, causes: found.into_iter().map(cause).collect(), next })
}

/// The leads of a cell with their owners.
fn leads(
    tables: &Tables,
    query: &Query,
    group: Option<&str>,
    page: &Page,
) -> Result<Vec<(Uuid, Option<Uuid>)>, ViewError> {
    let after: Option<Uuid> = page.after()?;
    let shown = match query.by {
        Group::Source => "source",
        Group::Owner => "coalesce(name, '')",
        Group::Status => "status",
        Group::Month => "''",
    };
    let by_month = query.by == Group::Month;
    let of_month = group.filter(|_| by_month).map(str::parse::<Period>).transpose();
    // What is no month names no cell.
    let Ok(of_month) = of_month else { return Ok(Vec::new()) };
    let sql = format!(
        "SELECT lead, owner FROM leads LEFT JOIN members ON member = owner
         WHERE (?1 IS NULL OR source = ?1) AND (?2 IS NULL OR owner = ?2) AND (?3 IS NULL OR status = ?3)
             AND captured_at >= ?4 AND captured_at < ?5 AND captured_at >= ?8 AND captured_at < ?9
             AND (?10 IS NULL OR {shown} = ?10) AND lead > ?6
         ORDER BY lead LIMIT ?7"
    );
    let ((from, to), (month_from, month_to)) = (moments_of(query.captured), moments_of(of_month));
    let filters = params![
        query.source,
        query.owner,
        query.status.map(Status::word),
        from,
        to,
        after.map_or(Vec::new(), |after| after.as_bytes().to_vec()),
        page.fetch() as u64,
        month_from,
        month_to,
        group.filter(|_| !by_month),
    ];
    Ok(tables.rows(&sql, filters, |row| Ok((row.get(0)?, row.get(1)?)))?)
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
