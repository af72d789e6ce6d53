//! Programs: started, renamed, rescheduled, funded, ended, voided.

use chrono::NaiveDate;
use domain::{ContactId, FundId, Role, moment, program::ProgramEvent};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kit::{
    decider::{Decider, Decision, Given, Past},
    field::{Field, Repetition},
    text::Line,
};

/// What is known of a program.
#[derive(Clone, Debug, Default)]
pub enum State {
    /// Never heard of.
    #[default]
    Unknown,
    /// Set up, running or over.
    Known(Box<Known>),
    /// Set up in error.
    Voided,
}

/// A program that counts.
#[derive(Clone, Debug, Default)]
pub struct Known {
    name: Field<String>,
    starts_on: Field<NaiveDate>,
    ends_on: Field<NaiveDate>,
    fund: Field<FundId>,
    ended: bool,
}

/// What can be asked of a program.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Set it up.
    Start {
        /// Its name.
        name: Line,
        /// Its first day.
        #[serde(default, deserialize_with = "moment::maybe_day")]
        starts_on: Option<NaiveDate>,
        /// Its last day.
        #[serde(default, deserialize_with = "moment::maybe_day")]
        ends_on: Option<NaiveDate>,
        /// The fund that pays for it.
        fund: Option<FundId>,
    },
    /// Give it another name.
    Rename {
        /// The name from now on.
        name: Line,
    },
    /// It runs on other days; a day that is absent is not known.
    Reschedule {
        /// Its first day.
        #[serde(default, deserialize_with = "moment::maybe_day")]
        starts_on: Option<NaiveDate>,
        /// Its last day.
        #[serde(default, deserialize_with = "moment::maybe_day")]
        ends_on: Option<NaiveDate>,
    },
    /// A fund pays for it.
    Fund {
        /// The fund.
        fund: FundId,
    },
    /// It takes no more people.
    End {},
    /// It was set up in error and counts nowhere.
    Void {},
}

/// Why a command to a program is refused.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Rejection {
    /// There is no such program.
    #[error("there is no such program: start it first")]
    UnknownProgram,
    /// It was started with other fields.
    #[error(
        "the program was started already, with other fields: `rename` changes its name, `reschedule` its days, \
         `fund` its fund"
    )]
    StartedDifferently,
    /// It would end before it starts.
    #[error("a program cannot end before it starts: give a last day on or after the first")]
    EndsBeforeItStarts,
    /// It was voided.
    #[error("the program was voided and takes no more commands: start a new one")]
    Voided,
}

/// The decider of programs.
pub struct Program;

impl Decider for Program {
    type Event = ProgramEvent;
    type Command = Command;
    type State = State;
    type Rejection = Rejection;

    const WRITERS: &'static [Role] = &[Role::Admin, Role::Staff];

    fn decide(
        state: &State,
        command: Command,
        given: &Given<'_>,
    ) -> Result<Decision<ProgramEvent>, Rejection> {
        match (state, command) {
            (State::Voided, Command::Void {}) => Ok(Decision::nothing()),
            (State::Voided, _) => Err(Rejection::Voided),
            (State::Unknown, Command::Start { name, starts_on, ends_on, fund }) => {
                check_days(starts_on, ends_on)?;
                let name = name.into_string();
                Ok(Decision::one(ProgramEvent::Started { name, starts_on, ends_on, fund }))
            }
            (State::Unknown, _) => Err(Rejection::UnknownProgram),
            (State::Known(program), command) => program.decide(command, given),
        }
    }

    fn evolve(state: &mut State, event: &ProgramEvent, past: &Past<'_>) {
        match (&mut *state, event) {
            (_, ProgramEvent::Voided {}) => *state = State::Voided,
            (_, ProgramEvent::Started { name, starts_on, ends_on, fund }) => {
                let mut program = Known::default();
                program.name.set(Some(name.clone()), past);
                program.starts_on.set(*starts_on, past);
                program.ends_on.set(*ends_on, past);
                program.fund.set(*fund, past);
                *state = State::Known(Box::new(program));
            }
            (State::Known(program), event) => program.evolve(event, past),
            (State::Unknown | State::Voided, _) => {}
        }
    }

