//! The one loop: load, decide, append, retry. Every command of every kind takes this way, and nothing else
//! writes to the log.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use domain::{Answer, AppendError, CommandKey, EventStore, Kind, KindEvent as _, ReadError, Role};
use futures::{StreamExt as _, future::BoxFuture, stream};
use uuid::Uuid;

use crate::{
    command::{Command, Malformed},
    decider::Decider,
    description::KindDescription,
    identity,
    stream_execution::StreamExecution,
};

/// How many streams are worked on at a time for one batch.
const STREAMS_AT_A_TIME: usize = 512;

/// Why a command was not carried out. Nothing was recorded, except where the error says otherwise.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommandError {
    /// The command cannot be read: mend it.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The sender may not do this: ask somebody who may.
    #[error("the role `{role}` may not send this command; it is for {}", names(.allowed))]
    Forbidden {
        /// The sender's role.
        role: Role,
        /// Who may.
        allowed: &'static [Role],
    },
    /// A rule says no: read the message and decide anew.
    #[error("{message}")]
    Rejected {
        /// The rule's stable name.
        rule: String,
        /// For the person who asked.
        message: String,
    },
    /// The key was used for another command: draw a new one.
    #[error("this key was used for another command within the last 24 hours: draw a new key")]
    KeyReused,
    /// The same key is being worked on: wait and repeat.
    #[error("a command with this key is being carried out: repeat it in a moment to get its answer")]
    KeyInFlight,
    /// The stream is not at the revision that the sender saw: look again and decide anew.
    #[error("the stream is at revision {actual}, not at {expected}: read it again before you decide")]
    RevisionMismatch {
        /// What the sender expected.
        expected: u64,
        /// What it is.
        actual: u64,
    },
    /// Others were faster, too many times: repeat.
    #[error("others kept writing to the same stream: repeat the command")]
    RetriesExhausted,
    /// The log did not take the events.
    #[error(transparent)]
    Append(AppendError),
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

fn names(roles: &[Role]) -> String {
    if roles.is_empty() {
        return "nobody by itself".to_owned();
    }
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ")
}

/// Carries out commands against a log.
pub struct Commands {
    store: Arc<dyn EventStore>,
    kinds: BTreeMap<Kind, Box<dyn Executor>>,
    in_flight: Mutex<HashSet<CommandKey>>,
    /// After which erasures the kinds remember what they remember.
    erasures: AtomicU64,
}

/// Whoever walks the list of deciders: see [`crate::all`].
pub trait Registry {
    /// Takes in one decider.
    fn register<D: Decider>(&mut self);
}

/// A decider whose types have been erased.
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

struct Erasing(BTreeMap<Kind, Box<dyn Executor>>);

impl Registry for Erasing {
    fn register<D: Decider>(&mut self) {
        self.0.insert(D::Event::KIND, Box::new(StreamExecution::<D>::new()));
    }
}

impl Commands {
    /// All kinds of commands against a log.
    pub fn new(store: Arc<dyn EventStore>) -> Self {
        let mut kinds = Erasing(BTreeMap::new());
        crate::all(&mut kinds);
        let erasures = AtomicU64::new(store.erasures());
        Self { store, kinds: kinds.0, in_flight: Mutex::default(), erasures }
    }

    /// What can be asked, for documentation and help.
    pub fn describe(&self) -> Vec<KindDescription> {
        self.kinds.values().map(|kind| kind.describe()).collect()
    }

    /// Carries out one command.
    pub async fn execute(&self, command: Command) -> Result<Answer, CommandError> {
        self.execute_all(vec![command]).await.pop().unwrap_or(Err(CommandError::RetriesExhausted))
    }

    /// Carries out commands, those of one stream in their order, and answers each in its place. One that is
    /// refused harms no other.
    pub async fn execute_all(&self, commands: Vec<Command>) -> Vec<Result<Answer, CommandError>> {
        let count = commands.len();
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

impl Command {
    /// The key under which the command is carried out once.
    pub(crate) fn command_key(&self) -> Option<CommandKey> {
        let key = self.key.as_ref()?;
        // An import writes under its own name for whoever runs it; their keys are theirs all the same.
        let writer = match &self.body.on_behalf_of {
            Some(for_whom) => format!("{} {for_whom}", self.sender.by),
            None => self.sender.by.to_string(),
        };
        Some(identity::command_key(&writer, key))
    }

    /// What tells a repetition from another command under the same key: the body, and what it is about.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        identity::fingerprint(self.kind.word(), self.id, self.if_match, &self.body.hash)
    }
}
