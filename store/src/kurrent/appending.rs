//! Appending: many streams at a time, each in its order. Whoever appends waits in the lane of the stream; what waits
//! there and follows on one another goes to the cluster in one call, and nothing of a stream is sent before the call
//! before it has been answered.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use domain::{Answer, Append, AppendError, CommandKey, KeyedAnswer, StreamId};
use futures::{StreamExt as _, stream};
use tokio::sync::{AcquireError, Notify, OwnedSemaphorePermit, Semaphore, oneshot};

use crate::{
    kurrent::{
        envelope::{ANSWERED, Ended, NothingDone, StoredEvent, propose},
        keys::sharing::share_key,
        node::Node,
        wire::{
            events::{Expected, Proposed, random},
            pause::Pause,
            trouble::{Trouble, not_done},
        },
    },
    recording::{
        prepared::{LIMIT, Prepared, SealedWith},
        stream_head::Head,
    },
};

/// How many appends may wait, how many bytes, and how long for a place among them.
const WAITING: usize = 4_096;
const WAITING_BYTES: usize = 64 << 20;
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);
/// How many calls are under way at a time: a server takes a hundred on one connection, and more would wait unseen.
const UNDER_WAY: usize = 80;
/// How many bytes go in one call: the limit of the server, which nobody can ask it for.
const CALL: usize = 1 << 20;
/// How many bytes several appends that share a call may have, as they are counted before they are written out.
const SHARED_CALL: usize = CALL / 4;
/// How many events of one stream go in one call.
const EVENTS_PER_CALL: usize = 500;
/// How often an append is tried whose answer was lost.
const TRIES: usize = 8;
/// How often keys are drawn anew because another node was faster.
const DRAWS: usize = 16;
/// How many keys of one call are shared at a time.
const KEYS_AT_ONCE: usize = 4;
/// How long whoever erases waits until it has been carried out here.
const ERASING: Duration = Duration::from_secs(15);

type Outcome = Result<Answer, AppendError>;

/// The way of all appends of this node.
pub(crate) struct Appending {
    node: Arc<Node>,
    lanes: Mutex<HashMap<StreamId, VecDeque<Waiting>>>,
    /// The keys of commands that are being carried out, in whichever lane.
    claimed: Mutex<HashSet<CommandKey>>,
    unclaimed: Notify,
    places: Arc<Semaphore>,
    /// Bytes.
    room: Arc<Semaphore>,
    calls: Semaphore,
}

/// One append that waits, sealed by its caller. It is sealed again where another node was faster with a key.
struct Waiting {
    append: Append,
    prepared: Prepared,
    sealed_with: SealedWith,
    reply: oneshot::Sender<Outcome>,
    _place: OwnedSemaphorePermit,
    _room: OwnedSemaphorePermit,
}

impl Waiting {
    /// Whether no key has been given up since it was sealed.
    fn is_sealed_for(&self, node: &Node) -> bool {
        self.sealed_with.1 == node.keys.given_up()
    }
}

impl Appending {
    pub(crate) fn new(node: Arc<Node>) -> Self {
        Self {
            node,
            lanes: Mutex::default(),
            claimed: Mutex::default(),
            unclaimed: Notify::new(),
            places: Arc::new(Semaphore::new(WAITING)),
            room: Arc::new(Semaphore::new(WAITING_BYTES)),
            calls: Semaphore::new(UNDER_WAY),
        }
    }

    /// How many appends wait or are on their way.
    pub(crate) fn waiting(&self) -> usize {
        WAITING - self.places.available_permits()
    }

    /// Appends, after those of the same stream that came before. What was begun is brought to its end, whether or not
    /// anybody still waits for the answer.
    pub(crate) async fn append(self: &Arc<Self>, append: Append) -> Outcome {
        if let Some(trouble) = self.node.stands_still() {
            return Err(AppendError::Unavailable(trouble));
        }
        let (prepared, sealed_with) = Prepared::new(&append, &self.node.keys)?;
        let size = u32::try_from(prepared.size).unwrap_or(u32::MAX);
        let waiting = async {
            let place = Arc::clone(&self.places).acquire_owned().await?;
            Ok::<_, AcquireError>((place, Arc::clone(&self.room).acquire_many_owned(size).await?))
        };
        let full = || AppendError::Unavailable("too many commands wait".to_owned());
        let waiting = tokio::time::timeout(QUEUE_TIMEOUT, waiting).await.map_err(|_| full())?;
        let (place, room) = waiting.map_err(|_| full())?;
        let (reply, answer) = oneshot::channel();
        let stream = append.stream;
        let is_first = {
            let mut lanes = self.lanes();
            let is_first = !lanes.contains_key(&stream);
            lanes.entry(stream).or_default().push_back(Waiting {
                append,
                prepared,
                sealed_with,
                reply,
                _place: place,
                _room: room,
            });
            is_first
        };
        if is_first {
            tokio::spawn(Arc::clone(self).drive(stream));
        }
        answer.await.unwrap_or(Err(AppendError::OutcomeUnknown))
    }

