//! Gifts: received, refunded, allocated, acknowledged, corrected, voided.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use domain::{
    ContactId, Currency, EventId, Money, Role,
    gift::{Allocation, GiftCorrection, GiftEvent, GiftMoney, SoftCredit},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kit::{
    decider::{Decider, Decision, Given, Past},
    field::{Comparison, Corrections, Field, Repetition},
    text::Line,
};

/// How many allocations, soft credits or refunds one gift may have.
const PARTS_LIMIT: usize = 100;

/// What is known of a gift.
#[derive(Clone, Debug, Default)]
pub enum State {
    /// Never heard of.
    #[default]
    Unknown,
    /// Received.
    Known(Box<Known>),
    /// Recorded in error.
    Voided,
}

/// A gift that counts.
#[derive(Clone, Debug)]
pub struct Known {
    received: EventId,
    donor: Field<ContactId>,
    amount: Field<Money>,
    campaign: Field<String>,
    stage: Field<String>,
    received_at: Field<DateTime<Utc>>,
    method: Option<String>,
    soft_credits: Vec<SoftCredit>,
    allocations: Field<Vec<Allocation>>,
    refunds: Vec<Refund>,
    acknowledged: bool,
}

#[derive(Clone, Debug)]
struct Refund {
    fact: EventId,
    amount: Money,
    occurred_at: Option<DateTime<Utc>>,
    source: Option<Box<str>>,
}

/// What can be asked of a gift.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Record that it came in; `occurred_at` says when.
    Receive {
        /// Who gave; absent where nobody knows.
        donor: Option<ContactId>,
        /// How much; nothing, where it is worth nothing in money.
        amount: Money,
        /// The campaign that it answers.
        campaign: Option<Line>,
        /// How it was paid: `card`, `check`, `in_kind`…
        method: Option<Line<60>>,
        /// The stage that the source gives it.
        stage: Option<Line<60>>,
        /// What it is meant for; what is not allocated is unrestricted.
        #[serde(default)]
        #[schemars(length(max = 100))]
        allocations: Vec<Allocation>,
        /// Whom to thank beside the donor.
        #[serde(default)]
        #[schemars(length(max = 100))]
        soft_credits: Vec<SoftCredit>,
    },
    /// Money goes back to the donor.
    Refund {
        /// How much, at most what is left.
        amount: Money,
    },
    /// It is meant for these funds; replaces earlier allocations.
    Allocate {
        /// What it is meant for; nothing where it is unrestricted.
        #[schemars(length(max = 100))]
        allocations: Vec<Allocation>,
    },
    /// The donor was thanked.
    Acknowledge {},
    /// Something said earlier was wrong; give only what is to be corrected.
    Correct(GiftCorrection),
    /// It was recorded in error and counts nowhere.
    Void {},
}

/// Why a command to a gift is refused.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Rejection {
    /// There is no such gift.
    #[error("there is no such gift: receive it first")]
    UnknownGift,
    /// It was received with other fields.
    #[error(
        "the gift was received already, with other fields: `correct` changes donor, amount, campaign, stage and \
         date, `allocate` the funds; for anything else `void` it and receive it anew"
    )]
    ReceivedDifferently,
    /// A gift takes nothing away.
    #[error("the amount of a gift must not be negative: to take a gift back use `refund` or `void`")]
    AmountNegative,
    /// Nothing cannot go back or be set aside.
    #[error("a refund or an allocation must be more than nothing")]
    AmountNotPositive,
    /// The amount is larger than any that is kept.
    #[error("an amount may have at most {} minor units", Money::LIMIT)]
    AmountTooLarge,
    /// Currencies are never mixed.
    #[error("the gift is in {0}: give its refunds and allocations in that currency")]
    OtherCurrency(Currency),
    /// More would go back than is there.
    #[error("only {0} of the gift is left: refund at most that")]
    RefundTooLarge(Money),
    /// The gift would be smaller than what went back.
    #[error("{0} of the gift was refunded already: it cannot be less than that")]
    LessThanRefunded(Money),
    /// More is allocated than came in.
    #[error(
        "the allocations come to more than the gift of {0}: lower them, or `allocate` before you correct"
    )]
    AllocatedTooMuch(Money),
    /// A fund stands there twice.
    #[error("a fund is named twice: add its two allocations up")]
    FundTwice,
    /// Too many parts.
    #[error("a gift has at most {PARTS_LIMIT} allocations, soft credits and refunds each")]
    TooManyParts,
    /// A text is out of bounds.
    #[error("`{field}` {fault}")]
    UnfitText {
        /// Which text.
        field: &'static str,
        /// What is wrong with it.
        fault: String,
    },
    /// It was voided.
    #[error("the gift was voided and takes no more commands: receive a new one")]
    Voided,
}

