//! Given, when, then: decisions tested as sentences.
//!
//! ```ignore
//! given::<Deal>(&[opened()]).when("convert", json!({})).then(&[DealEvent::Converted { value: None }]);
//! ```

#![allow(clippy::panic, clippy::needless_pass_by_value, reason = "a kit for tests fails by panicking")]

use std::{collections::HashMap, fmt::Debug};

use chrono::{DateTime, Utc};
use domain::Actor;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    decider::{Decider, Decision, Given, Past},
    identity,
};

/// The id of the thing that every scenario is about.
pub const ID: Uuid = Uuid::from_u128(0xA11C_E000);

/// A scenario about one thing.
pub struct Scenario<D: Decider> {
    id: Uuid,
    state: D::State,
    events: usize,
    others: HashMap<Uuid, (D::State, u64)>,
    source: Option<String>,
    by: Actor,
    occurred_at: Option<DateTime<Utc>>,
    outcome: Option<Result<Decision<D::Event>, &'static str>>,
}

/// What has happened before.
pub fn given<D: Decider>(events: &[D::Event]) -> Scenario<D> {
    let mut scenario = Scenario {
        id: ID,
        state: D::State::default(),
        events: 0,
        others: HashMap::new(),
        source: None,
        by: Actor::Member("ann".to_owned()),
        occurred_at: None,
        outcome: None,
    };
    for event in events {
        scenario.evolve(event, Scenario::<D>::command(scenario.events), 0);
    }
    scenario
}

impl<D: Decider> Scenario<D>
where
    D::Event: PartialEq + Debug,
{
    /// The scenario is about this thing instead of [`ID`].
    #[must_use]
    pub fn about(mut self, id: Uuid) -> Self {
        self.id = id;
        self
    }

    /// What follows was said by an import of this name.
    #[must_use]
    pub fn imported_from(mut self, source: &str) -> Self {
        self.source = Some(source.to_owned());
        self.by = Actor::Import(source.to_owned());
        self
    }

    /// What follows was said by a policy.
    #[must_use]
    pub fn by_a_policy(mut self) -> Self {
        self.source = None;
        self.by = Actor::Policy("tidy".to_owned());
        self
    }

    /// These things have happened to another thing of the kind.
    #[must_use]
    pub fn and_to(mut self, id: Uuid, events: &[D::Event]) -> Self {
        let (state, revision) = self.others.entry(id).or_default();
        for event in events {
            let command = Self::command(usize::try_from(*revision).unwrap_or_default());
            let past = Past { id: identity::event_id(command, 0), occurred_at: None, source: None };
            D::evolve(state, event, &past);
            *revision += 1;
        }
        self
    }

    /// What follows was said by a person.
    #[must_use]
    pub fn by_a_person(mut self) -> Self {
        self.source = None;
        self.by = Actor::Member("ann".to_owned());
        self
    }

    /// When what follows was so.
    #[must_use]
    pub fn on(mut self, day: &str) -> Self {
        self.occurred_at = format!("{day}T00:00:00Z").parse().ok();
        assert!(self.occurred_at.is_some(), "{day} is no day");
        self
    }

    /// Somebody asks; what follows from it has happened when the next question comes.
    #[track_caller]
    #[must_use]
    pub fn when(mut self, command: &str, fields: Value) -> Self {
        let mut parsed: D::Command = match serde_json::from_value(json!({ command: fields })) {
            Ok(parsed) => parsed,
            Err(error) => panic!("`{command}` cannot be read: {error}"),
        };
        while let Some(other) = D::requires(&parsed) {
            let (state, revision) = self.others.get(&other).cloned().unwrap_or_default();
            D::supply(&mut parsed, other, &state, revision);
        }
        let id = Self::command(self.events);
        let given = Given {
            id: self.id,
            command: id,
            occurred_at: self.occurred_at,
            source: self.source.as_deref(),
            by: &self.by,
        };
        let outcome = D::decide(&self.state, parsed, &given).map_err(Into::into);
        if let Ok(decision) = &outcome {
            for (index, event) in decision.events.iter().enumerate() {
                self.evolve(event, id, index);
            }
        }
        self.outcome = Some(outcome);
        self
    }

    /// These events follow, and no others.
    #[track_caller]
    #[allow(clippy::must_use_candidate, clippy::return_self_not_must_use, reason = "a sentence may end here")]
    pub fn then(self, events: &[D::Event]) -> Self {
        match &self.outcome {
            Some(Ok(decision)) => assert_eq!(decision.events, events),
            other => panic!("expected events, got {other:?}"),
        }
        self
    }

    /// Nothing follows, because it is so already.
    #[track_caller]
    #[allow(clippy::must_use_candidate, clippy::return_self_not_must_use, reason = "a sentence may end here")]
    pub fn then_nothing(self) -> Self {
        self.then(&[])
    }

    /// These fields stay as a person has set them.
    #[track_caller]
    #[allow(clippy::must_use_candidate, clippy::return_self_not_must_use, reason = "a sentence may end here")]
    pub fn then_kept(self, fields: &[&str]) -> Self {
        match &self.outcome {
            Some(Ok(decision)) => assert_eq!(decision.kept, fields),
            other => panic!("expected a decision, got {other:?}"),
        }
        self
    }

    /// The command is refused by this rule.
    #[track_caller]
    #[allow(clippy::must_use_candidate, clippy::return_self_not_must_use, reason = "a sentence may end here")]
    pub fn then_refused(self, rule: &str) -> Self {
        match &self.outcome {
            Some(Err(refused)) => assert_eq!(*refused, rule),
            other => panic!("expected to be refused, got {other:?}"),
        }
        self
    }

    /// Somebody asks again what was asked when the n-th event happened, under the same command id.
    #[track_caller]
    #[must_use]
    pub fn when_repeated(mut self, n: usize, command: &str, fields: Value) -> Self {
        let events = std::mem::replace(&mut self.events, n);
        let mut scenario = self.when(command, fields);
        scenario.events += events - n;
        scenario
    }

    /// The id that the n-th event of the scenario has, counted from 0 and given events included, where it is
    /// the first of its command.
    pub fn event_id(n: usize) -> domain::EventId {
        identity::event_id(Self::command(n), 0)
    }
}

impl<D: Decider> Scenario<D> {
    /// The id of the command whose first event is the n-th of the scenario.
    fn command(n: usize) -> Uuid {
        Uuid::from_u128(n as u128 + 1_000)
    }

    fn evolve(&mut self, event: &D::Event, command: Uuid, index: usize) {
        let id = identity::event_id(command, index);
        let past = Past { id, occurred_at: self.occurred_at, source: self.source.as_deref() };
        D::evolve(&mut self.state, event, &past);
        self.events += 1;
    }
}