    /// Carries out whatever waits in a lane until nothing does.
    async fn drive(self: Arc<Self>, stream: StreamId) {
        let lane = Lane { appending: &self, stream, is_closed: AtomicBool::new(false) };
        while let Some(first) = lane.next() {
            self.carry_out(&lane, first).await;
        }
    }

    /// Carries out the first that waits, and with it those that follow on it.
    async fn carry_out(&self, lane: &Lane<'_>, first: Waiting) {
        let _claim = match first.append.key {
            Some((key, _)) => Some(self.claim(key).await),
            None => None,
        };
        match self.answered(&first.append) {
            Ok(None) => {}
            Ok(Some(answer)) => return reply(first, Err(AppendError::Answered(Box::new(answer)))),
            Err(error) => return reply(first, Err(error)),
        }
        let _call = self.calls.acquire().await;
        if first.append.events.is_empty() {
            let outcome = self.nothing_done(&first.append).await;
            return reply(first, outcome);
        }
        let head = match self.head_of(&first.append).await {
            Ok(head) => head,
            Err(error) => return reply(first, Err(error)),
        };
        let (group, claims) = self.group(lane, first);
        self.send(group, head).await;
        drop(claims);
    }

    fn answered(&self, append: &Append) -> Result<Option<KeyedAnswer>, AppendError> {
        let Some((key, _)) = append.key else { return Ok(None) };
        self.node.answer(key).map_err(|error| AppendError::Unavailable(error.to_string()))
    }

    /// The head that an append goes on from. What is known here is enough where it fits: the cluster has the last word.
    async fn head_of(&self, append: &Append) -> Result<Head, AppendError> {
        let wrong = |actual| AppendError::WrongRevision { expected: append.expected, actual };
        match self.node.heads.get(&append.stream) {
            Some(head) if head.revision == append.expected => return Ok(head),
            // A stream never gets shorter.
            Some(head) if head.revision > append.expected => return Err(wrong(head.revision)),
            None if append.expected == 0 => return Ok(Head::NONE),
            _ => {}
        }
        let last = self.node.connection.last_of(&self.node.names.stream(append.stream)).await;
        let last = last.map_err(|trouble| not_done(&trouble))?;
        let Some(last) = last else {
            return if append.expected == 0 { Ok(Head::NONE) } else { Err(wrong(0)) };
        };
        let event = StoredEvent::of(&last, &self.node.names);
        let event = event.map_err(|bad| AppendError::Unavailable(bad.to_string()))?;
        self.node.note_head(append.stream, event.revision, event.effective_at);
        if event.revision == append.expected {
            Ok(Head { revision: event.revision, effective_at: event.effective_at })
        } else {
            Err(wrong(event.revision))
        }
    }

    /// The first, and those behind it that follow on it, as far as one call can hold them.
    fn group(&self, lane: &Lane<'_>, first: Waiting) -> (Vec<Waiting>, Vec<Claim<'_>>) {
        let (mut group, mut claims): (Vec<Waiting>, Vec<Claim<'_>>) = (Vec::new(), Vec::new());
        let (mut next, mut bytes, mut events, mut waiting) = (first.append.expected, 0, 0, Some(first));
        while let Some(member) = waiting.take() {
            next += member.prepared.events.len() as u64;
            events += member.prepared.events.len();
            bytes += member.prepared.size;
            group.push(member);
            waiting = lane.next_if(|behind| {
                let follows = behind.append.expected == next && !behind.append.events.is_empty();
                let fits = events + behind.prepared.events.len() <= EVENTS_PER_CALL
                    && bytes + behind.prepared.size <= SHARED_CALL;
                follows && fits && self.claim_at_once(&behind.append, &mut claims)
            });
        }
        (group, claims)
    }

    fn claim_at_once<'c>(&'c self, append: &Append, claims: &mut Vec<Claim<'c>>) -> bool {
        let Some((key, _)) = append.key else { return true };
        if !self.claimed().insert(key) {
            return false;
        }
        let claim = Claim { appending: self, key };
        if !matches!(self.answered(append), Ok(None)) {
            return false;
        }
        claims.push(claim);
        true
    }

