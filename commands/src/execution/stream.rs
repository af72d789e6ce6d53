//! Carrying out the commands of one stream: one load, as many decisions as there are commands, appends in
//! flight together, and another round for those that came too late.

use domain::{Answer, Append, AppendError, EventStore, KindEvent as _, ReadError, StreamId};
use futures::{StreamExt as _, stream::FuturesOrdered};
use quick_cache::{
    DefaultHashBuilder, OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};
use uuid::Uuid;

use super::{
    command::Command,
    deciding::{Loaded, Parsed, decide, evolve, parse},
    error::CommandError,
    gates::Gates,
    rights::writers,
};
use crate::kit::{decider::Decider, identity};

/// How often a command is decided anew because others wrote to its stream.
const ROUNDS: usize = 64;
/// How many commands of one stream are decided between two waits for the disk.
const COMMANDS_PER_ROUND: usize = 512;
/// How many other things one command may have looked up.
const LOOKED_UP: usize = 100;
/// How many events of a stream are read at a time.
const EVENTS_PER_READ: usize = 1_000;
/// How many streams of a kind are expected to be remembered, and how much their states may weigh in all: as many
/// events as they were folded from, and a fixed part each.
const REMEMBERED_STREAMS: usize = 5_000;
const REMEMBERED_WEIGHT: u64 = 100_000;
const FIXED_WEIGHT: u64 = 8;
/// No state weighs more than this, however long its stream is: the state that was used last is always kept.
const WEIGHT_MAX: u64 = REMEMBERED_WEIGHT / 8;

/// The loop for one kind of thing, with the states that it remembers.
pub(crate) struct StreamExecution<D: Decider> {
    remembered: Cache<Uuid, Loaded<D::State>, ByEvents>,
    gates: Gates,
    /// Only one at a time looks up other things and decides by them, so that what it found is still so when its
    /// events are recorded, as far as others of its sort can change it.
    looking_up: futures::lock::Mutex<()>,
}

/// A memory of one part: by default there are as many as the machine has cores, each with its share of the budget, and a
/// long stream fits into none.
fn one_budget<S: Clone>() -> Cache<Uuid, Loaded<S>, ByEvents> {
    let options = OptionsBuilder::new()
        .estimated_items_capacity(REMEMBERED_STREAMS)
        .weight_capacity(REMEMBERED_WEIGHT)
        .shards(1)
        .build();
    // All that must be said is said.
    options.map_or_else(
        |_| Cache::with_weighter(REMEMBERED_STREAMS, REMEMBERED_WEIGHT, ByEvents),
        |options| {
            Cache::with_options(options, ByEvents, DefaultHashBuilder::default(), DefaultLifecycle::default())
        },
    )
}

#[derive(Clone)]
struct ByEvents;

impl<S> Weighter<Uuid, Loaded<S>> for ByEvents {
    fn weight(&self, _: &Uuid, loaded: &Loaded<S>) -> u64 {
        (loaded.revision + FIXED_WEIGHT).min(WEIGHT_MAX)
    }
}

type Outcome = Result<Answer, CommandError>;

/// What a decision came to before the log has answered.
enum Settled {
    Unchanged(Box<Append>),
    Refused(CommandError),
    Appending,
}

impl<D: Decider> StreamExecution<D> {
    pub(crate) fn new() -> Self {
        Self {
            remembered: one_budget(),
            gates: Gates::default(),
            looking_up: futures::lock::Mutex::default(),
        }
    }

    /// Remembers no state any more.
    pub(crate) fn forget(&self) {
        self.remembered.clear();
    }