/// The decider of gifts.
pub struct Gift;

impl Decider for Gift {
    type Event = GiftEvent;
    type Command = Command;
    type State = State;
    type Rejection = Rejection;

    const WRITERS: &'static [Role] = &[Role::Admin, Role::Staff, Role::Fundraiser];

    fn decide(
        state: &State,
        mut command: Command,
        given: &Given<'_>,
    ) -> Result<Decision<GiftEvent>, Rejection> {
        check(&mut command)?;
        match (state, command) {
            (State::Voided, Command::Void {}) => Ok(Decision::nothing()),
            (State::Voided, _) => Err(Rejection::Voided),
            (
                State::Unknown,
                Command::Receive { donor, amount, campaign, method, stage, allocations, soft_credits },
            ) => {
                check_allocations(amount, &allocations)?;
                Ok(Decision::one(GiftEvent::Received {
                    donor,
                    amount,
                    campaign: campaign.map(Line::into_string),
                    method: method.map(Line::into_string),
                    stage: stage.map(Line::into_string),
                    allocations,
                    soft_credits,
                }))
            }
            (State::Unknown, _) => Err(Rejection::UnknownGift),
            (State::Known(gift), command) => gift.decide(command, given),
        }
    }

    fn evolve(state: &mut State, event: &GiftEvent, past: &Past<'_>) {
        match (&mut *state, event) {
            (_, GiftEvent::Voided {}) => *state = State::Voided,
            (
                _,
                GiftEvent::Received { donor, amount, campaign, method, stage, allocations, soft_credits },
            ) => {
                let mut gift = Known::received_by(past.id);
                gift.donor.set(*donor, past);
                gift.amount.set(Some(*amount), past);
                gift.campaign.set(campaign.clone(), past);
                gift.stage.set(stage.clone(), past);
                gift.received_at.set(past.occurred_at, past);
                gift.method.clone_from(method);
                gift.soft_credits.clone_from(soft_credits);
                gift.allocations.set(Some(by_fund(allocations)), past);
                *state = State::Known(Box::new(gift));
            }
            (State::Known(gift), event) => gift.evolve(event, past),
            (State::Unknown | State::Voided, _) => {}
        }
    }

    fn concerns(state: &State) -> Vec<ContactId> {
        match state {
            State::Known(gift) => gift.donor.value().copied().into_iter().collect(),
            State::Unknown | State::Voided => Vec::new(),
        }
    }
}

impl Known {
    fn received_by(received: EventId) -> Self {
        Self {
            received,
            donor: Field::default(),
            amount: Field::default(),
            campaign: Field::default(),
            stage: Field::default(),
            received_at: Field::default(),
            method: None,
            soft_credits: Vec::new(),
            allocations: Field::default(),
            refunds: Vec::new(),
            acknowledged: false,
        }
    }

    fn decide(&self, command: Command, given: &Given<'_>) -> Result<Decision<GiftEvent>, Rejection> {
        match command {
            Command::Receive { donor, amount, campaign, method, stage, allocations, soft_credits } => {
                let wanted = GiftCorrection {
                    donor,
                    amount: Some(amount),
                    campaign: campaign.map(Line::into_string),
                    stage: stage.map(Line::into_string),
                    received_at: given.occurred_at,
                };
                let mut again = self.correct(wanted, Some(allocations), given)?;
                let method = method.map(Line::into_string);
                again.compare_fixed("method", self.method.as_ref(), method.as_ref());
                let credits = Some(soft_credits).filter(|credits| !credits.is_empty());
                again.compare_fixed("soft_credits", Some(&self.soft_credits), credits.as_ref());
                again.finish(given, Rejection::ReceivedDifferently)
            }
            Command::Refund { amount } => self.refund(amount, given),
            Command::Allocate { allocations } => {
                let comparison = self.allocations.compare(Some(&by_fund(&allocations)), given.source);
                if comparison == Comparison::Differs {
                    check_allocations(self.amount(), &allocations)?;
                }
                Ok(comparison.decision("allocations", GiftEvent::Allocated { allocations }))
            }
            Command::Acknowledge {} => Ok(Decision::unless(self.acknowledged, GiftEvent::Acknowledged {})),
            Command::Correct(correction) => {
                let Repetition { events, kept } = self.correct(correction, None, given)?;
                Ok(Decision { events, kept })
            }
            Command::Void {} => Ok(Decision::one(GiftEvent::Voided {})),
        }
    }

