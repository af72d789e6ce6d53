//! A gift: money or goods received from a donor.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    event::Concerns,
    ids::{ContactId, EventId, FundId},
    moment,
    money::{Currency, Money},
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

/// The money of a gift that is in force: what came in, and what of it went back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GiftMoney {
    /// What came in.
    pub amount: Money,
    /// What went back in all, in minor units of the same currency.
    pub refunded: i64,
}

/// How much of a gift in force went back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refunded {
    /// Nothing did.
    Nothing,
    /// Some of it did.
    InPart,
    /// All of it did: it was no gift.
    InFull,
}

/// Money went back in another currency than it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a gift in {received} was refunded in {refunded}")]
pub struct OtherCurrency {
    /// The currency of the gift.
    pub received: Currency,
    /// The currency of the refund.
    pub refunded: Currency,
}

impl GiftMoney {
    /// A gift that came in, before anything went back.
    pub const fn received(amount: Money) -> Self {
        Self { amount, refunded: 0 }
    }

    /// What is in force after one more event of a gift: nothing before it was received and after it was voided.
    pub fn after(money: Option<Self>, event: &GiftEvent) -> Result<Option<Self>, OtherCurrency> {
        if let GiftEvent::Received { amount, .. } = event {
            return Ok(Some(Self::received(*amount)));
        }
        let Some(money) = money else { return Ok(None) };
        Ok(match event {
            GiftEvent::Refunded { amount } => Some(money.less(*amount)?),
            GiftEvent::Corrected { correction, .. } => {
                Some(Self { amount: correction.amount.unwrap_or(money.amount), ..money })
            }
            GiftEvent::Received { .. } | GiftEvent::Allocated { .. } | GiftEvent::Acknowledged {} => {
                Some(money)
            }
            GiftEvent::Voided {} => None,
        })
    }

    /// The same after a refund.
    pub fn less(self, refund: Money) -> Result<Self, OtherCurrency> {
        let (received, refunded) = (self.amount.currency, refund.currency);
        if received != refunded {
            return Err(OtherCurrency { received, refunded });
        }
        Ok(Self { refunded: self.refunded.saturating_add(refund.minor), ..self })
    }

    /// What is kept of it.
    pub const fn net(self) -> Money {
        Money::new(self.amount.minor.saturating_sub(self.refunded), self.amount.currency)
    }

    /// How much of it went back. What is worth nothing in money stays a gift.
    pub const fn refunded(self) -> Refunded {
        match self.refunded {
            0 => Refunded::Nothing,
            refunded if refunded < self.amount.minor => Refunded::InPart,
            _ => Refunded::InFull,
        }
    }

    /// Whether it counts for its donor: what went back in full was no gift.
    pub const fn counts(self) -> bool {
        !matches!(self.refunded(), Refunded::InFull)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(minor: i64) -> Money {
        Money::new(minor, Currency::USD)
    }

    fn received(minor: i64) -> GiftEvent {
        GiftEvent::Received {
            donor: None,
            amount: usd(minor),
            campaign: None,
            method: None,
            stage: None,
            allocations: Vec::new(),
            soft_credits: Vec::new(),
        }
    }

    fn refunded(minor: i64) -> GiftEvent {
        GiftEvent::Refunded { amount: usd(minor) }
    }

    /// What is kept, how much went back, and whether that counts for the donor.
    #[track_caller]
    fn check(events: &[GiftEvent], expected: Option<(i64, Refunded, bool)>) {
        let money = events.iter().try_fold(None, GiftMoney::after).unwrap();
        assert_eq!(money.map(|money| (money.net().minor, money.refunded(), money.counts())), expected);
    }

    #[test]
    fn a_gift_is_in_force_from_when_it_is_received_until_it_is_voided() {
        check(&[], None);
        check(&[refunded(5)], None);
        check(&[received(10)], Some((10, Refunded::Nothing, true)));
        check(&[received(10), GiftEvent::Acknowledged {}, GiftEvent::Voided {}], None);
    }

    #[test]
    fn what_went_back_in_full_is_in_force_and_counts_for_no_donor() {
        check(&[received(10), refunded(4)], Some((6, Refunded::InPart, true)));
        check(&[received(10), refunded(4), refunded(6)], Some((0, Refunded::InFull, false)));
        check(&[received(0)], Some((0, Refunded::Nothing, true)));
    }

    #[test]
    fn currencies_are_not_mixed() {
        let euros = Money::new(1, "EUR".parse().unwrap());
        let refund = GiftEvent::Refunded { amount: euros };
        assert!(GiftMoney::after(Some(GiftMoney::received(usd(5))), &refund).is_err());
    }
}