    /// Carries out the commands of one stream in their order.
    pub(crate) async fn run(&self, store: &dyn EventStore, id: Uuid, group: Vec<Command>) -> Vec<Outcome> {
        let mut outcomes: Vec<Option<Outcome>> = (0..group.len()).map(|_| None).collect();
        let mut waiting = Vec::new();
        for (index, envelope) in group.into_iter().enumerate() {
            match Self::admit(store, envelope).await {
                Ok(Admitted::Answered(answer)) => outcomes[index] = Some(Ok(*answer)),
                Ok(Admitted::Parsed(parsed)) => waiting.push((index, *parsed)),
                Err(error) => outcomes[index] = Some(Err(error)),
            }
        }
        let looks_up = waiting.iter().any(|(_, parsed)| D::requires(&parsed.command).is_some());
        // Taken before the gate of the stream, always in this order, so that nobody waits in a circle.
        let _alone = if looks_up { Some(self.looking_up.lock().await) } else { None };
        let _through = self.gates.pass(id).await;
        for (_, parsed) in &mut waiting {
            if let Err(error) = self.look_up(store, &mut parsed.command).await {
                return outcomes
                    .into_iter()
                    .map(|outcome| outcome.unwrap_or(Err(error.clone().into())))
                    .collect();
            }
        }
        let mut rounds_without_progress = 0;
        while !waiting.is_empty() && rounds_without_progress < ROUNDS {
            let before = waiting.len();
            match self.round(store, id, &mut waiting, &mut outcomes).await {
                Ok(()) => {}
                Err(error) => {
                    for (index, _) in waiting.drain(..) {
                        outcomes[index] = Some(Err(CommandError::Read(error.clone())));
                    }
                }
            }
            rounds_without_progress = if waiting.len() < before { 0 } else { rounds_without_progress + 1 };
        }
        outcomes.into_iter().map(|outcome| outcome.unwrap_or(Err(CommandError::RetriesExhausted))).collect()
    }

    /// Reads a command, checks the sender's right to it, and looks whether its key was answered before.
    async fn admit(store: &dyn EventStore, envelope: Command) -> Result<Admitted<D::Command>, CommandError> {
        let (role, allowed) = (envelope.sender.role, writers::<D>(&envelope.body.name));
        if !allowed.contains(&role) && !envelope.sender.system {
            return Err(CommandError::Forbidden { role, allowed });
        }
        let command = parse::<D>(&envelope)?;
        let key = envelope.command_key();
        if let Some(key) = key
            && let Some(kept) = store.answer(key).await?
        {
            return same_body(&envelope, kept).map(|answer| Admitted::Answered(Box::new(answer)));
        }
        let id = key.map_or_else(draw, identity::command_of_key);
        Ok(Admitted::Parsed(Box::new(Parsed { command, envelope, id, key })))
    }

    /// Finds what the command requires in other streams of the kind.
    async fn look_up(&self, store: &dyn EventStore, command: &mut D::Command) -> Result<(), ReadError> {
        for _ in 0..LOOKED_UP {
            let Some(other) = D::requires(command) else { return Ok(()) };
            let stream = StreamId::new(D::Event::KIND, other);
            // What is remembered stays there: whoever works on that stream now may want it.
            let found = Self::catch_up(store, stream, self.remembered.get(&other)).await?;
            D::supply(command, other, &found.state, found.revision);
        }
        Ok(())
    }

    /// One load, the decisions on it, and the log's answers. What could not be settled stays waiting.
    async fn round(
        &self,
        store: &dyn EventStore,
        id: Uuid,
        waiting: &mut Vec<(usize, Parsed<D::Command>)>,
        outcomes: &mut [Option<Outcome>],
    ) -> Result<(), ReadError> {
        let stream = StreamId::new(D::Event::KIND, id);
        let mut loaded = self.load(store, stream).await?;
        let mut appending = FuturesOrdered::new();
        let mut settled = Vec::new();
        for (_, parsed) in waiting.iter().take(COMMANDS_PER_ROUND) {
            settled.push(match decide::<D>(&mut loaded, stream, parsed) {
                Ok(append) if append.events.is_empty() && append.key.is_none() => {
                    Settled::Unchanged(Box::new(append))
                }
                Ok(append) => {
                    appending.push_back(store.append(append));
                    Settled::Appending
                }
                Err(error) => Settled::Refused(error),
            });
        }
        let mut remaining = waiting.split_off(settled.len());
        let mut decided = std::mem::take(waiting).into_iter();
        let mut on_solid_ground = true;
        for settled in settled {
            let Some((index, parsed)) = decided.next() else { break };
            let outcome = match settled {
                // What was decided on events that the log then did not take is decided anew.
                Settled::Unchanged(_) | Settled::Refused(_) if !on_solid_ground => None,
                // Only now is what it rests on recorded, and the end of the log beyond that.
                Settled::Unchanged(append) => Some(Ok(unchanged(&append, store))),
                Settled::Refused(error) => Some(Err(error)),
                Settled::Appending => match appending.next().await {
                    Some(result) => appended(result, &parsed.envelope),
                    None => None,
                },
            };
            let Some(outcome) = outcome else {
                on_solid_ground = false;
                waiting.push((index, parsed));
                continue;
            };
            on_solid_ground &= !matches!(outcome, Err(CommandError::Append(_) | CommandError::KeyReused));
            outcomes[index] = Some(outcome);
        }
        if on_solid_ground && loaded.erasures == store.erasures() {
            self.remembered.insert(id, loaded);
        }
        waiting.append(&mut remaining);
        Ok(())
    }

