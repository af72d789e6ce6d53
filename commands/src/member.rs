//! Members of staff: joined, moved, renamed, given a token and relieved of it, left.

use domain::{ContactId, Role, member::MemberEvent};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::kit::{
    decider::{Decider, Decision, Given, Past},
    field::{Field, Repetition},
    identity,
    text::Line,
};

/// What is known of a member of staff.
#[derive(Clone, Debug, Default)]
pub enum State {
    /// Never heard of.
    #[default]
    Unknown,
    /// On the staff, or once so.
    Known(Box<Known>),
}

/// Somebody who is or was on the staff.
#[derive(Clone, Debug, Default)]
pub struct Known {
    name: Field<String>,
    team: Field<String>,
    region: Field<String>,
    /// What their token may do, and its hash.
    token: Option<(Role, Option<String>)>,
    left: bool,
}

/// What can be asked of a member of staff.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Take them onto the staff, for the first time or again.
    Join {
        /// Their name.
        name: Line,
        /// Their team.
        team: Option<Line>,
        /// Their region.
        region: Option<Line>,
    },
    /// They work elsewhere; what is absent is none.
    #[serde(rename = "move")]
    Move {
        /// Their team from now on.
        team: Option<Line>,
        /// Their region from now on.
        region: Option<Line>,
    },
    /// They are called something else.
    Rename {
        /// The name from now on.
        name: Line,
    },
    /// They are not on the staff any more.
    Leave {},
    /// Give them a token, or change what theirs may do.
    GrantToken {
        /// What the token may do.
        role: Role,
        /// SHA-256 of the token, hexadecimal.
        #[serde(default)]
        sha256: Option<Line>,
    },
    /// Take their token away.
    RevokeToken {},
}

/// Why a command to a member of staff is refused.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Rejection {
    /// There is no such member.
    #[error("there is no such member of staff: let them `join` first")]
    UnknownMember,
    /// They joined with other fields.
    #[error("they joined already, with other fields: `rename` changes the name, `move` the team and region")]
    JoinedDifferently,
    /// They left.
    #[error("they left the staff: let them `join` again before they get a token")]
    Left,
    /// They hold a token.
    #[error("they still hold a token: an administrator must `revoke_token` before they can leave")]
    HoldsToken,
}

/// The decider of members of staff.
pub struct Member;

/// The id of the member of staff who bears a token of this name, so that granting it twice is about one member.
pub fn id_of(name: &str) -> Uuid {
    identity::member_id(name)
}

impl Decider for Member {
    type Event = MemberEvent;
    type Command = Command;
    type State = State;
    type Rejection = Rejection;

    const WRITERS: &'static [Role] = &[Role::Admin, Role::Staff];

    // The program records them when an administrator grants or revokes a token; by themselves they would say what is
    // not so.
    const EXCEPTIONS: &'static [(&'static str, &'static [Role])] =
        &[("grant_token", &[]), ("revoke_token", &[])];

    fn decide(
        state: &State,
        command: Command,
        given: &Given<'_>,
    ) -> Result<Decision<MemberEvent>, Rejection> {
        match (state, command) {
            (State::Unknown, Command::Join { name, team, region }) => {
                Ok(Decision::one(joined(name, team, region)))
            }
            (State::Unknown, _) => Err(Rejection::UnknownMember),
            (State::Known(member), command) => member.decide(command, given),
        }
    }

    fn evolve(state: &mut State, event: &MemberEvent, past: &Past<'_>) {
        if matches!(state, State::Unknown) {
            *state = State::Known(Box::default());
        }
        if let State::Known(member) = state {
            member.evolve(event, past);
        }
    }

    // Members of staff are no contacts.
    fn concerns(_state: &State) -> Vec<ContactId> {
        Vec::new()
    }
}

impl Known {
    fn decide(&self, command: Command, given: &Given<'_>) -> Result<Decision<MemberEvent>, Rejection> {
        match command {
            // Only a person brings somebody back: a source that still lists them does not mean that.
            Command::Join { name, team, region } if self.left && given.source.is_none() => {
                Ok(Decision::one(joined(name, team, region)))
            }
            Command::Join { name, team, region } => {
                let name = Some(name.into_string());
                let team = team.map(Line::into_string).or_else(|| self.team.value().cloned());
                let region = region.map(Line::into_string).or_else(|| self.region.value().cloned());
                let mut again = Repetition::new();
                again.compare(("name", &self.name), name, given, |name| MemberEvent::Renamed { name });
                let Decision { events, kept } = self.relocate(team, region, given);
                again.events.extend(events);
                again.kept.extend(kept);
                again.finish(given, Rejection::JoinedDifferently)
            }
            Command::Move { team, region } => {
                Ok(self.relocate(team.map(Line::into_string), region.map(Line::into_string), given))
            }
            Command::Rename { name } => {
                let name = name.into_string();
                let comparison = self.name.compare(Some(&name), given.source);
                Ok(comparison.decision("name", MemberEvent::Renamed { name }))
            }
            Command::Leave {} if self.left => Ok(Decision::nothing()),
            Command::Leave {} if self.token.is_some() => Err(Rejection::HoldsToken),
            Command::Leave {} => Ok(Decision::one(MemberEvent::Left {})),
            Command::GrantToken { .. } if self.left => Err(Rejection::Left),
            Command::GrantToken { role, sha256 } => {
                let sha256 = sha256.map(Line::into_string);
                let is_known =
                    self.token.as_ref().is_some_and(|token| (token.0, &token.1) == (role, &sha256));
                Ok(Decision::unless(is_known, MemberEvent::TokenGranted { role, sha256 }))
            }
            Command::RevokeToken {} => {
                Ok(Decision::unless(self.token.is_none(), MemberEvent::TokenRevoked {}))
            }
        }
    }

