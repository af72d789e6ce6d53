//! Days: which one a moment belongs to, and when one begins.
//!
//! A fact is told as a moment or as a day. Told as a day it stays that day, whatever zone is chosen later; the day of a moment
//! is the one that the clocks of the organisation showed, in the zone that was chosen when the fact was recorded.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, TimeZone as _, Utc};
/// A zone in which days are kept.
pub use chrono_tz::Tz as Zone;

/// The day that the clocks of a zone show at a moment.
pub fn day_of(moment: DateTime<Utc>, zone: Zone) -> NaiveDate {
    moment.with_timezone(&zone).date_naive()
}

/// A day as a moment that no zone moves: what is decided on, and what the data of events hold.
pub fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// The first moment of a day. Where clocks go forward at midnight it begins later; a day that a zone has left out (it moved to the
/// other side of the date line) begins with the one after it.
pub fn begins(day: NaiveDate, zone: Zone) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    let halves = (0..=48).filter_map(|halves| {
        let local = midnight.checked_add_signed(TimeDelta::minutes(30 * halves))?;
        zone.from_local_datetime(&local).earliest()
    });
    // Every zone shows some time within a day; at the ends of what can be written there is none to show.
    halves.map(|moment| moment.to_utc()).next().unwrap_or_else(|| midnight.and_utc())
}

/// The last moment of a day, to the microsecond.
pub fn ends(day: NaiveDate, zone: Zone) -> DateTime<Utc> {
    let next = day.succ_opt().map_or(DateTime::<Utc>::MAX_UTC, |next| begins(next, zone));
    next.checked_sub_signed(TimeDelta::microseconds(1)).unwrap_or(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_begins_when_the_clocks_of_its_zone_first_show_it() {
        for (zone, text, expected) in [
            ("UTC", "2024-02-29", "2024-02-29T00:00:00Z"),
            ("America/New_York", "2024-12-31", "2024-12-31T05:00:00Z"),
            ("Europe/Berlin", "1969-12-31", "1969-12-30T23:00:00Z"),
            // Clocks go forward at midnight.
            ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"),
            // Clocks go back from midnight: the day before is longer.
            ("America/Havana", "2024-11-03", "2024-11-03T04:00:00Z"),
            // A day that Samoa never had.
            ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"),
        ] {
            let zone: Zone = zone.parse().unwrap();
            assert_eq!(begins(day(text), zone), expected.parse::<DateTime<Utc>>().unwrap(), "{zone} {text}");
        }
    }

    #[test]
    fn in_every_zone_each_day_lies_between_its_beginning_and_its_end() {
        // Both changes of the clock, the beginning of counting, leap days, the ends of years.
        let days = ["1969-12-31", "1970-01-01", "2000-02-29", "2024-02-29", "2024-12-31", "2025-01-01"];
        let changes = ["2024-03-10", "2024-03-31", "2024-10-27", "2024-11-03", "2018-11-04", "2011-12-30"];
        for zone in chrono_tz::TZ_VARIANTS {
            for day in days.iter().chain(&changes).map(|text| day(text)) {
                let (first, last) = (begins(day, zone), ends(day, zone));
                if last < first {
                    // The zone has left this day out.
                    continue;
                }
                assert_eq!((day_of(first, zone), day_of(last, zone)), (day, day), "{zone} {day}");
                let before = first - TimeDelta::microseconds(1);
                assert_eq!(
                    day_of(before, zone),
                    day_of(ends(day.pred_opt().unwrap(), zone), zone),
                    "{zone} {day}"
                );
                assert!(day_of(before, zone) < day, "{zone} {day}");
            }
        }
    }
}