    /// The state of a stream: what is remembered, brought up to date. It is taken out of the memory, so that
    /// nobody decides on a state that this round has already moved on.
    async fn load(&self, store: &dyn EventStore, stream: StreamId) -> Result<Loaded<D::State>, ReadError> {
        let remembered = self.remembered.remove(&stream.id).map(|(_, loaded)| loaded);
        Self::catch_up(store, stream, remembered).await
    }

    /// What is remembered of a stream, if anything, with all that has been recorded since.
    async fn catch_up(
        store: &dyn EventStore,
        stream: StreamId,
        remembered: Option<Loaded<D::State>>,
    ) -> Result<Loaded<D::State>, ReadError> {
        // Noted before anything is read: what is forgotten meanwhile is then not remembered.
        let erasures = store.erasures();
        let fresh = || Loaded { state: D::State::default(), revision: 0, erasures };
        let mut loaded = remembered.filter(|loaded| loaded.erasures == erasures).unwrap_or_else(fresh);
        loop {
            let events = store.read_stream(stream, loaded.revision, EVENTS_PER_READ).await?;
            let count = events.len();
            for recorded in events {
                evolve::<D>(&mut loaded.state, &recorded);
                loaded.revision = recorded.revision;
            }
            if count < EVENTS_PER_READ {
                return Ok(loaded);
            }
        }
    }
}

enum Admitted<C> {
    Answered(Box<Answer>),
    Parsed(Box<Parsed<C>>),
}

fn unchanged(append: &Append, store: &dyn EventStore) -> Answer {
    Answer {
        stream: append.stream,
        revision: append.expected,
        position: store.latest(),
        events: Vec::new(),
        kept: append.kept.clone(),
    }
}

/// What the log's answer means for the command; `None`: others were faster, decide anew.
fn appended(result: Result<Answer, AppendError>, envelope: &Command) -> Option<Outcome> {
    match result {
        Ok(answer) => Some(Ok(answer)),
        Err(AppendError::WrongRevision { actual, .. }) => envelope
            .if_match
            .filter(|expected| *expected != actual)
            .map(|expected| Err(CommandError::RevisionMismatch { expected, actual })),
        Err(AppendError::Answered(kept)) => Some(same_body(envelope, *kept)),
        Err(error) => Some(Err(CommandError::Append(error))),
    }
}

fn same_body(envelope: &Command, kept: domain::KeyedAnswer) -> Outcome {
    if kept.body == envelope.fingerprint() { Ok(kept.answer) } else { Err(CommandError::KeyReused) }
}

/// The loop draws the ids of commands that came without a key; deciding never does.
#[expect(
    clippy::disallowed_methods,
    reason = "a command without a key gets its id here, at the door of deciding"
)]
fn draw() -> Uuid {
    Uuid::now_v7()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_stream_is_remembered_however_long_the_stream_is() {
        let remembered = one_budget::<()>();
        for number in 1..=100 {
            let id = Uuid::from_u128(number);
            remembered.insert(id, Loaded { state: (), revision: 1_000_000_000, erasures: 0 });
            assert!(remembered.get(&id).is_some(), "the state of stream {number}");
            assert!(
                remembered.weight() <= REMEMBERED_WEIGHT,
                "after stream {number}: {}",
                remembered.weight()
            );
        }
    }
}
