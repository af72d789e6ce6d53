//! Deals: opened, advanced, won or lost, reopened, corrected, voided.

use chrono::{DateTime, Utc};
use domain::{
    ContactId, EventId, LeadId, MemberId, Money, Outcome, Role,
    deal::{DealCorrection, DealEvent},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kit::{
    decider::{Decider, Decision, Given, Past},
    field::{Comparison, Corrections, Field},
    text::Line,
};

/// What is known of a deal.
#[derive(Clone, Debug, Default)]
pub enum State {
    /// Never heard of.
    #[default]
    Unknown,
    /// In the pipeline, or through with it.
    Known(Box<Known>),
    /// Opened in error.
    Voided,
}

/// A deal that counts.
#[derive(Clone, Debug)]
pub struct Known {
    opened: EventId,
    lead: Option<LeadId>,
    phase: Field<Phase>,
    contact: Field<ContactId>,
    owner: Field<MemberId>,
    product: Field<String>,
    value: Field<Money>,
    opened_at: Field<DateTime<Utc>>,
    closed_at: Field<DateTime<Utc>>,
}

/// Where a deal stands in the pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Phase {
    outcome: Outcome,
    stage: String,
}

impl Phase {
    const fn open_at(stage: String) -> Self {
        Self { outcome: Outcome::Open, stage }
    }
}

/// What can be asked of a deal.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Put it into the pipeline; `occurred_at` says since when.
    Open {
        /// With whom.
        contact: Option<ContactId>,
        /// Who works on it.
        owner: Option<MemberId>,
        /// What is to be sold.
        product: Option<Line>,
        /// What it is expected to bring.
        value: Option<Money>,
        /// The stage at which it enters, for example `Prospecting`.
        stage: Line<60>,
        /// The lead it came from.
        lead: Option<LeadId>,
    },
    /// Move it to another open stage.
    Advance {
        /// The stage from now on.
        stage: Line<60>,
    },
    /// It is won.
    Convert {
        /// What it brings; absent where it stays as expected.
        value: Option<Money>,
    },
    /// It is lost.
    Lose {
        /// Why, in one of the organisation's own words.
        because: Option<Line>,
    },
    /// It is open again.
    Reopen {
        /// The stage from now on.
        stage: Line<60>,
    },
    /// Something said earlier was wrong; give only what is to be corrected.
    Correct(DealCorrection),
    /// It was opened in error and counts nowhere.
    Void {},
}

/// Why a command to a deal is refused.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Rejection {
    /// There is no such deal.
    #[error("there is no such deal: open it first")]
    UnknownDeal,
    /// It was opened with other fields.
    #[error("the deal is open already, with other fields: use `correct` to change them")]
    OpenedDifferently,
    /// It is won or lost.
    #[error("the deal is won or lost: `reopen` it first")]
    Closed,
    /// It was voided.
    #[error("the deal was voided and takes no more commands: open a new one")]
    Voided,
    /// A deal brings something or nothing; it never costs.
    #[error("a value must not be negative")]
    NegativeValue,
    /// The value is larger than any that is kept.
    #[error("a value may have at most {} minor units", Money::LIMIT)]
    ValueTooLarge,
    /// The product is out of bounds.
    #[error("`product` {0}")]
    UnfitProduct(String),
    /// It would close before it opened.
    #[error("a deal cannot be won or lost before it was opened")]
    ClosedBeforeOpened,
}

/// The decider of deals.
pub struct Deal;

impl Decider for Deal {
    type Event = DealEvent;
    type Command = Command;
    type State = State;
    type Rejection = Rejection;

    const WRITERS: &'static [Role] = &[Role::Admin, Role::Staff, Role::Fundraiser];

    fn decide(state: &State, command: Command, given: &Given<'_>) -> Result<Decision<DealEvent>, Rejection> {
        if brings(&command).is_some_and(|value| value.minor < 0) {
            return Err(Rejection::NegativeValue);
        }
        if brings(&command).is_some_and(|value| value.minor > Money::LIMIT) {
            return Err(Rejection::ValueTooLarge);
        }
        if let Command::Correct(DealCorrection { product: Some(product), .. }) = &command {
            Line::<200>::try_from(product.as_str()).map_err(Rejection::UnfitProduct)?;
        }
        match (state, command) {
            (State::Voided, Command::Void {}) => Ok(Decision::nothing()),
            (State::Voided, _) => Err(Rejection::Voided),
            (State::Unknown, Command::Open { contact, owner, product, value, stage, lead }) => {
                let (product, stage) = (product.map(Line::into_string), stage.into_string());
                Ok(Decision::one(DealEvent::Opened { contact, owner, product, value, stage, lead }))
            }
            (State::Unknown, _) => Err(Rejection::UnknownDeal),
            (State::Known(deal), command) => deal.decide(command, given),
        }
    }

