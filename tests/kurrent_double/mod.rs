//! A KurrentDB in this process, for tests: one log behind one or several addresses, which speaks the server's
//! own protocol to the official client, and which does on demand what networks and clusters do to a client.
//!
//! It takes after a server of version 24.10, as far as the product uses one. It reads no clock and draws no
//! numbers: ids, times and positions of what it writes by itself follow from what was asked of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use prost::bytes::Bytes;
use tokio::runtime::{Builder, Runtime};
use tonic::Code;
use uuid::Uuid;

mod appends;
mod connections;
mod faults;
mod log;
mod protocol;
mod reads;
mod service;

pub(crate) use self::faults::Lost;
use self::{
    connections::Node,
    faults::{AppendFate, Faults, ReadFate},
    log::Log,
    protocol::Expected,
};

/// A client is to find the leader soon, and to give up soon where there is none.
const SETTINGS: &str = "tls=false&maxDiscoverAttempts=10&discoveryInterval=50";

/// The server. It stops when it is dropped.
#[derive(Debug)]
pub(crate) struct Double {
    shared: Arc<Shared>,
    /// Its own threads, so that it serves whatever the test's thread does. None while it is being dropped.
    runtime: Option<Runtime>,
}

/// An event that somebody appended.
#[allow(dead_code, reason = "it is told whole, whatever a test of today looks at")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Appended {
    /// The stream's name.
    pub(crate) stream: String,
    /// Its place in the stream, from 0 on.
    pub(crate) revision: u64,
    /// Its place in the log.
    pub(crate) position: u64,
    /// The id that the writer gave.
    pub(crate) id: Uuid,
    /// The type that the writer gave.
    pub(crate) kind: String,
}

#[allow(
    dead_code,
    reason = "what the double can do is one list, whether or not a test of today wants all of it"
)]
impl Double {
    /// One node.
    pub(crate) fn start() -> Self {
        Self::cluster(1)
    }

