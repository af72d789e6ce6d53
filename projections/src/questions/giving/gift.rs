//! One gift as it stands, and the sums that it is part of.

use chrono::NaiveDate;
use domain::{
    Currency, Money, Recorded,
    gift::{Allocation, GiftCorrection, GiftEvent, GiftMoney},
};
use rusqlite::{Row, params};
use uuid::Uuid;

use super::year::{YearKind, Years};
use crate::kit::{ApplyError, Month, Tables, filter::Property, zone::When};

/// A gift that is in force.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Gift {
    pub(super) donor: Option<Uuid>,
    pub(super) money: GiftMoney,
    pub(super) campaign: String,
    pub(super) method: String,
    pub(super) stage: String,
    pub(super) received: When,
    /// Where its receipt stands in the log: of gifts of one day the order in which they came.
    pub(super) position: u64,
    pub(super) allocations: Vec<Allocation>,
}

/// What a gift brings to one fund, or to none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Part {
    pub(super) fund: Option<Uuid>,
    pub(super) received: i64,
    pub(super) refunded: i64,
}

/// The columns that make a gift, in the order in which [`read`] reads them.
pub(super) const COLUMNS: &str = "donor, minor, currency, refunded, campaign, method, stage, received_at, allocations, received_on, position";

/// How many those are.
pub(super) const WIDTH: usize = 11;

/// Who gave.
pub(super) const DONOR: Property = Property::alike("donor", "donor");

impl Gift {
    pub(super) fn currency(&self) -> Currency {
        self.money.amount.currency
    }

    pub(super) fn month(&self) -> Month {
        Month::of(self.received.day)
    }

    pub(super) fn day(&self) -> NaiveDate {
        self.received.day
    }

    /// What is kept of it.
    pub(super) const fn net(&self) -> i64 {
        self.money.net().minor
    }

    /// What it brings to each fund. What went back is borne by all parts alike; what does not divide falls to
    /// the later ones, so that the parts always add up to the gift.
    pub(super) fn parts(&self) -> Vec<Part> {
        let GiftMoney { amount, refunded } = self.money;
        let mut shares = std::collections::BTreeMap::<Option<Uuid>, i64>::new();
        let same = self.allocations.iter().filter(|part| part.amount.currency == self.currency());
        for Allocation { fund, amount } in same {
            *shares.entry(Some(fund.0)).or_default() += amount.minor;
        }
        let rest = amount.minor - shares.values().sum::<i64>();
        if rest != 0 || shares.is_empty() {
            shares.insert(None, rest);
        }
        let whole = i128::from(amount.minor);
        let refunded_up_to = |received: i64| match whole {
            0 => refunded,
            whole => {
                let exact = (i128::from(refunded) * i128::from(received)).div_euclid(whole);
                i64::try_from(exact).unwrap_or(refunded)
            }
        };
        let (mut received_before, mut refunded_before) = (0, 0);
        let mut parts = Vec::with_capacity(shares.len());
        for (fund, received) in shares {
            received_before += received;
            let refunded = refunded_up_to(received_before) - refunded_before;
            refunded_before += refunded;
            parts.push(Part { fund, received, refunded });
        }
        parts
    }
}

/// A key without a value is empty.
pub(super) fn blob(id: Option<Uuid>) -> Vec<u8> {
    id.map_or(Vec::new(), |id| id.as_bytes().to_vec())
}

/// Reads the [`COLUMNS`] of a gift.
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Gift> {
    let (currency, allocations): (String, String) = (row.get(2)?, row.get(8)?);
    let unreadable =
        |column, error| rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error);
    let currency: Currency = currency.parse().map_err(|error| unreadable(2, Box::new(error)))?;
    let allocations = match allocations.as_str() {
        "" => Vec::new(),
        json => serde_json::from_str(json).map_err(|error| unreadable(8, Box::new(error)))?,
    };
    Ok(Gift {
        donor: Uuid::from_slice(row.get_ref(0)?.as_blob()?).ok(),
        money: GiftMoney { amount: Money::new(row.get(1)?, currency), refunded: row.get(3)? },
        campaign: row.get(4)?,
        method: row.get(5)?,
        stage: row.get(6)?,
        received: When::read(row, 7, 9)?,
        position: row.get(10)?,
        allocations,
    })
}

/// Replaces one gift, and moves it from its old sums to its new ones.
pub(super) fn apply(
    tables: &Tables,
    id: Uuid,
    event: &GiftEvent,
    recorded: &Recorded,
) -> Result<(), ApplyError> {
    let sql = format!("SELECT {COLUMNS} FROM gifts WHERE gift = ?1");
    let before = tables.row(&sql, [id], read)?;
    let now = after(before.clone(), event, &Told::by(tables, recorded, event)?)?;
    if now == before {
        return Ok(());
    }
    if let Some(before) = &before {
        count(tables, before, -1)?;
    }
    let Some(gift) = now else {
        tables.execute("DELETE FROM gifts WHERE gift = ?1", [id])?;
        return Ok(());
    };
    count(tables, &gift, 1)?;
    let allocations = match gift.allocations.as_slice() {
        [] => String::new(),
        some => serde_json::to_string(some)
            .map_err(|error| ApplyError::Contradiction(format!("allocations cannot be kept: {error}")))?,
    };
    tables.execute(
        "INSERT OR REPLACE INTO gifts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        params![
            id,
            blob(gift.donor),
            gift.money.amount.minor,
            gift.currency().code(),
            gift.money.refunded,
            gift.campaign,
            gift.method,
            gift.stage,
            gift.received.micros(),
            gift.month().0,
            allocations,
            gift.received.day_number(),
            gift.position,
        ],
    )?;
    Ok(())
}

