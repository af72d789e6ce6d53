//! The log on a KurrentDB cluster: what one node does of it, behind the same port as the embedded log.
//!
//! The cluster holds the events, in streams of the same names, and what the nodes share. A node holds its views, its
//! ledger, a copy of the wrapped keys and a small index, all of which follow from the log; and, as files of its own, the
//! keys of the epochs. An append goes to the leader ([`appending`]); one thread follows everything that is recorded, by
//! whichever node ([`tracker`]), and nobody here sees an event before that thread has done what the event asks for.

mod appending;
mod cluster_log;
mod connection;
mod copying;
mod document;
mod envelope;
mod epochs;
mod identity;
mod names;
mod node;
mod node_index;
mod pause;
mod peers;
mod recent;
mod tracker;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    Answer, Append, AppendError, CommandKey, EventStore, KeyedAnswer, Keyring, KindSet, Page, Position,
    READ_AT_ONCE, ReadError, Recorded, Stored, StreamId,
};
use futures::{StreamExt as _, stream};
use tokio::runtime::Handle;
use uuid::Uuid;

use self::{
    appending::Appending,
    connection::{Connection, Raw, Server},
    envelope::StoredEvent,
    identity::{Found, Opening},
    names::Names,
    node::{LAG_LIMIT, Node, Parts},
    node_index::{MARKED_EVERY, NodeIndex, Reach},
    peers::{ANNOUNCED, Announcement},
    recent::{Entry, position_of},
    tracker::Tracker,
};
pub(crate) use self::{
    cluster_log::ClusterLog,
    copying::{finish as finish_copy, into_cluster, out_of_cluster},
};
use crate::{
    cluster::Cluster,
    embedded::Statistics,
    folder::{DataFolder, Joining, write_durably},
    keys::{KeyError, Keys},
    log::{Document, Peer, Standing},
    open_error::OpenError,
    options::Options,
    rotation::Rotated,
    stored,
};

/// How long whoever reads a stream waits until this node has followed the log as far.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a node that ends tries to say so.
const FAREWELL: Duration = Duration::from_secs(2);
/// How many single events are fetched at a time.
const FETCHED_AT_ONCE: usize = 32;
/// How many events of a stream are read at once, at most.
const STREAM_LIMIT: usize = 100_000;
/// How many announcements of other nodes are looked at when a node begins.
const ANNOUNCEMENTS: usize = 200;
/// The file in which a node keeps its id.
const NODE_FILE: &str = "node.id";

/// The log on a cluster, as one node sees it.
pub struct KurrentStore {
    node: Arc<Node>,
    appending: Arc<Appending>,
    runtime: Handle,
    cluster: Cluster,
    prefixes: Vec<String>,
    folder: DataFolder,
    tracker: Mutex<Option<JoinHandle<()>>>,
    announcer: tokio::task::JoinHandle<()>,
}

impl KurrentStore {
    /// Opens the log on a cluster for one node with a folder of its own; begins it where there is none. Secrets that the
    /// folder lacks are taken from `secrets`.
    pub async fn open(
        folder: &Path,
        cluster: Cluster,
        secrets: Option<PathBuf>,
        options: Options,
    ) -> Result<Arc<Self>, OpenError> {
        let joining = Joining::begin(folder)?;
        let names = Names::new(cluster.prefix());
        let connection = Arc::new(Connection::open(cluster.clone()).await?);
        let opening = Opening { connection: &connection, names: &names, secrets: secrets.as_deref() };
        let Found { log, epochs } = opening.open(joining.path(), joining.log_id(), None).await?;
        let folder = joining.finish(log)?;
        let keys = Arc::new(Keys::open_copy(folder.path(), &options, epochs)?);
        let (index, reach) = open_index(&folder, &keys)?;
        let node = Arc::new(Node::new(Parts {
            id: node_id(&folder)?,
            log_id: log,
            folder: folder.path().to_owned(),
            secrets,
            names,
            connection,
            keys,
            clock: crate::clock::Clock::new(options.faults.clone()),
            index,
            reach,
            epochs,
        }));
        Self::start(node, folder, cluster).await
    }

