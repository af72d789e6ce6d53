//! A lead: somebody's interest, before it becomes a deal.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    event::Concerns,
    ids::{ContactId, ConversationId, DealId, EventId, MemberId},
    money::Money,
    outcome::Outcome,
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

/// How a lead stands after its events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeadStatus {
    /// Captured, and nobody's yet.
    #[default]
    New,
    /// Given to a member of staff.
    Assigned,
    /// Worth pursuing.
    Qualified,
    /// Not worth pursuing, not to be reached or not interested.
    Unqualified,
    /// No real lead, or one that was here already.
    Junk,
    /// Became a deal.
    Converted,
}

impl LeadStatus {
    /// Every status, in the order in which a lead may go through them.
    pub const ALL: &'static [Self] =
        &[Self::New, Self::Assigned, Self::Qualified, Self::Unqualified, Self::Junk, Self::Converted];

    /// How a lead stands after one more event.
    #[must_use]
    pub const fn after(self, event: &LeadEvent) -> Self {
        match (event, self) {
            (LeadEvent::Captured { .. }, _) => Self::New,
            (LeadEvent::Converted { .. }, _) => Self::Converted,
            // What has become a deal stays converted, whatever is said about the lead afterwards.
            (LeadEvent::Qualified { .. } | LeadEvent::Disqualified { .. }, Self::Converted) => {
                Self::Converted
            }
            (LeadEvent::Qualified { .. }, _) => Self::Qualified,
            (LeadEvent::Disqualified { because }, _) => because.status(),
            // What was judged already is not judged anew because somebody else has it.
            (LeadEvent::Assigned { .. }, Self::New) => Self::Assigned,
            (LeadEvent::Assigned { .. } | LeadEvent::Corrected { .. } | LeadEvent::Voided {}, _) => self,
        }
    }

    /// What that comes to.
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::New | Self::Assigned | Self::Qualified => Outcome::Open,
            Self::Unqualified | Self::Junk => Outcome::Lost,
            Self::Converted => Outcome::Won,
        }
    }
}

impl DisqualifiedBecause {
    /// How a lead stands that came to nothing for this reason.
    const fn status(self) -> LeadStatus {
        match self {
            Self::Junk | Self::Duplicate => LeadStatus::Junk,
            Self::Unqualified | Self::Unreachable | Self::NotInterested => LeadStatus::Unqualified,
        }
    }
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn disqualified(because: DisqualifiedBecause) -> LeadEvent {
        LeadEvent::Disqualified { because }
    }

    fn assigned() -> LeadEvent {
        LeadEvent::Assigned { owner: MemberId(Uuid::nil()) }
    }

    fn converted() -> LeadEvent {
        LeadEvent::Converted { deal: DealId(Uuid::nil()), value: None }
    }

    #[track_caller]
    fn check(events: &[LeadEvent], expected: LeadStatus) {
        assert_eq!(events.iter().fold(LeadStatus::New, LeadStatus::after), expected);
    }

    #[test]
    fn only_what_is_new_becomes_assigned() {
        check(&[], LeadStatus::New);
        check(&[assigned(), assigned()], LeadStatus::Assigned);
        check(&[LeadEvent::Qualified { score: None }, assigned()], LeadStatus::Qualified);
        check(&[disqualified(DisqualifiedBecause::Junk), assigned()], LeadStatus::Junk);
    }

    #[test]
    fn the_reason_says_whether_it_was_a_lead_at_all() {
        use DisqualifiedBecause as Because;
        for because in [Because::Junk, Because::Duplicate] {
            check(&[disqualified(because)], LeadStatus::Junk);
        }
        for because in [Because::Unqualified, Because::Unreachable, Because::NotInterested] {
            check(&[disqualified(because)], LeadStatus::Unqualified);
        }
    }

    #[test]
    fn what_is_converted_stays_converted() {
        let qualified = LeadEvent::Qualified { score: Some(1) };
        check(&[disqualified(DisqualifiedBecause::Junk), converted()], LeadStatus::Converted);
        for later in [qualified, disqualified(DisqualifiedBecause::Junk), assigned(), LeadEvent::Voided {}] {
            check(&[converted(), later], LeadStatus::Converted);
        }
    }

    #[test]
    fn every_status_has_a_word_and_comes_to_something() {
        let words: Vec<_> =
            LeadStatus::ALL.iter().map(|status| serde_json::to_string(status).unwrap()).collect();
        let expected = ["new", "assigned", "qualified", "unqualified", "junk", "converted"];
        assert_eq!(words, expected.map(|word| format!("\"{word}\"")));
        let outcomes: Vec<_> = LeadStatus::ALL.iter().map(|status| status.outcome()).collect();
        let (open, lost) = (Outcome::Open, Outcome::Lost);
        assert_eq!(outcomes, [open, open, open, lost, lost, Outcome::Won]);
    }
}
