//! What the parts of one node share.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use domain::{CommandKey, KeyedAnswer, StreamId};
use quick_cache::sync::Cache;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::{
    kurrent::{
        names::Names,
        node_index::{NodeIndex, Reach},
        peer::Peer,
        recent::Recent,
        wire::{connection, trouble::Trouble},
    },
    log::Document,
    recording::{clock::Clock, stream_head::Head},
    sealing::keys::Keys,
};

/// How many heads of streams are kept in memory.
const HEADS: usize = 200_000;
/// How many of its own events a node knows again.
const OWN: usize = 100_000;
/// How far a node may lag behind before it should be asked nothing.
pub(crate) const LAG_LIMIT: Duration = Duration::from_secs(10);
/// How far it may lag behind before nothing is written through it.
const STANDS_STILL: Duration = Duration::from_mins(1);

/// A node: its place in the log, and its ways to the others.
pub(crate) struct Node {
    pub(crate) id: Uuid,
    pub(crate) log_id: Uuid,
    pub(crate) folder: PathBuf,
    /// Where the keys of new epochs are looked for as well.
    pub(crate) secrets: Option<PathBuf>,
    pub(crate) names: Names,
    pub(crate) connection: connection::Shared,
    pub(crate) keys: Arc<Keys>,
    pub(crate) clock: Clock,
    index: Mutex<NodeIndex>,
    reach: Mutex<Reach>,
    pub(crate) recent: Recent,
    /// Up to where everybody here may look.
    pub(crate) head: watch::Sender<u64>,
    /// The furthest position that an append of this node has reached.
    latest: AtomicU64,
    /// The latest time stamped here, in microseconds since 1970.
    stamped: AtomicI64,
    /// The last revision and the latest time of streams, as far as they are known; the leader may know more.
    pub(crate) heads: Cache<StreamId, Head>,
    /// The events appended here, whose keys are here as well.
    pub(crate) own: Cache<Uuid, ()>,
    /// Answers given here that are not in the index yet.
    answered: Mutex<HashMap<CommandKey, KeyedAnswer>>,
    /// Wakes whoever follows.
    pub(crate) wake: Notify,
    pub(crate) following: watch::Sender<Following>,
    /// Wakes whoever says to the others how this node is getting on.
    pub(crate) announce: Notify,
    pub(crate) checkpoint: Mutex<Option<String>>,
    pub(crate) peers: watch::Sender<HashMap<Uuid, Peer>>,
    pub(crate) document: watch::Sender<Option<Document>>,
    /// Which epochs have begun and ended, as the cluster says.
    pub(crate) epochs: watch::Sender<(u32, u32)>,
    /// Whether the node is about to end.
    pub(crate) closing: watch::Sender<bool>,
}

/// How it goes with following the log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Following {
    /// When its end was last reached.
    pub(crate) at_end: Option<Instant>,
    /// What keeps it from going on.
    pub(crate) trouble: Option<String>,
}

/// What a node is made of before it begins to follow.
pub(crate) struct Parts {
    pub(crate) id: Uuid,
    pub(crate) log_id: Uuid,
    pub(crate) folder: PathBuf,
    pub(crate) secrets: Option<PathBuf>,
    pub(crate) names: Names,
    pub(crate) connection: connection::Shared,
    pub(crate) keys: Arc<Keys>,
    pub(crate) clock: Clock,
    pub(crate) index: NodeIndex,
    pub(crate) reach: Reach,
    pub(crate) epochs: (u32, u32),
}

