//! A gift: money or goods received from a donor.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    event::Concerns,
    ids::{ContactId, EventId, FundId},
    moment,
    money::Money,
};

/// A part of a gift that is meant for one fund.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Allocation {
    /// The fund.
    pub fund: FundId,
    /// How much of the gift.
    pub amount: Money,
}

/// Credit to somebody who did not give the money but brought it about; never added to what was received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SoftCredit {
    /// Whom to thank.
    pub contact: ContactId,
    /// For how much.
    pub amount: Money,
    /// For what: `solicited`, `household`, `matched_gift`…
    pub role: String,
}

/// What really is so, where something said earlier was wrong; what is absent was right.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GiftCorrection {
    /// Who really gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub donor: Option<ContactId>,
    /// How much it really is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// Its real stage in the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// The campaign that it really answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// When it really came in.
    #[serde(default, deserialize_with = "moment::maybe_moment", skip_serializing_if = "Option::is_none")]
    pub received_at: Option<DateTime<Utc>>,
}

/// What can happen to a gift.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum GiftEvent {
    /// Came in.
    #[serde(rename = "gift.received")]
    Received {
        /// Who gave; absent where nobody knows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        donor: Option<ContactId>,
        /// How much.
        amount: Money,
        /// The campaign that it answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        campaign: Option<String>,
        /// How it was paid: `card`, `check`, `in_kind`…
        #[serde(default, skip_serializing_if = "Option::is_none")]
        method: Option<String>,
        /// The stage that the source gives it, where it keeps pledges and gifts in one list.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stage: Option<String>,
        /// What it is meant for; what is not allocated is unrestricted.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        allocations: Vec<Allocation>,
        /// Whom to thank beside the donor.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        soft_credits: Vec<SoftCredit>,
    },
    /// Money went back to the donor.
    #[serde(rename = "gift.refunded")]
    Refunded {
        /// How much.
        amount: Money,
    },
    /// Is meant for these funds from now on; replaces earlier allocations.
    #[serde(rename = "gift.allocated")]
    Allocated {
        /// What it is meant for.
        allocations: Vec<Allocation>,
    },
    /// The donor was thanked.
    #[serde(rename = "gift.acknowledged")]
    Acknowledged {},
    /// Something said about it earlier was wrong.
    #[serde(rename = "gift.corrected")]
    Corrected {
        /// The event that was wrong.
        fact: EventId,
        /// What really is so.
        correction: GiftCorrection,
    },
    /// Was recorded in error and counts nowhere.
    #[serde(rename = "gift.voided")]
    Voided {},
}

impl Concerns for GiftEvent {
    fn contacts(&self) -> Vec<ContactId> {
        match self {
            Self::Received { donor, soft_credits, .. } => {
                donor.iter().copied().chain(soft_credits.iter().map(|credit| credit.contact)).collect()
            }
            Self::Corrected { correction, .. } => correction.donor.iter().copied().collect(),
            Self::Refunded { .. }
            | Self::Allocated { .. }
            | Self::Acknowledged { .. }
            | Self::Voided { .. } => Vec::new(),
        }
    }
}
