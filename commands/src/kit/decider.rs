//! The shape of a decision: what every kind of thing must answer, and what it is given to answer with.

use chrono::{DateTime, Utc};
use domain::{Actor, ContactId, EventId, KindEvent, Role};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::identity;

/// What may happen to one kind of thing. Pure and synchronous: what a decision needs comes in with the
/// command, and deciding again what is already so yields no events.
pub trait Decider: Send + Sync + 'static {
    /// The facts that the decisions produce; they also say which kind this is.
    type Event: KindEvent;
    /// What can be asked for: an enum whose variants are the commands.
    type Command: Serialize + DeserializeOwned + JsonSchema + Clone + Send + Sync + 'static;
    /// Only what decisions need to know; never used by a read model.
    type State: Default + Send + Sync + Clone + 'static;
    /// Why a command is refused, written for the person who asked; its variant names the rule.
    type Rejection: std::error::Error + Into<&'static str>;

    /// Who may send commands of this kind.
    const WRITERS: &'static [Role];

    /// The commands, by name, for which others than [`Self::WRITERS`] may ask.
    const EXCEPTIONS: &'static [(&'static str, &'static [Role])] = &[];

    /// The next other thing of this kind whose state the command requires to be decided; none in most kinds. It
    /// is called again after each [`Self::supply`], until nothing more is required.
    fn requires(_command: &Self::Command) -> Option<Uuid> {
        None
    }

    /// Puts what was required into the command, so that it comes in with it: the state of the other thing, and
    /// the revision at which it was read.
    fn supply(_command: &mut Self::Command, _id: Uuid, _state: &Self::State, _revision: u64) {}

    /// What follows from a command, given all that has happened.
    fn decide(
        state: &Self::State,
        command: Self::Command,
        given: &Given<'_>,
    ) -> Result<Decision<Self::Event>, Self::Rejection>;

    /// The state after one more event.
    fn evolve(state: &mut Self::State, event: &Self::Event, past: &Past<'_>);

    /// The contacts that every event of the stream concerns, beside those that the event itself names: with
    /// whom it is erased. There is no default, so that no kind forgets to say it.
    fn concerns(state: &Self::State) -> Vec<ContactId>;
}

/// What comes with a command beside its fields.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// The id of the thing that the command is about.
    pub id: Uuid,
    /// The id of the command; the ids of its events follow from it.
    pub command: Uuid,
    /// When it was so, as far as that was said.
    pub occurred_at: Option<DateTime<Utc>>,
    /// The import that the command comes from.
    pub source: Option<&'a str>,
    /// Who sends it.
    pub by: &'a Actor,
}

impl Given<'_> {
    /// The id that the n-th event of the decision will have, counted from 0.
    pub fn event_id(&self, index: usize) -> EventId {
        identity::event_id(self.command, index)
    }
}

/// What comes with an event beside its fields.
#[derive(Clone, Copy, Debug)]
pub struct Past<'a> {
    /// The event's id.
    pub id: EventId,
    /// When it was so, as far as that was said.
    pub occurred_at: Option<DateTime<Utc>>,
    /// The import that the event comes from.
    pub source: Option<&'a str>,
}

/// What follows from a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision<E> {
    /// What happens; nothing where everything is so already.
    pub events: Vec<E>,
    /// The fields of an imported row that stay as a person has set them.
    pub kept: Vec<&'static str>,
}

impl<E> Decision<E> {
    /// Everything is so already.
    pub const fn nothing() -> Self {
        Self { events: Vec::new(), kept: Vec::new() }
    }

    /// One thing happens.
    pub fn one(event: E) -> Self {
        Self { events: vec![event], kept: Vec::new() }
    }

    /// Several things happen, in this order.
    pub const fn all(events: Vec<E>) -> Self {
        Self { events, kept: Vec::new() }
    }

    /// The event happens unless it is so already.
    pub fn unless(already_so: bool, event: E) -> Self {
        if already_so { Self::nothing() } else { Self::one(event) }
    }
}
