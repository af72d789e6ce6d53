//! Calendar years and fiscal years. A fiscal year is named after the calendar year in which it ends.

use rusqlite::params;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::kit::{ApplyError, Month, Tables};

/// Which years are meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum YearKind {
    /// January to December.
    #[default]
    Calendar,
    /// As the organisation has chosen.
    Fiscal,
}

/// How many months a year begins before the January whose number it bears.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Years(i32);

impl Years {
    pub(super) const CALENDAR: Self = Self(0);

    /// The years of a kind, as chosen by now.
    pub(super) fn of(tables: &Tables, kind: YearKind) -> rusqlite::Result<Self> {
        match kind {
            YearKind::Calendar => Ok(Self::CALENDAR),
            YearKind::Fiscal => {
                let sql = "SELECT first_month FROM fiscal_year";
                let first_month = tables.row(sql, [], |row| row.get::<_, i32>(0))?.unwrap_or(1);
                Ok(Self((13 - first_month).rem_euclid(12)))
            }
        }
    }

    /// The year in which a month lies.
    pub(super) fn year(self, month: Month) -> i32 {
        (month.0 + self.0).div_euclid(12)
    }

    /// By how many months months are shifted to fall into the year that they belong to.
    pub(super) const fn shift(self) -> i32 {
        self.0
    }

    /// The rows of `donor_years` that count these years.
    pub(super) const fn rows(self) -> &'static str {
        if self.0 == 0 { "calendar" } else { "fiscal" }
    }
}

/// `GiftMoney::counts` in the words of SQL, for sums over all gifts.
pub(super) const COUNTS: &str = "(refunded = 0 OR refunded < minor)";
/// `GiftMoney::net` in the words of SQL.
pub(super) const NET: &str = "(minor - refunded)";

/// The organisation's fiscal year begins with another month: its years are summed anew from the gifts.
pub(super) fn choose_first_month(tables: &Tables, first_month: u8) -> Result<(), ApplyError> {
    if !(1..=12).contains(&first_month) {
        return Err(ApplyError::Contradiction(format!("no year begins with month {first_month}")));
    }
    tables.execute("INSERT OR REPLACE INTO fiscal_year VALUES (1, ?1)", [first_month])?;
    tables.execute("DELETE FROM donor_years WHERE year_kind = 'fiscal'", [])?;
    let years = Years::of(tables, YearKind::Fiscal)?;
    if years != Years::CALENDAR {
        let sql = format!(
            "INSERT INTO donor_years
             SELECT 'fiscal', (month + ?1) / 12, donor, currency, count(*), sum({NET}) FROM gifts
             WHERE donor <> x'' AND {COUNTS} GROUP BY 2, 3, 4"
        );
        tables.execute(&sql, params![years.shift()])?;
    }
    Ok(())
}
