//! The one place where the store reads the time, how long an answer is kept by it, and whether it can be believed;
//! microseconds since 1970 in UTC, as they are stored.

use chrono::{DateTime, SecondsFormat, Utc};
use machine::clock::since_boot;

use crate::options::Faults;

/// How long an answer is kept, in microseconds.
pub(crate) const ANSWER_LIFE: i64 = 24 * 60 * 60 * 1_000_000;

/// How far the clock may be from where it ought to be before nothing is recorded by it, in microseconds.
const OFFSET_MAX: i64 = 60 * 1_000_000;
/// The beginning of 2025: older than this program, so that a clock which says less is wrong.
const EARLIEST: i64 = 1_735_689_600 * 1_000_000;

/// The clock of one store. Tests may set it ahead or back.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    faults: Faults,
}

impl Clock {
    pub(crate) fn new(faults: Faults) -> Self {
        Self { faults }
    }

    /// Now.
    #[expect(
        clippy::disallowed_methods,
        reason = "`recorded_at` is the one time that the store itself knows"
    )]
    pub(crate) fn now(&self) -> i64 {
        Utc::now()
            .timestamp_micros()
            .saturating_add(self.faults.clock_shift())
            .saturating_add(self.faults.clock_jump())
    }

    /// How long the machine has been running: no setting of the clock changes that.
    fn since_boot(&self) -> i64 {
        i64::try_from(since_boot().as_micros()).unwrap_or(i64::MAX).saturating_add(self.faults.clock_shift())
    }
}

/// Holds the clock against one that nobody can set, and against what was recorded last: an event that is recorded while
/// the clock is ahead would date everything after it.
#[derive(Debug)]
pub(crate) struct ClockWatch {
    clock: Clock,
    /// Whether the clock is believed although the log is ahead of it.
    is_accepted: bool,
    /// What the clock said when it was last right, and how long the machine had been running then.
    right: (i64, i64),
}

impl ClockWatch {
    /// Begins to watch; what the clock says now is taken for right, unless the log knows better.
    pub(crate) fn new(clock: Clock, is_accepted: bool) -> Self {
        let right = (clock.now(), clock.since_boot());
        Self { clock, is_accepted, right }
    }

    /// How far the clock is from where it ought to be.
    pub(crate) fn offset(&self) -> i64 {
        let (said, running) = self.right;
        let expected = said.saturating_add(self.clock.since_boot() - running);
        self.clock.now().saturating_sub(expected)
    }

    /// Now; an error says why the clock cannot be believed, and what to do.
    pub(crate) fn now(&mut self, last_recorded: i64) -> Result<i64, String> {
        let (now, offset) = (self.clock.now(), self.offset());
        if now < EARLIEST {
            return Err(format!("the clock says {}: set it right", said(now)));
        }
        if offset.abs() > OFFSET_MAX {
            let (seconds, way) = (offset.abs() / 1_000_000, if offset < 0 { "back" } else { "ahead" });
            return Err(format!(
                "the clock has jumped {seconds} s {way} and says {}: set it right, or start the server again if it is \
                 right now",
                said(now)
            ));
        }
        if !self.is_accepted && last_recorded.saturating_sub(now) > OFFSET_MAX {
            return Err(format!(
                "the clock says {}, but the last event was recorded at {}: set the clock right; if it is right and the \
                 event was recorded by a wrong one, serve with --accept-clock, and new events are dated like that one",
                said(now),
                said(last_recorded)
            ));
        }
        // Small steps are the work of whoever keeps the clock right.
        self.right = (now, self.clock.since_boot());
        Ok(now)
    }
}

fn said(micros: i64) -> String {
    moment(micros).map_or_else(|| "nothing".to_owned(), |at| at.to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// The moment that a stored number stands for, if there is one.
pub(crate) fn moment(micros: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 60 * 60 * 1_000_000;
    /// In 2026.
    const LAST: i64 = 1_767_225_600 * 1_000_000;

    fn watched() -> (Faults, ClockWatch) {
        let faults = Faults::default();
        (faults.clone(), ClockWatch::new(Clock::new(faults), false))
    }

    #[test]
    fn a_clock_that_runs_on_is_believed_however_long_nobody_looks() {
        let (faults, mut watch) = watched();
        faults.shift_clock(1_000 * HOUR);
        assert!(watch.now(LAST).is_ok());
        assert!(watch.offset().abs() < 1_000_000);
    }

    #[test]
    fn a_clock_that_jumps_is_believed_again_when_it_is_back() {
        let (faults, mut watch) = watched();
        for jump in [HOUR, -HOUR, 10 * 365 * 24 * HOUR] {
            faults.jump_clock(jump);
            let reason = watch.now(LAST).unwrap_err();
            assert!(reason.contains("has jumped"), "{reason}");
            assert!((watch.offset() - jump).abs() < 1_000_000);
            faults.jump_clock(0);
            assert!(watch.now(LAST).is_ok());
        }
    }

    #[test]
    fn a_clock_that_is_set_right_by_seconds_is_believed() {
        let (faults, mut watch) = watched();
        for seconds in 1..100 {
            faults.jump_clock(seconds * 30 * 1_000_000);
            assert!(watch.now(LAST).is_ok(), "{seconds}");
        }
    }

    #[test]
    fn a_clock_behind_the_log_is_believed_only_when_somebody_says_so() {
        let (_, mut watch) = watched();
        let in_2100 = 4_102_444_800 * 1_000_000;
        assert!(watch.now(in_2100).unwrap_err().contains("--accept-clock"));
        assert!(ClockWatch::new(Clock::new(Faults::default()), true).now(in_2100).is_ok());
    }

    #[test]
    fn a_clock_from_before_this_program_is_never_believed() {
        let faults = Faults::default();
        faults.jump_clock(-70 * 365 * 24 * HOUR);
        let reason = ClockWatch::new(Clock::new(faults), true).now(i64::MIN).unwrap_err();
        assert!(reason.starts_with("the clock says 19"), "{reason}");
    }
}
