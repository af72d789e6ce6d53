//! Enrolments: enrolled, advanced, completed or withdrawn, reinstated, corrected, voided.

use domain::{
    ContactId, EventId, ProgramId, Role,
    enrolment::{EnrolmentEvent, EnrolmentRole, EnrolmentStatus},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kit::{
    decider::{Decider, Decision, Given, Past},
    field::{Comparison, Corrections, Field, Repetition, kept},
    text::Line,
};

/// What is known of an enrolment.
#[derive(Clone, Debug, Default)]
pub enum State {
    /// Never heard of.
    #[default]
    Unknown,
    /// Under way, or over.
    Known(Box<Known>),
    /// Recorded in error.
    Voided,
}

/// An enrolment that counts.
#[derive(Clone, Debug)]
pub struct Known {
    enrolled: EventId,
    contact: ContactId,
    program: ProgramId,
    cohort: Field<String>,
    role: Field<EnrolmentRole>,
    stage: Field<String>,
    phase: Field<Phase>,
}

/// How far it has come, and with which result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Phase {
    status: EnrolmentStatus,
    result: Option<String>,
}

/// What can be asked of an enrolment.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Somebody joins a program.
    Enrol {
        /// Who.
        contact: ContactId,
        /// Which program.
        program: ProgramId,
        /// With whom they start: `2013J`, `Fall 2024`.
        cohort: Option<Line<60>>,
        /// In which role; a participant where nothing is said.
        role: Option<EnrolmentRole>,
    },
    /// They reach another stage.
    Advance {
        /// The stage from now on.
        stage: Line<60>,
    },
    /// They went through to the end.
    Complete {
        /// With which result; absent where that stays as it was.
        result: Option<Line<60>>,
    },
    /// They leave before the end.
    Withdraw {},
    /// They come back after leaving or completing.
    Reinstate {},
    /// Something said earlier was wrong; give only what is to be corrected.
    Correct {
        /// The real cohort.
        cohort: Option<Line<60>>,
        /// The real role.
        role: Option<EnrolmentRole>,
    },
    /// It was recorded in error and counts nowhere.
    Void {},
}

/// Why a command to an enrolment is refused.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Rejection {
    /// There is no such enrolment.
    #[error("there is no such enrolment: enrol the contact first")]
    UnknownEnrolment,
    /// They were enrolled with other fields.
    #[error(
        "they are enrolled already, with other fields: `correct` changes cohort and role; for another contact \
         or program `void` this enrolment and record a new one"
    )]
    EnrolledDifferently,
    /// They left or completed.
    #[error("they withdrew or completed the program: `reinstate` them first")]
    Over,
    /// It was voided.
    #[error("the enrolment was voided and takes no more commands: record a new one")]
    Voided,
}

/// The decider of enrolments.
pub struct Enrolment;

impl Decider for Enrolment {
    type Event = EnrolmentEvent;
    type Command = Command;
    type State = State;
    type Rejection = Rejection;

    const WRITERS: &'static [Role] = &[Role::Admin, Role::Staff];

    fn decide(
        state: &State,
        command: Command,
        given: &Given<'_>,
    ) -> Result<Decision<EnrolmentEvent>, Rejection> {
        match (state, command) {
            (State::Voided, Command::Void {}) => Ok(Decision::nothing()),
            (State::Voided, _) => Err(Rejection::Voided),
            (State::Unknown, Command::Enrol { contact, program, cohort, role }) => {
                let (cohort, role) = (cohort.map(Line::into_string), role.unwrap_or_default());
                Ok(Decision::one(EnrolmentEvent::Enrolled { contact, program, cohort, role }))
            }
            (State::Unknown, _) => Err(Rejection::UnknownEnrolment),
            (State::Known(enrolment), command) => enrolment.decide(command, given),
        }
    }

    fn evolve(state: &mut State, event: &EnrolmentEvent, past: &Past<'_>) {
        match (&mut *state, event) {
            (_, EnrolmentEvent::Voided {}) => *state = State::Voided,
            (_, EnrolmentEvent::Enrolled { contact, program, cohort, role }) => {
                let mut enrolment = Known {
                    enrolled: past.id,
                    contact: *contact,
                    program: *program,
                    cohort: Field::default(),
                    role: Field::default(),
                    stage: Field::default(),
                    phase: Field::default(),
                };
                enrolment.cohort.set(cohort.clone(), past);
                enrolment.role.set(Some(*role), past);
                enrolment.phase.set(Some(Phase::default()), past);
                *state = State::Known(Box::new(enrolment));
            }
            (State::Known(enrolment), event) => enrolment.evolve(event, past),
            (State::Unknown | State::Voided, _) => {}
        }
    }

    fn concerns(state: &State) -> Vec<ContactId> {
        match state {
            State::Known(enrolment) => vec![enrolment.contact],
            State::Unknown | State::Voided => Vec::new(),
        }
    }
}

