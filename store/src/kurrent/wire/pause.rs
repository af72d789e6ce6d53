//! How long to wait before something is tried again: longer each time, up to a limit.

use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

/// The next pause.
#[derive(Debug)]
pub(crate) struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(SHORTEST)
    }
}

impl Pause {
    /// How long to wait now; the next time it is twice as long.
    pub(crate) fn next(&mut self) -> Duration {
        let now = self.0;
        self.0 = (now * 2).min(LONGEST);
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_do_not_grow_for_ever() {
        let mut pause = Pause::default();
        let pauses: Vec<_> = (0..10).map(|_| pause.next()).collect();
        assert!(pauses.is_sorted() && pauses[0] == SHORTEST && pauses[9] == LONGEST);
    }
}
