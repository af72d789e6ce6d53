//! The newest events of the log, kept in memory: whoever follows the log reads them from here, and only what lies
//! further back is fetched from the cluster again.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::BadEvent;

use crate::kurrent::envelope::StoredEvent;

/// How many events are kept, and how many bytes.
const EVENTS: usize = 65_536;
const BYTES: usize = 64 << 20;

/// An event as it stands, or what is wrong with it.
pub(crate) type Entry = Arc<Result<StoredEvent, BadEvent>>;

/// The newest events.
#[derive(Debug)]
pub(crate) struct Recent(Mutex<Kept>);

#[derive(Debug)]
struct Kept {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Everything after this position is here.
    after: u64,
}

pub(crate) fn position_of(entry: &Result<StoredEvent, BadEvent>) -> u64 {
    match entry {
        Ok(event) => event.position,
        Err(bad) => bad.position.0,
    }
}

fn weight_of(entry: &Result<StoredEvent, BadEvent>) -> usize {
    entry.as_ref().map_or(256, StoredEvent::weight)
}

impl Recent {
    /// Nothing yet after a position.
    pub(crate) fn after(position: u64) -> Self {
        Self(Mutex::new(Kept { entries: VecDeque::new(), bytes: 0, after: position }))
    }

    /// Adds what comes next; the oldest goes where there is too much.
    pub(crate) fn extend(&self, entries: &[Entry]) {
        let mut kept = self.kept();
        for entry in entries {
            kept.bytes += weight_of(entry);
            kept.entries.push_back(Arc::clone(entry));
        }
        while kept.entries.len() > EVENTS || kept.bytes > BYTES {
            let Some(oldest) = kept.entries.pop_front() else { break };
            kept.bytes -= weight_of(&oldest);
            kept.after = position_of(&oldest);
        }
    }

    /// The events after a position, at most `limit`; `None` where some of them are not here any more.
    pub(crate) fn read(&self, after: u64, limit: usize) -> Option<Vec<Entry>> {
        let kept = self.kept();
        if after < kept.after {
            return None;
        }
        let begin = kept.entries.partition_point(|entry| position_of(entry) <= after);
        Some(kept.entries.range(begin..).take(limit).cloned().collect())
    }

    // What is done under the lock cannot panic half-way.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use domain::Position;

    use super::*;

    fn bad(position: u64) -> Entry {
        let (stream, tag, reason) = (String::new(), String::new(), String::new());
        Arc::new(Err(BadEvent { position: Position(position), stream, tag, reason }))
    }

    fn positions(read: &[Entry]) -> Vec<u64> {
        read.iter().map(|entry| position_of(entry)).collect()
    }

    #[test]
    fn what_is_kept_is_read_from_any_place_and_what_is_gone_is_not_passed_over() {
        let recent = Recent::after(10);
        recent.extend(&[bad(20), bad(30), bad(40)]);
        assert_eq!(positions(&recent.read(10, 2).unwrap()), [20, 30]);
        assert_eq!(positions(&recent.read(25, 9).unwrap()), [30, 40]);
        assert!(recent.read(40, 9).unwrap().is_empty());
        assert!(recent.read(9, 9).is_none());
        recent.extend(&(41..41 + EVENTS as u64).map(bad).collect::<Vec<_>>());
        assert!(recent.read(20, 9).is_none());
        assert_eq!(positions(&recent.read(40, 1).unwrap()), [41]);
    }
}
