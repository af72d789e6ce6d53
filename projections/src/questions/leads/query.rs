//! What can be asked of the leads.

use domain::lead::LeadStatus;
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use crate::kit::{
    Period,
    column::word,
    filter::{Filter, Over, Property},
};

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
    pub(super) status: Option<LeadStatus>,
    /// Only leads captured in this period.
    pub(super) captured: Option<Period>,
}

/// What cells are grouped by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "LeadsGroup")]
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
#[schemars(rename = "LeadsShow")]
pub(super) enum Show {
    #[default]
    Cells,
    Leads,
}

const SOURCE: Property = Property::alike("source", "source");
const OWNER: Property = Property::alike("owner", "owner");
const STATUS: Property = Property::alike("status", "status");
const CAPTURED: Property = Property::time("captured", "captured", "captured_on");
const OWNERS_NAME: Property = Property::alike("owners_name", "coalesce(name, '')");

impl Group {
    /// The property that gives a cell its name.
    pub(super) const fn property(self) -> Property {
        match self {
            Self::Source => SOURCE,
            Self::Owner => OWNERS_NAME,
            Self::Status => STATUS,
            Self::Month => CAPTURED,
        }
    }
}

impl Query {
    /// Which leads are asked for.
    pub(super) fn filter(&self, over: Over) -> Filter {
        Filter::over(over)
            .only(&SOURCE, self.source.clone())
            .only(&OWNER, self.owner)
            .only(&STATUS, self.status.map(word))
            .within(&CAPTURED, self.captured)
    }
}
