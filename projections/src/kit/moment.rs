//! Moments as people write them: RFC 3339, or a bare day, which means its end in the organisation's zone.

use chrono::{DateTime, NaiveDate, TimeZone as _, Utc};
/// A zone in which days are kept.
pub use chrono_tz::Tz as Zone;
use chrono_tz::Tz;
use domain::{Event, EventStore, Kind, ReadError, StreamId, setting::SETTINGS, setting::SettingEvent};

use crate::kit::error::ViewError;

/// How many settings are read: they change a few times in the life of an organisation.
const SETTINGS_READ: usize = 1_000;

/// Until when a fact must have been recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownAt {
    /// At a moment.
    Moment(DateTime<Utc>),
    /// When the log held so many events.
    Size(u64),
}

/// The zone in which the organisation keeps its days; UTC until it chooses one.
pub async fn zone(store: &dyn EventStore) -> Result<Tz, ReadError> {
    let events = store.read_stream(StreamId::new(Kind::Setting, SETTINGS), 0, SETTINGS_READ).await?;
    let chosen = events.into_iter().rev().find_map(|recorded| match recorded.event {
        Event::Setting(SettingEvent::ZoneChosen { zone }) => zone.parse().ok(),
        _ => None,
    });
    Ok(chosen.unwrap_or(Tz::UTC))
}

/// Reads the parameter `as_of`.
pub fn as_of(text: &str, zone: Tz) -> Result<DateTime<Utc>, ViewError> {
    moment(text, zone).ok_or_else(|| {
        ViewError::query(
            "as_of",
            "is no moment: write 2017-06-30 (the end of that day) or 2017-06-30T12:00:00Z",
        )
    })
}

/// Reads the parameter `known_at`: a moment, or the number of events that the log held.
pub fn known_at(text: &str, zone: Tz) -> Result<KnownAt, ViewError> {
    if let Ok(size) = text.parse() {
        return Ok(KnownAt::Size(size));
    }
    moment(text, zone).map(KnownAt::Moment).ok_or_else(|| {
        ViewError::query(
            "known_at",
            "is no moment: write 2017-06-30, 2017-06-30T12:00:00Z, or a number of events",
        )
    })
}

fn moment(text: &str, zone: Tz) -> Option<DateTime<Utc>> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.with_timezone(&Utc));
    }
    let next_day = text.parse::<NaiveDate>().ok()?.succ_opt()?.and_time(chrono::NaiveTime::MIN);
    // Where clocks are put forward at midnight the day begins later; an hour on there is such a time again.
    let begins = zone
        .from_local_datetime(&next_day)
        .earliest()
        .or_else(|| zone.from_local_datetime(&(next_day + chrono::TimeDelta::hours(1))).earliest())?;
    begins.with_timezone(&Utc).checked_sub_signed(chrono::TimeDelta::microseconds(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, zone: Tz, expected: Option<&str>) {
        let read =
            as_of(text, zone).ok().map(|moment| moment.to_rfc3339_opts(chrono::SecondsFormat::Micros, true));
        assert_eq!(read.as_deref(), expected);
    }

    #[test]
    fn a_bare_day_is_its_end_in_the_zone_of_the_organisation() {
        check("2017-06-30", Tz::UTC, Some("2017-06-30T23:59:59.999999Z"));
        check("2017-06-30", Tz::America__New_York, Some("2017-07-01T03:59:59.999999Z"));
        check("2017-06-30T12:00:00+02:00", Tz::UTC, Some("2017-06-30T10:00:00.000000Z"));
    }

    #[test]
    fn absurd_days_are_refused() {
        for text in ["", "yesterday", "2017-13-01", "+262143-12-31", "2017-06-30T25:00:00Z"] {
            check(text, Tz::UTC, None);
        }
    }
}
