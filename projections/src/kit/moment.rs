//! Moments as people write them: RFC 3339, or a bare day, which means its end in the organisation's zone.

use chrono::{DateTime, NaiveDate, Utc};
/// A zone in which days are kept.
pub use domain::days::Zone;
use domain::{EventStore, ReadError, Zones, days};

use crate::kit::error::ViewError;

/// Until when a fact must have been recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownAt {
    /// At a moment.
    Moment(DateTime<Utc>),
    /// When the log held so many events.
    Size(u64),
}

/// The zone in which the organisation keeps its days; UTC until it chooses one.
pub async fn zone(store: &dyn EventStore) -> Result<Zone, ReadError> {
    Ok(Zones::of(store).await?.current)
}

/// Reads the parameter `as_of`.
pub fn as_of(text: &str, zone: Zone) -> Result<DateTime<Utc>, ViewError> {
    moment(text, zone).ok_or_else(|| {
        ViewError::query(
            "as_of",
            "is no moment: write 2017-06-30 (the end of that day) or 2017-06-30T12:00:00Z",
        )
    })
}

/// Reads the parameter `known_at`: a moment, or the number of events that the log held.
pub fn known_at(text: &str, zone: Zone) -> Result<KnownAt, ViewError> {
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

fn moment(text: &str, zone: Zone) -> Option<DateTime<Utc>> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.with_timezone(&Utc));
    }
    let day = text.parse::<NaiveDate>().ok().filter(|day| day.succ_opt().is_some())?;
    Some(days::ends(day, zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, zone: Zone, expected: Option<&str>) {
        let read =
            as_of(text, zone).ok().map(|moment| moment.to_rfc3339_opts(chrono::SecondsFormat::Micros, true));
        assert_eq!(read.as_deref(), expected);
    }

    #[test]
    fn a_bare_day_is_its_end_in_the_zone_of_the_organisation() {
        check("2017-06-30", Zone::UTC, Some("2017-06-30T23:59:59.999999Z"));
        check("2017-06-30", Zone::America__New_York, Some("2017-07-01T03:59:59.999999Z"));
        check("2017-06-30T12:00:00+02:00", Zone::UTC, Some("2017-06-30T10:00:00.000000Z"));
    }

    #[test]
    fn absurd_days_are_refused() {
        for text in ["", "yesterday", "2017-13-01", "+262143-12-31", "2017-06-30T25:00:00Z"] {
            check(text, Zone::UTC, None);
        }
    }
}
