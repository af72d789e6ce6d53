//! What can be asked of the leads.

use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::status::Status;
use crate::kit::Period;

/// What can be asked of the leads.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// What the rows are grouped by.
    #[serde(default)]
    pub(super) by: Group,
    /// Whether the rows are cells, or the single leads behind them.
    #[serde(default)]
    pub(super) show: Show,
    /// Only leads from this source.
    pub(super) source: Option<String>,
    /// Only leads of this member of staff.
    pub(super) owner: Option<Uuid>,
    /// Only leads that stand so.
    pub(super) status: Option<Status>,
    /// Only leads captured in this period.
    pub(super) captured: Option<Period>,
}

/// What cells are grouped by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Group {
    Source,
    Owner,
    #[default]
    Status,
    /// Month of capture.
    Month,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Show {
    #[default]
    Cells,
    Leads,
}
