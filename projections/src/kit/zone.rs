//! On which day something was so, by the clocks of the organisation. The runtime keeps the zone that is chosen in the file of
//! every view, so that each fact is counted on the day that it had when it was recorded, whatever is chosen later.

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use domain::{
    Event, Recorded,
    days::{Zone, day_of, midnight},
    setting::SettingEvent,
};
use rusqlite::{Row, params};

use crate::kit::{column::maybe_moment, error::ApplyError, tables::Tables};

/// The zone that holds for what was recorded before any was chosen, and the one that holds now.
pub(crate) const TABLES: &str = "
    CREATE TABLE zone (one INTEGER PRIMARY KEY CHECK (one = 1), beginning TEXT NOT NULL, current TEXT NOT NULL);";

/// Whether an event chooses a zone.
pub(crate) const fn wants(recorded: &Recorded) -> bool {
    matches!(recorded.event, Event::Setting(SettingEvent::ZoneChosen { .. }))
}

/// Whether an event chooses a zone that held from the beginning, so that views are to be folded anew.
pub(crate) const fn moves_the_past(recorded: &Recorded) -> bool {
    matches!(recorded.event, Event::Setting(SettingEvent::ZoneChosen { from_the_beginning: true, .. }))
}

/// Folds a choice.
pub(crate) fn apply(tables: &Tables, recorded: &Recorded) -> Result<(), ApplyError> {
    if let Event::Setting(SettingEvent::ZoneChosen { zone, .. }) = &recorded.event {
        let sql =
            "INSERT INTO zone VALUES (1, 'UTC', ?1) ON CONFLICT DO UPDATE SET current = excluded.current";
        tables.execute(sql, [zone])?;
        tables.forget_zone();
    }
    Ok(())
}

/// Begins a file in which a zone holds from the beginning.
pub(crate) fn begin(tables: &Tables, beginning: Zone) -> rusqlite::Result<()> {
    let name = beginning.name();
    tables.execute("INSERT INTO zone VALUES (1, ?1, ?2)", params![name, name]).map(|_| ())
}

/// The zone that holds in a file from the beginning.
pub(crate) fn beginning(tables: &Tables) -> rusqlite::Result<Option<Zone>> {
    let name: Option<String> = tables.row("SELECT beginning FROM zone", [], |row| row.get(0))?;
    Ok(name.and_then(|name| name.parse().ok()))
}

/// When something was so, and the day on which the organisation counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct When {
    /// The day, by the clocks of the organisation.
    pub(crate) day: NaiveDate,
    /// The moment; of what was told as a day, its beginning.
    pub(crate) at: DateTime<Utc>,
}

impl When {
    /// The day as it stands in a column: a number, counted from the first of January of the year 1.
    pub(crate) fn day_number(self) -> i32 {
        self.day.num_days_from_ce()
    }

    /// The moment as it stands in a column: microseconds since 1970.
    pub(crate) const fn micros(self) -> i64 {
        self.at.timestamp_micros()
    }

    /// Reads the moment in a column and the day in another; none where the first is empty.
    pub(crate) fn maybe(row: &Row<'_>, at: usize, day: usize) -> rusqlite::Result<Option<Self>> {
        let Some(moment) = maybe_moment(row, at)? else { return Ok(None) };
        let number: i32 = row.get(day)?;
        let read = NaiveDate::from_num_days_from_ce_opt(number);
        let day = read.ok_or(rusqlite::Error::IntegralValueOutOfRange(day, number.into()))?;
        Ok(Some(Self { day, at: moment }))
    }

    /// Reads the moment in a column and the day in another.
    pub(crate) fn read(row: &Row<'_>, at: usize, day: usize) -> rusqlite::Result<Self> {
        Self::maybe(row, at, day)?.ok_or(rusqlite::Error::InvalidColumnType(
            at,
            "a moment".to_owned(),
            rusqlite::types::Type::Null,
        ))
    }
}

impl Tables {
    /// When an event was so.
    pub(crate) fn when(&self, recorded: &Recorded) -> rusqlite::Result<When> {
        self.when_of(recorded, recorded.happened_at())
    }

    /// When something was so that an event names by a moment. An event that was told as a day names that day.
    pub(crate) fn when_of(&self, recorded: &Recorded, moment: DateTime<Utc>) -> rusqlite::Result<When> {
        if let Some(day) = recorded.told_day()
            && (recorded.occurred_at == Some(moment) || moment == midnight(day))
        {
            return Ok(When { day, at: recorded.happened_at() });
        }
        Ok(When { day: day_of(moment, self.zone()?), at: moment })
    }
}
