//! What can be asked of the pipeline.

use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use crate::kit::{
    Period,
    filter::{Filter, Over, Property},
};

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
#[schemars(rename = "PipelineGroup")]
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
#[schemars(rename = "PipelineShow")]
pub(super) enum Show {
    #[default]
    Cells,
    Deals,
}

const STAGE: Property = Property::alike("stage", "stage");
const OWNER: Property = Property::alike("owner", "owner");
const OWNERS_NAME: Property = Property::alike("owners_name", "coalesce(name, '')");
const TEAM: Property = Property::alike("team", "coalesce(team, '')");
const REGION: Property = Property::alike("region", "coalesce(region, '')");
const PRODUCT: Property = Property::unlike("product", "product", "coalesce(product, '')");
const OPENED: Property = Property::time("opened", "opened", "opened_on");
const CLOSED: Property = Property::time("closed", "closed", "closed_on");

impl Group {
    /// The property that gives a cell its name.
    pub(super) const fn property(self) -> Property {
        match self {
            Self::Stage => STAGE,
            Self::Owner => OWNERS_NAME,
            Self::Team => TEAM,
            Self::Region => REGION,
            Self::Product => PRODUCT,
            Self::Opened => OPENED,
            Self::Closed => CLOSED,
        }
    }
}

impl Query {
    /// Which deals are asked for.
    pub(super) fn filter(&self, over: Over) -> Filter {
        Filter::over(over)
            .only(&STAGE, self.stage.clone())
            .only(&OWNER, self.owner)
            .only(&TEAM, self.team.clone())
            .only(&REGION, self.region.clone())
            .only(&PRODUCT, self.product.clone())
            .within(&OPENED, self.opened)
            .within(&CLOSED, self.closed)
    }
}