    fn evolve(state: &mut State, event: &DealEvent, past: &Past<'_>) {
        match (&mut *state, event) {
            (_, DealEvent::Opened { contact, owner, product, value, stage, lead }) => {
                let mut deal = Known::opened_by(past.id);
                deal.lead = *lead;
                deal.phase.set(Some(Phase::open_at(stage.clone())), past);
                deal.contact.set(*contact, past);
                deal.owner.set(*owner, past);
                deal.product.set(product.clone(), past);
                deal.value.set(*value, past);
                deal.opened_at.set(past.occurred_at, past);
                *state = State::Known(Box::new(deal));
            }
            (State::Known(deal), event) => deal.evolve(event, past),
            (State::Unknown | State::Voided, _) => {}
        }
        if matches!(event, DealEvent::Voided {}) {
            *state = State::Voided;
        }
    }

    fn concerns(state: &State) -> Vec<ContactId> {
        match state {
            State::Known(deal) => deal.contact.value().copied().into_iter().collect(),
            State::Unknown | State::Voided => Vec::new(),
        }
    }
}

impl Known {
    fn opened_by(opened: EventId) -> Self {
        Self {
            opened,
            lead: None,
            phase: Field::default(),
            contact: Field::default(),
            owner: Field::default(),
            product: Field::default(),
            value: Field::default(),
            opened_at: Field::default(),
            closed_at: Field::default(),
        }
    }

    fn decide(&self, command: Command, given: &Given<'_>) -> Result<Decision<DealEvent>, Rejection> {
        match command {
            Command::Open { contact, owner, product, value, lead, stage: _ } => {
                // A deal that is closed brings what it was won for; what it was expected to bring is history.
                let value = value.filter(|_| self.outcome() == Outcome::Open);
                let product = product.map(Line::into_string);
                let opened_at = given.occurred_at;
                let wanted = DealCorrection { contact, owner, product, value, opened_at, closed_at: None };
                let mut decision = self.correct(wanted, given)?;
                let other_lead = lead.is_some() && lead != self.lead;
                if given.source.is_none() && (other_lead || !decision.events.is_empty()) {
                    return Err(Rejection::OpenedDifferently);
                }
                if other_lead {
                    decision.kept.push("lead");
                }
                Ok(decision)
            }
            Command::Advance { stage } => self.move_to_stage(stage.into_string(), given, false),
            Command::Reopen { stage } => self.move_to_stage(stage.into_string(), given, true),
            Command::Convert { value } => self.close(DealEvent::Converted { value }, value, given),
            Command::Lose { because } => {
                let because = because.map(Line::into_string);
                self.close(DealEvent::Lost { because }, None, given)
            }
            Command::Correct(correction) => self.correct(correction, given),
            Command::Void {} => Ok(Decision::one(DealEvent::Voided {})),
        }
    }

    fn move_to_stage(
        &self,
        stage: String,
        given: &Given<'_>,
        reopen: bool,
    ) -> Result<Decision<DealEvent>, Rejection> {
        let wanted = Phase::open_at(stage.clone());
        match (self.phase.compare(Some(&wanted), given.source), self.outcome()) {
            (Comparison::Same, _) => Ok(Decision::nothing()),
            (Comparison::Kept, _) => Ok(Decision { events: Vec::new(), kept: vec!["stage"] }),
            (Comparison::Differs, Outcome::Open) => Ok(Decision::one(DealEvent::Advanced { stage })),
            // A source states how things are now; only a person must say that reopening is meant.
            (Comparison::Differs, _) if reopen || given.source.is_some() => {
                Ok(Decision::one(DealEvent::Reopened { stage }))
            }
            (Comparison::Differs, _) => Err(Rejection::Closed),
        }
    }

