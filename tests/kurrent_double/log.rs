//! The log in memory: every event in one order, and for each stream which of them are its own.
//!
//! Nothing here reads a clock or draws a number: the same calls give the same log, down to the positions.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
};

use prost::bytes::Bytes;
use uuid::Uuid;

use super::protocol::Expected;

/// The revision that hides every event before it, as the real server writes it when a stream is deleted.
const DELETED: u64 = i64::MAX as u64;

/// When the first event was created: 2024-01-01, in steps of 100 nanoseconds since 1970.
const BEGINNING: u64 = 17_040_672_000_000_000;

/// Every event comes a second after the one before it.
const TICKS_BETWEEN: u64 = 10_000_000;

/// Bytes of an event beside its names and contents, as far as positions are concerned.
const OVERHEAD: u64 = 150;

/// The server speaks about itself with the first append and with every seventh after it.
const APPENDS_BETWEEN_STATISTICS: u64 = 7;

/// An event that is to be written.
#[derive(Clone, Debug)]
pub(super) struct Proposed {
    pub(super) id: Uuid,
    pub(super) kind: String,
    pub(super) content_type: String,
    pub(super) data: Bytes,
    pub(super) custom_metadata: Bytes,
}

/// An event that was written.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    pub(super) stream: String,
    pub(super) revision: u64,
    pub(super) position: u64,
    /// Steps of 100 nanoseconds since 1970.
    pub(super) created: u64,
    pub(super) event: Proposed,
    /// Not by the server on its own account.
    pub(super) asked_for: bool,
}

/// Where the events of an append stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// Of the last event.
    pub(super) revision: u64,
    pub(super) first_position: u64,
    pub(super) last_position: u64,
    /// They stood already.
    pub(super) is_repeat: bool,
}

/// Why nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The stream is not as expected, but ends with this revision.
    WrongExpectedVersion(Option<u64>),
    /// The stream was buried for ever.
    Buried,
}

/// Why there is nothing to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    NotFound,
    Buried,
}

/// What stands of a stream: which revisions may be read, those before them being hidden.
pub(super) type Visible = Range<u64>;

#[derive(Debug, Default)]
struct Stream {
    /// Its events as indices into the log: the revision is the index into this list.
    events: Vec<usize>,
    /// The first revision that has this id.
    ids: HashMap<Uuid, usize>,
    hidden_before: u64,
    maximum_count: Option<u64>,
    is_buried: bool,
}

impl Stream {
    fn last_revision(&self) -> Option<u64> {
        (self.events.len() as u64).checked_sub(1)
    }

    fn is_deleted(&self) -> bool {
        self.hidden_before == DELETED
    }

    fn exists(&self) -> bool {
        !self.events.is_empty() && !self.is_deleted()
    }

    fn visible(&self) -> Visible {
        let end = self.events.len() as u64;
        let kept = self.maximum_count.map_or(0, |count| end.saturating_sub(count));
        self.hidden_before.max(kept).min(end)..end
    }

    /// Where the events stand if they were written before. A vague writer finds them anywhere, so that the
    /// first one that is known decides.
    fn place_of(&self, expected: Expected, proposed: &[Proposed]) -> Option<usize> {
        match expected {
            Expected::NoStream(()) => Some(0),
            Expected::Revision(revision) => usize::try_from(revision).ok()?.checked_add(1),
            Expected::Any(()) | Expected::StreamExists(()) => {
                proposed.iter().find_map(|event| self.ids.get(&event.id)).copied()
            }
        }
    }

    /// Whether the stream is as the writer believes.
    fn is_as(&self, expected: Expected) -> bool {
        match expected {
            Expected::Any(()) => true,
            Expected::StreamExists(()) => self.exists(),
            Expected::NoStream(()) => !self.exists(),
            Expected::Revision(revision) => self.last_revision() == Some(revision),
        }
    }
}

/// The log.
#[derive(Debug, Default)]
pub(super) struct Log {
    events: Vec<Recorded>,
    streams: BTreeMap<String, Stream>,
    appends: u64,
    /// The first position that is free.
    end: u64,
}

impl Log {
    /// Writes all or nothing. None: there was nothing to write. Events that stand already where they were
    /// meant to are found, not written again.
    pub(super) fn append(
        &mut self,
        name: &str,
        expected: Expected,
        proposed: Vec<Proposed>,
    ) -> Result<Option<Written>, Refusal> {
        let stream = self.streams.entry(name.to_owned()).or_default();
        if stream.is_buried {
            return Err(Refusal::Buried);
        }
        let refusal = Refusal::WrongExpectedVersion(stream.last_revision());
        let is_as_expected = stream.is_as(expected);
        match self.already(name, expected, &proposed) {
            Already::All(written) => Ok(Some(written)),
            Already::Some => Err(refusal),
            Already::None if !is_as_expected => Err(refusal),
            Already::None => Ok(self.write(name, proposed)),
        }
    }

    /// Hides what stands in a stream; the next append brings it back, from the next revision on.
    /// Writes over the first event of a type; whether there is one.
    pub(super) fn alter(&mut self, kind: &str, data: Bytes) -> bool {
        let event = self.events.iter_mut().find(|event| event.event.kind == kind);
        event.map(|event| event.event.data = data).is_some()
    }

    pub(super) fn delete(&mut self, name: &str, expected: Expected) -> Result<u64, Refusal> {
        self.may_delete(name, expected)?;
        Ok(self.write_metadata(name, DELETED))
    }

