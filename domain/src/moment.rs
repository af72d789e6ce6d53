//! Moments and days as Rapport keeps them: in the years 1 to 9999, which is what RFC 3339 can write, and to the
//! microsecond, which is what the log keeps. What is decided on is thereby the same as what is read back.

use std::borrow::Cow;

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use serde::{Deserialize, Deserializer, de::Error};

/// When something was so, as it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// At a moment: `2020-01-31T12:00:00Z`.
    Moment(DateTime<Utc>),
    /// On a day, and nobody said when: `2020-01-31`.
    Day(NaiveDate),
}

impl<'de> Deserialize<'de> for Told {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        match text.parse::<NaiveDate>().ok().filter(|_| text.len() == DAY_LENGTH) {
            Some(day) => year(day.year()).map(|()| Self::Day(day)),
            None => read(&text).map(Self::Moment).map_err(|_: D::Error| {
                D::Error::custom("is no moment and no day: write it as 2020-01-31T12:00:00Z or 2020-01-31")
            }),
        }
    }
}

/// How long a day is that is written as a day.
const DAY_LENGTH: usize = "2020-01-31".len();

/// Reads a moment.
pub fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
    read(&Cow::<'de, str>::deserialize(deserializer)?)
}

/// Reads a moment that may be absent.
pub fn maybe_moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    Option::<Cow<'de, str>>::deserialize(deserializer)?.map(|text| read(&text)).transpose()
}

/// Reads a day that may be absent.
pub fn maybe_day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NaiveDate>, D::Error> {
    let day: Option<NaiveDate> = Option::deserialize(deserializer)?;
    day.map(|day| year(day.year()).map(|()| day)).transpose()
}

fn read<E: Error>(text: &str) -> Result<DateTime<Utc>, E> {
    let moment = DateTime::parse_from_rfc3339(text);
    let moment = moment.map_err(|_| E::custom("is no moment: write it as 2020-01-31T12:00:00Z"))?;
    kept(moment.with_timezone(&Utc))
}

fn kept<E: Error>(moment: DateTime<Utc>) -> Result<DateTime<Utc>, E> {
    year(moment.year())?;
    DateTime::from_timestamp_micros(moment.timestamp_micros()).ok_or_else(|| E::custom("is no moment"))
}

fn year<E: Error>(year: i32) -> Result<(), E> {
    if (1..=9999).contains(&year) { Ok(()) } else { Err(E::custom("the year must lie between 1 and 9999")) }
}
