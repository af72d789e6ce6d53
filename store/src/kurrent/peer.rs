//! Another node: what it says of itself, and how it was last heard of.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::log;

/// How long a node counts as living after it was last heard of.
const LIVES: Duration = Duration::from_secs(100);
/// The tag of an announcement.
pub(crate) const ANNOUNCED: &str = "node.announced";

/// What a node says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Announcement {
    pub(crate) node: Uuid,
    /// When, in microseconds since 1970 by its own clock.
    pub(crate) at: i64,
    /// Number and fingerprint of each.
    pub(crate) epochs: Vec<(u32, String)>,
    pub(crate) current: u32,
    pub(crate) position: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) checkpoint: Option<String>,
    /// That it ends in good order.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) leaves: bool,
}

/// Another node, as it was last heard of.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) node: Uuid,
    /// The epochs whose keys it has, by number and fingerprint.
    pub(crate) epochs: Vec<(u32, String)>,
    /// The epoch with which it wraps what is new.
    pub(crate) current: u32,
    checkpoint: Option<String>,
    heard: Instant,
    /// How old the announcement was when it was heard, by the clocks of both.
    age: Duration,
    leaves: bool,
}

impl Peer {
    /// A node that speaks just now.
    pub(crate) fn heard(announcement: Announcement) -> Self {
        let Announcement { node, epochs, current, checkpoint, leaves, .. } = announcement;
        Self { node, epochs, current, checkpoint, heard: Instant::now(), age: Duration::ZERO, leaves }
    }

    /// A node that has spoken before this one listened, as far as their clocks agree.
    pub(crate) fn heard_of(announcement: Announcement, now: i64) -> Self {
        let age = u64::try_from(now.saturating_sub(announcement.at)).unwrap_or_default();
        Self { age: Duration::from_micros(age), ..Self::heard(announcement) }
    }

    /// What is told of it.
    pub(crate) fn shown(&self) -> log::Peer {
        let checkpoint = self.checkpoint.clone();
        log::Peer { node: self.node, is_living: self.is_living(), checkpoint }
    }

    /// Whether it was heard of lately.
    pub(crate) fn is_living(&self) -> bool {
        !self.leaves && self.age + self.heard.elapsed() < LIVES
    }
}
