//! What can be asked of the pipeline.

use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use crate::kit::Period;

/// What can be asked of the pipeline.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// What the rows are grouped by.
    #[serde(default)]
    pub(super) by: Group,
    /// Whether the rows are cells, or the single deals behind them.
    #[serde(default)]
    pub(super) show: Show,
    /// Only deals at this stage; closed ones are at `Won` or `Lost`.
    pub(super) stage: Option<String>,
    /// Only deals of this member of staff.
    pub(super) owner: Option<Uuid>,
    /// Only deals whose owner is in this team.
    pub(super) team: Option<String>,
    /// Only deals whose owner works in this region.
    pub(super) region: Option<String>,
    /// Only deals about this product.
    pub(super) product: Option<String>,
    /// Only deals opened in this period.
    pub(super) opened: Option<Period>,
    /// Only deals won or lost in this period.
    pub(super) closed: Option<Period>,
}

/// What cells are grouped by.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Group {
    #[default]
    Stage,
    Owner,
    Team,
    Region,
    Product,
    /// Month of opening.
    Opened,
    /// Month of winning or losing.
    Closed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Show {
    #[default]
    Cells,
    Deals,
}
