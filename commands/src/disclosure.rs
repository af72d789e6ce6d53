//! Disclosures: that people were shown to somebody. The program records them; nobody sends them.

use domain::{
    ContactId, Role,
    disclosure::{DisclosureEvent, Manner, Purpose},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kit::{
    decider::{Decider, Decision, Given, Past},
    text::Line,
};

/// How many contacts one disclosure may name: as many as one page shows.
const SHOWN_LIMIT: usize = 1_000;

/// What is known of a disclosure.
#[derive(Clone, Debug, Default)]
pub enum State {
    /// Nothing.
    #[default]
    Unknown,
    /// It is recorded.
    Recorded(Box<DisclosureEvent>),
}

/// What can be asked of a disclosure.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// People were shown.
    Record {
        /// What the reader's token allowed.
        role: Role,
        /// What for.
        purpose: Purpose,
        /// How.
        manner: Manner,
        /// Which view was asked, or `events` for the log itself.
        view: Line<60>,
        /// Its parameters as a query string, without those that are personal.
        query: Option<Line<8_192>>,
        /// How many events the log held.
        size: u64,
        /// How many rows were shown.
        rows: u64,
        /// Who was shown, where the question was itself personal.
        #[serde(default)]
        shown: Vec<ContactId>,
    },
}

/// Why a disclosure is not recorded.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Rejection {
    /// It is recorded with other fields.
    #[error("this disclosure is recorded already, with other fields: each has an id of its own")]
    RecordedDifferently,
    /// Too many.
    #[error("a disclosure names at most {SHOWN_LIMIT} contacts: record one for each page")]
    TooMany,
}

/// The decider of disclosures.
pub struct Disclosure;

impl Decider for Disclosure {
    type Event = DisclosureEvent;
    type Command = Command;
    type State = State;
    type Rejection = Rejection;

    const WRITERS: &'static [Role] = &[];

    fn decide(
        state: &State,
        command: Command,
        _given: &Given<'_>,
    ) -> Result<Decision<DisclosureEvent>, Rejection> {
        let Command::Record { role, purpose, manner, view, query, size, rows, shown } = command;
        if shown.len() > SHOWN_LIMIT {
            return Err(Rejection::TooMany);
        }
        let (view, query) = (view.into_string(), query.map(Line::into_string).unwrap_or_default());
        let recorded = DisclosureEvent::Recorded { role, purpose, manner, view, query, size, rows, shown };
        match state {
            State::Unknown => Ok(Decision::one(recorded)),
            State::Recorded(known) if **known == recorded => Ok(Decision::nothing()),
            State::Recorded(_) => Err(Rejection::RecordedDifferently),
        }
    }

    fn evolve(state: &mut State, event: &DisclosureEvent, _past: &Past<'_>) {
        *state = State::Recorded(Box::new(event.clone()));
    }

    // That somebody was shown stays recorded when they are erased: the event keeps ids and nothing personal.
    fn concerns(_state: &State) -> Vec<ContactId> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::kit::testing::given;

    fn fields() -> Value {
        json!({ "role": "auditor", "purpose": "audit", "manner": "read", "view": "contacts", "query": "tag=vip",
                "size": 7, "rows": 2 })
    }

    #[test]
    fn a_disclosure_is_recorded_once() {
        let recorded = DisclosureEvent::Recorded {
            role: Role::Auditor,
            purpose: Purpose::Audit,
            manner: Manner::Read,
            view: "contacts".into(),
            query: "tag=vip".into(),
            size: 7,
            rows: 2,
            shown: Vec::new(),
        };
        let mut other = fields();
        other["rows"] = 3.into();
        given::<Disclosure>(&[])
            .when("record", fields())
            .then(&[recorded])
            .when("record", fields())
            .then_nothing()
            .when("record", other)
            .then_refused("recorded-differently");
    }

    #[test]
    fn a_disclosure_names_no_more_than_a_page() {
        let mut many = fields();
        many["shown"] = vec![uuid::Uuid::nil(); SHOWN_LIMIT + 1].iter().map(ToString::to_string).collect();
        given::<Disclosure>(&[]).when("record", many).then_refused("too-many");
    }
}
