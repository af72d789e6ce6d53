//! Leads: captured, assigned, qualified or disqualified, converted, corrected, voided.

use domain::{
    ContactId, ConversationId, DealId, EventId, MemberId, Money, Outcome, Personal, Role,
    lead::{DisqualifiedBecause, LeadEvent, LeadStatus},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kit::{
    decider::{Decider, Decision, Given, Past},
    field::{Comparison, Corrections, Field, Repetition, kept},
    text::Line,
};

/// What is known of a lead.
#[derive(Clone, Debug, Default)]
pub enum State {
    /// Never heard of.
    #[default]
    Unknown,
    /// Being worked on, or through with it.
    Known(Box<Known>),
    /// Captured in error.
    Voided,
}

/// A lead that counts.
#[derive(Clone, Debug)]
pub struct Known {
    captured: EventId,
    contact: Field<ContactId>,
    source: Field<String>,
    conversation: Option<ConversationId>,
    interest: Interest,
    owner: Field<MemberId>,
    standing: Field<Standing>,
    status: LeadStatus,
    deal: Option<DealId>,
    value: Option<Money>,
}

#[derive(Clone, Debug)]
enum Interest {
    Unsaid,
    Said(String),
    Forgotten,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    New,
    Qualified { score: Option<u8> },
    Disqualified { because: DisqualifiedBecause },
}

/// What can be asked of a lead.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Take it in.
    Capture {
        /// Whose interest it is.
        contact: ContactId,
        /// Where it came from: `website`, `referral`, `conversation`…
        source: Line<60>,
        /// The conversation it came from.
        conversation: Option<ConversationId>,
        /// What they are interested in, in short.
        interest: Option<Line<500>>,
    },
    /// Give it to a member of staff.
    Assign {
        /// Who has it from now on.
        owner: MemberId,
    },
    /// It is worth pursuing.
    Qualify {
        /// How much so, 0 to 100; absent where that stays as it was.
        #[schemars(range(min = 0, max = 100))]
        score: Option<u8>,
    },
    /// It is not worth pursuing.
    Disqualify {
        /// Why.
        because: DisqualifiedBecause,
    },
    /// It became a deal, which a command of its own opens.
    Convert {
        /// The deal.
        deal: DealId,
        /// What the deal is expected to bring.
        value: Option<Money>,
    },
    /// Something said earlier was wrong; give only what is to be corrected.
    Correct {
        /// Where it really came from.
        source: Option<Line<60>>,
        /// Whose interest it really is.
        contact: Option<ContactId>,
    },
    /// It was captured in error and counts nowhere.
    Void {},
}

/// Why a command to a lead is refused.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Rejection {
    /// There is no such lead.
    #[error("there is no such lead: capture it first")]
    UnknownLead,
    /// It was captured with other fields.
    #[error(
        "the lead was captured already, with other fields: `correct` changes its contact and source; for \
         anything else `void` it and capture a new one"
    )]
    CapturedDifferently,
    /// The score is no score.
    #[error("a score lies between 0 and 100")]
    ScoreOutOfRange,
    /// The value cannot be less than nothing.
    #[error("a value must not be negative")]
    NegativeValue,
    /// The value is larger than any that is kept.
    #[error("a value may have at most {} minor units", Money::LIMIT)]
    ValueTooLarge,
    /// It is not worth pursuing.
    #[error("the lead was disqualified: `qualify` it before you convert it")]
    Disqualified,
    /// It became a deal.
    #[error("the lead became deal/{0}: send your command to the deal")]
    Converted(DealId),
    /// It was voided.
    #[error("the lead was voided and takes no more commands: capture a new one")]
    Voided,
}

/// The decider of leads.
pub struct Lead;

impl Decider for Lead {
    type Event = LeadEvent;
    type Command = Command;
    type State = State;
    type Rejection = Rejection;

    const WRITERS: &'static [Role] = &[Role::Admin, Role::Staff, Role::Fundraiser];

