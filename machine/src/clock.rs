//! The clock that nobody can set.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How long the machine has been running, the time included in which it slept. It only ever runs on, whatever the wall
/// clock is set to.
pub fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    // Neither is ever negative: it begins at zero.
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_on() {
        let before = since_boot();
        assert!(since_boot() >= before);
    }
}
