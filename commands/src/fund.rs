//! Funds: opened, renamed, restricted, closed, voided.

use domain::{ContactId, Role, fund::FundEvent};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kit::{
    decider::{Decider, Decision, Given, Past},
    field::{Field, Repetition},
    text::Line,
};

/// What is known of a fund.
#[derive(Clone, Debug, Default)]
pub enum State {
    /// Never heard of.
    #[default]
    Unknown,
    /// Open, or closed.
    Known(Box<Known>),
    /// Opened in error.
    Voided,
}

/// A fund that counts.
#[derive(Clone, Debug, Default)]
pub struct Known {
    name: Field<String>,
    restriction: Field<String>,
    closed: bool,
}

/// What can be asked of a fund.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Set it up.
    Open {
        /// Its name.
        name: Line,
        /// What its money may be spent on, where that is restricted.
        restriction: Option<Line>,
    },
    /// Give it another name.
    Rename {
        /// The name from now on.
        name: Line,
    },
    /// Say what its money may be spent on.
    Restrict {
        /// The restriction from now on; absent where there is none any more.
        restriction: Option<Line>,
    },
    /// It takes no more gifts.
    Close {},
    /// It was opened in error and counts nowhere.
    Void {},
}

/// Why a command to a fund is refused.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Rejection {
    /// There is no such fund.
    #[error("there is no such fund: open it first")]
    UnknownFund,
    /// It was opened with other fields.
    #[error(
        "the fund is open already, with other fields: `rename` changes its name, `restrict` its restriction"
    )]
    OpenedDifferently,
    /// It takes no more gifts.
    #[error("the fund was closed: open a new one")]
    Closed,
    /// It was voided.
    #[error("the fund was voided and takes no more commands: open a new one")]
    Voided,
}

/// The decider of funds.
pub struct Fund;

impl Decider for Fund {
    type Event = FundEvent;
    type Command = Command;
    type State = State;
    type Rejection = Rejection;

    const WRITERS: &'static [Role] = &[Role::Admin, Role::Staff, Role::Fundraiser];

    fn decide(state: &State, command: Command, given: &Given<'_>) -> Result<Decision<FundEvent>, Rejection> {
        match (state, command) {
            (State::Voided, Command::Void {}) => Ok(Decision::nothing()),
            (State::Voided, _) => Err(Rejection::Voided),
            (State::Unknown, Command::Open { name, restriction }) => {
                let (name, restriction) = (name.into_string(), restriction.map(Line::into_string));
                Ok(Decision::one(FundEvent::Opened { name, restriction }))
            }
            (State::Unknown, _) => Err(Rejection::UnknownFund),
            (State::Known(fund), command) => fund.decide(command, given),
        }
    }

    fn evolve(state: &mut State, event: &FundEvent, past: &Past<'_>) {
        match (&mut *state, event) {
            (_, FundEvent::Voided {}) => *state = State::Voided,
            (_, FundEvent::Opened { name, restriction }) => {
                let mut fund = Known::default();
                fund.name.set(Some(name.clone()), past);
                fund.restriction.set(restriction.clone(), past);
                *state = State::Known(Box::new(fund));
            }
            (State::Known(fund), event) => fund.evolve(event, past),
            (State::Unknown | State::Voided, _) => {}
        }
    }

    // Funds name nobody.
    fn concerns(_state: &State) -> Vec<ContactId> {
        Vec::new()
    }
}