/// The days that an event names.
struct Told {
    /// Its own.
    at: When,
    /// The one on which the gift was really received.
    received: Option<When>,
    position: u64,
}

impl Told {
    fn by(tables: &Tables, recorded: &Recorded, event: &GiftEvent) -> rusqlite::Result<Self> {
        let corrected = match event {
            GiftEvent::Corrected { correction, .. } => correction.received_at,
            _ => None,
        };
        let received = corrected.map(|moment| tables.when_of(recorded, moment)).transpose()?;
        Ok(Self { at: tables.when(recorded)?, received, position: recorded.position.0 })
    }
}

/// The gift after an event; none where it counts nowhere.
fn after(gift: Option<Gift>, event: &GiftEvent, told: &Told) -> Result<Option<Gift>, ApplyError> {
    let money = GiftMoney::after(gift.as_ref().map(|gift| gift.money), event)
        .map_err(|error| ApplyError::Contradiction(error.to_string()))?;
    let Some(money) = money else { return Ok(None) };
    if let GiftEvent::Received { donor, amount: _, campaign, method, stage, allocations, soft_credits: _ } =
        event
    {
        return Ok(Some(Gift {
            donor: donor.map(|donor| donor.0),
            money,
            campaign: campaign.clone().unwrap_or_default(),
            method: method.clone().unwrap_or_default(),
            stage: stage.clone().unwrap_or_default(),
            received: told.at,
            position: told.position,
            allocations: allocations.clone(),
        }));
    }
    let Some(gift) = gift.map(|gift| Gift { money, ..gift }) else { return Ok(None) };
    Ok(Some(match event {
        GiftEvent::Allocated { allocations } => Gift { allocations: allocations.clone(), ..gift },
        GiftEvent::Corrected { fact: _, correction } => corrected(gift, correction, told),
        GiftEvent::Received { .. }
        | GiftEvent::Refunded { .. }
        | GiftEvent::Acknowledged {}
        | GiftEvent::Voided {} => gift,
    }))
}

fn corrected(gift: Gift, correction: &GiftCorrection, told: &Told) -> Gift {
    // What it really amounts to is a matter of its money.
    let GiftCorrection { donor, amount: _, stage, campaign, received_at: _ } = correction;
    Gift {
        donor: donor.map(|donor| donor.0).or(gift.donor),
        stage: stage.clone().unwrap_or(gift.stage),
        campaign: campaign.clone().unwrap_or(gift.campaign),
        received: told.received.unwrap_or(gift.received),
        ..gift
    }
}

/// Counts a gift into its sums (`sign` 1) or out of them (−1).
fn count(tables: &Tables, gift: &Gift, sign: i64) -> Result<(), ApplyError> {
    for (index, part) in gift.parts().into_iter().enumerate() {
        count_part(tables, gift, part, index == 0, sign)?;
    }
    let day = gift.day().to_epoch_days();
    tables.execute(
        "INSERT INTO days VALUES (?1, ?2) ON CONFLICT DO UPDATE SET gifts = gifts + excluded.gifts",
        params![day, sign],
    )?;
    if sign < 0 {
        tables.execute("DELETE FROM days WHERE day = ?1 AND gifts = 0", [day])?;
    }
    let Some(donor) = gift.donor.filter(|_| gift.money.counts()) else { return Ok(()) };
    count_year(tables, Years::CALENDAR, donor, gift, sign)?;
    let fiscal = Years::of(tables, YearKind::Fiscal)?;
    if fiscal != Years::CALENDAR {
        count_year(tables, fiscal, donor, gift, sign)?;
    }
    Ok(())
}

fn count_part(tables: &Tables, gift: &Gift, part: Part, first: bool, sign: i64) -> Result<(), ApplyError> {
    let (month, currency, fund) = (gift.month().0, gift.currency(), blob(part.fund));
    tables.execute(
        "INSERT INTO cells VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT DO UPDATE SET gifts = gifts + excluded.gifts, whole = whole + excluded.whole,
             received = received + excluded.received, refunded = refunded + excluded.refunded",
        params![
            month,
            currency.code(),
            gift.campaign,
            gift.method,
            gift.stage,
            fund,
            gift.donor.is_some(),
            sign,
            sign * i64::from(first),
            sign * part.received,
            sign * part.refunded
        ],
    )?;
    if sign < 0 {
        tables.execute(
            "DELETE FROM cells WHERE month = ?1 AND currency = ?2 AND campaign = ?3 AND method = ?4 AND stage = ?5
                 AND fund = ?6 AND has_donor = ?7 AND gifts = 0",
            params![
                month,
                currency.code(),
                gift.campaign,
                gift.method,
                gift.stage,
                fund,
                gift.donor.is_some()
            ],
        )?;
    }
    Ok(())
}

fn count_year(tables: &Tables, years: Years, donor: Uuid, gift: &Gift, sign: i64) -> Result<(), ApplyError> {
    let (rows, year, currency) = (years.rows(), years.year(gift.month()), gift.currency());
    tables.execute(
        "INSERT INTO donor_years VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET gifts = gifts + excluded.gifts, net = net + excluded.net",
        params![rows, year, donor, currency.code(), sign, sign * gift.net()],
    )?;
    if sign < 0 {
        tables.execute(
            "DELETE FROM donor_years
             WHERE year_kind = ?1 AND year = ?2 AND donor = ?3 AND currency = ?4 AND gifts = 0",
            params![rows, year, donor, currency.code()],
        )?;
    }
    Ok(())
}
