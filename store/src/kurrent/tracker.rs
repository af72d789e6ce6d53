//! The tracker: one thread that follows the log in the cluster, page by page from its own place, and does with each
//! page what must be done before anybody here may see it: keys are taken over, erasures carried out, events counted.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{CommandKey, Event, Forgotten, KeyedAnswer, StreamId, personal::FORGETTING};
use futures::{StreamExt as _, stream};
use machine::waiting::wait_at_most;
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::{
    kurrent::{
        document,
        envelope::{ANSWERED, NothingDone, StoredEvent},
        keys::{
            epoch_notice::EpochNotice,
            mirror::WrappedKey,
            streams::{key_in, keys_in},
        },
        kinds::{Newer, refuse_newer},
        names::Holds,
        node::{LAG_LIMIT, Node},
        node_index::{Added, MARKED_EVERY, Mark, Reach},
        peer::{ANNOUNCED, Announcement, Peer},
        recent::Entry,
        wire::{
            events::{Raw, read_data},
            pause::Pause,
            trouble::Trouble,
        },
    },
    log::Document,
    sealing::{cipher::KeyName, key_error::KeyError, keys::CarriedOut},
};

/// How many events are read at a time.
const PAGE: usize = 2_048;
/// How soon it looks again after something has happened, and how soon otherwise; its own appends wake it at once.
const PAUSE_WHILE_BUSY: Duration = Duration::from_millis(20);
const PAUSE_WHILE_IDLE: Duration = Duration::from_millis(100);
/// How long something counts as having just happened.
const BUSY: Duration = Duration::from_secs(2);
/// How often, while nothing comes, it takes note of how far it has looked.
const NOTED: Duration = Duration::from_secs(10);
/// How many streams of keys are destroyed at a time.
const DESTROYED_AT_ONCE: usize = 32;

