//! The weeks of the history: 202 of them, August 2021 to June 2025, whatever the clock says.

use chrono::{DateTime, Datelike as _, Days, NaiveDate, NaiveTime, TimeDelta, Utc};

/// The Monday on which the history begins.
const FIRST_MONDAY: NaiveDate = match NaiveDate::from_ymd_opt(2021, 8, 16) {
    Some(day) => day,
    None => NaiveDate::MIN,
};
const WEEKS: u32 = 202;
/// The academic year in which the history begins.
pub(super) const FIRST_YEAR: u32 = 2021;

/// One week, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Week(u32);

impl Week {
    pub const FIRST: Self = Self(0);
    pub const COUNT: u32 = WEEKS;

    pub const fn number(self) -> u32 {
        self.0
    }

    pub fn next(self) -> Option<Self> {
        (self.0 + 1 < WEEKS).then_some(Self(self.0 + 1))
    }

    pub fn monday(self) -> NaiveDate {
        FIRST_MONDAY + Days::new(u64::from(self.0) * 7)
    }

    /// A moment of this week, by the day (0: Monday) and the minute of that day in UTC.
    pub fn moment(self, day: u32, minute: u32) -> DateTime<Utc> {
        at(self.monday() + Days::new(day.into()), minute)
    }

    /// The year in which the academic year began: it does so in the middle of August.
    pub fn academic_year(self) -> u32 {
        let monday = self.monday();
        let begun = (monday.month(), monday.day()) >= (8, 14);
        monday.year_ce().1 - u32::from(!begun)
    }

    /// The weeks since the academic year began.
    pub fn week_of_year(self) -> u32 {
        let begin = NaiveDate::from_ymd_opt(self.monday().year() - i32::from(self.is_spring()), 8, 14);
        let days = begin.map_or(0, |begin| (self.monday() - begin).num_days());
        u32::try_from(days / 7).unwrap_or(0)
    }

    /// Whether the academic year began in the calendar year before.
    fn is_spring(self) -> bool {
        self.monday().year_ce().1 != self.academic_year()
    }

    /// The one week of the year in which students arrive.
    pub fn is_arrival(self) -> bool {
        self.is_in(8, 14)
    }

    /// The one week of the year in which they enrol.
    pub fn is_enrolment(self) -> bool {
        self.is_in(8, 25)
    }

    /// The one week of the year in which they graduate.
    pub fn is_graduation(self) -> bool {
        self.is_in(5, 18)
    }

    /// Whether there are classes.
    pub fn is_in_term(self) -> bool {
        let monday = self.monday();
        let day = (monday.month(), monday.day());
        ((9, 1)..=(12, 12)).contains(&day) || ((1, 15)..=(5, 7)).contains(&day)
    }

    /// Whether its Monday is one of the seven days from this one on.
    fn is_in(self, month: u32, first: u32) -> bool {
        let monday = self.monday();
        monday.month() == month && (first..first + 7).contains(&monday.day())
    }
}

/// When the history ends: what would come later is not told.
pub(super) fn end() -> DateTime<Utc> {
    at(FIRST_MONDAY + Days::new(u64::from(WEEKS) * 7), 0)
}

/// A minute of a day.
pub(super) fn at(day: NaiveDate, minute: u32) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc() + TimeDelta::minutes(minute.into())
}

/// So many days and minutes later.
pub(super) fn later(moment: DateTime<Utc>, days: u32, minutes: u32) -> DateTime<Utc> {
    moment + TimeDelta::days(days.into()) + TimeDelta::minutes(minutes.into())
}

/// So many days and minutes earlier.
pub(super) fn earlier(moment: DateTime<Utc>, days: u32, minutes: u32) -> DateTime<Utc> {
    moment - TimeDelta::days(days.into()) - TimeDelta::minutes(minutes.into())
}
