//! One deal as it stands, and the cell that it is counted in.

use chrono::{DateTime, Utc};
use domain::{
    Event, Money, Outcome, Recorded,
    deal::{DealCorrection, DealEvent},
};
use rusqlite::{Row, params};
use uuid::Uuid;

use crate::kit::{
    ApplyError, Month, Tables,
    column::{read_word, word},
    zone::When,
};

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Deal {
    pub(super) stage: String,
    pub(super) outcome: Outcome,
    pub(super) value: Option<Money>,
    pub(super) owner: Option<Uuid>,
    pub(super) product: Option<String>,
    pub(super) contact: Option<Uuid>,
    pub(super) opened: When,
    pub(super) closed: Option<When>,
}

/// The days that an event names.
pub(super) struct Told {
    /// Its own.
    at: When,
    /// Those that it sets right.
    opened: Option<When>,
    closed: Option<When>,
}

impl Told {
    pub(super) fn by(tables: &Tables, recorded: &Recorded) -> rusqlite::Result<Self> {
        let when =
            |moment: Option<DateTime<Utc>>| moment.map(|moment| tables.when_of(recorded, moment)).transpose();
        let (opened, closed) = match &recorded.event {
            Event::Deal(DealEvent::Corrected { correction, .. }) => {
                (correction.opened_at, correction.closed_at)
            }
            _ => (None, None),
        };
        Ok(Self { at: tables.when(recorded)?, opened: when(opened)?, closed: when(closed)? })
    }
}

/// The deal after an event; none where it counts nowhere.
pub(super) fn after(deal: Option<Deal>, event: &DealEvent, told: &Told) -> Option<Deal> {
    if let DealEvent::Opened { contact, owner, product, value, stage, lead: _ } = event {
        return Some(Deal {
            stage: stage.clone(),
            outcome: Outcome::default().after(event),
            value: *value,
            owner: owner.map(|owner| owner.0),
            product: product.clone(),
            contact: contact.map(|contact| contact.0),
            opened: told.at,
            closed: None,
        });
    }
    let deal = deal?;
    let stage = event.stage().map_or_else(|| deal.stage.clone(), str::to_owned);
    let deal = Deal { stage, outcome: deal.outcome.after(event), ..deal };
    Some(match event {
        DealEvent::Opened { .. } | DealEvent::Advanced { .. } => deal,
        DealEvent::Reopened { .. } => Deal { closed: None, ..deal },
        DealEvent::Converted { value } => Deal { value: value.or(deal.value), closed: Some(told.at), ..deal },
        DealEvent::Lost { because: _ } => Deal { closed: Some(told.at), ..deal },
        DealEvent::Corrected { correction, fact: _ } => corrected(deal, correction, told),
        DealEvent::Voided {} => return None,
    })
}

fn corrected(deal: Deal, correction: &DealCorrection, told: &Told) -> Deal {
    let DealCorrection { contact, owner, product, value, opened_at: _, closed_at: _ } = correction;
    Deal {
        contact: contact.map(|contact| contact.0).or(deal.contact),
        owner: owner.map(|owner| owner.0).or(deal.owner),
        product: product.clone().or(deal.product),
        value: value.or(deal.value),
        opened: told.opened.unwrap_or(deal.opened),
        closed: told.closed.or(deal.closed),
        ..deal
    }
}

/// Replaces one deal, and moves it from its old cell to its new one.
pub(super) fn change(
    tables: &Tables,
    id: Uuid,
    after: impl FnOnce(Option<Deal>) -> Option<Deal>,
) -> Result<(), ApplyError> {
    let before = tables.row(&format!("SELECT {COLUMNS} FROM deals WHERE deal = ?1"), [id], read_deal)?;
    let now = after(before.clone());
    if let Some(before) = &before {
        count(tables, before, -1)?;
    }
    let Some(deal) = now else {
        tables.execute("DELETE FROM deals WHERE deal = ?1", [id])?;
        return Ok(());
    };
    count(tables, &deal, 1)?;
    tables.execute(
        "INSERT OR REPLACE INTO deals VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            id,
            deal.stage,
            word(deal.outcome),
            deal.value.map(|value| value.minor),
            deal.value.map(|value| value.currency.to_string()),
            deal.owner,
            deal.product,
            deal.contact,
            deal.opened.micros(),
            deal.closed.map(When::micros),
            deal.opened.day_number(),
            deal.closed.map(When::day_number),
        ],
    )?;
    Ok(())
}

/// Counts a deal into its cell (`sign` 1) or out of it (−1).
fn count(tables: &Tables, deal: &Deal, sign: i64) -> Result<(), ApplyError> {
    let won_after = deal
        .closed
        .filter(|_| deal.outcome == Outcome::Won)
        .map_or(0, |closed| (closed.at - deal.opened.at).num_seconds());
    // A key without a value is empty, since SQLite holds any two NULLs in a key to be different.
    let currency = deal.value.map_or(String::new(), |value| value.currency.to_string());
    let owner = deal.owner.map_or(Vec::new(), |owner| owner.as_bytes().to_vec());
    let product = deal.product.as_deref().unwrap_or_default();
    let (opened, closed) =
        (Month::of(deal.opened.day).0, deal.closed.map_or(Month::NONE, |closed| Month::of(closed.day)).0);
    let outcome = word(deal.outcome);
    let minor = deal.value.map_or(0, |value| value.minor);
    tables.execute(
        "INSERT INTO cells VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT DO UPDATE SET deals = deals + excluded.deals, minor = minor + excluded.minor,
             cycle_seconds = cycle_seconds + excluded.cycle_seconds",
        params![
            deal.stage,
            outcome,
            currency,
            owner,
            product,
            opened,
            closed,
            sign,
            sign * minor,
            sign * won_after
        ],
    )?;
    if sign < 0 {
        tables.execute(
            "DELETE FROM cells WHERE stage = ?1 AND outcome = ?2 AND currency = ?3 AND owner = ?4 AND product = ?5
                 AND opened = ?6 AND closed = ?7 AND deals = 0",
            params![deal.stage, outcome, currency, owner, product, opened, closed],
        )?;
    }
    Ok(())
}

/// The columns that make a deal, in the order in which [`read_deal`] reads them.
pub(super) const COLUMNS: &str =
    "stage, outcome, minor, currency, owner, product, contact, opened_at, closed_at, opened_on, closed_on";

/// How many those are.
pub(super) const WIDTH: usize = 11;

/// Reads the [`COLUMNS`] of a deal.
pub(super) fn read_deal(row: &Row<'_>) -> rusqlite::Result<Deal> {
    Ok(Deal {
        stage: row.get(0)?,
        outcome: read_word(row, 1)?,
        value: money(row.get(2)?, row.get(3)?),
        owner: row.get(4)?,
        product: row.get(5)?,
        contact: row.get(6)?,
        opened: When::read(row, 7, 9)?,
        closed: When::maybe(row, 8, 10)?,
    })
}

fn money(minor: Option<i64>, currency: Option<String>) -> Option<Money> {
    Some(Money::new(minor?, currency?.parse().ok()?))
}
