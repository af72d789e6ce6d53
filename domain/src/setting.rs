//! Settings: whatever changes a number is an event too. All of them live in one stream, [`SETTINGS`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{event::Concerns, ids::ContactId};

/// The id of the one stream of settings.
pub const SETTINGS: Uuid = Uuid::nil();

/// What can happen to the settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum SettingEvent {
    /// The organisation keeps its days in this zone.
    #[serde(rename = "setting.zone_chosen")]
    ZoneChosen {
        /// IANA name, for example `America/New_York`.
        zone: String,
    },
    /// The organisation's fiscal year begins with this month.
    #[serde(rename = "setting.fiscal_year_chosen")]
    FiscalYearChosen {
        /// 1 for January to 12 for December.
        first_month: u8,
    },
}

impl Concerns for SettingEvent {
    fn contacts(&self) -> Vec<ContactId> {
        // A setting is about the organisation.
        Vec::new()
    }
}
