//! What was said already in this run, so that it is not said again with every row.

use std::collections::HashSet;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// How many sentences are remembered at least; twice as many at most (48 MiB).
const REMEMBERED: usize = 500_000;

/// A bounded memory of sentences. What it forgets is said again, which changes nothing but time.
#[derive(Debug, Default)]
pub(crate) struct Once {
    recent: HashSet<u128>,
    older: HashSet<u128>,
}

/// The mark that one sentence leaves.
pub(crate) fn mark(id: Uuid, command: &str, fields: &str) -> u128 {
    let mut hash = Sha256::new();
    hash.update(id.as_bytes());
    hash.update((command.len() as u64).to_be_bytes());
    hash.update(command.as_bytes());
    hash.update(fields.as_bytes());
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    u128::from_be_bytes(bytes)
}

impl Once {
    /// Whether the sentence was said.
    pub fn knows(&self, mark: u128) -> bool {
        self.recent.contains(&mark) || self.older.contains(&mark)
    }

    /// Remembers that the sentence was said.
    pub fn remember(&mut self, mark: u128) {
        if self.recent.len() >= REMEMBERED {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_is_bounded_and_keeps_what_is_recent() {
        let mut once = Once::default();
        for number in 0..(3 * REMEMBERED as u128) {
            once.remember(number);
        }
        assert!(once.knows(3 * REMEMBERED as u128 - 1));
        assert!(once.knows(2 * REMEMBERED as u128));
        assert!(!once.knows(0));
        assert!(once.recent.len() + once.older.len() <= 2 * REMEMBERED);
    }

    #[test]
    fn other_words_about_the_same_thing_are_another_sentence() {
        assert_ne!(mark(Uuid::nil(), "register", "{}"), mark(Uuid::nil(), "register", "{\"name\":1}"));
        assert_ne!(mark(Uuid::nil(), "ab", "c"), mark(Uuid::nil(), "a", "bc"));
    }
}