    fn relocate(
        &self,
        team: Option<String>,
        region: Option<String>,
        given: &Given<'_>,
    ) -> Decision<MemberEvent> {
        let mut kept = Vec::new();
        let team = self.team.settle("team", team, given, &mut kept);
        let region = self.region.settle("region", region, given, &mut kept);
        let same = team.as_ref() == self.team.value() && region.as_ref() == self.region.value();
        Decision { kept, ..Decision::unless(same, MemberEvent::Moved { team, region }) }
    }

    fn evolve(&mut self, event: &MemberEvent, past: &Past<'_>) {
        match event {
            MemberEvent::Joined { name, team, region } => {
                self.name.set(Some(name.clone()), past);
                self.team.set(team.clone(), past);
                self.region.set(region.clone(), past);
                self.left = false;
            }
            MemberEvent::Moved { team, region } => {
                self.team.update(team.clone(), past);
                self.region.update(region.clone(), past);
            }
            MemberEvent::Renamed { name } => self.name.set(Some(name.clone()), past),
            MemberEvent::Left {} => self.left = true,
            MemberEvent::TokenGranted { role, sha256 } => self.token = Some((*role, sha256.clone())),
            MemberEvent::TokenRevoked {} => self.token = None,
        }
    }
}

fn joined(name: Line, team: Option<Line>, region: Option<Line>) -> MemberEvent {
    let (team, region) = (team.map(Line::into_string), region.map(Line::into_string));
    MemberEvent::Joined { name: name.into_string(), team, region }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kit::testing::given;

    fn ann() -> MemberEvent {
        MemberEvent::Joined { name: "Ann".into(), team: Some("Dustin Brinkmann".into()), region: None }
    }

    fn moved(team: Option<&str>, region: Option<&str>) -> MemberEvent {
        MemberEvent::Moved { team: team.map(str::to_owned), region: region.map(str::to_owned) }
    }

    #[test]
    fn a_member_joins_once() {
        given::<Member>(&[])
            .when("join", json!({"name": "Ann", "team": "Dustin Brinkmann"}))
            .then(&[ann()])
            .when("join", json!({"name": "Ann"}))
            .then_nothing()
            .when("join", json!({"name": "Ann", "region": "West"}))
            .then_refused("joined-differently");
    }

    #[test]
    fn a_member_moves_and_is_renamed() {
        given::<Member>(&[ann()])
            .when("move", json!({"team": "Cara Losch", "region": "East"}))
            .then(&[moved(Some("Cara Losch"), Some("East"))])
            .when("move", json!({"team": "Cara Losch", "region": "East"}))
            .then_nothing()
            .when("move", json!({"region": "East"}))
            .then(&[moved(None, Some("East"))])
            .when("rename", json!({"name": "Anna"}))
            .then(&[MemberEvent::Renamed { name: "Anna".into() }])
            .when("rename", json!({"name": "Anna"}))
            .then_nothing();
    }

    #[test]
    fn nobody_leaves_with_a_token_in_hand() {
        given::<Member>(&[ann()])
            .when("grant_token", json!({"role": "staff"}))
            .then(&[MemberEvent::TokenGranted { role: Role::Staff, sha256: None }])
            .when("grant_token", json!({"role": "staff"}))
            .then_nothing()
            .when("grant_token", json!({"role": "auditor"}))
            .then(&[MemberEvent::TokenGranted { role: Role::Auditor, sha256: None }])
            .when("grant_token", json!({"role": "auditor", "sha256": "b5bb"}))
            .then(&[MemberEvent::TokenGranted { role: Role::Auditor, sha256: Some("b5bb".into()) }])
            .when("leave", json!({}))
            .then_refused("holds-token")
            .when("revoke_token", json!({}))
            .then(&[MemberEvent::TokenRevoked {}])
            .when("revoke_token", json!({}))
            .then_nothing()
            .when("leave", json!({}))
            .then(&[MemberEvent::Left {}])
            .when("leave", json!({}))
            .then_nothing()
            .when("grant_token", json!({"role": "staff"}))
            .then_refused("left");
    }

    #[test]
    fn a_stranger_gets_no_token() {
        given::<Member>(&[]).when("grant_token", json!({"role": "admin"})).then_refused("unknown-member");
    }

    #[test]
    fn a_person_brings_a_member_back_and_an_import_does_not() {
        let row = json!({"name": "Ann", "team": "Dustin Brinkmann"});
        given::<Member>(&[ann(), MemberEvent::Left {}])
            .imported_from("sheet")
            .when("join", row.clone())
            .then_nothing()
            .by_a_person()
            .when("join", row)
            .then(&[ann()]);
    }

    #[test]
    fn an_import_moves_a_member_until_a_person_does() {
        given::<Member>(&[])
            .imported_from("sheet")
            .when("join", json!({"name": "Ann", "team": "Dustin Brinkmann", "region": "West"}))
            .when("join", json!({"name": "Ann", "team": "Dustin Brinkmann", "region": "West"}))
            .then_nothing()
            .when("join", json!({"name": "Ann", "team": "Cara Losch", "region": "West"}))
            .then(&[moved(Some("Cara Losch"), Some("West"))])
            .by_a_person()
            .when("move", json!({"team": "Rocco Neubert", "region": "West"}))
            .imported_from("sheet")
            .when("join", json!({"name": "Anna", "team": "Melvin Marxen", "region": "East"}))
            .then(&[MemberEvent::Renamed { name: "Anna".into() }, moved(Some("Rocco Neubert"), Some("East"))])
            .then_kept(&["team"]);
    }
}
