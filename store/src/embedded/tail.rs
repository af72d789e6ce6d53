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
use quick_cache::DefaultHashBuilder;

use crate::{embedded::log_file::Place, recording::stream_head::Head};

/// How many full segments may wait for the index before the writer waits for them.
const WAITING: usize = 4;

/// A stretch of the log: where its events and answers lie.
#[derive(Debug, Default)]
pub(crate) struct Segment {
    /// In the order of the log. One list for all streams: a list for each would cost an allocation an event.
    pub(crate) events: Vec<Indexed>,
    /// The place in the list of each stream's last event.
    newest: HashMap<StreamId, u32, DefaultHashBuilder>,
    pub(crate) answers: HashMap<CommandKey, u64, DefaultHashBuilder>,
    /// The last position in it or before it.
    pub(crate) through: u64,
    /// The number of the last answer in it or before it.
    pub(crate) answers_through: u64,
}

/// An event of a segment.
#[derive(Debug)]
pub(crate) struct Indexed {
    pub(crate) place: Place,
    /// The place in the list of the event before it in its stream, if that is in the segment.
    previous: Option<u32>,
}

impl Segment {
    pub(crate) fn after(through: u64, answers_through: u64) -> Self {
        Self { through, answers_through, ..Self::default() }
    }

    /// The segment that follows this one, with room for as much.
    pub(crate) fn next(&self) -> Self {
        Self {
            events: Vec::with_capacity(self.events.len()),
            newest: HashMap::with_capacity_and_hasher(self.newest.len(), DefaultHashBuilder::default()),
            ..Self::after(self.through, self.answers_through)
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.events.len() + self.answers.len()
    }

    pub(crate) fn add(&mut self, place: Place) {
        // A segment never comes near 2^32 events: it is closed long before.
        let number = u32::try_from(self.events.len()).unwrap_or(u32::MAX);
        let previous = self.newest.insert(place.stream, number);
        self.through = place.position;
        self.events.push(Indexed { place, previous });
    }

    pub(crate) fn add_answer(&mut self, key: CommandKey, number: u64) {
        self.answers.insert(key, number);
        self.answers_through = number;
    }

    /// The events of a stream, the newest first.
    fn newest_first(&self, stream: StreamId) -> impl Iterator<Item = &Place> {
        let at = |number: &u32| self.events.get(*number as usize);
        let newest = self.newest.get(&stream).and_then(at);
        std::iter::successors(newest, move |event| event.previous.as_ref().and_then(at))
            .map(|event| &event.place)
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
    /// The last position and the last answer before it.
    begins_after: (u64, u64),
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
            let next = self.open.next();
            self.full.push_back(Arc::new(std::mem::replace(&mut self.open, next)));
        }
        is_full
    }
}

impl Tail {
    /// What lies behind a position and a number of an answer, and is not in the index.
    pub(crate) fn new(begins_after: (u64, u64), open: Segment, batch: usize) -> Self {
        let segments = Segments { full: VecDeque::new(), open, begins_after, is_closing: false };
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
            segments.open.add(place);
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
        let newest_first = segments.newest_first().flat_map(|segment| segment.newest_first(stream));
        let newer = newest_first.take_while(|place| place.revision > after);
        let mut places: Vec<_> = newer.map(|place| (place.revision, place.position)).collect();
        places.reverse();
        places
    }

    /// The head of a stream that has events in the tail.
    pub(crate) fn head(&self, stream: StreamId) -> Option<Head> {
        let segments = self.locked();
        let newest = segments.newest_first().find_map(|segment| segment.newest_first(stream).next())?;
        Some(Head { revision: newest.revision, effective_at: newest.effective_at })
    }

    /// The number of the answer to a key, where it lies in the tail.
    pub(crate) fn answer(&self, key: CommandKey) -> Option<u64> {
        self.locked().newest_first().find_map(|segment| segment.answers.get(&key)).copied()
    }

    /// Up to which position and to which number of an answer everything is in the index.
    pub(crate) fn begins_after(&self) -> (u64, u64) {
        self.locked().begins_after
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
        let mut segments = self.locked();
        if let Some(written) = segments.full.pop_front() {
            segments.begins_after = (written.through, written.answers_through);
        }
        drop(segments);
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
        let tail = Tail::new((0, 0), Segment::default(), batch);
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