impl Node {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { id, log_id, folder, secrets, names, connection, keys, clock, index, reach, epochs } =
            parts;
        Self {
            id,
            log_id,
            folder,
            secrets,
            names,
            connection,
            keys,
            clock,
            index: Mutex::new(index),
            reach: Mutex::new(reach),
            recent: Recent::after(reach.position),
            head: watch::Sender::new(reach.position),
            latest: AtomicU64::new(reach.position),
            stamped: AtomicI64::new(reach.recorded_at),
            heads: Cache::new(HEADS),
            own: Cache::new(OWN),
            answered: Mutex::default(),
            wake: Notify::new(),
            following: watch::Sender::default(),
            announce: Notify::new(),
            checkpoint: Mutex::default(),
            peers: watch::Sender::default(),
            document: watch::Sender::default(),
            epochs: watch::Sender::new(epochs),
            closing: watch::Sender::new(false),
        }
    }

    pub(crate) fn position(&self) -> u64 {
        *self.head.borrow()
    }

    pub(crate) fn reach(&self) -> Reach {
        *self.reach.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_reach(&self, reach: Reach) {
        *self.reach.lock().unwrap_or_else(PoisonError::into_inner) = reach;
    }

    // A thread that panicked with the lock held left a transaction that is rolled back.
    pub(crate) fn index(&self) -> MutexGuard<'_, NodeIndex> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A time for what is recorded now. It never runs backwards here, nor behind what has been seen of the log.
    pub(crate) fn stamp(&self) -> i64 {
        let now = self.clock.now().max(self.reach().recorded_at);
        self.stamped.fetch_max(now, Ordering::AcqRel).max(now)
    }

    pub(crate) fn note_latest(&self, position: u64) {
        self.latest.fetch_max(position, Ordering::AcqRel);
    }

    /// The furthest position that is known here.
    pub(crate) fn latest(&self) -> u64 {
        self.latest.load(Ordering::Acquire).max(self.position())
    }

    /// Takes note of how far a stream has come; what was known already of a later place stays.
    pub(crate) fn note_head(&self, stream: StreamId, revision: u64, effective_at: i64) {
        if self.heads.get(&stream).is_none_or(|known| known.revision < revision) {
            self.heads.insert(stream, Head { revision, effective_at });
        }
    }

    /// Whether another node was heard of lately.
    pub(crate) fn has_company(&self) -> bool {
        self.peers.borrow().values().any(|peer| peer.node != self.id && peer.is_living())
    }

    /// Keeps an answer until whoever follows has put it into the index.
    pub(crate) fn remember(&self, key: CommandKey, answer: KeyedAnswer) {
        self.answered().insert(key, answer);
    }

    pub(crate) fn forget_remembered(&self, keys: impl IntoIterator<Item = CommandKey>) {
        let mut answered = self.answered();
        for key in keys {
            answered.remove(&key);
        }
    }

    /// The answer to a key, as far as this node has seen it.
    pub(crate) fn answer(&self, key: CommandKey) -> rusqlite::Result<Option<KeyedAnswer>> {
        if let Some(answer) = self.answered().get(&key) {
            return Ok(Some(answer.clone()));
        }
        self.index().answer(key, self.clock.now())
    }

    fn answered(&self) -> MutexGuard<'_, HashMap<CommandKey, KeyedAnswer>> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why nothing should be written here: this node has not followed the log for so long that what it keeps for those
    /// who ask again, and what it knows of others, would grow without end.
    pub(crate) fn stands_still(&self) -> Option<String> {
        let following = self.following.borrow();
        let behind = following.at_end.map(|at| at.elapsed()).filter(|behind| *behind > STANDS_STILL)?;
        let trouble = following.trouble.as_deref().unwrap_or("too much is written");
        Some(format!(
            "this node has not come to the end of the log for {} seconds ({trouble})",
            behind.as_secs()
        ))
    }

    /// Waits until this node has followed the log up to a position.
    pub(crate) async fn follow_to(&self, position: u64, patience: Duration) -> Result<(), Trouble> {
        if self.position() >= position {
            return Ok(());
        }
        self.wake.notify_one();
        let mut head = self.head.subscribe();
        let reached = head.wait_for(|head| *head >= position);
        match tokio::time::timeout(patience, reached).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Trouble::NotDone(
                "this node has not followed the log so far yet: try again in a moment".to_owned(),
            )),
        }
    }
}