    /// So many nodes over one log. The first one leads.
    pub(crate) fn cluster(nodes: usize) -> Self {
        let mut runtime = Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).thread_name("kurrent-double").enable_all().build().unwrap();
        let nodes = (0..nodes).map(|_| Node::new().unwrap()).collect();
        let double = Self { shared: Arc::new(Shared::new(nodes)), runtime: Some(runtime) };
        double.go_away(false);
        double
    }

    /// How a client finds it, from any process of this machine.
    pub(crate) fn url(&self) -> String {
        let hosts: Vec<_> = self.shared.nodes.iter().map(|node| node.address.to_string()).collect();
        format!("esdb://{}?{SETTINGS}", hosts.join(","))
    }

    /// How a client finds one of the nodes and asks no other.
    pub(crate) fn url_of(&self, node: usize) -> String {
        format!("esdb://{}?{SETTINGS}", self.shared.nodes[node].address)
    }

    /// Where a node listens.
    pub(crate) fn address(&self, node: usize) -> SocketAddr {
        self.shared.nodes[node].address
    }

    /// Makes this node the leader. Connections stay as they are.
    pub(crate) fn lead(&self, node: usize) {
        assert!(node < self.shared.nodes.len(), "there is no node {node}");
        self.shared.leader.store(node, Ordering::SeqCst);
    }

    /// Whether an append is answered with the position of its first event, not of its last: versions differ.
    pub(crate) fn answers_first_position(&self, yes: bool) {
        self.shared.answers_first_position.store(yes, Ordering::SeqCst);
    }

    /// Whether the events of a stream come with their positions, as they do not from older servers.
    pub(crate) fn stream_reads_have_positions(&self, yes: bool) {
        self.shared.has_positions.store(yes, Ordering::SeqCst);
    }

    /// Whether an append of what stands already is answered without a position, as where the events cannot
    /// be read any more. The official client, 1.2, then says that it is 0, except for many in one call.
    pub(crate) fn forgets_positions_of_repeats(&self, yes: bool) {
        self.shared.forgets_positions_of_repeats.store(yes, Ordering::SeqCst);
    }

    /// Whether it knows the call of many appends, as older servers do not; it does unless told otherwise. A
    /// client asks when it connects.
    pub(crate) fn knows_batches(&self, yes: bool) {
        self.shared.knows_batches.store(yes, Ordering::SeqCst);
    }

    /// How often each call began, by names like `Streams/Append`, whether or not it was carried out. Of many
    /// appends in one call each is counted, and not the call. A call that was counted may be about to use up
    /// its fault.
    pub(crate) fn requests(&self) -> BTreeMap<String, u64> {
        self.shared.requests.lock().clone()
    }

    /// Every event that was appended, in order, without those that the server wrote by itself.
    pub(crate) fn appended(&self) -> Vec<Appended> {
        let log = self.shared.log.lock();
        let asked_for = log.events().iter().filter(|event| event.asked_for);
        let appended = asked_for.map(|event| Appended {
            stream: event.stream.clone(),
            revision: event.revision,
            position: event.position,
            id: event.event.id,
            kind: event.event.kind.clone(),
        });
        appended.collect()
    }

    /// How many events were appended to streams whose names begin so.
    pub(crate) fn event_count(&self, prefix: &str) -> usize {
        self.appended().iter().filter(|event| event.stream.starts_with(prefix)).count()
    }

    /// The names of the streams to which somebody appended, in alphabetical order.
    pub(crate) fn streams(&self) -> Vec<String> {
        let names: BTreeSet<_> = self.appended().into_iter().map(|event| event.stream).collect();
        names.into_iter().collect()
    }

    /// The connections of the next appends are cut, without an answer. This and what follows holds for
    /// appends one to a call and many to a call.
    pub(crate) fn lose_next_appends(&self, count: usize, when: Lost) {
        self.lose_next_appends_to("", count, when);
    }

    /// The same, for appends to streams whose names begin so.
    pub(crate) fn lose_next_appends_to(&self, prefix: &str, count: usize, when: Lost) {
        self.shared.faults.lock().set_appends(prefix, count, AppendFate::Lost(when));
    }

    /// The next appends write nothing and are answered with this status.
    pub(crate) fn refuse_next_appends(&self, count: usize, code: Code) {
        self.refuse_next_appends_to("", count, code);
    }

    /// The same, for appends to streams whose names begin so.
    pub(crate) fn refuse_next_appends_to(&self, prefix: &str, count: usize, code: Code) {
        self.shared.faults.lock().set_appends(prefix, count, AppendFate::Refused(code));
    }

    /// Appends an event, as somebody would who writes past the product.
    pub(crate) fn write(&self, stream: &str, kind: &str, data: &'static str) {
        let event = log::Proposed {
            id: Uuid::from_u128(self.appended().len() as u128),
            kind: kind.to_owned(),
            content_type: "application/json".to_owned(),
            data: data.into(),
            custom_metadata: Bytes::new(),
        };
        let written = self.shared.log.lock().append(stream, Expected::Any(()), vec![event]);
        assert!(written.is_ok(), "{stream} takes no event");
    }

    /// Writes other data over the first event of this type, as somebody would who has the files of a server; whoever
    /// has read it before has read the other.
    pub(crate) fn alter(&self, kind: &str, data: &'static str) {
        assert!(self.shared.log.lock().alter(kind, data.into()), "there is no {kind}");
    }

    /// The next appends are written, or not, at once, and answered only after the wait: the deadline has
    /// passed.
    pub(crate) fn delay_next_appends(&self, count: usize, wait: Duration, took_effect: bool) {
        self.shared.faults.lock().set_appends("", count, AppendFate::Delayed { wait, took_effect });
    }

    /// The next reads, of whatever, are answered with this status.
    pub(crate) fn refuse_next_reads(&self, count: usize, code: Code) {
        self.shared.faults.lock().reads.extend(vec![ReadFate::Refused(code); count]);
    }

    /// The next reads, of whatever, are answered only after the wait, with what stands then.
    pub(crate) fn stall_next_reads(&self, count: usize, wait: Duration) {
        self.shared.faults.lock().reads.extend(vec![ReadFate::Stalled(wait); count]);
    }

    /// The connection of the next read, of whatever, is cut after so many events, or where they end.
    pub(crate) fn cut_next_reads_after(&self, events: usize) {
        self.shared.faults.lock().reads.push_back(ReadFate::CutAfter(events));
    }

    /// While set, the connection of every forward read of all events is cut after so many, where more would
    /// have come: a reader goes on by so many at a time.
    pub(crate) fn cut_every_read_after(&self, events: Option<usize>) {
        self.shared.faults.lock().cuts_every_read_after = events;
    }

    /// While set, every forward read of all events from a position begins up to three wanted events earlier.
    /// They count like the others, so that who asks for three at a time gets nowhere.
    pub(crate) fn repeat_in_reads(&self, yes: bool) {
        self.shared.faults.lock().repeats_in_reads = yes;
    }

    /// Closes every connection, and returns when all are closed. A call that had come in by then may still
    /// take effect, unheard.
    pub(crate) fn cut_connections(&self) {
        for node in &self.shared.nodes {
            node.cut_all();
        }
    }

    /// While set, every connection is closed and new ones are refused.
    pub(crate) fn go_away(&self, yes: bool) {
        for node in 0..self.shared.nodes.len() {
            self.node_goes_away(node, yes);
        }
    }

    /// The same, for one node, which the others then call dead. Leadership does not move by itself.
    pub(crate) fn node_goes_away(&self, node: usize, yes: bool) {
        let runtime = self.runtime.as_ref().unwrap();
        let _inside = runtime.enter();
        if yes {
            self.shared.nodes[node].go_away();
        } else {
            connections::come_back(&self.shared, node).unwrap();
        }
    }

    /// Takes back the faults that no call used up, and those of every read. Nodes that are away stay away,
    /// and what depends on the server's version stays as it is.
    pub(crate) fn clear_faults(&self) {
        self.shared.faults.lock().clear();
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.go_away(true);
        if let Some(runtime) = self.runtime.take() {
            // A test may drop the double inside of a runtime of its own, where nothing may wait for this one.
            runtime.shutdown_background();
        }
    }
}

