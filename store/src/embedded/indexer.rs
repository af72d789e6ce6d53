//! The thread that writes the index, and forgets answers that are older than a day.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use crate::{
    embedded::{
        index::{Index, remove},
        log_file::LogFile,
        shared::Shared,
        tail::Segment,
    },
    recording::clock::ANSWER_LIFE,
    sqlite::is_damaged,
};

/// What it is called where its troubles are told.
const PART: &str = "the index";
/// How often it looks for answers to forget.
const FORGETTING: Duration = Duration::from_mins(1);
/// How many answers are forgotten in one transaction.
const FORGOTTEN_AT_ONCE: usize = 4_096;
/// How long it waits for something to do, and before it tries again what failed: whether that has passed is seen soon, also
/// where nothing more is to be written.
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

/// Writes each full segment of the tail to the index, until the store closes. What cannot be written stays in the tail and
/// is tried again; when too many segments wait, the writer waits and then says so.
#[expect(clippy::needless_pass_by_value, reason = "its connections are closed when it ends")]
pub(crate) fn run(shared: &Arc<Shared>, mut index: Index, log: LogFile) {
    let mut forgotten: Option<Instant> = None;
    while !shared.tail.is_closing() {
        let step = || step(shared, &mut index, &log, &mut forgotten);
        match panic::catch_unwind(AssertUnwindSafe(step)) {
            Ok(Ok(())) => {
                shared.troubles.clear(PART);
                continue;
            }
            // Damage that is come upon in looking up or writing is told otherwise: this is an index that cannot be emptied.
            Ok(Err(error)) if is_damaged(&error) => {
                tracing::error!(%error, "the index cannot even be emptied: the next start begins a new one");
                let _ = remove(&shared.index_file);
                return;
            }
            Ok(Err(error)) => shared.troubles.note(PART, &format!("it cannot be written: {error}")),
            Err(_) => shared.troubles.note(PART, "writing it has panicked"),
        }
        thread::sleep(PAUSE);
    }
}

fn step(
    shared: &Shared,
    index: &mut Index,
    log: &LogFile,
    forgotten: &mut Option<Instant>,
) -> rusqlite::Result<()> {
    shared.options.faults.pass();
    if shared.index.is_damaged() {
        write_again(shared, index, log)?;
    }
    if let Some(segment) = shared.tail.wait_for_full(PAUSE) {
        shared.consult(|| index.write(&segment))?;
        shared.tail.drop_oldest();
    }
    if forgotten.is_none_or(|at| at.elapsed() >= FORGETTING) {
        forget(shared, index, log)?;
        *forgotten = Some(Instant::now());
    }
    Ok(())
}

/// Writes the index again, as far as it reached: what comes after that is in the tail. Nothing is looked up in it meanwhile.
fn write_again(shared: &Shared, index: &mut Index, log: &LogFile) -> rusqlite::Result<()> {
    let (through, answers_through) = shared.tail.begins_after();
    index.clear()?;
    let mut filling =
        Filling { index, batch: shared.options.index_batch * LARGE, segment: Segment::default() };
    log.places_between(0, through, |place| {
        filling.segment.add(place);
        filling.write_if_full()
    })?;
    log.keys(0, |key, number| {
        if number <= answers_through {
            filling.segment.add_answer(key, number);
        }
        filling.write_if_full()
    })?;
    let mut last = filling.segment;
    (last.through, last.answers_through) = (through, answers_through);
    index.write(&last)?;
    shared.index.note_whole();
    Ok(())
}

/// Takes expired answers out of the index; the writer deletes them from the log with its next transaction.
fn forget(shared: &Shared, index: &mut Index, log: &LogFile) -> rusqlite::Result<()> {
    let oldest = shared.clock.now() - ANSWER_LIFE;
    let (_, through) = index.reach()?;
    while !shared.tail.is_closing() {
        let after = shared.expired_through.load(Relaxed);
        let expired = log.answers_before(after, through, oldest, FORGOTTEN_AT_ONCE)?;
        let Some((_, last)) = expired.last() else { break };
        shared.consult(|| index.forget(&expired))?;
        shared.expired_through.store(*last, Relaxed);
    }
    Ok(())
}