    fn close(
        &self,
        event: DealEvent,
        value: Option<Money>,
        given: &Given<'_>,
    ) -> Result<Decision<DealEvent>, Rejection> {
        if let (Some(opened_at), Some(closed_at)) = (self.opened_at.value(), given.occurred_at)
            && closed_at < *opened_at
        {
            return Err(Rejection::ClosedBeforeOpened);
        }
        match (self.phase.compare(self.phase_after(&event).as_ref(), given.source), self.outcome()) {
            (Comparison::Same, _) => {
                let correction = DealCorrection { value, closed_at: given.occurred_at, ..Default::default() };
                let decision = self.correct(correction, given)?;
                if given.source.is_none() && !decision.events.is_empty() {
                    return Err(Rejection::Closed);
                }
                Ok(decision)
            }
            (Comparison::Kept, _) => Ok(Decision { events: Vec::new(), kept: vec!["stage"] }),
            (Comparison::Differs, Outcome::Open) => Ok(Decision::one(event)),
            (Comparison::Differs, _) if given.source.is_some() => {
                Ok(Decision::all(vec![DealEvent::Reopened { stage: "Reopened".to_owned() }, event]))
            }
            (Comparison::Differs, _) => Err(Rejection::Closed),
        }
    }

    fn correct(&self, wanted: DealCorrection, given: &Given<'_>) -> Result<Decision<DealEvent>, Rejection> {
        let opened_at = wanted.opened_at.or(self.opened_at.value().copied());
        let closed_at = wanted.closed_at.or(self.closed_at.value().copied());
        if opened_at.zip(closed_at).is_some_and(|(opened_at, closed_at)| closed_at < opened_at) {
            return Err(Rejection::ClosedBeforeOpened);
        }
        let first = self.opened;
        let mut corrections = Corrections::<DealCorrection>::new();
        let all = &mut corrections;
        all.compare(("contact", &self.contact, first), wanted.contact, given, |c, v| {
            c.contact = Some(v);
        });
        all.compare(("owner", &self.owner, first), wanted.owner, given, |c, v| {
            c.owner = Some(v);
        });
        all.compare(("product", &self.product, first), wanted.product, given, |c, v| {
            c.product = Some(v);
        });
        all.compare(("value", &self.value, first), wanted.value, given, |c, v| {
            c.value = Some(v);
        });
        all.compare(("opened_at", &self.opened_at, first), wanted.opened_at, given, |c, v| {
            c.opened_at = Some(v);
        });
        all.compare(("closed_at", &self.closed_at, first), wanted.closed_at, given, |c, v| {
            c.closed_at = Some(v);
        });
        let (events, kept) =
            corrections.into_events(|fact, correction| DealEvent::Corrected { fact, correction });
        Ok(Decision { events, kept })
    }

    fn outcome(&self) -> Outcome {
        self.phase.value().map(|phase| phase.outcome).unwrap_or_default()
    }

    /// Where it stands after an event, where the event moves it.
    fn phase_after(&self, event: &DealEvent) -> Option<Phase> {
        let stage = event.stage()?.to_owned();
        Some(Phase { outcome: self.outcome().after(event), stage })
    }

    fn evolve(&mut self, event: &DealEvent, past: &Past<'_>) {
        if let Some(phase) = self.phase_after(event) {
            self.phase.set(Some(phase), past);
        }
        match event {
            DealEvent::Opened { .. } | DealEvent::Advanced { .. } | DealEvent::Voided {} => {}
            DealEvent::Reopened { .. } => self.closed_at = Field::default(),
            DealEvent::Converted { value } => {
                self.closed_at.set(past.occurred_at, past);
                if value.is_some() {
                    self.value.set(*value, past);
                }
            }
            DealEvent::Lost { .. } => self.closed_at.set(past.occurred_at, past),
            DealEvent::Corrected { correction, .. } => self.evolve_correction(correction, past),
        }
    }

    fn evolve_correction(&mut self, correction: &DealCorrection, past: &Past<'_>) {
        let DealCorrection { contact, owner, product, value, opened_at, closed_at } = correction;
        if contact.is_some() {
            self.contact.set(*contact, past);
        }
        if owner.is_some() {
            self.owner.set(*owner, past);
        }
        if product.is_some() {
            self.product.set(product.clone(), past);
        }
        if value.is_some() {
            self.value.set(*value, past);
        }
        if opened_at.is_some() {
            self.opened_at.set(*opened_at, past);
        }
        if closed_at.is_some() {
            self.closed_at.set(*closed_at, past);
        }
    }
}

/// The value that a command mentions.
fn brings(command: &Command) -> Option<Money> {
    match command {
        Command::Open { value, .. } | Command::Convert { value } => *value,
        Command::Correct(correction) => correction.value,
        _ => None,
    }
}

#[cfg(test)]
mod tests;