    /// How much it is. A gift that was received always has an amount.
    fn amount(&self) -> Money {
        self.amount.value().copied().unwrap_or(Money::new(0, Currency::USD))
    }

    /// What came in, were it this much, and what of it went back.
    fn money_of(&self, amount: Money) -> Result<GiftMoney, Rejection> {
        self.refunds.iter().try_fold(GiftMoney::received(amount), |money, refund| {
            money.less(refund.amount).map_err(|error| Rejection::OtherCurrency(error.refunded))
        })
    }

    fn refund(&self, amount: Money, given: &Given<'_>) -> Result<Decision<GiftEvent>, Rejection> {
        let repeated = |refund: &Refund| {
            let same_command = refund.fact == given.event_id(0);
            // A source that tells of the same money going back at the same moment repeats itself.
            let same_row = given.source.is_some()
                && refund.source.as_deref() == given.source
                && refund.amount == amount
                && refund.occurred_at == given.occurred_at;
            same_command || same_row
        };
        if self.refunds.iter().any(repeated) {
            return Ok(Decision::nothing());
        }
        let money = self.money_of(self.amount())?;
        let after = money.less(amount).map_err(|error| Rejection::OtherCurrency(error.received))?;
        if after.net().minor < 0 {
            return Err(Rejection::RefundTooLarge(money.net()));
        }
        if self.refunds.len() >= PARTS_LIMIT {
            return Err(Rejection::TooManyParts);
        }
        Ok(Decision::one(GiftEvent::Refunded { amount }))
    }

    /// The corrections that bring the gift to what is wanted, and where allocations are mentioned, those too.
    fn correct(
        &self,
        wanted: GiftCorrection,
        allocations: Option<Vec<Allocation>>,
        given: &Given<'_>,
    ) -> Result<Repetition<GiftEvent>, Rejection> {
        let GiftCorrection { donor, amount, stage, campaign, received_at } = wanted;
        let (first, wanted_amount) = (self.received, amount);
        let mut corrections = Corrections::<GiftCorrection>::new();
        let all = &mut corrections;
        all.compare(("donor", &self.donor, first), donor, given, |c, v| c.donor = Some(v));
        all.compare(("amount", &self.amount, first), amount, given, |c, v| c.amount = Some(v));
        all.compare(("campaign", &self.campaign, first), campaign, given, |c, v| c.campaign = Some(v));
        all.compare(("stage", &self.stage, first), stage, given, |c, v| c.stage = Some(v));
        all.compare(("received_at", &self.received_at, first), received_at, given, |c, v| {
            c.received_at = Some(v);
        });
        let (events, kept) =
            corrections.into_events(|fact, correction| GiftEvent::Corrected { fact, correction });
        let mut again = Repetition { events, kept };
        let allocations = allocations.filter(|allocations| !allocations.is_empty());
        let mut final_allocations = self.allocations.value().cloned().unwrap_or_default();
        if let Some(allocations) = allocations {
            match self.allocations.compare(Some(&by_fund(&allocations)), given.source) {
                Comparison::Same => {}
                Comparison::Kept => again.kept.push("allocations"),
                Comparison::Differs => {
                    final_allocations.clone_from(&allocations);
                    again.events.push(GiftEvent::Allocated { allocations });
                }
            }
        }
        let changes = |amount: &Money| self.amount.compare(Some(amount), given.source) == Comparison::Differs;
        let final_amount = wanted_amount.filter(changes).unwrap_or(self.amount());
        self.check_refunds(final_amount)?;
        check_allocations(final_amount, &final_allocations)?;
        Ok(again)
    }