/// What a correction changes, gathered per fact.
#[derive(Default)]
struct Correction {
    cohort: Option<String>,
    role: Option<EnrolmentRole>,
}

impl Known {
    fn decide(&self, command: Command, given: &Given<'_>) -> Result<Decision<EnrolmentEvent>, Rejection> {
        match command {
            Command::Enrol { contact, program, cohort, role } => {
                let Decision { events, kept } = self.correct(cohort, role, given);
                let mut again = Repetition { events, kept };
                again.compare_fixed("contact", Some(&self.contact), Some(&contact));
                again.compare_fixed("program", Some(&self.program), Some(&program));
                again.finish(given, Rejection::EnrolledDifferently)
            }
            Command::Advance { stage } => self.advance(stage.into_string(), given),
            Command::Complete { result } => {
                let result = result.map(Line::into_string);
                if result.is_none() && self.status() == EnrolmentStatus::Completed {
                    return Ok(Decision::nothing());
                }
                self.finish(EnrolmentEvent::Completed { result }, given)
            }
            Command::Withdraw {} => self.finish(EnrolmentEvent::Withdrawn {}, given),
            Command::Reinstate {} => {
                let comparison = self.phase.turn(&Phase::default(), given.source);
                Ok(comparison.decision("phase", EnrolmentEvent::Reinstated {}))
            }
            Command::Correct { cohort, role } => Ok(self.correct(cohort, role, given)),
            Command::Void {} => Ok(Decision::one(EnrolmentEvent::Voided {})),
        }
    }

    fn is_over(&self) -> bool {
        self.status() != EnrolmentStatus::Enrolled
    }

    fn status(&self) -> EnrolmentStatus {
        self.phase.value().map(|phase| phase.status).unwrap_or_default()
    }

    /// How far it has come after an event.
    fn phase_after(&self, event: &EnrolmentEvent) -> Phase {
        let status = self.status().after(event);
        match event {
            EnrolmentEvent::Completed { result } => Phase { status, result: result.clone() },
            _ => Phase { status, result: None },
        }
    }

    fn advance(&self, stage: String, given: &Given<'_>) -> Result<Decision<EnrolmentEvent>, Rejection> {
        let comparison = self.stage.turn(&stage, given.source);
        if comparison != Comparison::Differs || !self.is_over() {
            return Ok(comparison.decision("stage", EnrolmentEvent::Advanced { stage }));
        }
        let Some(source) = given.source else { return Err(Rejection::Over) };
        // Where the source itself had ended the enrolment, a new stage says that it goes on after all.
        if self.phase.value().is_some_and(|phase| self.phase.was_said_by(source, phase)) {
            let events = vec![EnrolmentEvent::Reinstated {}, EnrolmentEvent::Advanced { stage }];
            return Ok(Decision::all(events));
        }
        Ok(kept("stage"))
    }

    fn finish(
        &self,
        event: EnrolmentEvent,
        given: &Given<'_>,
    ) -> Result<Decision<EnrolmentEvent>, Rejection> {
        match self.phase.turn(&self.phase_after(&event), given.source) {
            Comparison::Differs if !self.is_over() => Ok(Decision::one(event)),
            // A source states how things are now; only a person must say that reinstating is meant.
            Comparison::Differs if given.source.is_some() => {
                Ok(Decision::all(vec![EnrolmentEvent::Reinstated {}, event]))
            }
            Comparison::Differs => Err(Rejection::Over),
            comparison => Ok(comparison.decision("phase", event)),
        }
    }

    fn correct(
        &self,
        cohort: Option<Line<60>>,
        role: Option<EnrolmentRole>,
        given: &Given<'_>,
    ) -> Decision<EnrolmentEvent> {
        let (first, cohort) = (self.enrolled, cohort.map(Line::into_string));
        let mut corrections = Corrections::<Correction>::new();
        corrections.compare(("cohort", &self.cohort, first), cohort, given, |c, v| c.cohort = Some(v));
        corrections.compare(("role", &self.role, first), role, given, |c, v| c.role = Some(v));
        let (events, kept) = corrections.into_events(|fact, Correction { cohort, role }| {
            EnrolmentEvent::Corrected { fact, cohort, role }
        });
        Decision { events, kept }
    }

    fn evolve(&mut self, event: &EnrolmentEvent, past: &Past<'_>) {
        match event {
            EnrolmentEvent::Enrolled { .. } | EnrolmentEvent::Voided {} => {}
            EnrolmentEvent::Advanced { stage } => self.stage.set(Some(stage.clone()), past),
            EnrolmentEvent::Completed { .. }
            | EnrolmentEvent::Withdrawn {}
            | EnrolmentEvent::Reinstated {} => {
                self.phase.set(Some(self.phase_after(event)), past);
            }
            EnrolmentEvent::Corrected { fact: _, cohort, role } => {
                if cohort.is_some() {
                    self.cohort.set(cohort.clone(), past);
                }
                if role.is_some() {
                    self.role.set(*role, past);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