    // Programs name nobody.
    fn concerns(_state: &State) -> Vec<ContactId> {
        Vec::new()
    }
}

impl Known {
    fn decide(&self, command: Command, given: &Given<'_>) -> Result<Decision<ProgramEvent>, Rejection> {
        match command {
            Command::Start { name, starts_on, ends_on, fund } => {
                let name = Some(name.into_string());
                let mut again = Repetition::new();
                again.compare(("name", &self.name), name, given, |name| ProgramEvent::Renamed { name });
                let starts_on = starts_on.or(self.starts_on.value().copied());
                let ends_on = ends_on.or(self.ends_on.value().copied());
                let Decision { events, kept } = self.reschedule(starts_on, ends_on, given)?;
                again.events.extend(events);
                again.kept.extend(kept);
                again.compare(("fund", &self.fund), fund, given, |fund| ProgramEvent::Funded { fund });
                again.finish(given, Rejection::StartedDifferently)
            }
            Command::Rename { name } => {
                let name = name.into_string();
                let comparison = self.name.compare(Some(&name), given.source);
                Ok(comparison.decision("name", ProgramEvent::Renamed { name }))
            }
            Command::Reschedule { starts_on, ends_on } => self.reschedule(starts_on, ends_on, given),
            Command::Fund { fund } => {
                let comparison = self.fund.compare(Some(&fund), given.source);
                Ok(comparison.decision("fund", ProgramEvent::Funded { fund }))
            }
            Command::End {} => Ok(Decision::unless(self.ended, ProgramEvent::Ended {})),
            Command::Void {} => Ok(Decision::one(ProgramEvent::Voided {})),
        }
    }

    fn reschedule(
        &self,
        starts_on: Option<NaiveDate>,
        ends_on: Option<NaiveDate>,
        given: &Given<'_>,
    ) -> Result<Decision<ProgramEvent>, Rejection> {
        let mut kept = Vec::new();
        let starts_on = self.starts_on.settle("starts_on", starts_on, given, &mut kept);
        let ends_on = self.ends_on.settle("ends_on", ends_on, given, &mut kept);
        let same = starts_on.as_ref() == self.starts_on.value() && ends_on.as_ref() == self.ends_on.value();
        if !same {
            check_days(starts_on, ends_on)?;
        }
        let decision = Decision::unless(same, ProgramEvent::Rescheduled { starts_on, ends_on });
        Ok(Decision { kept, ..decision })
    }

    fn evolve(&mut self, event: &ProgramEvent, past: &Past<'_>) {
        match event {
            ProgramEvent::Started { .. } | ProgramEvent::Voided {} => {}
            ProgramEvent::Renamed { name } => self.name.set(Some(name.clone()), past),
            ProgramEvent::Rescheduled { starts_on, ends_on } => {
                self.starts_on.update(*starts_on, past);
                self.ends_on.update(*ends_on, past);
            }
            ProgramEvent::Funded { fund } => self.fund.set(Some(*fund), past),
            ProgramEvent::Ended {} => self.ended = true,
        }
    }
}