    /// Waits until nobody else is working on a key.
    async fn claim(&self, key: CommandKey) -> Claim<'_> {
        loop {
            let released = self.unclaimed.notified();
            tokio::pin!(released);
            released.as_mut().enable();
            if self.claimed().insert(key) {
                return Claim { appending: self, key };
            }
            released.await;
        }
    }

    /// Sends a group in one call, and answers every member.
    async fn send(&self, mut group: Vec<Waiting>, head: Head) {
        let Some(first) = group.first() else { return };
        let (stream, expected) = (first.append.stream, first.append.expected);
        if let Err(error) = self.share_keys(&mut group).await {
            return refuse(group, &error);
        }
        let recorded_at = self.node.stamp();
        let proposed = match Proposal::of(&group, head, recorded_at) {
            Ok(proposed) => proposed,
            Err(error) => return refuse(group, &error),
        };
        match self.append_once(stream, expected, &proposed).await {
            Ok(positions) => self.done(group, proposed, &positions).await,
            Err(error) => {
                if let AppendError::WrongRevision { actual, .. } = error {
                    // What is known of it is not so any more.
                    self.node.heads.remove(&stream);
                    return refuse_revisions(group, actual);
                }
                refuse(group, &error);
            }
        }
    }

    /// Sees to it that the keys that a group is sealed with stand in the cluster before it does. Where another node
    /// was faster with one of them, what was sealed with the other one is sealed again.
    async fn share_keys(&self, group: &mut [Waiting]) -> Result<(), AppendError> {
        for _ in 0..DRAWS {
            for member in group.iter_mut() {
                if !member.is_sealed_for(&self.node) {
                    (member.prepared, member.sealed_with) = Prepared::new(&member.append, &self.node.keys)?;
                }
            }
            let names: Vec<_> =
                group.iter().flat_map(|member| member.sealed_with.0.iter().copied()).collect();
            let waiting = self.node.keys.waiting(&names);
            let shared = stream::iter(waiting).map(|key| async move { share_key(&self.node, &key).await });
            let shared: Vec<Result<bool, AppendError>> =
                shared.buffer_unordered(KEYS_AT_ONCE).collect().await;
            let ours = shared.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().all(|is_ours| is_ours);
            // None of its keys waits any more, so none can be given up any more.
            if ours && group.iter().all(|member| member.is_sealed_for(&self.node)) {
                return Ok(());
            }
        }
        Err(AppendError::Unavailable("other nodes keep drawing the same keys".to_owned()))
    }

    /// Appends, however often an answer gets lost, once. The positions of the events.
    async fn append_once(
        &self,
        stream: StreamId,
        expected: u64,
        proposal: &Proposal,
    ) -> Result<Vec<u64>, AppendError> {
        let name = self.node.names.stream(stream);
        let events = &proposal.events;
        let moved_on = |actual| AppendError::WrongRevision { expected, actual };
        let (mut pause, mut is_unsure) = (Pause::default(), false);
        for _ in 0..TRIES {
            match self.node.connection.append(&name, Expected::Events(expected), events).await {
                // One event stands where the cluster says; of several it says only where one of them stands.
                Ok(written) if events.len() == 1 && !self.may_be_anothers(proposal) => {
                    match written.position {
                        Some(position) => return Ok(vec![position]),
                        None => {
                            return self
                                .positions(&name, expected, proposal)
                                .await?
                                .ok_or(moved_on(expected + 1));
                        }
                    }
                }
                Ok(_) => {
                    let moved_on = moved_on(expected + events.len() as u64);
                    return self.positions(&name, expected, proposal).await?.ok_or(moved_on);
                }
                // After a lost answer it may be the append itself that has moved the stream on.
                Err(Trouble::Revision(actual)) if is_unsure && actual > expected => {
                    return self.positions(&name, expected, proposal).await?.ok_or(moved_on(actual));
                }
                Err(Trouble::Revision(actual)) => return Err(moved_on(actual)),
                Err(Trouble::Destroyed) => {
                    return Err(AppendError::Unavailable(format!(
                        "the stream {name} was destroyed in the cluster"
                    )));
                }
                Err(Trouble::Refused(reason)) => return Err(refused(events, &reason)),
                Err(trouble @ (Trouble::NotDone(_) | Trouble::Moved(_))) => {
                    tracing::warn!(%trouble, "an append is tried again");
                }
                Err(Trouble::Unknown(reason)) => {
                    is_unsure = true;
                    tracing::warn!(reason, "the answer to an append was lost; it is tried again");
                }
            }
            tokio::time::sleep(pause.next()).await;
        }
        if is_unsure {
            Err(AppendError::OutcomeUnknown)
        } else {
            Err(AppendError::Unavailable("the cluster cannot be reached".to_owned()))
        }
    }

    /// Whether the cluster may have taken the events for those of another node. The ids of events follow from the key
    /// of their command, so two commands with one key and different bodies look alike to it.
    fn may_be_anothers(&self, proposal: &Proposal) -> bool {
        proposal.ends.iter().any(Option::is_some) && self.node.has_company()
    }

    /// Where events that were appended stand; `None` where it is others that stand there.
    async fn positions(
        &self,
        name: &str,
        expected: u64,
        proposal: &Proposal,
    ) -> Result<Option<Vec<u64>>, AppendError> {
        let Proposal { events, ends, .. } = proposal;
        let read = self.node.connection.read_stream(name, expected, events.len()).await;
        let found = read.map_err(|_| AppendError::OutcomeUnknown)?.unwrap_or_default();
        let is_it = found.iter().zip(events).zip(ends).all(|((raw, event), ends)| {
            let there = StoredEvent::of(raw, &self.node.names);
            raw.id == event.id && there.is_ok_and(|there| there.ends == *ends)
        });
        if is_it && found.len() < events.len() {
            // They stand there whole or not at all; where it was read they have not arrived.
            return Err(AppendError::OutcomeUnknown);
        }
        Ok(is_it.then(|| found.iter().map(|raw| raw.position).collect()))
    }

    /// Takes note of what stands now, and answers.
    async fn done(&self, group: Vec<Waiting>, proposed: Proposal, positions: &[u64]) {
        let node = &self.node;
        for event in &proposed.events {
            node.own.insert(event.id, ());
        }
        let Some(last) = positions.last() else { return refuse(group, &AppendError::OutcomeUnknown) };
        node.note_latest(*last);
        if let Some(member) = group.last() {
            let revision = member.prepared.expected + member.prepared.events.len() as u64;
            node.note_head(member.prepared.stream, revision, proposed.effective_at);
        }
        node.wake.notify_one();
        let mut placed = 0;
        for member in group {
            placed += member.prepared.events.len();
            let position = positions.get(placed - 1).copied().unwrap_or(*last);
            let answer = member.prepared.answer(position);
            if let Some((key, body)) = member.prepared.key {
                node.remember(key, KeyedAnswer { body, answer: answer.clone() });
                // Where it has been followed already, it stands in the index, and nobody comes by again.
                if node.reach().position >= position {
                    node.forget_remembered([key]);
                }
            }
            let forgets = member.prepared.events.iter().any(|event| event.forgets.is_some());
            // Before anybody is told of it, it has been carried out here.
            let outcome = if forgets {
                node.follow_to(position, ERASING).await.map_err(|_| AppendError::OutcomeUnknown)
            } else {
                Ok(())
            };
            reply(member, outcome.map(|()| answer));
        }
    }

    /// Keeps that a command changed nothing, if its stream is where whoever decided saw it.
    async fn nothing_done(&self, append: &Append) -> Outcome {
        let node = &self.node;
        let last = node.connection.last_of(&node.names.stream(append.stream)).await;
        let actual = last.map_err(|trouble| not_done(&trouble))?.map_or(0, |last| last.revision + 1);
        if actual != append.expected {
            return Err(AppendError::WrongRevision { expected: append.expected, actual });
        }
        let answer = Answer {
            stream: append.stream,
            revision: append.expected,
            position: domain::Position(node.latest()),
            events: Vec::new(),
            kept: append.kept.clone(),
        };
        if let Some((key, body)) = append.key {
            let said = NothingDone {
                stream: append.stream,
                revision: append.expected,
                position: answer.position.0,
                at: node.clock.now(),
                command: Ended::new(key, &body, Vec::new(), append.kept.clone()),
            };
            let event = Proposed::of(random(), ANSWERED, &said).map_err(|trouble| not_done(&trouble))?;
            let kept = node.connection.append_surely(&node.names.answers(), Expected::Any, &[event]).await;
            kept.map_err(|trouble| not_done(&trouble))?;
            node.remember(key, KeyedAnswer { body, answer: answer.clone() });
        }
        Ok(answer)
    }

    // What is done under these locks cannot panic half-way.
    fn lanes(&self) -> MutexGuard<'_, HashMap<StreamId, VecDeque<Waiting>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claimed(&self) -> MutexGuard<'_, HashSet<CommandKey>> {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What waits for one stream; the lane is gone when whoever drives it is.
struct Lane<'a> {
    appending: &'a Appending,
    stream: StreamId,
    /// Whether it was closed in good order; what has its name since then is another one.
    is_closed: AtomicBool,
}

