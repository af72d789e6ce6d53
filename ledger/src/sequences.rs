//! Whether every stream counts its events without a gap and none twice. The tree of hashes proves only that the log is what
//! was recorded; a program that recorded one revision twice would have had it signed as well.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
};

/// How far each stream has come: about 16 bytes for each of them, since only a hash of its name is kept. The hash is keyed at
/// random, so that two names that fall together in one run (of ten million, one time in 400,000) do not in the next.
#[derive(Default)]
pub(crate) struct Sequences {
    names: RandomState,
    reached: HashMap<u64, u32>,
}

impl Sequences {
    /// Takes the next event of a stream; where it is not the one that had to come, which revision had to.
    pub(crate) fn take(&mut self, stream: &str, revision: u64) -> Result<(), u64> {
        let reached = self.reached.entry(self.names.hash_one(stream)).or_default();
        let expected = u64::from(*reached) + 1;
        if revision != expected {
            return Err(expected);
        }
        *reached += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stream_counts_from_one_without_a_gap_and_none_twice() {
        let mut sequences = Sequences::default();
        assert_eq!(sequences.take("deal-a", 1), Ok(()));
        assert_eq!(sequences.take("deal-b", 1), Ok(()));
        assert_eq!(sequences.take("deal-a", 2), Ok(()));
        assert_eq!(sequences.take("deal-a", 2), Err(3));
        assert_eq!(sequences.take("deal-a", 4), Err(3));
        assert_eq!(sequences.take("deal-c", 2), Err(1));
    }
}
