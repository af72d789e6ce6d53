//! Dates and times as sources write them, and the moments that they are.

use std::collections::BTreeMap;

use chrono::{
    DateTime, Datelike as _, Days, NaiveDate, NaiveDateTime, TimeZone as _, Utc,
    format::{Parsed, StrftimeItems},
};
use chrono_tz::Tz;
use domain::days::begins;

/// A date or a time, as exactly as the source states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// A day.
    Day(NaiveDate),
    /// A time of a day, in the zone of the source.
    Local(NaiveDateTime),
    /// A moment, stated with its offset.
    Moment(DateTime<Utc>),
}

/// How a column writes dates and times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notation {
    /// The notations, as of `strftime`.
    pub formats: Vec<String>,
    /// The terms that begin on a fixed day (month, day) of the year before their word: `2013J`.
    pub terms: BTreeMap<String, (u32, u32)>,
    /// The first of the hundred years that a year of two digits may mean.
    pub years_from: i32,
}

/// Years of two digits mean 1930 to 2029 unless a map says otherwise: the window that spreadsheets have.
pub(crate) const YEARS_FROM: i32 = 1930;

impl Notation {
    /// Reads a date or time. Where two notations of the map read it as different days, nobody can know which is
    /// meant, and that is an error.
    pub fn read(&self, text: &str) -> Result<When, String> {
        if !self.terms.is_empty() {
            return self.term(text);
        }
        let mut found: Option<When> = None;
        for when in self.formats.iter().filter_map(|format| parse(text, format, self.years_from)) {
            if found.is_some_and(|found| found != when) {
                return Err(format!(
                    "can be read as two different dates: the map allows {}",
                    self.formats.join(" and ")
                ));
            }
            found = Some(when);
        }
        found.ok_or_else(|| format!("is not a date that exists, written as {}", self.formats.join(" or ")))
    }

    fn term(&self, text: &str) -> Result<When, String> {
        let day = text.is_char_boundary(4).then(|| text.split_at(4)).and_then(|(year, word)| {
            let (month, day) = self.terms.get(word)?;
            let year = year.bytes().all(|byte| byte.is_ascii_digit()).then(|| year.parse().ok())??;
            NaiveDate::from_ymd_opt(year, *month, *day)
        });
        day.map(When::Day).ok_or_else(|| {
            let words: Vec<String> = self.terms.keys().map(|word| format!("2024{word}")).collect();
            format!("is not a term such as {}", words.join(" or "))
        })
    }
}

/// Years before 1000 come from two-digit years read by a four-digit notation.
const FIRST_YEAR: i32 = 1000;

fn parse(text: &str, format: &str, years_from: i32) -> Option<When> {
    let mut parsed = Parsed::new();
    chrono::format::parse(&mut parsed, text, StrftimeItems::new(format)).ok()?;
    if let (None, None, Some(of_century)) = (parsed.year(), parsed.year_div_100(), parsed.year_mod_100()) {
        let year = years_from + (of_century - years_from).rem_euclid(100);
        parsed.set_year_div_100(i64::from(year / 100)).ok()?;
    }
    let when = if parsed.offset().is_some() {
        When::Moment(parsed.to_datetime().ok()?.to_utc())
    } else {
        match parsed.to_naive_datetime_with_offset(0) {
            Ok(local) => When::Local(local),
            Err(_) if parsed.hour_div_12().is_none() => When::Day(parsed.to_naive_date().ok()?),
            Err(_) => return None,
        }
    };
    let year = match when {
        When::Day(day) => day.year(),
        When::Local(local) => local.year(),
        When::Moment(moment) => moment.year(),
    };
    (FIRST_YEAR..=9999).contains(&year).then_some(when)
}

impl When {
    /// The same, days later (or earlier).
    pub fn plus_days(self, days: i64) -> Option<Self> {
        let shift = |day: NaiveDate| {
            let distance = Days::new(days.unsigned_abs());
            let day = if days < 0 { day.checked_sub_days(distance) } else { day.checked_add_days(distance) }?;
            (FIRST_YEAR..=9999).contains(&day.year()).then_some(day)
        };
        match self {
            Self::Day(day) => shift(day).map(Self::Day),
            Self::Local(local) => shift(local.date()).map(|day| Self::Local(day.and_time(local.time()))),
            Self::Moment(moment) => {
                shift(moment.date_naive()).map(|day| Self::Moment(day.and_time(moment.time()).and_utc()))
            }
        }
    }

    /// The day, where it is stated.
    pub const fn day(self) -> NaiveDate {
        match self {
            Self::Day(day) => day,
            Self::Local(local) => local.date(),
            Self::Moment(moment) => moment.naive_utc().date(),
        }
    }