impl Lane<'_> {
    /// The next that waits; where there is none the lane closes.
    fn next(&self) -> Option<Waiting> {
        let mut lanes = self.appending.lanes();
        let next = lanes.get_mut(&self.stream)?.pop_front();
        if next.is_none() {
            lanes.remove(&self.stream);
            self.is_closed.store(true, Ordering::Release);
        }
        next
    }

    fn next_if(&self, is_so: impl FnOnce(&Waiting) -> bool) -> Option<Waiting> {
        let mut lanes = self.appending.lanes();
        let lane = lanes.get_mut(&self.stream)?;
        let is_wanted = lane.front().is_some_and(is_so);
        if is_wanted { lane.pop_front() } else { None }
    }
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        // Where the driver ended otherwise than in good order, whoever waited learns that nothing is known.
        if !self.is_closed.load(Ordering::Acquire) {
            self.appending.lanes().remove(&self.stream);
        }
    }
}

/// A key that one append is working on.
struct Claim<'a> {
    appending: &'a Appending,
    key: CommandKey,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.appending.claimed().remove(&self.key);
        self.appending.unclaimed.notify_waiters();
    }
}

/// What goes to the cluster for a group.
struct Proposal {
    events: Vec<Proposed>,
    /// Which command each of them ends.
    ends: Vec<Option<Ended>>,
    /// The latest time of the stream after it.
    effective_at: i64,
}