    async fn start(node: Arc<Node>, folder: DataFolder, cluster: Cluster) -> Result<Arc<Self>, OpenError> {
        let runtime = Handle::current();
        hear_others(&node).await;
        document::read(&node).await.map_err(|trouble| node.connection.cannot(trouble.to_string()))?;
        keep_answers_a_day(&node).await;
        let tracker = Tracker::new(Arc::clone(&node), runtime.clone());
        let thread = std::thread::Builder::new().name("log tracker".to_owned()).spawn(move || tracker.run());
        let thread = thread.map_err(OpenError::io(folder.path()))?;
        let announcer = runtime.spawn(peers::run(Arc::clone(&node)));
        let prefixes = node.names.of_events();
        let appending = Arc::new(Appending::new(Arc::clone(&node)));
        let tracker = Mutex::new(Some(thread));
        Ok(Arc::new(Self { node, appending, runtime, cluster, prefixes, folder, tracker, announcer }))
    }

    /// Opens what was sealed.
    pub fn keyring(&self) -> Arc<dyn Keyring> {
        Arc::clone(&self.node.keys) as Arc<dyn Keyring>
    }

    /// The keys themselves.
    pub fn keys(&self) -> &Arc<Keys> {
        &self.node.keys
    }

    /// The folder of the node.
    pub fn folder(&self) -> &DataFolder {
        &self.folder
    }

    /// Where the log lies.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// How the node is doing.
    pub fn statistics(&self) -> Statistics {
        Statistics { head: self.head(), queued: self.appending.waiting(), tail: 0, last_sync_micros: 0 }
    }

    /// How it stands with following the log.
    pub fn standing(&self) -> Standing {
        let following = self.node.following.borrow();
        let behind = following.at_end.map(|at| at.elapsed());
        Standing {
            behind,
            is_near: behind.is_some_and(|behind| behind < LAG_LIMIT),
            trouble: following.trouble.clone(),
            tried_again: self.node.connection.troubles(),
        }
    }

    /// Waits until everything has been followed that was recorded when this was called. `progress` is told how many
    /// events there are so far.
    pub async fn catch_up(&self, mut progress: impl FnMut(u64)) {
        let begun = std::time::Instant::now();
        let mut following = self.node.following.subscribe();
        let mut head = self.node.head.subscribe();
        loop {
            if following.borrow_and_update().at_end.is_some_and(|at| at >= begun) {
                return;
            }
            progress(self.node.reach().events);
            tokio::select! {
                changed = following.changed() => if changed.is_err() { return },
                changed = head.changed() => if changed.is_err() { return },
            }
        }
    }

    /// The other nodes, as they were last heard of.
    pub fn peers(&self) -> Vec<Peer> {
        let peers = self.node.peers.borrow();
        let others = peers.values().filter(|peer| peer.node != self.node.id);
        others.map(peers::Peer::shown).collect()
    }

    /// Says to the others up to where this node has signed what it read.
    pub fn announce(&self, checkpoint: &str) {
        let mut said = self.node.checkpoint.lock().unwrap_or_else(PoisonError::into_inner);
        if said.as_deref() != Some(checkpoint) {
            *said = Some(checkpoint.to_owned());
            self.node.announce.notify_one();
        }
    }

    /// Says to the others that this node ends, so that none waits for it.
    pub async fn leave(&self) {
        self.announcer.abort();
        if tokio::time::timeout(FAREWELL, peers::leave(&self.node)).await.is_err() {
            tracing::debug!("the cluster does not answer; the others will find out that this node has ended");
        }
    }

    /// Begins a new epoch on all nodes and ends all before it; for a thread that may wait.
    pub fn rotate(&self, progress: impl FnMut(u64, u64)) -> Result<Rotated, KeyError> {
        self.runtime.block_on(epochs::rotate(&self.node, progress))
    }

    /// The document that all nodes share, and a notice whenever it is written.
    pub fn document(&self) -> tokio::sync::watch::Receiver<Option<Document>> {
        self.node.document.subscribe()
    }

