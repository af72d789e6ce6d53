//! A lead: somebody's interest, before it becomes a deal.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    event::Concerns,
    ids::{ContactId, ConversationId, DealId, EventId, MemberId},
    money::Money,
    personal::Personal,
};

/// Why a lead came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisqualifiedBecause {
    /// Does not fit.
    Unqualified,
    /// Not a real lead.
    Junk,
    /// Already here under another lead.
    Duplicate,
    /// Could not be reached.
    Unreachable,
    /// Does not want to.
    NotInterested,
}

/// What can happen to a lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum LeadEvent {
    /// Came in.
    #[serde(rename = "lead.captured")]
    Captured {
        /// Whose interest it is.
        contact: ContactId,
        /// Where it came from: `website`, `referral`, `conversation`…
        source: String,
        /// The conversation it came from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        conversation: Option<ConversationId>,
        /// What they are interested in, in short.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interest: Option<Personal<String>>,
    },
    /// Was given to a member of staff.
    #[serde(rename = "lead.assigned")]
    Assigned {
        /// Who has it now.
        owner: MemberId,
    },
    /// Is worth pursuing.
    #[serde(rename = "lead.qualified")]
    Qualified {
        /// How much so, 0 to 100.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        score: Option<u8>,
    },
    /// Is not worth pursuing.
    #[serde(rename = "lead.disqualified")]
    Disqualified {
        /// Why.
        because: DisqualifiedBecause,
    },
    /// Became a deal.
    #[serde(rename = "lead.converted")]
    Converted {
        /// The deal, which a command of its own opens.
        deal: DealId,
        /// What the deal is expected to bring.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<Money>,
    },
    /// Something said about it earlier was wrong.
    #[serde(rename = "lead.corrected")]
    Corrected {
        /// The event that was wrong.
        fact: EventId,
        /// Where it really came from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<String>,
        /// Whose interest it really is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contact: Option<ContactId>,
    },
    /// Was captured in error and counts nowhere.
    #[serde(rename = "lead.voided")]
    Voided {},
}

impl Concerns for LeadEvent {
    fn contacts(&self) -> Vec<ContactId> {
        match self {
            Self::Captured { contact, .. } => vec![*contact],
            Self::Corrected { contact, .. } => contact.iter().copied().collect(),
            Self::Assigned { .. }
            | Self::Qualified { .. }
            | Self::Disqualified { .. }
            | Self::Converted { .. }
            | Self::Voided { .. } => Vec::new(),
        }
    }
}
