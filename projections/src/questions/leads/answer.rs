//! The answers about leads: cells added up by group, and the leads behind them.

use std::collections::BTreeMap;

use rusqlite::params;
use uuid::Uuid;

use super::{Cell, Group, LeadRow, NamedCell, Query, Status, StatusType, ViewRow, read_lead};
use crate::kit::{Month, Page, Period, Tables, ViewError};

impl Cell {
    pub(super) fn add(&mut self, other: &Self) {
        self.captured += other.captured;
        self.open += other.open;
        self.won += other.won;
        self.lost += other.lost;
        self.seconds += other.seconds;
    }

    /// Derives the rates from the counts.
    #[expect(clippy::cast_precision_loss, reason = "counts of leads are far below 2^52")]
    pub(super) fn finish(&mut self) {
        self.conversion_rate = (self.captured > 0).then(|| self.won as f64 / self.captured as f64);
        self.days_to_conversion = (self.won > 0).then(|| self.seconds as f64 / self.won as f64 / 86_400.0);
    }
}

/// The cells asked for, by the name of their group.
pub(super) fn cells(tables: &Tables, query: &Query) -> Result<BTreeMap<String, Cell>, ViewError> {
    let group = match query.by {
        Group::Source => "source",
        Group::Owner => "coalesce(name, '')",
        Group::Status => "status",
        Group::Month => "captured",
    };
    let (from, to) = query.captured.map_or((i32::MIN, i32::MAX), |period| (period.first.0, period.last.0));
    let sql = format!(
        "SELECT {group}, status, sum(leads), sum(seconds) FROM cells LEFT JOIN members ON member = owner
         WHERE (?1 IS NULL OR source = ?1) AND (?2 IS NULL OR owner = ?2) AND (?3 IS NULL OR status = ?3)
             AND captured BETWEEN ?4 AND ?5
         GROUP BY 1, 2"
    );
    let filters = params![query.source, query.owner, query.status.map(Status::word), from, to];
    let found = tables.rows(&sql, filters, |row| {
        let name =
            if query.by == Group::Month { Month(row.get(0)?).to_string() } else { row.get::<_, String>(0)? };
        let status = Status::of(row.get_ref(1)?.as_str()?);
        Ok((name, status, row.get::<_, i64>(2)?, row.get::<_, i64>(3)?))
    })?;
    let mut cells = BTreeMap::<String, Cell>::new();
    for (name, status, leads, seconds) in found {
        let cell = cells.entry(name).or_default();
        cell.captured += leads;
        cell.seconds += seconds;
        match status.status_type() {
            StatusType::Open => cell.open += leads,
            StatusType::Won => cell.won += leads,
            StatusType::Lost => cell.lost += leads,
        }
    }
    cells.values_mut().for_each(Cell::finish);
    Ok(cells)
}

pub(super) fn named(
    cells: BTreeMap<String, Cell>,
    page: &Page,
) -> Result<(Vec<ViewRow>, Option<String>), ViewError> {
    let after: Option<String> = page.after()?;
    let later = cells.into_iter().filter(|(group, _)| after.as_ref().is_none_or(|after| group > after));
    let mut rows: Vec<_> = later.take(page.fetch()).map(|(group, cell)| NamedCell { group, cell }).collect();
    let next = page.cut(&mut rows, |row| row.group.clone());
    Ok((rows.into_iter().map(ViewRow::Cell).collect(), next))
}

pub(super) fn moments_of(period: Option<Period>) -> (i64, i64) {
    period.map_or((i64::MIN, i64::MAX), |Period { first, last }| (first.begins(), Month(last.0 + 1).begins()))
}

pub(super) fn leads(
    tables: &Tables,
    query: &Query,
    page: &Page,
) -> Result<(Vec<ViewRow>, Option<String>), ViewError> {
    let after: Option<Uuid> = page.after()?;
    let (from, to) = moments_of(query.captured);
    let sql =
        "SELECT status, because, source, owner, contact, score, deal, captured_at, converted_at, lead, name,
             (SELECT person FROM person WHERE person.contact = leads.contact)
         FROM leads LEFT JOIN members ON member = owner
         WHERE (?1 IS NULL OR source = ?1) AND (?2 IS NULL OR owner = ?2) AND (?3 IS NULL OR status = ?3)
             AND captured_at >= ?4 AND captured_at < ?5 AND lead > ?6
         ORDER BY lead LIMIT ?7";
    let filters = params![
        query.source,
        query.owner,
        query.status.map(Status::word),
        from,
        to,
        after.map_or(Vec::new(), |after| after.as_bytes().to_vec()),
        page.fetch() as u64,
    ];
    let mut rows = tables.rows(sql, filters, |row| {
        let lead = read_lead(row)?;
        Ok(LeadRow {
            lead: row.get(9)?,
            status: lead.status,
            status_type: lead.status.status_type(),
            because: lead.because,
            source: lead.source,
            owner: row.get(10)?,
            contact: lead.contact,
            person: row.get(11)?,
            score: lead.score,
            deal: lead.deal,
            captured_at: lead.captured_at,
            converted_at: lead.converted_at,
        })
    })?;
    let next = page.cut(&mut rows, |row| row.lead);
    Ok((rows.into_iter().map(ViewRow::Lead).collect(), next))
}