    /// Writes the document that all nodes share, unless somebody else has written it since it was read; whether it was.
    pub async fn write_document(&self, revision: u64, text: &str) -> Result<bool, AppendError> {
        document::write(&self.node, revision, text)
            .await
            .map_err(|trouble| AppendError::Unavailable(trouble.to_string()))
    }

    /// Events after any number, as they stand, up to where everybody may look.
    async fn fetch(&self, after: u64, limit: usize) -> Result<Vec<Entry>, ReadError> {
        let head = self.node.position();
        if after >= head || limit == 0 {
            return Ok(Vec::new());
        }
        if let Some(entries) = self.node.recent.read(after, limit) {
            return Ok(entries);
        }
        let mark = self.node.index().mark_at(after).map_err(|error| storage(&error))?;
        let (mut page, is_full) = self.read_from(Server::Any, (mark.position, after), limit).await?;
        if !is_full && page.last().map_or(after, |last| last.position) < head {
            // This node has seen more than that: it was told so by a server that had come further.
            page = self.read_from(Server::Leader, (mark.position, after), limit).await?.0;
        }
        let within = page.iter().take_while(|raw| raw.position <= head);
        Ok(within.map(|raw| Arc::new(StoredEvent::of(raw, &self.node.names))).collect())
    }

    async fn read_from(
        &self,
        server: Server,
        places: (u64, u64),
        limit: usize,
    ) -> Result<(Vec<Raw>, bool), ReadError> {
        let read = self.node.connection.read_beyond(server, places, limit, &self.prefixes).await;
        read.map_err(|trouble| storage(&trouble))
    }

    /// Events after any number, as many as are asked for, however large they are.
    async fn fetch_whole(&self, after: u64, count: usize) -> Result<Vec<Entry>, ReadError> {
        let (mut entries, mut after) = (Vec::new(), after);
        while entries.len() < count {
            let more = self.fetch(after, count - entries.len()).await?;
            let Some(last) = more.last() else { break };
            after = position_of(last);
            entries.extend(more);
        }
        Ok(entries)
    }

    /// The event at a position, as it stands.
    async fn fetch_one(&self, position: u64) -> Result<Option<Entry>, ReadError> {
        if position == 0 || position > self.node.position() {
            return Ok(None);
        }
        let is_it = |entry: &Entry| position_of(entry) == position;
        if let Some(entries) = self.node.recent.read(position - 1, 1) {
            return Ok(entries.into_iter().next().filter(is_it));
        }
        match self.node.connection.read_at(position, &self.prefixes).await {
            Ok(found) => Ok(found.map(|raw| Arc::new(StoredEvent::of(&raw, &self.node.names)))),
            // It may be no position of the cluster at all.
            Err(_) => Ok(self.fetch(position - 1, 1).await?.into_iter().next().filter(is_it)),
        }
    }

    /// The events between a mark and the next one.
    async fn behind_mark(&self, position: u64) -> Result<Vec<Entry>, ReadError> {
        self.fetch_whole(position, MARKED_EVERY).await
    }

    fn opened(&self, entry: &Entry) -> Result<Recorded, ReadError> {
        match &**entry {
            Ok(event) => Ok(stored::as_recorded(&event.as_stored(), Some(&*self.node.keys as &dyn Keyring))?),
            Err(bad) => Err(bad.clone().into()),
        }
    }
}

impl Drop for KurrentStore {
    fn drop(&mut self) {
        self.node.closing.send_replace(true);
        self.node.wake.notify_one();
        self.announcer.abort();
        let thread = self.tracker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that follows the log had panicked");
        }
    }
}

