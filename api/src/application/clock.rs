//! The clock is read here, at the edge; nothing further in does.

use chrono::{DateTime, Utc};

/// Now.
#[expect(clippy::disallowed_methods, reason = "the application is where time comes in")]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}