    const EXCEPTIONS: &'static [(&'static str, &'static [Role])] =
        &[("capture", &[Role::Admin, Role::Staff, Role::Fundraiser, Role::Intake])];

    fn decide(state: &State, command: Command, given: &Given<'_>) -> Result<Decision<LeadEvent>, Rejection> {
        check_numbers(&command)?;
        match (state, command) {
            (State::Voided, Command::Void {}) => Ok(Decision::nothing()),
            (State::Voided, _) => Err(Rejection::Voided),
            (State::Unknown, Command::Capture { contact, source, conversation, interest }) => {
                let interest = interest.map(|interest| Personal::new(contact, interest.into_string()));
                let source = source.into_string();
                Ok(Decision::one(LeadEvent::Captured { contact, source, conversation, interest }))
            }
            (State::Unknown, _) => Err(Rejection::UnknownLead),
            (State::Known(lead), command) => lead.decide(command, given),
        }
    }

    fn evolve(state: &mut State, event: &LeadEvent, past: &Past<'_>) {
        match (&mut *state, event) {
            (_, LeadEvent::Voided {}) => *state = State::Voided,
            (_, LeadEvent::Captured { contact, source, conversation, interest }) => {
                let mut lead = Known::captured_by(past.id);
                lead.contact.set(Some(*contact), past);
                lead.source.set(Some(source.clone()), past);
                lead.conversation = *conversation;
                lead.interest = Interest::of(interest.as_ref());
                lead.standing.set(Some(Standing::New), past);
                *state = State::Known(Box::new(lead));
            }
            (State::Known(lead), event) => lead.evolve(event, past),
            (State::Unknown | State::Voided, _) => {}
        }
    }

    fn concerns(state: &State) -> Vec<ContactId> {
        match state {
            State::Known(lead) => lead.contact.value().copied().into_iter().collect(),
            State::Unknown | State::Voided => Vec::new(),
        }
    }
}

/// What a correction changes, gathered per fact.
#[derive(Default)]
struct Correction {
    source: Option<String>,
    contact: Option<ContactId>,
}

impl Known {
    fn captured_by(captured: EventId) -> Self {
        Self {
            captured,
            contact: Field::default(),
            source: Field::default(),
            conversation: None,
            interest: Interest::Unsaid,
            owner: Field::default(),
            standing: Field::default(),
            status: LeadStatus::New,
            deal: None,
            value: None,
        }
    }

    fn decide(&self, command: Command, given: &Given<'_>) -> Result<Decision<LeadEvent>, Rejection> {
        match command {
            Command::Capture { contact, source, conversation, interest } => {
                let Decision { events, kept } =
                    self.correct(Some(source.into_string()), Some(contact), given);
                let mut again = Repetition { events, kept };
                again.compare_fixed("conversation", self.conversation.as_ref(), conversation.as_ref());
                if let Some(interest) = interest
                    && !self.interest.is(interest.as_str())
                {
                    again.kept.push("interest");
                }
                again.finish(given, Rejection::CapturedDifferently)
            }
            Command::Assign { owner } => {
                let comparison = self.owner.compare(Some(&owner), given.source);
                Ok(comparison.decision("owner", LeadEvent::Assigned { owner }))
            }
            Command::Qualify { score } => self.qualify(score, given),
            Command::Disqualify { because } => {
                self.judge(&Standing::Disqualified { because }, LeadEvent::Disqualified { because }, given)
            }
            Command::Convert { deal, value } => self.convert(deal, value, given),
            Command::Correct { source, contact } => {
                Ok(self.correct(source.map(Line::into_string), contact, given))
            }
            Command::Void {} => Ok(Decision::one(LeadEvent::Voided {})),
        }
    }

