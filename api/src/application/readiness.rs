//! Whether this process may be asked: every part of it works, its views are there, and as a node of a cluster it is near
//! the end of the log.

use projections::Phase;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::rapport::Rapport;

/// How it stands. A node whose checkpoint does not agree is named and stays in service: which of the two is right is for
/// people to find out.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Readiness {
    /// Whether commands are taken, every view can be asked and the log is followed.
    pub ready: bool,
    /// The parts that cannot do their work at the moment, each with the reason.
    pub troubles: Vec<Trouble>,
    /// The views that are being built.
    pub building: Vec<&'static str>,
    /// The views that stand still.
    pub stopped: Vec<&'static str>,
    /// What is so of a node of a cluster only.
    #[serde(flatten)]
    pub node: Option<NodeReadiness>,
}

/// A part that cannot do its work, and why.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Trouble {
    /// Which part: the log, the index, the clock, the ledger, or a view by its name.
    pub part: String,
    /// What is wrong, and what to do where that is known.
    pub reason: String,
    /// Whether it will not pass by itself: only a new start helps, and the process ends for it.
    #[serde(skip)]
    pub is_final: bool,
}

impl Trouble {
    fn passing(part: &str, reason: String) -> Self {
        Self { part: part.to_owned(), reason, is_final: false }
    }

    fn ended(part: &str) -> Self {
        store::Trouble::ended(part).into()
    }
}

impl From<store::Trouble> for Trouble {
    fn from(trouble: store::Trouble) -> Self {
        let store::Trouble { part, reason, is_final } = trouble;
        Self { part, reason, is_final }
    }
}

/// How a node of a cluster stands.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NodeReadiness {
    /// Why it should be asked nothing at the moment.
    pub behind: Option<String>,
    /// The nodes that have signed something else.
    pub disagreeing: Vec<Disagreement>,
}

/// A node that has signed something else, and what.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Disagreement {
    /// Which node.
    pub node: Uuid,
    /// What is wrong.
    pub why: String,
}

/// How it stands now.
pub fn now(rapport: &Rapport) -> Readiness {
    let statuses = rapport.views.statuses();
    let in_phase = |is_in: fn(&Phase) -> bool| -> Vec<&'static str> {
        let found = statuses.iter().filter(|(_, status)| is_in(&status.phase));
        found.map(|(view, _)| view.name).collect()
    };
    let building = in_phase(|phase| *phase == Phase::Building);
    let stopped = in_phase(|phase| matches!(phase, Phase::Stopped { .. }));
    let behind = rapport.is_behind();
    let troubles = troubles(rapport);
    let ready = building.is_empty() && behind.is_none() && troubles.is_empty();
    let node = rapport.log.node_status().map(|_| {
        let disagreeing = rapport.witness.disagreeing().into_iter();
        NodeReadiness {
            behind,
            disagreeing: disagreeing.map(|(node, why)| Disagreement { node, why }).collect(),
        }
    });
    Readiness { ready, troubles, building, stopped, node }
}

/// Every part that cannot do its work at the moment.
pub fn troubles(rapport: &Rapport) -> Vec<Trouble> {
    let mut troubles: Vec<Trouble> = rapport.log.troubles().into_iter().map(Trouble::from).collect();
    troubles.extend(rapport.ledger.has_ended().then(|| Trouble::ended("the ledger")));
    troubles.extend(rapport.ledger.state().trouble.map(|reason| Trouble::passing("the ledger", reason)));
    troubles.extend(rapport.views.has_ended().then(|| Trouble::ended("the views")));
    for (view, status) in rapport.views.statuses() {
        let stopped = match status.phase {
            // What is wrong with the event may repeat what stands in it: that is told to those who may ask the views.
            Phase::Stopped { at, .. } => Some(format!("it stands still before position {at}: see /views")),
            Phase::Building | Phase::Following => status.trouble,
        };
        troubles.extend(stopped.map(|reason| Trouble::passing(view.name, reason)));
    }
    troubles
}

/// Why a node answers nothing of the log: it has not come near its end since it was started, and somebody who is erased
/// further on would still be shown. `None` where it answers.
pub fn refuses_to_answer(rapport: &Rapport) -> Option<String> {
    let has_never_been_near = rapport.log.node_status().is_some_and(|node| node.behind.is_none());
    has_never_been_near.then(|| rapport.is_behind().unwrap_or_default())
}
