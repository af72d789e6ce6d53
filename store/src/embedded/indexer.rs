//! The thread that writes the index, and forgets answers that are older than a day.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use crate::{
    embedded::{index::Index, log_file::LogFile, shared::Shared, tail::Segment},
    recording::clock::ANSWER_LIFE,
};

/// How often it looks for answers to forget.
const FORGETTING: Duration = Duration::from_mins(1);
/// How many answers are forgotten in one transaction.
const FORGOTTEN_AT_ONCE: usize = 4_096;
/// How long it waits before it tries again what failed.
const PAUSE: Duration = Duration::from_secs(1);
/// Beyond so many batches the index is written in batches so many times as large: each costs about the same.
const LARGE: usize = 8;

/// Brings the index up to the log before the store opens; what does not fill a batch becomes the tail.
pub(crate) fn catch_up(index: &mut Index, log: &LogFile, batch: usize) -> rusqlite::Result<Segment> {
    let (through, answers_through) = index.reach()?;
    let missing = usize::try_from(log.head()?.0.saturating_sub(through)).unwrap_or(usize::MAX);
    let batch = if missing / LARGE > batch { batch * LARGE } else { batch };
    let mut filling = Filling { index, batch, segment: Segment::after(through, answers_through) };
    log.places(through, |place| {
        filling.segment.add(place);
        filling.write_if_full()
    })?;
    log.keys(answers_through, |key, number| {
        filling.segment.add_answer(key, number);
        filling.write_if_full()
    })?;
    Ok(filling.segment)
}

/// A segment on its way into the index.
struct Filling<'i> {
    index: &'i mut Index,
    batch: usize,
    segment: Segment,
}

impl Filling<'_> {
    fn write_if_full(&mut self) -> rusqlite::Result<()> {
        if self.segment.len() >= self.batch {
            self.index.write(&self.segment)?;
            self.segment = self.segment.next();
        }
        Ok(())
    }
}

/// Writes each full segment of the tail to the index, until the store closes.
#[expect(clippy::needless_pass_by_value, reason = "its connections are closed when it ends")]
pub(crate) fn run(shared: &Arc<Shared>, mut index: Index, log: LogFile) {
    let mut forgotten: Option<Instant> = None;
    while !shared.tail.is_closing() {
        if let Some(segment) = shared.tail.wait_for_full(FORGETTING) {
            match index.write(&segment) {
                Ok(()) => shared.tail.drop_oldest(),
                Err(error) => {
                    // The tail keeps the segment; when too many wait, the writer waits and then says so.
                    tracing::error!(%error, "the index cannot be written; trying again");
                    thread::sleep(PAUSE);
                }
            }
        }
        if forgotten.is_none_or(|at| at.elapsed() >= FORGETTING) {
            if let Err(error) = forget(shared, &mut index, &log) {
                tracing::error!(%error, "old answers cannot be forgotten; trying again");
            }
            forgotten = Some(Instant::now());
        }
    }
}

/// Takes expired answers out of the index; the writer deletes them from the log with its next transaction.
fn forget(shared: &Shared, index: &mut Index, log: &LogFile) -> rusqlite::Result<()> {
    let oldest = shared.clock.now() - ANSWER_LIFE;
    let (_, through) = index.reach()?;
    while !shared.tail.is_closing() {
        let after = shared.expired_through.load(Relaxed);
        let expired = log.answers_before(after, through, oldest, FORGOTTEN_AT_ONCE)?;
        let Some((_, last)) = expired.last() else { break };
        index.forget(&expired)?;
        shared.expired_through.store(*last, Relaxed);
    }
    Ok(())
}