/// The index of a node, and how far it reaches: no further than the copy of the keys. Where that was lost, or is an
/// older one, everything is followed again from the beginning.
fn open_index(folder: &DataFolder, keys: &Keys) -> Result<(NodeIndex, Reach), OpenError> {
    let (file, log) = (folder.index_file(), folder.log_id());
    let fail = |error| OpenError::Database { path: folder.index_file(), source: error };
    let index = NodeIndex::open(&file, log)?;
    let reach = index.reach().map_err(fail)?;
    let unreadable =
        |error: KeyError| OpenError::Keys { path: folder.keys_file(), reason: error.to_string() };
    let carried_out = keys.carried_out().map_err(unreadable)?.filter(|mark| mark.log == log);
    if reach.position == 0 || carried_out.is_some_and(|mark| mark.position >= reach.position) {
        return Ok((index, reach));
    }
    tracing::warn!(
        "the copy of the keys does not go as far as the index; the log is followed from its beginning"
    );
    drop(index);
    let index = NodeIndex::begin_anew(&file, log)?;
    let reach = index.reach().map_err(fail)?;
    Ok((index, reach))
}

/// What the other nodes last said, so that this one knows of them before they speak again.
async fn hear_others(node: &Node) {
    let Ok(said) = node.connection.newest_of_all(ANNOUNCEMENTS, &node.names.of_nodes()).await else { return };
    let now = node.clock.now();
    node.peers.send_modify(|known| {
        for raw in said.iter().rev().filter(|raw| raw.tag == ANNOUNCED) {
            if let Ok(announcement) = serde_json::from_slice::<Announcement>(&raw.data) {
                let peer = peers::Peer::heard_of(announcement, now);
                known.insert(peer.node, peer);
            }
        }
    });
}

/// Answers are asked for within a day; after that the cluster may forget them.
async fn keep_answers_a_day(node: &Node) {
    let metadata = serde_json::json!({ "$maxAge": crate::shared::ANSWER_LIFE / 1_000_000 });
    let name = node.names.answers();
    if matches!(node.connection.last_of(&format!("$${name}")).await, Ok(Some(_))) {
        return;
    }
    if let Err(trouble) = peers::set_metadata(&node.connection, &name, &metadata).await {
        tracing::warn!(%trouble, "answers to commands that changed nothing are kept for longer than a day");
    }
}

/// The id of a node, drawn when its folder is first used.
fn node_id(folder: &DataFolder) -> Result<Uuid, OpenError> {
    let file = folder.path().join(NODE_FILE);
    if let Ok(text) = std::fs::read_to_string(&file) {
        let unreadable =
            |_| OpenError::Unreadable { file: file.clone(), reason: "it holds no id".to_owned() };
        return text.trim().parse().map_err(unreadable);
    }
    let id = peers::random();
    write_durably(&file, id.to_string().as_bytes())?;
    Ok(id)
}

fn storage(error: &dyn std::error::Error) -> ReadError {
    ReadError::Storage(error.to_string())
}

#[async_trait]
impl EventStore for KurrentStore {
    fn log_id(&self) -> Uuid {
        self.node.log_id
    }

    async fn append(&self, append: Append) -> Result<Answer, AppendError> {
        self.appending.append(append).await
    }

    async fn answer(&self, key: CommandKey) -> Result<Option<KeyedAnswer>, ReadError> {
        self.node.answer(key).map_err(|error| storage(&error))
    }

    async fn read_stream(
        &self,
        stream: StreamId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        let node = &self.node;
        let read =
            node.connection.read_stream(&node.names.stream(stream), after, limit.min(STREAM_LIMIT)).await;
        let events = read.map_err(|trouble| storage(&trouble))?.unwrap_or_default();
        // Its keys, and erasures that concern it, come with the log: what another node wrote is only read once this
        // node has followed so far.
        let unseen =
            events.iter().rev().find(|raw| raw.position > node.position() && node.own.get(&raw.id).is_none());
        if let Some(unseen) = unseen {
            node.follow_to(unseen.position, PATIENCE).await.map_err(|trouble| storage(&trouble))?;
        }
        let mut recorded = Vec::with_capacity(events.len());
        for raw in &events {
            recorded.push(self.opened(&Arc::new(StoredEvent::of(raw, &node.names)))?);
        }
        if let Some(last) = recorded.last() {
            node.note_latest(last.position.0);
            node.note_head(stream, last.revision, last.effective_at.timestamp_micros());
        }
        Ok(recorded)
    }

