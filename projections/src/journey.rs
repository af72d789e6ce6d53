//! The history of a contact or of one thing, step by step, with what each step changed; two moments compared;
//! and why something is as it is.
//!
//! Nothing is kept for it: which events there are says the view of history, what they changed is folded from
//! the log whenever somebody asks.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use domain::{Kind, Position, Recorded, Role, StreamId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    journey::changes::{Changed, Thing, is_shared},
    kit::{Page, Projection as _, ViewError},
    questions::history::{History, HistoryRow},
    runtime::{
        past::KnownAt,
        views::{AskError, Question, Shared, Views},
    },
};

mod cell;
mod changes;
mod compare;
mod show;
mod why;

pub use cell::{CellReason, CellReasons};
pub use compare::{Compared, Comparison, Moments};
pub use show::{Corrected, FieldChange, FieldValue, Shown};
pub use why::Why;

use show::Names;

/// Who may read journeys: whoever may read the view of history.
pub const JOURNEY_READERS: &[Role] = History::READERS;
/// The view that was looked at whenever a journey was read.
pub const JOURNEY_VIEW: &str = History::NAME;

/// How many events of one contact are looked through: a stream's limit too.
pub(crate) const LOOKED_THROUGH: usize = domain::READ_AT_ONCE;
/// How many events of a stream are read at a time.
const READ: usize = 1_000;

/// Whose journey is asked for, and as of when.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// The contact, with everything that concerns them; or one thing.
    pub thing: StreamId,
    /// Only what had happened by then.
    pub as_of: Option<DateTime<Utc>>,
    /// Only what was recorded by then.
    pub known_at: Option<KnownAt>,
}

impl Subject {
    /// Where only the moment is of interest, or whose journey it is will be said.
    pub const ANYBODY: Self =
        Self { thing: StreamId::new(Kind::Contact, Uuid::nil()), as_of: None, known_at: None };
}

/// One event, and what it changed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// The event with its envelope.
    #[serde(flatten)]
    pub row: HistoryRow,
    /// What it changed; empty where it changed nothing.
    pub changes: Vec<FieldChange>,
    /// The event that it corrects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrected: Option<Corrected>,
}

/// A page of a journey, in the order in which it was recorded.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Steps {
    /// Whose journey it is.
    pub thing: StreamId,
    /// What they are called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Shown>,
    /// The log that says so.
    pub log: LogState,
    /// How they stand at the moment asked for; on the first page only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub standing: Vec<FieldValue>,
    /// One row an event.
    pub rows: Vec<Step>,
    /// The cursor of the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

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
struct Horizon {
    as_of: Option<DateTime<Utc>>,
    known_at: Option<Position>,
}

impl Horizon {
    fn sees(&self, recorded: &Recorded) -> bool {
        self.as_of.is_none_or(|as_of| recorded.effective_at <= as_of)
            && self.known_at.is_none_or(|known_at| recorded.position <= known_at)
    }
}

impl Views {
    /// A page of the journey of a contact or of a thing; `after` waits until the view has seen a position.
    pub async fn steps(
        &self,
        subject: Subject,
        page: Page,
        after: Option<Position>,
    ) -> Result<Steps, AskError> {
        let shared = Arc::clone(&self.shared);
        let horizon = shared.horizon(subject).await?;
        let later = page.is_later();
        let question = Question { after, ..history_of(subject, page) };
        let FoundRows { rows, next } = self.rows(question).await?;
        let earlier = if later { self.earlier(subject, &rows).await? } else { HashMap::new() };
        on_a_thread(move || {
            let mut changed = fold(&shared, subject.thing, &rows, &earlier)?;
            let standing = if later { None } else { Some(shared.thing(subject.thing, horizon)?) };
            let mut names = Names::new(&shared, horizon);
            let standing = standing.map_or_else(Vec::new, |thing| names.standing(&thing));
            let rows = rows.into_iter().map(|row| {
                let changed = changed.remove(&row.position).unwrap_or_default();
                names.step(row, &changed)
            });
            let (rows, name) = (rows.collect(), None);
            let mut steps =
                Steps { thing: subject.thing, name, log: shared.log(horizon)?, standing, rows, next };
            steps.name = names.of(subject.thing);
            names.failure()?;
            Ok(steps)
        })
        .await
    }

    /// Rows of the view of history.
    async fn rows(&self, question: Question) -> Result<FoundRows, AskError> {
        let answered = self.ask(question).await?;
        serde_json::from_str(&answered.json).map_err(|error| AskError::Stopped(error.to_string()))
    }

    /// The rows of some positions, in their order, as they are known now.
    async fn rows_at(&self, positions: &[Position]) -> Result<Vec<HistoryRow>, AskError> {
        let mut rows = Vec::with_capacity(positions.len());
        for some in positions.chunks(Page::MOST) {
            let listed = some.iter().map(Position::to_string).collect::<Vec<_>>().join(",");
            let page = Page::from(Page::MOST, None::<&u64>);
            let view = History::NAME.to_owned();
            // What the log has said already, the view may be about to see.
            let after = some.iter().max().copied();
            let question =
                Question { view, query: format!("at={listed}"), page, after, ..Question::default() };
            rows.extend(self.rows(question).await?.rows);
        }
        Ok(rows)
    }

