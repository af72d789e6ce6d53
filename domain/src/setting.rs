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
        /// Whether it held for everything that was recorded before, which is then counted by its days.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        from_the_beginning: bool,
    },
    /// The organisation's fiscal year begins with this month.
    #[serde(rename = "setting.fiscal_year_chosen")]
    FiscalYearChosen {
        /// 1 for January to 12 for December.
        first_month: u8,
    },
    /// Something of the data folder was lost for good, and an operator went on with what was left.
    #[serde(rename = "setting.loss_accepted")]
    LossAccepted {
        /// What was lost or disagreed, as names of files of the data folder.
        lost: Vec<String>,
        /// How many events the log held.
        held: u64,
        /// How many it was known to have held.
        known: u64,
        /// Why the operator went on, in their words.
        because: String,
    },
}

impl Concerns for SettingEvent {
    fn contacts(&self) -> Vec<ContactId> {
        // A setting is about the organisation.
        Vec::new()
    }
}
