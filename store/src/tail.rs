//! The tail: what has been recorded and is not in the index yet, kept in memory.
//!
//! The writer adds at its end; a full segment is written to the index as one sorted batch and then dropped.
//! Whoever looks something up looks here first and in the index afterwards: what is dropped in between is in
//! the index by then.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{CommandKey, StreamId};

use crate::log_file::Place;

/// How many full segments may wait for the index before the writer waits for them.
const WAITING: usize = 4;

/// The revision of a stream and the latest time in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) revision: u64,
    pub(crate) effective_at: i64,
}

impl Head {
    /// The head of a stream that holds nothing.
    pub(crate) const NONE: Self = Self { revision: 0, effective_at: i64::MIN };
}

/// A stretch of the log: where its events and answers lie.
#[derive(Debug, Default)]
pub(crate) struct Segment {
    pub(crate) runs: HashMap<StreamId, Run>,
    pub(crate) answers: HashMap<CommandKey, u64>,
    /// The last position in it or before it.
    pub(crate) through: u64,
    /// The number of the last answer in it or before it.
    pub(crate) answers_through: u64,
    events: usize,
}

/// The events of one stream in a segment: consecutive revisions.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) first: u64,
    pub(crate) positions: Vec<u64>,
    effective_at: i64,
}

impl Segment {
    pub(crate) fn after(through: u64, answers_through: u64) -> Self {
        Self { through, answers_through, ..Self::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.events + self.answers.len()
    }

    pub(crate) fn add(&mut self, place: &Place) {
        let run = self.runs.entry(place.stream).or_insert(Run {
            first: place.revision,
            positions: Vec::new(),
            effective_at: place.effective_at,
        });
        run.positions.push(place.position);
        run.effective_at = place.effective_at;
        self.through = place.position;
        self.events += 1;
    }

    pub(crate) fn add_answer(&mut self, key: CommandKey, number: u64) {
        self.answers.insert(key, number);
        self.answers_through = number;
    }
}

impl Run {
    fn head(&self) -> Head {
        Head { revision: self.first + self.positions.len() as u64 - 1, effective_at: self.effective_at }
    }
}

/// The newest part of the log.
#[derive(Debug)]
pub(crate) struct Tail {
    batch: usize,
    segments: Mutex<Segments>,
    moved: Condvar,
}

#[derive(Debug)]
struct Segments {
    full: VecDeque<Arc<Segment>>,
    open: Segment,
    is_closing: bool,
}

impl Segments {
    /// All segments, the newest first.
    fn newest_first(&self) -> impl Iterator<Item = &Segment> {
        std::iter::once(&self.open).chain(self.full.iter().rev().map(AsRef::as_ref))
    }

    fn close_if_full(&mut self, batch: usize) -> bool {
        let is_full = self.open.len() >= batch;
        if is_full {
            let next = Segment::after(self.open.through, self.open.answers_through);
            self.full.push_back(Arc::new(std::mem::replace(&mut self.open, next)));
        }
        is_full
    }
}

impl Tail {
    pub(crate) fn new(open: Segment, batch: usize) -> Self {
        let segments = Segments { full: VecDeque::new(), open, is_closing: false };
        Self { batch, segments: Mutex::new(segments), moved: Condvar::new() }
    }

    /// Adds what has just been recorded.
    pub(crate) fn extend(
        &self,
        places: impl IntoIterator<Item = Place>,
        answers: impl IntoIterator<Item = (CommandKey, u64)>,
    ) {
        let mut segments = self.locked();
        for place in places {
            segments.open.add(&place);
        }
        for (key, number) in answers {
            segments.open.add_answer(key, number);
        }
        if segments.close_if_full(self.batch) {
            self.moved.notify_all();
        }
    }

