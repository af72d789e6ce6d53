//! One decision: a command that has been read, the state that it is decided on, and what the log is asked to take.

use domain::{
    Append, CommandKey, ContactId, KindEvent as _, Metadata, NewEvent, Personal, Recorded, StreamId,
    days::midnight, tagged,
};
use uuid::Uuid;

use super::{
    command::{Body, Command, Form, Malformed},
    envelope,
    error::CommandError,
};
use crate::kit::decider::{Decider, Decision, Given, Past};

/// A state, and after which erasures it was folded: it may hold what a later one has forgotten.
#[derive(Clone)]
pub(super) struct Loaded<S> {
    pub(super) state: S,
    pub(super) revision: u64,
    pub(super) erasures: u64,
}

/// A command that has been read and may be decided.
pub(super) struct Parsed<C> {
    pub(super) command: C,
    pub(super) envelope: Command,
    pub(super) id: Uuid,
    pub(super) key: Option<CommandKey>,
}

/// The command in the kind's own type: read from its text, unless it came in as one.
pub(super) fn parse<D: Decider>(envelope: &Command) -> Result<D::Command, Malformed> {
    let Body { name, fields, .. } = &envelope.body;
    let fields = match &fields.0 {
        Form::Json(fields) => fields,
        Form::Typed(command) => return command.downcast_ref().cloned().ok_or_else(|| other_kind::<D>(name)),
    };
    if !tagged::tags::<D::Command>().contains(&name.as_str()) {
        return Err(other_kind::<D>(name));
    }
    let whole = format!("{{\"{name}\":{}}}", fields.get());
    let deserializer = &mut serde_json::Deserializer::from_str(&whole);
    serde_path_to_error::deserialize(deserializer).map_err(envelope::malformed)
}

fn other_kind<D: Decider>(name: &str) -> Malformed {
    let (kind, names) = (D::Event::KIND, tagged::tags::<D::Command>());
    let message = format!("`{name}` is no command of {kind}: use one of {}", names.join(", "));
    Malformed { field: Some(name.to_owned()), message }
}

/// Decides a command on the state so far and moves the state on, as if the log had taken the events.
pub(super) fn decide<D: Decider>(
    loaded: &mut Loaded<D::State>,
    stream: StreamId,
    parsed: &Parsed<D::Command>,
) -> Result<Append, CommandError> {
    let Parsed { command, envelope, id, key } = parsed;
    let actual = loaded.revision;
    if let Some(expected) = envelope.if_match.filter(|expected| *expected != actual) {
        return Err(CommandError::RevisionMismatch { expected, actual });
    }
    let body = &envelope.body;
    let source = body.source.as_ref().map(|source| source.name.as_str());
    let given =
        Given { id: stream.id, command: *id, occurred_at: body.occurred_at, source, by: &envelope.sender.by };
    let Decision { events, kept } =
        D::decide(&loaded.state, command.clone(), &given).map_err(|rejection| {
            let message = rejection.to_string();
            let rule: &'static str = rejection.into();
            CommandError::Rejected { rule: format!("{}/{rule}", stream.kind), message }
        })?;
    let mut recorded = Vec::with_capacity(events.len());
    for (index, event) in events.into_iter().enumerate() {
        let id = given.event_id(index);
        D::evolve(&mut loaded.state, &event, &Past { id, occurred_at: body.occurred_at, source });
        let subjects = subjects::<D>(stream, &loaded.state, &event);
        recorded.push(NewEvent { id, event: event.into_event(), subjects });
    }
    loaded.revision += recorded.len() as u64;
    Ok(Append {
        stream,
        expected: actual,
        metadata: metadata(stream, envelope, &recorded),
        events: recorded,
        occurred_at: body.begins_at.or(body.occurred_at),
        by: envelope.sender.by.clone(),
        key: key.map(|key| (key, envelope.fingerprint())),
        kept: kept.into_iter().map(str::to_owned).collect(),
    })
}

fn subjects<D: Decider>(stream: StreamId, state: &D::State, event: &D::Event) -> Vec<ContactId> {
    use domain::event::Concerns as _;
    let own = (stream.kind == domain::Kind::Contact).then_some(ContactId(stream.id));
    let mut subjects: Vec<ContactId> =
        own.into_iter().chain(event.contacts()).chain(D::concerns(state)).collect();
    let mut seen = std::collections::HashSet::new();
    subjects.retain(|subject| seen.insert(*subject));
    subjects
}

fn metadata(stream: StreamId, envelope: &Command, events: &[NewEvent]) -> Metadata {
    let body = &envelope.body;
    // A reason may say anything about anybody, so it is forgotten with the first contact concerned.
    let subject =
        events.iter().find_map(|event| event.subjects.first().copied()).unwrap_or(ContactId(stream.id));
    Metadata {
        on_behalf_of: body.on_behalf_of.clone(),
        reason: body.reason.clone().map(|reason| Personal::new(subject, reason)),
        source: body.source.clone(),
        correlation: body.correlation,
        causation: body.causation,
        day: body.day,
    }
}

pub(super) fn evolve<D: Decider>(state: &mut D::State, recorded: &Recorded) {
    let metadata = recorded.metadata().unwrap_or_default();
    let source = metadata.source.as_ref().map(|source| source.name.as_str());
    if let Some(event) = D::Event::of(&recorded.event) {
        let occurred_at = metadata.day.map(midnight).or(recorded.occurred_at);
        D::evolve(state, event, &Past { id: recorded.id, occurred_at, source });
    }
}
