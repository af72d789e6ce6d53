//! Settings: the zone and the fiscal year of the organisation. All of them live in one stream.

use chrono_tz::Tz;
use domain::{
    ContactId, Role,
    setting::{SETTINGS, SettingEvent},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kit::{
    decider::{Decider, Decision, Given, Past},
    field::Field,
    text::Line,
};

/// What has been chosen.
#[derive(Clone, Debug, Default)]
pub struct State {
    zone: Field<String>,
    /// The zone that was last said to have held from the beginning.
    beginning: Option<String>,
    first_month: Field<u8>,
}

/// What can be chosen.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// The organisation keeps its days in this zone.
    ChooseZone {
        /// IANA name, for example `America/New_York`.
        zone: Line<60>,
        /// Whether it held from the beginning: then everything that was recorded before is counted by its days too, and the
        /// views are built anew.
        #[serde(default)]
        from_the_beginning: bool,
    },
    /// The organisation's fiscal year begins with this month.
    ChooseFiscalYear {
        /// 1 for January to 12 for December.
        #[schemars(range(min = 1, max = 12))]
        first_month: u8,
    },
    /// Go on with what is left of a data folder.
    AcceptLoss {
        /// What was lost or disagreed, as names of files of the data folder.
        lost: Vec<Line<60>>,
        /// How many events the log holds.
        held: u64,
        /// How many it was known to have held.
        known: u64,
        /// Why; nobody is named in it, since it stays for ever.
        because: Line,
    },
}

/// Why a setting is refused.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Rejection {
    /// Settings have one id.
    #[error("all settings live under one id: send the command to setting/{SETTINGS}")]
    OtherId,
    /// There is no such zone.
    #[error("`{0}` is no time zone: use an IANA name such as America/New_York or Europe/Berlin")]
    NotAZone(String),
    /// There is no such month.
    #[error("{0} is no month: use 1 for January to 12 for December")]
    NotAMonth(u8),
}

/// The decider of settings.
pub struct Setting;

impl Decider for Setting {
    type Event = SettingEvent;
    type Command = Command;
    type State = State;
    type Rejection = Rejection;

    const WRITERS: &'static [Role] = &[Role::Admin];

    // Only `rapport restore` knows what was lost.
    const EXCEPTIONS: &'static [(&'static str, &'static [Role])] = &[("accept_loss", &[])];

    fn decide(
        state: &State,
        command: Command,
        given: &Given<'_>,
    ) -> Result<Decision<SettingEvent>, Rejection> {
        if given.id != SETTINGS {
            return Err(Rejection::OtherId);
        }
        match command {
            Command::ChooseZone { zone, from_the_beginning } => {
                let zone = zone.into_string();
                if zone.parse::<Tz>().is_err() {
                    return Err(Rejection::NotAZone(zone));
                }
                let chosen = SettingEvent::ZoneChosen { zone: zone.clone(), from_the_beginning };
                if from_the_beginning && state.beginning.as_ref() != Some(&zone) {
                    return Ok(Decision::one(chosen));
                }
                let comparison = state.zone.compare(Some(&zone), given.source);
                Ok(comparison.decision("zone", chosen))
            }
            Command::ChooseFiscalYear { first_month } => {
                if !(1..=12).contains(&first_month) {
                    return Err(Rejection::NotAMonth(first_month));
                }
                let comparison = state.first_month.compare(Some(&first_month), given.source);
                Ok(comparison.decision("first_month", SettingEvent::FiscalYearChosen { first_month }))
            }
            Command::AcceptLoss { lost, held, known, because } => {
                let lost = lost.into_iter().map(Line::into_string).collect();
                let because = because.into_string();
                Ok(Decision::one(SettingEvent::LossAccepted { lost, held, known, because }))
            }
        }
    }

    fn evolve(state: &mut State, event: &SettingEvent, past: &Past<'_>) {
        match event {
            SettingEvent::ZoneChosen { zone, from_the_beginning } => {
                state.zone.set(Some(zone.clone()), past);
                if *from_the_beginning {
                    state.beginning = Some(zone.clone());
                }
            }
            SettingEvent::FiscalYearChosen { first_month } => {
                state.first_month.set(Some(*first_month), past);
            }
            // A fact about the folder that changes no number.
            SettingEvent::LossAccepted { .. } => {}
        }
    }

    // Settings name nobody.
    fn concerns(_state: &State) -> Vec<ContactId> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kit::testing::given;

    #[test]
    fn the_zone_is_chosen_among_those_that_exist() {
        given::<Setting>(&[])
            .about(SETTINGS)
            .when("choose_zone", json!({"zone": "America/New_York"}))
            .then(&[SettingEvent::ZoneChosen { zone: "America/New_York".into(), from_the_beginning: false }])
            .when("choose_zone", json!({"zone": "America/New_York"}))
            .then_nothing()
            .when("choose_zone", json!({"zone": "America/New_York", "from_the_beginning": true}))
            .then(&[SettingEvent::ZoneChosen { zone: "America/New_York".into(), from_the_beginning: true }])
            .when("choose_zone", json!({"zone": "America/New_York", "from_the_beginning": true}))
            .then_nothing()
            .when("choose_zone", json!({"zone": "New York"}))
            .then_refused("not-a-zone");
    }

    #[test]
    fn the_fiscal_year_begins_with_a_month() {
        given::<Setting>(&[])
            .about(SETTINGS)
            .when("choose_fiscal_year", json!({"first_month": 7}))
            .then(&[SettingEvent::FiscalYearChosen { first_month: 7 }])
            .when("choose_fiscal_year", json!({"first_month": 7}))
            .then_nothing()
            .when("choose_fiscal_year", json!({"first_month": 0}))
            .then_refused("not-a-month")
            .when("choose_fiscal_year", json!({"first_month": 13}))
            .then_refused("not-a-month");
    }

    #[test]
    fn every_loss_that_is_accepted_is_recorded() {
        let loss = json!({"lost": ["ledger"], "held": 90, "known": 100, "because": "the disk is gone"});
        let accepted = SettingEvent::LossAccepted {
            lost: vec!["ledger".into()],
            held: 90,
            known: 100,
            because: "the disk is gone".into(),
        };
        given::<Setting>(&[])
            .about(SETTINGS)
            .when("accept_loss", loss.clone())
            .then(std::slice::from_ref(&accepted))
            .when("accept_loss", loss)
            .then(&[accepted]);
    }

    #[test]
    fn there_is_only_one_stream_of_settings() {
        given::<Setting>(&[]).when("choose_zone", json!({"zone": "UTC"})).then_refused("other-id");
    }

    #[test]
    fn what_a_person_chose_survives_an_import() {
        given::<Setting>(&[])
            .about(SETTINGS)
            .when("choose_zone", json!({"zone": "UTC"}))
            .imported_from("sheet")
            .when("choose_zone", json!({"zone": "Europe/Berlin"}))
            .then_nothing()
            .then_kept(&["zone"]);
    }
}