    fn check_refunds(&self, amount: Money) -> Result<(), Rejection> {
        let money = self.money_of(amount)?;
        if money.net().minor < 0 {
            return Err(Rejection::LessThanRefunded(Money::new(money.refunded, amount.currency)));
        }
        Ok(())
    }

    fn evolve(&mut self, event: &GiftEvent, past: &Past<'_>) {
        match event {
            GiftEvent::Received { .. } | GiftEvent::Voided {} => {}
            GiftEvent::Refunded { amount } => self.refunds.push(Refund {
                fact: past.id,
                amount: *amount,
                occurred_at: past.occurred_at,
                source: past.source.map(Into::into),
            }),
            GiftEvent::Allocated { allocations } => {
                self.allocations.set(Some(by_fund(allocations)), past);
            }
            GiftEvent::Acknowledged {} => self.acknowledged = true,
            GiftEvent::Corrected { fact: _, correction } => self.evolve_correction(correction, past),
        }
    }

    fn evolve_correction(&mut self, correction: &GiftCorrection, past: &Past<'_>) {
        let GiftCorrection { donor, amount, stage, campaign, received_at } = correction;
        if donor.is_some() {
            self.donor.set(*donor, past);
        }
        if amount.is_some() {
            self.amount.set(*amount, past);
        }
        if stage.is_some() {
            self.stage.set(stage.clone(), past);
        }
        if campaign.is_some() {
            self.campaign.set(campaign.clone(), past);
        }
        if received_at.is_some() {
            self.received_at.set(*received_at, past);
        }
    }
}

/// The same allocations in the same order, however they were listed.
fn by_fund(allocations: &[Allocation]) -> Vec<Allocation> {
    let mut sorted = allocations.to_vec();
    sorted.sort_by_key(|allocation| allocation.fund);
    sorted
}

/// Amounts and texts that no state is needed to judge; texts lose the blanks around them.
fn check(command: &mut Command) -> Result<(), Rejection> {
    match command {
        Command::Receive { amount, soft_credits, .. } => {
            check_worth(*amount)?;
            if soft_credits.len() > PARTS_LIMIT {
                return Err(Rejection::TooManyParts);
            }
            for credit in soft_credits {
                check_worth(credit.amount)?;
                check_text("soft_credits.role", &mut credit.role)?;
            }
        }
        Command::Refund { amount } => check_amount(*amount)?,
        Command::Correct(GiftCorrection { amount, stage, campaign, .. }) => {
            amount.map_or(Ok(()), check_worth)?;
            stage.as_mut().map_or(Ok(()), |stage| check_text("stage", stage))?;
            campaign.as_mut().map_or(Ok(()), |campaign| check_text("campaign", campaign))?;
        }
        Command::Allocate { .. } | Command::Acknowledge {} | Command::Void {} => {}
    }
    Ok(())
}

/// A gift may be worth nothing in money: goods, time, a place in somebody's books.
fn check_worth(amount: Money) -> Result<(), Rejection> {
    if amount.minor < 0 { Err(Rejection::AmountNegative) } else { check_limit(amount) }
}

fn check_limit(amount: Money) -> Result<(), Rejection> {
    if amount.minor > Money::LIMIT { Err(Rejection::AmountTooLarge) } else { Ok(()) }
}

fn check_amount(amount: Money) -> Result<(), Rejection> {
    if amount.minor <= 0 { Err(Rejection::AmountNotPositive) } else { check_limit(amount) }
}

fn check_text(field: &'static str, text: &mut String) -> Result<(), Rejection> {
    let line = Line::<200>::try_from(text.as_str());
    *text = line.map_err(|fault| Rejection::UnfitText { field, fault })?.into_string();
    Ok(())
}

fn check_allocations(amount: Money, allocations: &[Allocation]) -> Result<(), Rejection> {
    if allocations.len() > PARTS_LIMIT {
        return Err(Rejection::TooManyParts);
    }
    let mut funds = HashSet::new();
    let mut sum = 0;
    for allocation in allocations {
        check_amount(allocation.amount)?;
        if allocation.amount.currency != amount.currency {
            return Err(Rejection::OtherCurrency(amount.currency));
        }
        if !funds.insert(allocation.fund) {
            return Err(Rejection::FundTwice);
        }
        sum += allocation.amount.minor;
    }
    if sum > amount.minor { Err(Rejection::AllocatedTooMuch(amount)) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
