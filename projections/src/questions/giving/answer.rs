//! What is answered about gifts: cells, a year against the year before, donors who went, or rollups.

use std::borrow::Cow;

use chrono::NaiveDate;
use domain::{ContactId, Currency, Money};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kit::Amounts;

/// What was given.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum View {
    /// Gifts counted together.
    Cells(Listed<NamedCell>),
    /// A year against the year before.
    Retention(Listed<TwoYears>),
    /// Donors who gave, and not this year.
    Lost(Listed<LostDonor>),
    /// The rollups of donors.
    Rollups(Listed<Rollups>),
}

/// A page of rows of one type.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "{R}Page")]
pub struct Listed<R> {
    /// What exactly is counted here, with the version of the definition.
    pub(super) definition: Cow<'static, str>,
    /// Over all rows, this page and others; a gift to two funds counts once here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) totals: Option<Cell>,
    /// How many donors the list has, this page and others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) donors: Option<i64>,
    /// The cells, the year, the donors or their rollups.
    pub(super) rows: Vec<R>,
    /// The cursor of the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

/// Gifts counted together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "GivingCell")]
pub struct Cell {
    /// How many gifts.
    pub(super) gifts: i64,
    /// What came in.
    pub(super) received: Amounts,
    /// What went back.
    pub(super) refunded: Amounts,
    /// What is kept.
    pub(super) net: Amounts,
}

/// The gifts of one group.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "NamedGivingCell")]
pub struct NamedCell {
    /// The year, month, campaign, method or stage, or the id of the donor or fund; empty where gifts have none.
    pub(super) group: String,
    /// What the donor or fund is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(flatten)]
    pub(super) cell: Cell,
}

impl Cell {
    pub(super) fn add(&mut self, gifts: i64, received: i64, refunded: i64, currency: Currency) {
        self.gifts += gifts;
        self.received.add(received, currency);
        self.net.add(received - refunded, currency);
        if refunded != 0 {
            self.refunded.add(refunded, currency);
        }
    }
}

/// One year against the year before.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct TwoYears {
    /// The year.
    pub(super) year: i32,
    /// Who gave this year: retained, new and reactivated.
    pub(super) active: i64,
    /// Who gave last year.
    pub(super) donors_last_year: i64,
    /// Who gave both years.
    pub(super) retained: i64,
    /// Who gave for the first time.
    pub(super) new: i64,
    /// Who gave before last year, not last year, and again.
    pub(super) reactivated: i64,
    /// Who gave last year and not this year.
    pub(super) lapsed: i64,
    /// Retained ÷ donors last year.
    pub(super) retention_rate: Option<f64>,
    /// Whose first year was last year.
    pub(super) first_year_donors: i64,
    /// How many of them gave again.
    pub(super) first_year_retained: i64,
    /// The one ÷ the other.
    pub(super) first_year_rate: Option<f64>,
    /// Who gave last year and in some year before.
    pub(super) repeat_donors: i64,
    /// How many of them gave again.
    pub(super) repeat_retained: i64,
    /// The one ÷ the other.
    pub(super) repeat_rate: Option<f64>,
    /// How much of the money stayed, for every currency.
    pub(super) revenue: Vec<Revenue>,
}

/// How much of one currency stayed.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Revenue {
    /// From all donors of last year.
    pub(super) last_year: Money,
    /// From all donors of this year.
    pub(super) this_year: Money,
    /// Last year, from those who gave both years.
    pub(super) retained_last_year: Money,
    /// This year, from those who gave both years.
    pub(super) retained_this_year: Money,
    /// Bloomerang: this year from those who gave both ÷ last year from all.
    pub(super) bloomerang_rate: Option<f64>,
    /// Blackbaud: this year from those who gave both ÷ last year from the same.
    pub(super) blackbaud_rate: Option<f64>,
}

/// A donor who gave once, and not this year.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct LostDonor {
    pub(super) donor: ContactId,
    /// Absent where none was ever given, empty where it was forgotten.
    pub(super) name: Option<String>,
    /// The latest year in which they gave before the one asked for.
    pub(super) last_gave: i32,
    /// What is kept of what they gave in it.
    pub(super) amount: Amounts,
}

/// The rollups of one donor in one currency.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Rollups {
    pub(super) donor: ContactId,
    /// Absent where none was ever given, empty where it was forgotten.
    pub(super) name: Option<String>,
    pub(super) currency: Currency,
    /// How many gifts.
    pub(super) count: i64,
    /// What they come to.
    pub(super) sum: Money,
    /// What one comes to on average.
    pub(super) average: Option<Money>,
    /// The largest.
    pub(super) largest: Option<Money>,
    /// The smallest.
    pub(super) smallest: Option<Money>,
    /// The day of the first.
    pub(super) first: Option<NaiveDate>,
    /// The first.
    pub(super) first_amount: Option<Money>,
    /// The day of the last.
    pub(super) last: Option<NaiveDate>,
    /// The last.
    pub(super) last_amount: Option<Money>,
    /// Every year in which something was given, over all time.
    pub(super) years_donated: Vec<i32>,
    /// For how many years on end something was given, over all time.
    pub(super) donor_streak: usize,
    /// The year with the highest sum.
    pub(super) best_year: Option<i32>,
    /// Its sum.
    pub(super) best_year_total: Option<Money>,
}
