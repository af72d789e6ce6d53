//! What can be asked about engagement.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use crate::kit::Period;

/// What can be asked about engagement.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// The first day of the period, as the organisation keeps its days; absent, the period begins with the first fact. The period
    /// before is the same number of days directly before.
    pub(super) from: Option<NaiveDate>,
    /// The last day of the period; absent, the period ends with the last fact.
    pub(super) to: Option<NaiveDate>,
    /// A period of whole months instead of `from` and `to`. The period before is the same number of months
    /// directly before: for a year the year before, for a quarter the quarter before.
    pub(super) period: Option<Period>,
    /// Only this program.
    pub(super) program: Option<Uuid>,
    /// Only this cohort; empty: what was held for none.
    pub(super) cohort: Option<String>,
    /// Only gatherings of this type; enrolments, which have none, are then left out.
    #[serde(rename = "type")]
    pub(super) gathering_type: Option<String>,
    /// What the rows are grouped by.
    #[serde(default)]
    pub(super) by: Group,
    /// How many attendances within the period make an engagement deep; 6 unless said otherwise.
    pub(super) depth: Option<u32>,
    /// The counts of one gathering, whatever the period.
    pub(super) gathering: Option<Uuid>,
}

/// What the rows are grouped by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "EngagementGroup")]
pub(super) enum Group {
    /// One row for everything.
    #[default]
    None,
    /// A row per program.
    Program,
    /// A row per cohort.
    Cohort,
    /// A row per type of gathering.
    Type,
    /// A row per month in which something happened, each compared with the month before.
    Month,
    /// A row per year in which something happened, each compared with the year before.
    Year,
}