    async fn read_at(&self, positions: &[Position]) -> Result<Vec<Recorded>, ReadError> {
        let positions = positions[..positions.len().min(READ_AT_ONCE)].to_vec();
        let fetching = stream::iter(positions)
            .map(|position| self.fetch_one(position.0))
            .buffered(FETCHED_AT_ONCE)
            .collect::<Vec<_>>();
        let mut recorded = Vec::new();
        for found in fetching.await {
            if let Some(entry) = found? {
                recorded.push(self.opened(&entry)?);
            }
        }
        Ok(recorded)
    }

    async fn read_all(&self, after: Position, limit: usize, kinds: KindSet) -> Result<Page, ReadError> {
        let mut page = Page { events: Vec::new(), through: after };
        for entry in self.fetch(after.0, limit).await? {
            page.through = Position(position_of(&entry));
            match &*entry {
                // What has no known kind is handed out as unreadable: nobody can say that it was not wanted.
                Ok(event) if stored::kind_of(&event.stream).is_none_or(|kind| kinds.contains(kind)) => {
                    page.events.push(stored::as_recorded(&event.as_stored(), None));
                }
                Err(bad) if stored::kind_of(&bad.stream).is_none_or(|kind| kinds.contains(kind)) => {
                    page.events.push(Err(bad.clone()));
                }
                Ok(_) | Err(_) => {}
            }
        }
        Ok(page)
    }

    async fn read_stored(
        &self,
        after: Position,
        limit: usize,
        each: &mut (dyn for<'a> FnMut(Stored<'a>) + Send),
    ) -> Result<Position, ReadError> {
        let mut reached = after;
        for entry in self.fetch(after.0, limit).await? {
            match &*entry {
                Ok(event) => each(event.as_stored()),
                Err(bad) => return Err(bad.clone().into()),
            }
            reached = Position(position_of(&entry));
        }
        Ok(reached)
    }

    fn head(&self) -> Position {
        Position(self.node.position())
    }

    fn latest(&self) -> Position {
        Position(self.node.latest())
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn erasures(&self) -> u64 {
        self.node.keys.erasures()
    }

    async fn changed(&self, after: Position) {
        // The sender lives as long as the store: the wait cannot fail.
        let _ = self.node.head.subscribe().wait_for(|head| *head > after.0).await;
    }

    async fn position_at(&self, moment: DateTime<Utc>) -> Result<Position, ReadError> {
        let moment = moment.timestamp_micros();
        let reach = self.node.reach();
        if reach.recorded_at <= moment {
            return Ok(Position(reach.position));
        }
        let mark = self.node.index().mark_of_time(moment).map_err(|error| storage(&error))?;
        let mut found = mark.position;
        for entry in self.behind_mark(mark.position).await? {
            if entry.as_ref().as_ref().is_ok_and(|event| event.recorded_at > moment) {
                break;
            }
            found = position_of(&entry);
        }
        Ok(Position(found))
    }

    async fn position_of_size(&self, size: u64) -> Result<Position, ReadError> {
        let reach = self.node.reach();
        if size >= reach.events {
            return Ok(Position(reach.position));
        }
        let mark = self.node.index().mark_of_size(size).map_err(|error| storage(&error))?;
        let missing = usize::try_from(size - mark.events).unwrap_or_default();
        let entries = self.fetch_whole(mark.position, missing).await?;
        Ok(Position(entries.last().map_or(mark.position, |entry| position_of(entry))))
    }

    async fn size_at(&self, position: Position) -> Result<u64, ReadError> {
        let reach = self.node.reach();
        if position.0 >= reach.position {
            return Ok(reach.events);
        }
        let mark = self.node.index().mark_at(position.0).map_err(|error| storage(&error))?;
        let entries = self.behind_mark(mark.position).await?;
        let before = entries.iter().take_while(|entry| position_of(entry) <= position.0).count();
        Ok(mark.events + before as u64)
    }
}
