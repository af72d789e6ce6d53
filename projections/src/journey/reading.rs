//! Reading the log for a journey: what can be seen from a moment, the events of a thing, and what they changed.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use domain::{Position, Recorded, StreamId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::subject::{Subject, is_of_many};
use crate::{
    kit::{Projection as _, ViewError, deadline::Deadline, moment::KnownAt},
    meaning::{Changed, Thing},
    questions::history::{History, HistoryRow},
    runtime::{question::AskError, shared::Shared},
};

/// How many events of one contact are looked through: a stream's limit too.
pub(super) const LOOKED_THROUGH: usize = domain::READ_AT_ONCE;
/// How many events of a stream are read at a time.
const READ: usize = 1_000;

/// Which log, and how much of it was known.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LogState {
    /// Drawn when the log was begun.
    pub id: Uuid,
    /// How many events it held.
    pub size: u64,
}

/// What can be seen from a moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Horizon {
    pub(super) as_of: Option<DateTime<Utc>>,
    pub(super) known_at: Option<Position>,
}

impl Horizon {
    pub(super) fn sees(&self, recorded: &Recorded) -> bool {
        self.as_of.is_none_or(|as_of| recorded.effective_at <= as_of)
            && self.known_at.is_none_or(|known_at| recorded.position <= known_at)
    }
}

impl Shared {
    pub(super) async fn horizon(&self, subject: Subject) -> Result<Horizon, AskError> {
        let known_at = match subject.known_at {
            None => None,
            Some(KnownAt::Moment(moment)) => Some(self.store.position_at(moment).await?),
            Some(KnownAt::Size(size)) => Some(self.store.position_of_size(size).await?),
        };
        Ok(Horizon { as_of: subject.as_of, known_at })
    }
}

/// Reads the log before a deadline, on threads that may wait.
#[derive(Clone)]
pub(super) struct Reader {
    shared: Arc<Shared>,
    deadline: Deadline,
}

impl Reader {
    pub(super) fn new(shared: &Arc<Shared>, deadline: &Deadline) -> Self {
        Self { shared: Arc::clone(shared), deadline: deadline.clone() }
    }

    /// The log, as long as there is time.
    fn shared(&self) -> Result<&Shared, AskError> {
        self.shared.find(History::NAME)?.check(&self.deadline)?;
        Ok(&self.shared)
    }

    pub(super) fn log(&self, horizon: Horizon) -> Result<LogState, AskError> {
        let shared = self.shared()?;
        let last = horizon.known_at.unwrap_or_else(|| shared.store.head());
        let size = shared.runtime.block_on(shared.store.size_at(last))?;
        Ok(LogState { id: shared.store.log_id(), size })
    }

    pub(super) fn at(&self, positions: &[Position]) -> Result<Vec<Recorded>, AskError> {
        let shared = self.shared()?;
        Ok(shared.runtime.block_on(shared.store.read_at(positions))?)
    }

    /// The events of a stream up to a revision.
    pub(super) fn stream(&self, stream: StreamId, last: u64) -> Result<Vec<Recorded>, AskError> {
        let mut events: Vec<Recorded> = Vec::new();
        loop {
            let after = events.last().map_or(0, |recorded| recorded.revision);
            let wanted = usize::try_from(last.saturating_sub(after)).unwrap_or(READ).min(READ);
            let shared = self.shared()?;
            let page = shared.runtime.block_on(shared.store.read_stream(stream, after, wanted))?;
            let (read, end) = (page.len(), page.len() < READ);
            events.extend(page);
            if end || read == 0 {
                return Ok(events);
            }
            if events.len() > LOOKED_THROUGH {
                let message = format!("it has more than {LOOKED_THROUGH} events, too many to look through");
                return Err(ViewError::Query { field: None, message }.into());
            }
        }
    }

    /// A thing as it stood.
    pub(super) fn thing(&self, stream: StreamId, horizon: Horizon) -> Result<Thing, AskError> {
        let mut thing = Thing::default();
        // Along a stream both times only grow: what is seen is its beginning.
        let events = self.stream(stream, u64::MAX)?;
        for recorded in events.iter().take_while(|recorded| horizon.sees(recorded)) {
            thing.apply(recorded);
        }
        Ok(thing)
    }
}

/// What each of some events changed. What comes before them in their streams is read where it is not among them.
pub(super) fn fold(
    reader: &Reader,
    subject: StreamId,
    rows: &[HistoryRow],
    earlier: &HashMap<StreamId, Vec<Position>>,
) -> Result<HashMap<u64, Changed>, AskError> {
    let positions: Vec<Position> = rows.iter().map(|row| Position(row.position)).collect();
    let mut streams: BTreeMap<StreamId, Vec<Recorded>> = BTreeMap::new();
    for recorded in reader.at(&positions)? {
        streams.entry(recorded.stream).or_default().push(recorded);
    }
    let mut changed = HashMap::new();
    for (stream, found) in streams {
        let whole = found.iter().zip(1..).all(|(recorded, revision)| recorded.revision == revision);
        let events = if is_of_many(subject, stream) {
            let before = earlier.get(&stream).map_or(&[][..], Vec::as_slice);
            reader.at(before)?.into_iter().chain(found).collect()
        } else if whole {
            found
        } else {
            let last = found.last().map_or(0, |recorded| recorded.revision);
            reader.stream(stream, last)?
        };
        let mut thing = Thing::default();
        for recorded in &events {
            changed.insert(recorded.position.0, thing.apply(recorded));
        }
    }
    Ok(changed)
}

pub(super) async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AskError> + Send + 'static,
) -> Result<T, AskError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(AskError::Stopped(error.to_string())),
    }
}