    /// Every row of a journey, of which there may be [`LOOKED_THROUGH`]; whether there are more.
    async fn all_rows(&self, subject: Subject) -> Result<(Vec<HistoryRow>, bool), AskError> {
        let (mut rows, mut page) = (Vec::new(), Page::from(Page::MOST, None::<&u64>));
        loop {
            let found = self.rows(history_of(subject, page)).await?;
            rows.extend(found.rows);
            let Some(next) = found.next else { return Ok((rows, false)) };
            if rows.len() >= LOOKED_THROUGH {
                return Ok((rows, true));
            }
            page = Page::new(Some(Page::MOST), Some(next))?;
        }
    }

    /// Where earlier events of this contact in things that many share stand: what is on the page comes after.
    async fn earlier(
        &self,
        subject: Subject,
        rows: &[HistoryRow],
    ) -> Result<HashMap<StreamId, Vec<Position>>, AskError> {
        let mut earlier: HashMap<StreamId, Vec<Position>> = HashMap::new();
        let shared = rows.iter().filter(|row| is_of_many(subject.thing, row.stream));
        earlier.extend(shared.map(|row| (row.stream, Vec::new())));
        if earlier.is_empty() {
            return Ok(earlier);
        }
        let first = rows.first().map_or(0, |row| row.position);
        let (all, _) = self.all_rows(subject).await?;
        for row in all.iter().take_while(|row| row.position < first) {
            if let Some(positions) = earlier.get_mut(&row.stream) {
                positions.push(Position(row.position));
            }
        }
        Ok(earlier)
    }
}

/// What is read of an answer of the view of history.
#[derive(Deserialize)]
struct FoundRows {
    rows: Vec<HistoryRow>,
    next: Option<String>,
}

impl Subject {
    /// The question to [`JOURNEY_VIEW`] that shows the same events.
    pub fn query(&self) -> String {
        match self.thing.kind {
            Kind::Contact => format!("contact={}", self.thing.id),
            _ => format!("stream={}", self.thing),
        }
    }
}

fn history_of(subject: Subject, page: Page) -> Question {
    let Subject { thing: _, as_of, known_at } = subject;
    let (view, query) = (History::NAME.to_owned(), subject.query());
    Question { view, query, page, as_of, known_at, ..Question::default() }
}

/// Whether a step in the journey of a contact happened to a thing that many share.
fn is_of_many(subject: StreamId, stream: StreamId) -> bool {
    subject.kind == Kind::Contact && is_shared(stream.kind)
}

/// What each of some events changed. What comes before them in their streams is read where it is not among them.
fn fold(
    shared: &Shared,
    subject: StreamId,
    rows: &[HistoryRow],
    earlier: &HashMap<StreamId, Vec<Position>>,
) -> Result<HashMap<u64, Changed>, AskError> {
    let positions: Vec<Position> = rows.iter().map(|row| Position(row.position)).collect();
    let mut streams: BTreeMap<StreamId, Vec<Recorded>> = BTreeMap::new();
    for recorded in shared.at(&positions)? {
        streams.entry(recorded.stream).or_default().push(recorded);
    }
    let mut changed = HashMap::new();
    for (stream, found) in streams {
        let whole = found.iter().zip(1..).all(|(recorded, revision)| recorded.revision == revision);
        let events = if is_of_many(subject, stream) {
            let before = earlier.get(&stream).map_or(&[][..], Vec::as_slice);
            shared.at(before)?.into_iter().chain(found).collect()
        } else if whole {
            found
        } else {
            let last = found.last().map_or(0, |recorded| recorded.revision);
            shared.stream(stream, last)?
        };
        let mut thing = Thing::default();
        for recorded in &events {
            changed.insert(recorded.position.0, thing.apply(recorded));
        }
    }
    Ok(changed)
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AskError> + Send + 'static,
) -> Result<T, AskError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(AskError::Stopped(error.to_string())),
    }
}

/// Reading the log, for the threads that may wait.
impl Shared {
    async fn horizon(&self, subject: Subject) -> Result<Horizon, AskError> {
        let known_at = match subject.known_at {
            None => None,
            Some(KnownAt::Moment(moment)) => Some(self.store.position_at(moment).await?),
            Some(KnownAt::Size(size)) => Some(self.store.position_of_size(size).await?),
        };
        Ok(Horizon { as_of: subject.as_of, known_at })
    }

    fn log(&self, horizon: Horizon) -> Result<LogState, AskError> {
        let last = horizon.known_at.unwrap_or_else(|| self.store.head());
        let size = self.runtime.block_on(self.store.size_at(last))?;
        Ok(LogState { id: self.store.log_id(), size })
    }

    pub(super) fn at(&self, positions: &[Position]) -> Result<Vec<Recorded>, AskError> {
        Ok(self.runtime.block_on(self.store.read_at(positions))?)
    }

    /// The events of a stream up to a revision.
    fn stream(&self, stream: StreamId, last: u64) -> Result<Vec<Recorded>, AskError> {
        let mut events: Vec<Recorded> = Vec::new();
        loop {
            let after = events.last().map_or(0, |recorded| recorded.revision);
            let wanted = usize::try_from(last.saturating_sub(after)).unwrap_or(READ).min(READ);
            let page = self.runtime.block_on(self.store.read_stream(stream, after, wanted))?;
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
    fn thing(&self, stream: StreamId, horizon: Horizon) -> Result<Thing, AskError> {
        let mut thing = Thing::default();
        // Along a stream both times only grow: what is seen is its beginning.
        let events = self.stream(stream, u64::MAX)?;
        for recorded in events.iter().take_while(|recorded| horizon.sees(recorded)) {
            thing.apply(recorded);
        }
        Ok(thing)
    }
}