impl Proposal {
    fn of(group: &[Waiting], head: Head, recorded_at: i64) -> Result<Self, AppendError> {
        let (mut events, mut all_ends, mut effective_at) = (Vec::new(), Vec::new(), head.effective_at);
        for Waiting { prepared, .. } in group {
            effective_at = effective_at.max(prepared.occurred_at.unwrap_or(recorded_at));
            let ids = || prepared.events.iter().map(|event| (event.id.0, event.tag.clone())).collect();
            let mut ends =
                prepared.key.map(|(key, body)| Ended::new(key, &body, ids(), prepared.kept.clone()));
            let count = prepared.events.len();
            for (index, (event, revision)) in prepared.events.iter().zip(prepared.expected + 1..).enumerate()
            {
                let stored = domain::Stored {
                    position: domain::Position::START,
                    stream: &prepared.stream_name,
                    revision,
                    id: event.id.0.as_bytes(),
                    tag: &event.tag,
                    occurred_at: prepared.occurred_at,
                    effective_at,
                    recorded_at,
                    actor: &prepared.actor,
                    subjects: &event.subjects,
                    metadata: prepared.metadata.as_deref(),
                    data: &event.data,
                };
                let ends = if index + 1 == count { ends.take() } else { None };
                events.push(propose(&stored, ends.clone()).map_err(AppendError::Unavailable)?);
                all_ends.push(ends);
            }
        }
        let size = events.iter().map(Proposed::size).sum();
        if size > CALL && group.len() == 1 {
            return Err(AppendError::TooLarge { limit: LIMIT, size });
        }
        Ok(Self { events, ends: all_ends, effective_at })
    }
}

fn reply(waiting: Waiting, outcome: Outcome) {
    // Whoever has stopped waiting asks again with the same key.
    let _ = waiting.reply.send(outcome);
}

fn refuse(group: Vec<Waiting>, error: &AppendError) {
    for member in group {
        reply(member, Err(error.clone()));
    }
}

fn refuse_revisions(group: Vec<Waiting>, actual: u64) {
    for member in group {
        let expected = member.append.expected;
        reply(member, Err(AppendError::WrongRevision { expected, actual }));
    }
}

fn refused(events: &[Proposed], reason: &str) -> AppendError {
    let size: usize = events.iter().map(Proposed::size).sum();
    // The client does not say which argument it was; it is the size where that is anywhere near the limit.
    if size > CALL / 2 {
        return AppendError::TooLarge { limit: LIMIT, size };
    }
    AppendError::Unavailable(reason.to_owned())
}
