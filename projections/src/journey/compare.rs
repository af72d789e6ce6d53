//! Two moments compared: every field that is not what it was, and the events between.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use domain::{Kind, Position, Recorded, StreamId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    names::Names,
    reading::{Horizon, LOOKED_THROUGH, Reader, on_a_thread},
    shown::{FieldChange, Shown, Step},
    subject::{Subject, is_of_many},
};
use crate::{
    kit::{Page, Projection as _, ViewError, deadline::Deadline, moment::KnownAt},
    meaning::{Change, Changed, Thing},
    questions::history::History,
    runtime::{question::AskError, views::Views},
};

/// Which two moments are compared. What the other time is, is the same for both.
#[derive(Clone, Copy, Debug)]
pub enum Moments {
    /// What had happened by then and then.
    AsOf(DateTime<Utc>, DateTime<Utc>),
    /// What was recorded by then and then.
    KnownAt(KnownAt, KnownAt),
}

/// What is different between two moments.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// Whose journey it is.
    pub thing: StreamId,
    /// What they are called at the later moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Shown>,
    /// Everything that is different; for a contact also the things that concern them.
    pub things: Vec<Compared>,
    /// The events between, in the order in which they were recorded, at most 1,000.
    pub rows: Vec<Step>,
    /// How many more of them there are.
    pub more: usize,
}

/// What is different about one thing.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Compared {
    /// The thing.
    pub thing: StreamId,
    /// What it is called at the later moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Shown>,
    /// Its fields at the earlier and at the later moment, where they differ.
    pub changes: Vec<FieldChange>,
}

impl Views {
    /// What is different between two moments. `subject` holds the other time, where it is given.
    pub async fn compare(
        &self,
        subject: Subject,
        moments: Moments,
        after: Option<Position>,
    ) -> Result<Comparison, AskError> {
        let deadline = self.begin(History::NAME, after).await?;
        let shared = &self.shared;
        let (earlier, later) = match moments {
            Moments::AsOf(from, to) => {
                (Subject { as_of: Some(from), ..subject }, Subject { as_of: Some(to), ..subject })
            }
            Moments::KnownAt(from, to) => {
                (Subject { known_at: Some(from), ..subject }, Subject { known_at: Some(to), ..subject })
            }
        };
        let (earlier, later) = (shared.horizon(earlier).await?, shared.horizon(later).await?);
        if earlier.as_of > later.as_of || earlier.known_at > later.known_at {
            return Err(ViewError::query("from", "must not come after `to`").into());
        }
        let positions = self.positions(subject.thing, &deadline).await?;
        let reader = Reader::new(shared, &deadline);
        let log = reader.clone();
        let mut told = on_a_thread(move || tell(&log, subject.thing, &positions, earlier, later)).await?;
        let more = told.between.len().saturating_sub(Page::MOST);
        told.between.truncate(Page::MOST);
        let rows = self.rows_at(&told.between, &deadline).await?;
        on_a_thread(move || {
            let mut names = Names::new(&reader, later);
            let name = names.of(subject.thing);
            let things = told.things.iter().map(|(thing, changes)| Compared {
                thing: *thing,
                name: names.of(*thing),
                changes: changes.iter().map(|change| names.change(change)).collect(),
            });
            let things = things.collect();
            let rows = rows.into_iter().map(|row| {
                let changed = told.changed.remove(&row.position).unwrap_or_default();
                names.step(row, &changed)
            });
            let rows = rows.collect();
            names.failure()?;
            Ok(Comparison { thing: subject.thing, name, things, rows, more })
        })
        .await
    }

    /// Where every event that concerns a contact stands; nothing for other things, whose stream is read whole.
    async fn positions(&self, thing: StreamId, deadline: &Deadline) -> Result<Vec<Position>, AskError> {
        if thing.kind != Kind::Contact {
            return Ok(Vec::new());
        }
        let (rows, more) = self.all_rows(Subject { thing, as_of: None, known_at: None }, deadline).await?;
        if more {
            let message =
                format!("more than {LOOKED_THROUGH} events concern this contact, too many to compare");
            return Err(ViewError::Query { field: None, message }.into());
        }
        Ok(rows.into_iter().map(|row| Position(row.position)).collect())
    }
}

struct Told {
    things: Vec<(StreamId, Vec<Change>)>,
    between: Vec<Position>,
    changed: HashMap<u64, Changed>,
}

fn tell(
    reader: &Reader,
    subject: StreamId,
    positions: &[Position],
    earlier: Horizon,
    later: Horizon,
) -> Result<Told, AskError> {
    let concerning = match subject.kind {
        Kind::Contact => reader.at(positions)?,
        _ => reader.stream(subject, u64::MAX)?,
    };
    if !concerning.iter().any(|recorded| later.sees(recorded)) {
        return Err(AskError::NotFound);
    }
    let is_between = |recorded: &&Recorded| later.sees(recorded) && !earlier.sees(recorded);
    let between: BTreeSet<Position> =
        concerning.iter().filter(is_between).map(|recorded| recorded.position).collect();
    // Only what something happened to can be different.
    let touched: BTreeSet<StreamId> =
        concerning.iter().filter(is_between).map(|recorded| recorded.stream).collect();
    let mut streams: BTreeMap<StreamId, Vec<Recorded>> = BTreeMap::new();
    for recorded in concerning.into_iter().filter(|recorded| touched.contains(&recorded.stream)) {
        streams.entry(recorded.stream).or_default().push(recorded);
    }
    let mut told =
        Told { things: Vec::new(), between: between.into_iter().collect(), changed: HashMap::new() };
    for (stream, found) in streams {
        let whole = stream == subject || is_of_many(subject, stream);
        let events = if whole { found } else { reader.stream(stream, u64::MAX)? };
        let mut now = Thing::default();
        let seen = events.partition_point(|recorded| earlier.sees(recorded));
        let (seen_earlier, rest) = events.split_at(seen);
        for recorded in seen_earlier {
            now.apply(recorded);
        }
        let before = now.clone();
        for recorded in rest.iter().take_while(|recorded| later.sees(recorded)) {
            told.changed.insert(recorded.position.0, now.apply(recorded));
        }
        let changes = differences(&before, &now);
        if !changes.is_empty() {
            told.things.push((stream, changes));
        }
    }
    // The thing itself comes first, and then the others as they came to be.
    told.things.sort_by_key(|(stream, _)| *stream != subject);
    Ok(told)
}

/// The fields that are not what they were.
fn differences(before: &Thing, now: &Thing) -> Vec<Change> {
    let changes = now.standing().into_iter().filter_map(|standing| {
        let was = before.field(standing.field);
        let values = was.as_ref().map_or(&[][..], |was| was.values);
        // Of two forgotten values nobody can see that they differ; but an event said so.
        let touched = was.as_ref().is_none_or(|was| was.because != standing.because);
        let change = Change {
            field: standing.field.clone(),
            before: values.to_vec(),
            after: standing.values.to_vec(),
        };
        (touched && !change.is_repetition()).then_some(change)
    });
    changes.collect()
}
