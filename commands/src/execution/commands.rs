//! The one loop: load, decide, append, retry. Every command of every kind takes this way, and nothing else
//! writes to the log.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use domain::{Answer, CommandKey, EventStore, Kind, KindEvent as _, ReadError, Zones, days::begins};
use futures::{StreamExt as _, future::BoxFuture, stream};
use uuid::Uuid;

use super::{
    command::{Command, Malformed},
    description::KindDescription,
    error::CommandError,
    registry::Registry,
    request::Request,
    stream::StreamExecution,
};
use crate::kit::decider::Decider;

/// How many streams are worked on at a time for one batch.
const STREAMS_AT_A_TIME: usize = 512;

/// Carries out commands against a log.
pub struct Commands {
    store: Arc<dyn EventStore>,
    kinds: BTreeMap<Kind, Box<dyn Executor>>,
    in_flight: Mutex<HashSet<CommandKey>>,
    /// After which erasures the kinds remember what they remember.
    erasures: AtomicU64,
}

/// The loop of one kind, whatever its types are.
trait Executor: Send + Sync {
    fn execute<'a>(
        &'a self,
        store: &'a dyn EventStore,
        id: Uuid,
        group: Vec<Command>,
    ) -> BoxFuture<'a, Vec<Result<Answer, CommandError>>>;

    /// Remembers nothing of what it has opened.
    fn forget(&self);

    fn describe(&self) -> KindDescription;
}

impl<D: Decider> Executor for StreamExecution<D> {
    fn execute<'a>(
        &'a self,
        store: &'a dyn EventStore,
        id: Uuid,
        group: Vec<Command>,
    ) -> BoxFuture<'a, Vec<Result<Answer, CommandError>>> {
        Box::pin(self.run(store, id, group))
    }

    fn forget(&self) {
        Self::forget(self);
    }

    fn describe(&self) -> KindDescription {
        KindDescription::of::<D>()
    }
}

/// The commands of one stream, each with its place in the batch.
type Group = ((Kind, Uuid), Vec<(usize, Command)>);

/// Every kind with its loop.
#[derive(Default)]
pub(crate) struct Kinds(BTreeMap<Kind, Box<dyn Executor>>);

impl Registry for Kinds {
    fn register<D: Decider>(&mut self) {
        self.0.insert(D::Event::KIND, Box::new(StreamExecution::<D>::new()));
    }
}

impl Commands {
    /// These kinds of commands against a log.
    pub(crate) fn with(kinds: Kinds, store: Arc<dyn EventStore>) -> Self {
        let erasures = AtomicU64::new(store.erasures());
        Self { store, kinds: kinds.0, in_flight: Mutex::default(), erasures }
    }

    /// What can be asked, for documentation and help.
    pub fn describe(&self) -> Vec<KindDescription> {
        self.kinds.values().map(|kind| kind.describe()).collect()
    }

    /// Carries out a command that the program itself sends, given as a value of the kind's own type. It takes the
    /// same way as one that came as JSON.
    pub async fn carry_out<D: Decider>(&self, request: Request<D::Command>) -> Result<Answer, CommandError> {
        self.execute(request.into_command(D::Event::KIND)?).await
    }

    /// Carries out one command.
    pub async fn execute(&self, command: Command) -> Result<Answer, CommandError> {
        self.execute_all(vec![command]).await.pop().unwrap_or(Err(CommandError::RetriesExhausted))
    }

    /// Carries out commands, those of one stream in their order, and answers each in its place. One that is
    /// refused harms no other.
    pub async fn execute_all(&self, mut commands: Vec<Command>) -> Vec<Result<Answer, CommandError>> {
        let count = commands.len();
        if let Err(error) = self.begin_days(&mut commands).await {
            return commands.iter().map(|_| Err(error.clone().into())).collect();
        }
        let mut answers: Vec<Option<Result<Answer, CommandError>>> = (0..count).map(|_| None).collect();
        let mut groups: Vec<Group> = Vec::new();
        let mut group_of = HashMap::new();
        let mut held = HeldKeys { keys: Vec::new(), commands: self };
        for (index, command) in commands.into_iter().enumerate() {
            if !held.take(&command) {
                answers[index] = Some(Err(CommandError::KeyInFlight));
                continue;
            }
            let address = (command.kind, command.id);
            let group = *group_of.entry(address).or_insert_with(|| {
                groups.push((address, Vec::new()));
                groups.len() - 1
            });
            groups[group].1.push((index, command));
        }
        let mut results = stream::iter(groups)
            .map(|((kind, id), group)| async move {
                let (indexes, group): (Vec<_>, Vec<_>) = group.into_iter().unzip();
                (indexes, self.execute_group(kind, id, group).await)
            })
            .buffer_unordered(STREAMS_AT_A_TIME);
        while let Some((indexes, outcomes)) = results.next().await {
            for (index, outcome) in indexes.into_iter().zip(outcomes) {
                answers[index] = Some(outcome);
            }
        }
        answers.into_iter().map(|answer| answer.unwrap_or(Err(CommandError::RetriesExhausted))).collect()
    }

    /// Finds out when the days began on which commands say that something was so.
    async fn begin_days(&self, commands: &mut [Command]) -> Result<(), ReadError> {
        if commands.iter().all(|command| command.body.day.is_none()) {
            return Ok(());
        }
        let zone = Zones::of(&*self.store).await?.current;
        for body in commands.iter_mut().map(|command| &mut command.body) {
            body.begins_at = body.day.map(|day| begins(day, zone));
        }
        Ok(())
    }

    async fn execute_group(
        &self,
        kind: Kind,
        id: Uuid,
        group: Vec<Command>,
    ) -> Vec<Result<Answer, CommandError>> {
        match self.kinds.get(&kind) {
            Some(executor) => {
                let outcomes = executor.execute(&*self.store, id, group).await;
                self.forget_what_was_erased();
                outcomes
            }
            None => group
                .iter()
                .map(|_| {
                    let message = format!("there are no commands for `{kind}`");
                    Err(CommandError::Malformed(Malformed { field: Some("kind".to_owned()), message }))
                })
                .collect(),
        }
    }
}

impl Commands {
    /// After an erasure no kind keeps a state of before: it may say what was forgotten.
    fn forget_what_was_erased(&self) {
        let now = self.store.erasures();
        if self.erasures.swap(now, Ordering::AcqRel) != now {
            self.kinds.values().for_each(|kind| kind.forget());
        }
    }
}

/// The keys that one call is working on; given back when it ends, however it ends.
struct HeldKeys<'a> {
    keys: Vec<CommandKey>,
    commands: &'a Commands,
}

impl HeldKeys<'_> {
    /// Whether the command may go on: it has no key, or nobody else is working on its key.
    fn take(&mut self, command: &Command) -> bool {
        let Some(key) = command.command_key() else { return true };
        // A key given twice within one call is a repetition: the second is answered like the first.
        if self.keys.contains(&key) {
            return true;
        }
        let free = self.commands.in_flight.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        if free {
            self.keys.push(key);
        }
        free
    }
}

impl Drop for HeldKeys<'_> {
    fn drop(&mut self) {
        let mut in_flight = self.commands.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        for key in &self.keys {
            in_flight.remove(key);
        }
    }
}
