//! The one place where the store reads the time, and how long an answer is kept by it; microseconds since 1970 in UTC, as they are stored.

use chrono::{DateTime, Utc};

use crate::options::Faults;

/// How long an answer is kept, in microseconds.
pub(crate) const ANSWER_LIFE: i64 = 24 * 60 * 60 * 1_000_000;

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
        Utc::now().timestamp_micros().saturating_add(self.faults.clock_shift())
    }
}

/// The moment that a stored number stands for, if there is one.
pub(crate) fn moment(micros: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros)
}
