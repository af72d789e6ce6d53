//! Whether this process may be asked: its views are there, and as a node of a cluster it is near the end of the log.

use projections::Phase;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::rapport::Rapport;

/// How it stands. A view that stands still answers as of where it stands, so it is named and does not take the others
/// out of service. A node whose checkpoint does not agree is named as well: which of the two is right is for people to
/// find out.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Readiness {
    /// Whether every view can be asked and the log is followed.
    pub ready: bool,
    /// The views that are being built.
    pub building: Vec<&'static str>,
    /// The views that stand still.
    pub stopped: Vec<&'static str>,
    /// What is so of a node of a cluster only.
    #[serde(flatten)]
    pub node: Option<NodeReadiness>,
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
    let ready = building.is_empty() && behind.is_none();
    let node = rapport.log.node_status().map(|_| {
        let disagreeing = rapport.witness.disagreeing().into_iter();
        NodeReadiness {
            behind,
            disagreeing: disagreeing.map(|(node, why)| Disagreement { node, why }).collect(),
        }
    });
    Readiness { ready, building, stopped, node }
}

/// Why a node answers nothing of the log: it has not come near its end since it was started, and somebody who is erased
/// further on would still be shown. `None` where it answers.
pub fn refuses_to_answer(rapport: &Rapport) -> Option<String> {
    let has_never_been_near = rapport.log.node_status().is_some_and(|node| node.behind.is_none());
    has_never_been_near.then(|| rapport.is_behind().unwrap_or_default())
}
