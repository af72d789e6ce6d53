//! A deal: an opportunity in the pipeline, until it is won or lost.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    event::Concerns,
    ids::{ContactId, EventId, LeadId, MemberId},
    moment,
    money::Money,
    outcome::Outcome,
};

/// What really is so, where something said earlier was wrong; what is absent was right.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DealCorrection {
    /// With whom it really is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactId>,
    /// Who really works on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<MemberId>,
    /// What is really to be sold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// What it really brings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Money>,
    /// When it really was opened.
    #[serde(default, deserialize_with = "moment::maybe_moment", skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<DateTime<Utc>>,
    /// When it really was won or lost.
    #[serde(default, deserialize_with = "moment::maybe_moment", skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<DateTime<Utc>>,
}

/// What can happen to a deal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum DealEvent {
    /// Entered the pipeline.
    #[serde(rename = "deal.opened")]
    Opened {
        /// With whom; absent where the source does not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contact: Option<ContactId>,
        /// Who works on it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<MemberId>,
        /// What is to be sold.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        product: Option<String>,
        /// What it is expected to bring.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<Money>,
        /// The stage at which it entered.
        stage: String,
        /// The lead it came from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lead: Option<LeadId>,
    },
    /// Moved to another open stage.
    #[serde(rename = "deal.advanced")]
    Advanced {
        /// The stage from now on.
        stage: String,
    },
    /// Was won.
    #[serde(rename = "deal.converted")]
    Converted {
        /// What it brings; absent where it stays as expected.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<Money>,
    },
    /// Was lost.
    #[serde(rename = "deal.lost")]
    Lost {
        /// Why, in one of the organisation's own words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<String>,
    },
    /// Is open again after it was won or lost.
    #[serde(rename = "deal.reopened")]
    Reopened {
        /// The stage from now on.
        stage: String,
    },
    /// Something said about it earlier was wrong.
    #[serde(rename = "deal.corrected")]
    Corrected {
        /// The event that was wrong.
        fact: EventId,
        /// What really is so.
        correction: DealCorrection,
    },
    /// Was opened in error and counts nowhere.
    #[serde(rename = "deal.voided")]
    Voided {},
}

/// The stage of a deal that was won.
pub const WON: &str = "Won";
/// The stage of a deal that was lost.
pub const LOST: &str = "Lost";

impl DealEvent {
    /// The stage that a deal is at after this event, where the event moves it.
    pub fn stage(&self) -> Option<&str> {
        match self {
            Self::Opened { stage, .. } | Self::Advanced { stage } | Self::Reopened { stage } => Some(stage),
            Self::Converted { .. } => Some(WON),
            Self::Lost { .. } => Some(LOST),
            Self::Corrected { .. } | Self::Voided {} => None,
        }
    }
}

impl Outcome {
    /// What a deal has come to after one more event.
    #[must_use]
    pub const fn after(self, event: &DealEvent) -> Self {
        match event {
            DealEvent::Opened { .. } | DealEvent::Reopened { .. } => Self::Open,
            DealEvent::Converted { .. } => Self::Won,
            DealEvent::Lost { .. } => Self::Lost,
            DealEvent::Advanced { .. } | DealEvent::Corrected { .. } | DealEvent::Voided {} => self,
        }
    }
}

impl Concerns for DealEvent {
    fn contacts(&self) -> Vec<ContactId> {
        match self {
            Self::Opened { contact, .. } => contact.iter().copied().collect(),
            Self::Corrected { correction, .. } => correction.contact.iter().copied().collect(),
            Self::Advanced { .. }
            | Self::Converted { .. }
            | Self::Lost { .. }
            | Self::Reopened { .. }
            | Self::Voided { .. } => Vec::new(),
        }
    }
}