    /// Ends a stream for ever.
    pub(super) fn bury(&mut self, name: &str, expected: Expected) -> Result<u64, Refusal> {
        self.may_delete(name, expected)?;
        let event = self.on_its_own_account("$streamDeleted", "{}".to_owned());
        let position = self.record(name, DELETED, event, false);
        self.streams.entry(name.to_owned()).or_default().is_buried = true;
        Ok(position)
    }

    fn may_delete(&self, name: &str, expected: Expected) -> Result<(), Refusal> {
        let nothing = Stream::default();
        let stream = self.streams.get(name).unwrap_or(&nothing);
        if stream.is_buried {
            return Err(Refusal::Buried);
        }
        if !stream.is_as(expected) {
            return Err(Refusal::WrongExpectedVersion(stream.last_revision()));
        }
        Ok(())
    }

    /// Whether these events stand already where the writer wants them.
    fn already(&self, name: &str, expected: Expected, proposed: &[Proposed]) -> Already {
        let Some(first) = self.streams[name].place_of(expected, proposed) else { return Already::None };
        let there = self.streams[name].events.get(first..).unwrap_or_default();
        let same =
            there.iter().zip(proposed).take_while(|(index, event)| self.events[**index].event.id == event.id);
        match same.count() {
            count if count == proposed.len() && count > 0 => {
                Already::All(self.written(&there[..count], true))
            }
            0 if !expected.is_vague() => Already::None,
            _ => Already::Some,
        }
    }

    fn written(&self, indices: &[usize], is_repeat: bool) -> Written {
        let first = &self.events[indices[0]];
        let last = &self.events[indices[indices.len() - 1]];
        Written {
            revision: last.revision,
            first_position: first.position,
            last_position: last.position,
            is_repeat,
        }
    }

    fn write(&mut self, name: &str, proposed: Vec<Proposed>) -> Option<Written> {
        if self.appends.is_multiple_of(APPENDS_BETWEEN_STATISTICS) {
            self.write_statistics();
        }
        self.appends += 1;
        let begin = self.streams[name].events.len();
        for event in proposed {
            self.write_event(name, event, true);
        }
        if self.streams[name].is_deleted() && begin < self.streams[name].events.len() {
            self.write_metadata(name, begin as u64);
        }
        let indices = &self.streams[name].events[begin..];
        (!indices.is_empty()).then(|| self.written(indices, false))
    }

    /// One event at the end of its stream. Those of a metadata stream say which events of the other may be
    /// seen.
    fn write_event(&mut self, name: &str, event: Proposed, asked_for: bool) -> u64 {
        if let Some(described) = name.strip_prefix("$$") {
            let described = self.streams.entry(described.to_owned()).or_default();
            described.hidden_before = number_in(&event.data, "\"$tb\":").unwrap_or(0);
            described.maximum_count = number_in(&event.data, "\"$maxCount\":");
        }
        let index = self.events.len();
        let stream = self.streams.entry(name.to_owned()).or_default();
        let revision = stream.events.len();
        stream.ids.entry(event.id).or_insert(revision);
        stream.events.push(index);
        self.record(name, revision as u64, event, asked_for)
    }

    fn record(&mut self, name: &str, revision: u64, event: Proposed, asked_for: bool) -> u64 {
        let position = self.end + 1;
        let lengths = name.len() + event.kind.len() + event.data.len() + event.custom_metadata.len();
        self.end = position + OVERHEAD + lengths as u64;
        let created = BEGINNING + TICKS_BETWEEN * self.events.len() as u64;
        self.events.push(Recorded { stream: name.to_owned(), revision, position, created, event, asked_for });
        position
    }

    fn write_metadata(&mut self, name: &str, hidden_before: u64) -> u64 {
        let event = self.on_its_own_account("$metadata", format!("{{\"$tb\":{hidden_before}}}"));
        self.write_event(&format!("$${name}"), event, false)
    }

    fn write_statistics(&mut self) {
        let event = self.on_its_own_account("$statsCollected", format!("{{\"appends\":{}}}", self.appends));
        self.write_event("$stats-127.0.0.1:2113", event, false);
    }

    /// An event that nobody asked for. Its id is its place, so that it is the same in every run.
    fn on_its_own_account(&self, kind: &str, data: String) -> Proposed {
        Proposed {
            id: Uuid::from_u64_pair(u64::MAX, self.events.len() as u64),
            kind: kind.to_owned(),
            content_type: "application/json".to_owned(),
            data: data.into(),
            custom_metadata: Bytes::new(),
        }
    }

    /// Every event, hidden ones as well, in the order of the positions.
    pub(super) fn events(&self) -> &[Recorded] {
        &self.events
    }

    /// How many events stand before a position.
    pub(super) fn count_before(&self, position: u64) -> usize {
        self.events.partition_point(|event| event.position < position)
    }

    /// What may be read of a stream.
    pub(super) fn visible(&self, name: &str) -> Result<Visible, Unreadable> {
        match self.streams.get(name) {
            Some(stream) if stream.is_buried => Err(Unreadable::Buried),
            Some(stream) if stream.exists() => Ok(stream.visible()),
            _ => Err(Unreadable::NotFound),
        }
    }

    /// The event of a stream with a revision that may be read.
    pub(super) fn event(&self, name: &str, revision: u64) -> Option<&Recorded> {
        let index = self.streams.get(name)?.events.get(usize::try_from(revision).ok()?)?;
        self.events.get(*index)
    }
}

/// How much of an append stands already.
enum Already {
    None,
    Some,
    All(Written),
}

/// The number that follows a key, if the text has it: enough of JSON for what the double writes and its tests
/// do.
fn number_in(text: &[u8], key: &str) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let rest = text.split_once(key)?.1.trim_start();
    let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}