    fn qualify(&self, score: Option<u8>, given: &Given<'_>) -> Result<Decision<LeadEvent>, Rejection> {
        if score.is_none() && matches!(self.standing.value(), Some(Standing::Qualified { .. })) {
            return Ok(Decision::nothing());
        }
        self.judge(&Standing::Qualified { score }, LeadEvent::Qualified { score }, given)
    }

    fn judge(
        &self,
        standing: &Standing,
        event: LeadEvent,
        given: &Given<'_>,
    ) -> Result<Decision<LeadEvent>, Rejection> {
        match (self.standing.turn(standing, given.source), self.deal) {
            (Comparison::Differs, Some(deal)) if given.source.is_none() => Err(Rejection::Converted(deal)),
            // A deal that is there already is not undone by what a source says about the lead before it.
            (Comparison::Differs, Some(_)) => Ok(kept("standing")),
            (comparison, _) => Ok(comparison.decision("standing", event)),
        }
    }

    fn convert(
        &self,
        deal: DealId,
        value: Option<Money>,
        given: &Given<'_>,
    ) -> Result<Decision<LeadEvent>, Rejection> {
        if let Some(known) = self.deal {
            let mut again = Repetition::new();
            again.compare_fixed("deal", Some(&known), Some(&deal));
            again.compare_fixed("value", self.value.as_ref(), value.as_ref());
            return again.finish(given, Rejection::Converted(known));
        }
        // A source states how things are now; only a person must say that qualifying is meant.
        if self.status.outcome() == Outcome::Lost && given.source.is_none() {
            return Err(Rejection::Disqualified);
        }
        Ok(Decision::one(LeadEvent::Converted { deal, value }))
    }

    fn correct(
        &self,
        source: Option<String>,
        contact: Option<ContactId>,
        given: &Given<'_>,
    ) -> Decision<LeadEvent> {
        let first = self.captured;
        let mut corrections = Corrections::<Correction>::new();
        corrections.compare(("source", &self.source, first), source, given, |c, v| c.source = Some(v));
        corrections.compare(("contact", &self.contact, first), contact, given, |c, v| {
            c.contact = Some(v);
        });
        let (events, kept) = corrections.into_events(|fact, Correction { source, contact }| {
            LeadEvent::Corrected { fact, source, contact }
        });
        Decision { events, kept }
    }

    fn evolve(&mut self, event: &LeadEvent, past: &Past<'_>) {
        self.status = self.status.after(event);
        match event {
            LeadEvent::Captured { .. } | LeadEvent::Voided {} => {}
            LeadEvent::Assigned { owner } => self.owner.set(Some(*owner), past),
            LeadEvent::Qualified { score } => {
                self.standing.set(Some(Standing::Qualified { score: *score }), past);
            }
            LeadEvent::Disqualified { because } => {
                self.standing.set(Some(Standing::Disqualified { because: *because }), past);
            }
            LeadEvent::Converted { deal, value } => {
                self.deal = Some(*deal);
                self.value = *value;
            }
            LeadEvent::Corrected { fact: _, source, contact } => {
                if source.is_some() {
                    self.source.set(source.clone(), past);
                }
                if contact.is_some() {
                    self.contact.set(*contact, past);
                }
            }
        }
    }
}

impl Interest {
    fn of(personal: Option<&Personal<String>>) -> Self {
        match personal.map(Personal::clear) {
            None => Self::Unsaid,
            Some(Some(interest)) => Self::Said(interest.clone()),
            Some(None) => Self::Forgotten,
        }
    }

    fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Said(interest) if interest == wanted)
    }
}

fn check_numbers(command: &Command) -> Result<(), Rejection> {
    match command {
        Command::Qualify { score: Some(101..) } => Err(Rejection::ScoreOutOfRange),
        Command::Convert { value: Some(value), .. } if value.minor < 0 => Err(Rejection::NegativeValue),
        Command::Convert { value: Some(value), .. } if value.minor > Money::LIMIT => {
            Err(Rejection::ValueTooLarge)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