fn check_days(starts_on: Option<NaiveDate>, ends_on: Option<NaiveDate>) -> Result<(), Rejection> {
    match starts_on.zip(ends_on) {
        Some((starts_on, ends_on)) if ends_on < starts_on => Err(Rejection::EndsBeforeItStarts),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::kit::testing::given;

    const FUND: FundId = FundId(Uuid::from_u128(7));

    fn started() -> ProgramEvent {
        ProgramEvent::Started { name: "Mentoring".into(), starts_on: None, ends_on: None, fund: None }
    }

    fn rescheduled(starts_on: &str, ends_on: Option<&str>) -> ProgramEvent {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        ProgramEvent::Rescheduled { starts_on: Some(day(starts_on)), ends_on: ends_on.map(day) }
    }

    #[test]
    fn a_program_starts_once() {
        given::<Program>(&[])
            .when("start", json!({"name": "Mentoring"}))
            .then(&[started()])
            .when("start", json!({"name": "Mentoring"}))
            .then_nothing()
            .when("start", json!({"name": "Mentoring", "starts_on": "2024-09-01"}))
            .then_refused("started-differently")
            .when("start", json!({"name": "Tutoring"}))
            .then_refused("started-differently");
    }

    #[test]
    fn a_program_is_renamed_rescheduled_funded_and_ended() {
        given::<Program>(&[started()])
            .when("rename", json!({"name": "Tutoring"}))
            .then(&[ProgramEvent::Renamed { name: "Tutoring".into() }])
            .when("reschedule", json!({"starts_on": "2024-09-01", "ends_on": "2025-05-31"}))
            .then(&[rescheduled("2024-09-01", Some("2025-05-31"))])
            .when("reschedule", json!({"starts_on": "2024-09-01", "ends_on": "2025-05-31"}))
            .then_nothing()
            .when("reschedule", json!({"starts_on": "2024-09-01"}))
            .then(&[rescheduled("2024-09-01", None)])
            .when("fund", json!({"fund": FUND}))
            .then(&[ProgramEvent::Funded { fund: FUND }])
            .when("fund", json!({"fund": FUND}))
            .then_nothing()
            .when("end", json!({}))
            .then(&[ProgramEvent::Ended {}])
            .when("end", json!({}))
            .then_nothing();
    }

    #[test]
    fn a_program_does_not_end_before_it_starts() {
        let backwards = json!({"name": "Mentoring", "starts_on": "2024-09-01", "ends_on": "2024-08-31"});
        given::<Program>(&[]).when("start", backwards).then_refused("ends-before-it-starts");
        given::<Program>(&[started()])
            .when("reschedule", json!({"starts_on": "2024-09-01", "ends_on": "2024-08-31"}))
            .then_refused("ends-before-it-starts");
    }

    #[test]
    fn nobody_ends_what_nobody_started_and_a_voided_program_stays_so() {
        given::<Program>(&[]).when("end", json!({})).then_refused("unknown-program");
        given::<Program>(&[started()])
            .when("void", json!({}))
            .then(&[ProgramEvent::Voided {}])
            .when("void", json!({}))
            .then_nothing()
            .when("start", json!({"name": "Mentoring"}))
            .then_refused("voided");
    }

    #[test]
    fn an_import_repeated_changes_nothing_and_a_changed_row_is_followed() {
        let row = json!({"name": "Mentoring", "starts_on": "2024-09-01", "ends_on": "2025-05-31"});
        given::<Program>(&[])
            .imported_from("sheet")
            .when("start", row.clone())
            .when("start", row)
            .then_nothing()
            .when("start", json!({"name": "Mentoring", "starts_on": "2024-09-08", "fund": FUND}))
            .then(&[rescheduled("2024-09-08", Some("2025-05-31")), ProgramEvent::Funded { fund: FUND }])
            .when("start", json!({"name": "Mentors"}))
            .then(&[ProgramEvent::Renamed { name: "Mentors".into() }]);
    }

    #[test]
    fn a_day_set_by_a_person_survives_an_import_that_changes_the_other() {
        given::<Program>(&[])
            .imported_from("sheet")
            .when("start", json!({"name": "Mentoring", "starts_on": "2024-09-01", "ends_on": "2025-05-31"}))
            .by_a_person()
            .when("reschedule", json!({"starts_on": "2024-09-01", "ends_on": "2025-06-30"}))
            .imported_from("sheet")
            .when("start", json!({"name": "Mentoring", "starts_on": "2024-09-08", "ends_on": "2025-05-31"}))
            .then(&[rescheduled("2024-09-08", Some("2025-06-30"))])
            .then_kept(&["ends_on"])
            .when("start", json!({"name": "Mentoring", "starts_on": "2024-09-08", "ends_on": "2025-05-31"}))
            .then_nothing()
            .then_kept(&["ends_on"]);
    }
}
