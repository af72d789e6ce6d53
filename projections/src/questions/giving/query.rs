//! What can be asked about gifts.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::year::YearKind;
use crate::kit::{Period, ViewError};

/// What can be asked about gifts.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// What the rows are.
    #[serde(default)]
    pub(super) show: Show,
    /// What cells are grouped by; by year unless asked otherwise.
    pub(super) by: Option<Group>,
    /// Only what this contact gave, and those that are merged with it.
    pub(super) donor: Option<Uuid>,
    /// Only what is meant for this fund.
    pub(super) fund: Option<Uuid>,
    /// Only gifts that answer this campaign.
    pub(super) campaign: Option<String>,
    /// Only gifts paid so.
    pub(super) method: Option<String>,
    /// Only gifts to which the source gives this stage.
    pub(super) stage: Option<String>,
    /// Only gifts that came in during this period.
    pub(super) received: Option<Period>,
    /// Which years are meant.
    #[serde(default)]
    pub(super) year_kind: YearKind,
    /// The year of `retention`, `lybunt` and `sybunt`; a fiscal year is named after the year in which it ends.
    pub(super) year: Option<i32>,
    /// Rollups over one year only: 0 is the year of `on`, 1 the one before.
    pub(super) years_ago: Option<u16>,
    /// Rollups over the day `on` and this many days before it.
    pub(super) days_back: Option<u32>,
    /// The day from which rollups look back, by default that of `as_of`, else today; later gifts do not count.
    pub(super) on: Option<NaiveDate>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "GivingShow")]
pub(super) enum Show {
    /// Gifts counted and summed by `by`.
    #[default]
    Cells,
    /// Who stayed a donor in `year`, who came and who went.
    Retention,
    /// Donors who gave last year, but unfortunately not this `year`.
    Lybunt,
    /// Donors who gave some year before, but unfortunately not this `year`.
    Sybunt,
    /// Count, sum, average, first, last, best year and so on for every donor.
    Rollups,
}

/// What cells are grouped by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "GivingGroup")]
pub(super) enum Group {
    Donor,
    Fund,
    Campaign,
    #[default]
    Year,
    Month,
    Method,
    Stage,
}

/// A parameter that the rows asked for take no notice of would mislead whoever gave it.
pub(super) fn check(query: &Query) -> Result<(), ViewError> {
    let Query { show, by, donor, fund, campaign, method, stage, received, .. } = query;
    let Query { year_kind: _, year, years_ago, days_back, on, .. } = query;
    let (cells, rollups) = (*show == Show::Cells, *show == Show::Rollups);
    let years = !cells && !rollups;
    for (field, given, taken) in [
        ("by", by.is_some(), cells),
        ("donor", donor.is_some(), cells || rollups),
        ("fund", fund.is_some(), cells),
        ("campaign", campaign.is_some(), cells),
        ("method", method.is_some(), cells),
        ("stage", stage.is_some(), cells),
        ("received", received.is_some(), cells),
        ("year", year.is_some(), years),
        ("years_ago", years_ago.is_some(), rollups),
        ("days_back", days_back.is_some(), rollups && years_ago.is_none()),
        ("on", on.is_some(), rollups),
    ] {
        if given && !taken {
            return Err(ViewError::query(field, "does not go with what is asked for: leave it out"));
        }
    }
    if years && year.is_none() {
        return Err(ViewError::query("year", "is missing: which year is compared with those before?"));
    }
    if year.is_some_and(|year| !(1..=9_999).contains(&year)) {
        return Err(ViewError::query("year", "must lie between 1 and 9999"));
    }
    Ok(())
}