/// What all nodes, calls and the test's thread have in common. Who locks both locks the faults before the
/// log.
#[derive(Debug)]
struct Shared {
    nodes: Vec<Node>,
    /// Which of them leads.
    leader: AtomicUsize,
    log: Guarded<Log>,
    faults: Guarded<Faults>,
    requests: Guarded<BTreeMap<String, u64>>,
    answers_first_position: AtomicBool,
    forgets_positions_of_repeats: AtomicBool,
    has_positions: AtomicBool,
    knows_batches: AtomicBool,
}

impl Shared {
    fn new(nodes: Vec<Node>) -> Self {
        Self {
            nodes,
            leader: AtomicUsize::new(0),
            log: Guarded::default(),
            faults: Guarded::default(),
            requests: Guarded::default(),
            answers_first_position: AtomicBool::new(false),
            forgets_positions_of_repeats: AtomicBool::new(false),
            has_positions: AtomicBool::new(false),
            knows_batches: AtomicBool::new(true),
        }
    }

    fn count(&self, call: &str) {
        *self.requests.lock().entry(call.to_owned()).or_default() += 1;
    }
}

/// A value that one thread at a time uses. Nothing here fails halfway, so that a test that fails while it
/// holds the lock does not take the others with it.
#[derive(Debug, Default)]
struct Guarded<T>(Mutex<T>);

impl<T> Guarded<T> {
    fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