impl Known {
    fn decide(&self, command: Command, given: &Given<'_>) -> Result<Decision<FundEvent>, Rejection> {
        match command {
            Command::Open { .. } if self.closed && given.source.is_none() => Err(Rejection::Closed),
            Command::Open { name, restriction } => {
                let (name, restriction) = (name.into_string(), restriction.map(Line::into_string));
                let mut again = Repetition::new();
                again.compare(("name", &self.name), Some(name), given, |name| FundEvent::Renamed { name });
                again.compare(("restriction", &self.restriction), restriction, given, |restriction| {
                    FundEvent::Restricted { restriction: Some(restriction) }
                });
                again.finish(given, Rejection::OpenedDifferently)
            }
            Command::Rename { name } => {
                let name = name.into_string();
                let comparison = self.name.compare(Some(&name), given.source);
                Ok(comparison.decision("name", FundEvent::Renamed { name }))
            }
            Command::Restrict { restriction } => {
                let restriction = restriction.map(Line::into_string);
                let comparison = self.restriction.compare(restriction.as_ref(), given.source);
                Ok(comparison.decision("restriction", FundEvent::Restricted { restriction }))
            }
            Command::Close {} => Ok(Decision::unless(self.closed, FundEvent::Closed {})),
            Command::Void {} => Ok(Decision::one(FundEvent::Voided {})),
        }
    }

    fn evolve(&mut self, event: &FundEvent, past: &Past<'_>) {
        match event {
            FundEvent::Opened { .. } | FundEvent::Voided {} => {}
            FundEvent::Renamed { name } => self.name.set(Some(name.clone()), past),
            FundEvent::Restricted { restriction } => self.restriction.set(restriction.clone(), past),
            FundEvent::Closed {} => self.closed = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kit::testing::given;

    fn opened() -> FundEvent {
        FundEvent::Opened { name: "Scholarships".into(), restriction: Some("Tuition only".into()) }
    }

    fn renamed(name: &str) -> FundEvent {
        FundEvent::Renamed { name: name.into() }
    }

    #[test]
    fn a_fund_is_opened_once() {
        given::<Fund>(&[])
            .when("open", json!({"name": "Scholarships", "restriction": "Tuition only"}))
            .then(&[opened()])
            .when("open", json!({"name": "Scholarships"}))
            .then_nothing()
            .when("open", json!({"name": "Travel"}))
            .then_refused("opened-differently");
    }

    #[test]
    fn a_fund_is_renamed_restricted_and_freed() {
        given::<Fund>(&[opened()])
            .when("rename", json!({"name": "Grants"}))
            .then(&[renamed("Grants")])
            .when("rename", json!({"name": "Grants"}))
            .then_nothing()
            .when("restrict", json!({"restriction": "Tuition only"}))
            .then_nothing()
            .when("restrict", json!({}))
            .then(&[FundEvent::Restricted { restriction: None }]);
    }

    #[test]
    fn a_closed_fund_is_not_opened_again() {
        given::<Fund>(&[opened()])
            .when("close", json!({}))
            .then(&[FundEvent::Closed {}])
            .when("close", json!({}))
            .then_nothing()
            .when("open", json!({"name": "Scholarships"}))
            .then_refused("closed");
    }

    #[test]
    fn nobody_closes_or_uses_a_fund_that_is_not_there() {
        given::<Fund>(&[]).when("close", json!({})).then_refused("unknown-fund");
        given::<Fund>(&[opened()])
            .when("void", json!({}))
            .then(&[FundEvent::Voided {}])
            .when("void", json!({}))
            .then_nothing()
            .when("rename", json!({"name": "Grants"}))
            .then_refused("voided");
    }

    #[test]
    fn an_import_renames_a_fund_until_a_person_does() {
        given::<Fund>(&[])
            .imported_from("sheet")
            .when("open", json!({"name": "General"}))
            .when("open", json!({"name": "General"}))
            .then_nothing()
            .when("open", json!({"name": "General fund", "restriction": "None of it abroad"}))
            .then(&[
                renamed("General fund"),
                FundEvent::Restricted { restriction: Some("None of it abroad".into()) },
            ])
            .by_a_person()
            .when("rename", json!({"name": "Unrestricted"}))
            .imported_from("sheet")
            .when("open", json!({"name": "General fund"}))
            .then_nothing()
            .then_kept(&["name"])
            .when("rename", json!({"name": "Other"}))
            .then_kept(&["name"]);
    }
}
