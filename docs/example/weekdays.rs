//! On which weekdays do gifts come in?

use chrono::Datelike as _;
use domain::{Event, Kind, Recorded, Role, gift::GiftEvent};
use rusqlite::params;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kit::{ApplyError, Page, Projection, Shows, Tables, ViewError};

/// The projection.
pub struct Weekdays;

/// What can be asked.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Only gifts that answer this campaign.
    campaign: Option<String>,
}

/// Gifts per weekday.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct View {
    /// Monday first.
    rows: Vec<Row>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Row {
    /// 1 for Monday to 7 for Sunday.
    weekday: u32,
    /// How many gifts came in.
    gifts: u64,
}

impl Projection for Weekdays {
    const NAME: &'static str = "weekdays";
    const QUESTION: &'static str = "On which weekdays do gifts come in?";
    const VERSION: u32 = 1;
    const READERS: &'static [Role] = &[Role::Admin, Role::Staff, Role::Fundraiser, Role::Auditor];
    const SHOWS: Shows = Shows::Cells;
    const KINDS: &'static [Kind] = &[Kind::Gift];
    const TABLES: &'static str =
        "CREATE TABLE gifts (gift BLOB PRIMARY KEY, weekday INTEGER, campaign TEXT) WITHOUT ROWID;";
    const INDEXES: &'static str = "CREATE INDEX gifts_by_weekday ON gifts (weekday, campaign);";
    type Query = Query;
    type View = View;

    fn apply(tables: &Tables, recorded: &Recorded) -> Result<(), ApplyError> {
        let gift = recorded.stream.id;
        let weekday = |at| tables.when_of(recorded, at).map(|when| when.day.weekday().number_from_monday());
        let Event::Gift(event) = &recorded.event else { return Ok(()) };
        match event {
            GiftEvent::Received { campaign, .. } => {
                let day = weekday(recorded.happened_at())?;
                tables.execute("INSERT INTO gifts VALUES (?1, ?2, ?3)", params![gift, day, campaign])?;
            }
            GiftEvent::Corrected { correction, .. } => {
                let (day, campaign) =
                    (correction.received_at.map(weekday).transpose()?, &correction.campaign);
                let sql = "UPDATE gifts SET weekday = coalesce(?2, weekday), campaign = coalesce(?3, campaign) WHERE gift = ?1";
                tables.execute(sql, params![gift, day, campaign])?;
            }
            GiftEvent::Voided {} => {
                tables.execute("DELETE FROM gifts WHERE gift = ?1", [gift])?;
            }
            GiftEvent::Refunded { .. } | GiftEvent::Allocated { .. } | GiftEvent::Acknowledged {} => {}
        }
        Ok(())
    }

    fn view(tables: &Tables, query: Query, _: &Page) -> Result<Option<View>, ViewError> {
        let sql = "SELECT weekday, count(*) FROM gifts WHERE ?1 IS NULL OR campaign = ?1 GROUP BY weekday ORDER BY weekday";
        let rows =
            tables.rows(sql, [query.campaign], |row| Ok(Row { weekday: row.get(0)?, gifts: row.get(1)? }))?;
        Ok(Some(View { rows }))
    }
}

#[cfg(test)]
mod tests {
    use domain::{Currency, Money};

    use super::*;
    use crate::kit::testing::given;

    fn received(campaign: &str) -> GiftEvent {
        GiftEvent::Received {
            donor: None,
            amount: Money::new(500, Currency::USD),
            campaign: Some(campaign.into()),
            method: None,
            stage: None,
            allocations: Vec::new(),
            soft_credits: Vec::new(),
        }
    }

    #[test]
    fn gifts_are_counted_by_weekday_unless_they_are_voided() {
        given::<Weekdays>()
            .happened("2024-01-01", 1, received("winter"))
            .happened("2024-01-01", 2, received("spring"))
            .happened("2024-01-07", 3, received("winter"))
            .then("campaign=winter", |view| assert_eq!(view["rows"][1]["weekday"], 7))
            .happened("2024-01-08", 2, GiftEvent::Voided {})
            .then("", |view| assert_eq!(view["rows"][0]["gifts"], 1));
    }
}