    /// The moment: of a day, its beginning; of a time that comes twice when clocks go back, the earlier.
    pub fn moment(self, zone: Option<Tz>) -> Result<DateTime<Utc>, String> {
        match (self, zone) {
            (Self::Moment(moment), _) => Ok(moment),
            (Self::Day(day), zone) => Ok(begins(day, zone.unwrap_or(Tz::UTC))),
            (Self::Local(local), None) => Ok(local.and_utc()),
            (Self::Local(local), Some(zone)) => zone
                .from_local_datetime(&local)
                .earliest()
                .map(|moment| moment.to_utc())
                .ok_or_else(|| format!("is a time that the clocks of {zone} passed over")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notation(formats: &[&str]) -> Notation {
        Notation {
            formats: formats.iter().map(|&format| format.to_owned()).collect(),
            terms: BTreeMap::new(),
            years_from: YEARS_FROM,
        }
    }

    #[track_caller]
    fn check(formats: &[&str], text: &str, zone: Option<Tz>, expected: Option<&str>) {
        let moment = notation(formats).read(text).and_then(|when| when.moment(zone));
        let found = moment.ok().map(|moment| moment.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true));
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn dates_are_read_in_the_notations_of_the_map() {
        check(&["%Y-%m-%d"], "2016-10-20", None, Some("2016-10-20T00:00:00Z"));
        check(&["%d/%m/%Y"], "31/12/1889", None, Some("1889-12-31T00:00:00Z"));
        check(&["%m/%d/%Y %I:%M %p"], "12/31/2020 11:30 PM", None, Some("2020-12-31T23:30:00Z"));
        check(&["%Y-%m-%dT%H:%M:%S%z"], "2020-01-01T00:00:00+0200", None, Some("2019-12-31T22:00:00Z"));
        check(&["%Y-%m-%d"], "2017-02-29", None, None);
        check(&["%Y-%m-%d"], "20/10/2016", None, None);
        check(&["%Y-%m-%d"], "2016-10-20 10:00", None, None);
    }

    #[test]
    fn a_date_that_two_notations_read_differently_is_refused() {
        let both = &["%d/%m/%Y", "%m/%d/%Y"];
        check(both, "31/12/2020", None, Some("2020-12-31T00:00:00Z"));
        check(both, "12/31/2020", None, Some("2020-12-31T00:00:00Z"));
        check(both, "04/04/2020", None, Some("2020-04-04T00:00:00Z"));
        check(both, "03/04/2020", None, None);
        check(&["%d/%m/%Y", "%d/%m/%y"], "03/04/20", None, Some("2020-04-03T00:00:00Z"));
    }

    #[test]
    fn times_stand_in_the_zone_of_the_source() {
        let berlin = Some(chrono_tz::Europe::Berlin);
        let formats = &["%Y-%m-%d %H:%M"];
        check(formats, "2020-07-01 12:00", berlin, Some("2020-07-01T10:00:00Z"));
        check(formats, "2020-10-25 02:30", berlin, Some("2020-10-25T00:30:00Z"));
        check(formats, "2020-03-29 02:30", berlin, None);
        check(&["%Y-%m-%d"], "2018-11-04", Some(chrono_tz::America::Sao_Paulo), Some("2018-11-04T03:00:00Z"));
    }

    #[test]
    fn a_year_of_two_digits_means_one_of_a_hundred_years_that_the_map_names() {
        let check = |years_from: i32, text: &str, expected: &str| {
            let notation = Notation { years_from, ..notation(&["%d-%m-%y"]) };
            assert_eq!(notation.read(text).unwrap().day().to_string(), expected, "{years_from} {text}");
        };
        for (text, expected) in [
            ("16-07-62", "1962-07-16"),
            ("05-11-03", "2003-11-05"),
            ("01-01-29", "2029-01-01"),
            ("01-01-30", "1930-01-01"),
        ] {
            check(YEARS_FROM, text, expected);
        }
        check(1980, "16-07-62", "2062-07-16");
        check(1900, "31-12-99", "1999-12-31");
        // 29 February is one only in the year that is meant.
        assert!(Notation { years_from: 1801, ..notation(&["%d-%m-%y"]) }.read("29-02-00").is_err());
    }

    #[test]
    fn terms_begin_on_their_day_and_days_are_counted_from_there() {
        let terms = BTreeMap::from([("B".to_owned(), (2, 1)), ("J".to_owned(), (10, 1))]);
        let notation = Notation { formats: Vec::new(), terms, years_from: YEARS_FROM };
        let start = notation.read("2013J").unwrap();
        assert_eq!(start.plus_days(-159).unwrap().day().to_string(), "2013-04-25");
        assert_eq!(notation.read("2014B").unwrap().plus_days(19).unwrap().day().to_string(), "2014-02-20");
        assert_eq!(start.plus_days(i64::MIN), None);
        for text in ["2013X", "J", "20é3J", "2013", ""] {
            assert!(notation.read(text).is_err(), "{text}");
        }
    }
}
