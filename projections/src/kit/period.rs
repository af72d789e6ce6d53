//! Calendar periods as people write them: `2017`, `2017-Q2`, `2017-06`. Counted in months, so that a report
//! over any period adds up months and never walks through events.

use std::{borrow::Cow, fmt, str::FromStr};

use chrono::{Datelike as _, NaiveDate};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A month, counted from January of the year 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(pub i32);

impl Month {
    /// Stands where there is no month: before all others.
    pub(crate) const NONE: Self = Self(i32::MIN);

    /// The month of a day.
    pub fn of(day: NaiveDate) -> Self {
        Self(day.year() * 12 + day.month0().cast_signed())
    }

    /// The month that is written so: `2017-06`.
    pub(crate) fn named(text: &str) -> Option<Self> {
        let period: Period = text.parse().ok()?;
        (period.first == period.last && period.first.to_string() == text).then_some(period.first)
    }

    /// Its first day, counted as [`When::day_number`](crate::kit::zone::When::day_number) does.
    pub fn begins(self) -> i64 {
        let month = u32::try_from(self.0.rem_euclid(12) + 1).unwrap_or(1);
        let first = NaiveDate::from_ymd_opt(self.0.div_euclid(12), month, 1).unwrap_or_default();
        first.num_days_from_ce().into()
    }
}

impl fmt::Display for Month {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}-{:02}", self.0.div_euclid(12), self.0.rem_euclid(12) + 1)
    }
}

/// A year, a quarter, a month, or any run of months `2016-11..2017-02`, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first month.
    pub first: Month,
    /// The last month.
    pub last: Month,
}

impl Period {
    /// Its first day, and the first one after it, counted as those of months.
    pub fn days(self) -> (i64, i64) {
        (self.first.begins(), Month(self.last.0 + 1).begins())
    }
}

/// A text that names no period.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no period: write 2017, 2017-Q2, 2017-06 or 2016-11..2017-02")]
pub struct NotAPeriod(String);

impl FromStr for Period {
    type Err = NotAPeriod;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = match text.split_once("..") {
            Some((first, last)) => single(first).zip(single(last)).map(|(first, last)| (first.0, last.1)),
            None => single(text),
        };
        match parsed {
            Some((first, last)) if first <= last => Ok(Self { first: Month(first), last: Month(last) }),
            _ => Err(NotAPeriod(text.to_owned())),
        }
    }
}

fn single(text: &str) -> Option<(i32, i32)> {
    let (year, rest) = text.split_at_checked(4)?;
    let year = year.bytes().all(|byte| byte.is_ascii_digit()).then(|| year.parse::<i32>().ok())??;
    if let Some(quarter) = rest.strip_prefix("-Q") {
        let quarter = quarter.parse::<i32>().ok().filter(|quarter| (1..=4).contains(quarter))?;
        let first = year * 12 + (quarter - 1) * 3;
        return Some((first, first + 2));
    }
    if let Some(month) = rest.strip_prefix('-') {
        let month =
            month.parse::<i32>().ok().filter(|number| (1..=12).contains(number) && month.len() == 2)?;
        return Some((year * 12 + month - 1, year * 12 + month - 1));
    }
    rest.is_empty().then_some((year * 12, year * 12 + 11))
}

impl fmt::Display for Period {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            self.first.fmt(formatter)
        } else {
            write!(formatter, "{}..{}", self.first, self.last)
        }
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Period {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "a year, quarter, month, or run of months",
            "examples": ["2017", "2017-Q2", "2017-06", "2016-11..2017-02"]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(text.parse::<Period>().ok().map(|period| period.to_string()).as_deref(), expected);
    }

    #[test]
    fn periods_are_written_as_people_write_them() {
        check("2017", Some("2017-01..2017-12"));
        check("2017-Q2", Some("2017-04..2017-06"));
        check("2017-06", Some("2017-06"));
        check("2016-11..2017-Q1", Some("2016-11..2017-03"));
        assert_eq!(Month::named("2017-06"), Some(Month(2017 * 12 + 5)));
        for no_month in ["2017", "2017-Q2", "2017-06..2017-06", "", "June"] {
            assert_eq!(Month::named(no_month), None);
        }
        for nonsense in ["", "17", "2017-13", "2017-Q5", "2017-6", "2018..2017", "2017-06-30", "ä017"] {
            check(nonsense, None);
        }
    }
}