    /// The revisions and positions of a stream's events after a revision, as far as they lie in the tail.
    pub(crate) fn places(&self, stream: StreamId, after: u64) -> Vec<(u64, u64)> {
        let segments = self.locked();
        let runs = segments.full.iter().map(AsRef::as_ref).chain([&segments.open]);
        let mut places = Vec::new();
        for run in runs.filter_map(|segment| segment.runs.get(&stream)) {
            let skipped = usize::try_from((after + 1).saturating_sub(run.first)).unwrap_or(usize::MAX);
            let kept = run.positions.iter().copied().skip(skipped);
            places.extend((run.first.max(after + 1)..).zip(kept));
        }
        places
    }

    /// The head of a stream that has events in the tail.
    pub(crate) fn head(&self, stream: StreamId) -> Option<Head> {
        self.locked().newest_first().find_map(|segment| segment.runs.get(&stream)).map(Run::head)
    }

    /// The number of the answer to a key, where it lies in the tail.
    pub(crate) fn answer(&self, key: CommandKey) -> Option<u64> {
        self.locked().newest_first().find_map(|segment| segment.answers.get(&key)).copied()
    }

    /// How many events and answers are in the tail.
    pub(crate) fn len(&self) -> usize {
        self.locked().newest_first().map(Segment::len).sum()
    }

    /// Waits until the index has caught up enough; says whether it has.
    pub(crate) fn wait_for_room(&self, patience: Duration) -> bool {
        let has_none = |segments: &mut Segments| segments.full.len() >= WAITING && !segments.is_closing;
        let waited = self.moved.wait_timeout_while(self.locked(), patience, has_none);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Waits for a full segment, at most for a while. It stays here until it is dropped.
    pub(crate) fn wait_for_full(&self, patience: Duration) -> Option<Arc<Segment>> {
        let has_none = |segments: &mut Segments| segments.full.is_empty() && !segments.is_closing;
        let waited = self.moved.wait_timeout_while(self.locked(), patience, has_none);
        waited.unwrap_or_else(PoisonError::into_inner).0.full.front().cloned()
    }

    /// Drops the oldest full segment: it is in the index now.
    pub(crate) fn drop_oldest(&self) {
        self.locked().full.pop_front();
        self.moved.notify_all();
    }

    /// Wakes everybody who waits, for good.
    pub(crate) fn close(&self) {
        self.locked().is_closing = true;
        self.moved.notify_all();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.locked().is_closing
    }

    // What is added under the lock cannot panic half-way but for want of memory, which ends the process.
    fn locked(&self) -> MutexGuard<'_, Segments> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use domain::Kind;
    use uuid::Uuid;

    use super::*;

    const STREAM: StreamId = StreamId::new(Kind::Fund, Uuid::nil());

    fn tail_of(revisions: std::ops::RangeInclusive<u64>, batch: usize) -> Tail {
        let tail = Tail::new(Segment::default(), batch);
        for revision in revisions {
            let effective_at = i64::try_from(revision).unwrap();
            tail.extend([Place { stream: STREAM, revision, position: revision * 10, effective_at }], []);
        }
        tail
    }

    #[test]
    fn places_are_found_across_segments_from_any_revision() {
        let tail = tail_of(3..=9, 2);
        assert_eq!(tail.head(STREAM), Some(Head { revision: 9, effective_at: 9 }));
        for after in 0..10 {
            let expected: Vec<_> = (3.max(after + 1)..=9).map(|revision| (revision, revision * 10)).collect();
            assert_eq!(tail.places(STREAM, after), expected, "after {after}");
        }
    }

    #[test]
    fn the_writer_waits_while_too_many_segments_wait() {
        let tail = tail_of(1..=8, 2);
        assert!(!tail.wait_for_room(Duration::ZERO));
        assert_eq!(tail.wait_for_full(Duration::ZERO).unwrap().through, 20);
        tail.drop_oldest();
        assert!(tail.wait_for_room(Duration::ZERO));
        assert_eq!(tail.places(STREAM, 0)[0], (3, 30));
    }
}