/// Why a page could not be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stuck {
    #[error(transparent)]
    Cluster(#[from] Trouble),
    #[error(transparent)]
    Keys(#[from] KeyError),
    #[error("the index cannot be written: {0}")]
    Index(#[from] rusqlite::Error),
    #[error("{0}")]
    Epoch(String),
    #[error(transparent)]
    Newer(#[from] Newer),
}

/// What a page holds.
#[derive(Default)]
struct Contents {
    entries: Vec<Entry>,
    forgotten: Vec<Forgotten>,
    keys: Vec<WrappedKey>,
    added: Added,
    epochs: Vec<EpochNotice>,
    peers: Vec<Peer>,
    document: Option<Document>,
    /// The last event, for the mark of what has been carried out.
    last: Option<Uuid>,
}

/// Follows until told to stop.
pub(crate) struct Tracker {
    node: Arc<Node>,
    runtime: Handle,
    prefixes: Vec<String>,
    reach: Reach,
    happened: Instant,
    noted: Instant,
}

impl Tracker {
    pub(crate) fn new(node: Arc<Node>, runtime: Handle) -> Self {
        let (prefixes, reach) = (node.names.of_all(), node.reach());
        let long_ago = Instant::now();
        Self { node, runtime, prefixes, reach, happened: long_ago, noted: long_ago }
    }

    pub(crate) fn run(mut self) {
        let mut pause = Pause::default();
        let mut keys_after = Some(self.reach.scanned);
        while !*self.node.closing.borrow() {
            // The end that is reached is the one that there was when it was asked for.
            let asked = Instant::now();
            let step = match keys_after {
                Some(after) => self.take_keys(after).map(|next| {
                    keys_after = next;
                    true
                }),
                None => self.step(),
            };
            let wait = match step {
                Ok(true) => {
                    pause = Pause::default();
                    continue;
                }
                Ok(false) => {
                    pause = Pause::default();
                    self.note_end(asked);
                    if self.happened.elapsed() < BUSY { PAUSE_WHILE_BUSY } else { PAUSE_WHILE_IDLE }
                }
                Err(stuck) => {
                    self.note_trouble(&stuck);
                    pause.next()
                }
            };
            wait_at_most(wait, self.node.wake.notified());
        }
    }

    /// Takes over the next keys that this node has not seen, before it follows anything: how the living ones are wrapped
    /// by now, since what wrapped them when they were drawn may be gone. After which position to go on; nothing where
    /// all have been seen.
    fn take_keys(&self, after: u64) -> Result<Option<u64>, Stuck> {
        let Some(read) = self.read(after, &self.node.names.of_keys()) else { return Ok(Some(after)) };
        let (page, is_full) = read?;
        self.node.keys.adopt(&keys_in(&page, &self.node.names))?;
        Ok(page.last().map(|last| last.position).filter(|_| is_full))
    }

    /// Takes the next page; whether there may be more.
    fn step(&mut self) -> Result<bool, Stuck> {
        let Some(read) = self.read(self.reach.scanned, &self.prefixes) else { return Ok(false) };
        let (page, is_full) = read?;
        if page.is_empty() {
            self.note_how_far()?;
            return Ok(false);
        }
        self.take(&page)?;
        self.happened = Instant::now();
        Ok(is_full)
    }

    /// A page, or nothing where the node is about to end.
    fn read(&self, after: u64, prefixes: &[String]) -> Option<Result<(Vec<Raw>, bool), Trouble>> {
        let mut closing = self.node.closing.subscribe();
        self.runtime.block_on(async {
            tokio::select! {
                read = self.node.connection.read_all(after, PAGE, prefixes) => Some(read),
                _ = closing.wait_for(|closing| *closing) => None,
            }
        })
    }

    fn take(&mut self, page: &[Raw]) -> Result<(), Stuck> {
        let node = Arc::clone(&self.node);
        let mut reach = self.reach;
        let contents = self.sort(page, &mut reach)?;
        let of_erased = node.keys.adopt(&contents.keys)?;
        self.take_epochs(&contents.epochs)?;
        let forgets = !contents.forgotten.is_empty();
        let mut destroyed = node.keys.destroyed_by(&contents.forgotten)?;
        destroyed.extend(of_erased);
        let through =
            contents.last.map(|event| CarriedOut { log: node.log_id, position: reach.scanned, event });
        if forgets || contents.last.is_some() {
            node.keys.carry_out(&contents.forgotten, through)?;
        }
        self.destroy(destroyed)?;
        {
            let mut index = node.index();
            index.add(&contents.added, reach)?;
            index.forget_answers(node.clock.now())?;
        }
        self.reach = reach;
        node.set_reach(reach);
        node.forget_remembered(contents.added.answers.iter().map(|(key, ..)| *key));
        self.note_heads(&contents.entries);
        node.recent.extend(&contents.entries);
        node.head.send_if_modified(|head| std::mem::replace(head, reach.position) != reach.position);
        if forgets {
            node.keys.note_erasure();
        }
        self.tell(contents.peers, contents.document);
        Ok(())
    }

    fn sort(&self, page: &[Raw], reach: &mut Reach) -> Result<Contents, Stuck> {
        let mut contents = Contents::default();
        for raw in page {
            reach.scanned = raw.position;
            // What the cluster itself says about a stream, that it was destroyed for example.
            if raw.tag.starts_with('$') {
                continue;
            }
            match self.node.names.holds(&raw.name) {
                Some(Holds::Events(_)) => self.take_event(raw, reach, &mut contents),
                Some(Holds::Key) => contents.keys.extend(key_in(raw)),
                Some(Holds::Epochs) => contents.epochs.extend(EpochNotice::of(raw)),
                Some(Holds::Answers) if raw.tag == ANSWERED => contents.added.answers.extend(answer_in(raw)),
                Some(Holds::Node) if raw.tag == ANNOUNCED => {
                    let peer = read_data::<Announcement>(raw).map(|said| self.peer(said));
                    contents.peers.extend(peer);
                }
                Some(Holds::Document) => contents.document = Some(document::of(raw)),
                Some(Holds::Identity) => refuse_newer(raw)?,
                _ => {}
            }
        }
        Ok(contents)
    }

    /// Whoever follows near the end hears the others as they speak, whatever their clocks say.
    fn peer(&self, said: Announcement) -> Peer {
        let is_near = self.node.following.borrow().at_end.is_some_and(|at| at.elapsed() < LAG_LIMIT);
        if is_near { Peer::heard(said) } else { Peer::heard_of(said, self.node.clock.now()) }
    }

    fn take_event(&self, raw: &Raw, reach: &mut Reach, contents: &mut Contents) {
        let event = StoredEvent::of(raw, &self.node.names);
        contents.last = Some(raw.id);
        reach.position = raw.position;
        reach.events += 1;
        match &event {
            Ok(event) => {
                reach.recorded_at = reach.recorded_at.max(event.recorded_at);
                contents
                    .added
                    .answers
                    .extend(event.answer().map(|(key, answer)| (key, answer, event.recorded_at)));
                contents.forgotten.extend(forgotten_by(event));
            }
            Err(bad) => tracing::error!(%bad, "the log holds something that is no event"),
        }
        if reach.events.is_multiple_of(MARKED_EVERY as u64) {
            let Reach { events, position, recorded_at, .. } = *reach;
            contents.added.marks.push(Mark { events, position, recorded_at });
        }
        contents.entries.push(Arc::new(event));
    }

    fn take_epochs(&self, notices: &[EpochNotice]) -> Result<(), Stuck> {
        for notice in notices {
            notice.carry_out(&self.node).map_err(Stuck::Epoch)?;
        }
        Ok(())
    }

    fn destroy(&self, keys: Vec<KeyName>) -> Result<(), Trouble> {
        let node = &self.node;
        let destroying = stream::iter(keys)
            .map(|name| async move { node.connection.destroy(&node.names.key(name)).await })
            .buffer_unordered(DESTROYED_AT_ONCE)
            .collect::<Vec<_>>();
        self.runtime.block_on(destroying).into_iter().collect()
    }

    fn note_heads(&self, entries: &[Entry]) {
        for event in entries.iter().filter_map(|entry| entry.as_ref().as_ref().ok()) {
            if let Ok(stream) = event.stream.parse() {
                self.node.note_head(stream, event.revision, event.effective_at);
            }
        }
    }

    fn tell(&self, peers: Vec<Peer>, document: Option<Document>) {
        if !peers.is_empty() {
            self.node.peers.send_modify(|known: &mut HashMap<Uuid, Peer>| {
                known.extend(peers.into_iter().map(|peer| (peer.node, peer)));
            });
        }
        if let Some(document) = document {
            document::replace(&self.node, document);
        }
    }

    /// While nothing of ours comes, others write all the same: what has been looked through once is not again.
    fn note_how_far(&mut self) -> Result<(), Stuck> {
        if self.noted.elapsed() < NOTED {
            return Ok(());
        }
        self.noted = Instant::now();
        let looked = self.node.connection.nothing_after(self.reach.scanned, &self.prefixes);
        if let Some(scanned) = self.runtime.block_on(looked)? {
            self.reach.scanned = scanned;
            self.node.index().add(&Added::default(), self.reach)?;
            self.node.set_reach(self.reach);
        }
        Ok(())
    }

    fn note_end(&self, asked: Instant) {
        self.node.following.send_modify(|following| {
            following.at_end = Some(asked);
            following.trouble = None;
        });
    }

    fn note_trouble(&self, stuck: &Stuck) {
        let trouble = stuck.to_string();
        self.node.following.send_if_modified(|following| {
            let is_new = following.trouble.as_ref() != Some(&trouble);
            if is_new {
                tracing::error!(trouble, "the log cannot be followed; trying again");
                following.trouble = Some(trouble);
            }
            is_new
        });
    }
}

fn answer_in(raw: &Raw) -> Option<(CommandKey, KeyedAnswer, i64)> {
    let NothingDone { stream, revision, position, at, command } = read_data(raw)?;
    command.answer(stream, revision, position).map(|(key, answer)| (key, answer, at))
}

fn forgotten_by(event: &StoredEvent) -> Option<Forgotten> {
    if !FORGETTING.contains(&event.tag.as_str()) {
        return None;
    }
    let StreamId { kind, id } = event.stream.parse().ok()?;
    let forgotten = Event::decode(kind, &event.tag, &event.data).ok().and_then(|decoded| decoded.forgets(id));
    if forgotten.is_none() {
        tracing::error!(position = event.position, "an erasure cannot be read and was not carried out");
    }
    forgotten
}
