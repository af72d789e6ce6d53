//! A tally: how often each of many numbers was counted, packed so that thousands of people take a few KiB.
//!
//! The packing is canonical: equal tallies are equal bytes, however often they were written on the way.

/// One count more or less, waiting to be added to a packed tally.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    /// Which table, by its place in the list of those in use.
    pub(crate) table: u32,
    /// Which tally of it.
    pub(crate) key: i64,
    /// Which number.
    pub(crate) number: u32,
    /// How much more; negative where less.
    pub(crate) by: i64,
}

/// Bytes that are no tally, or a count below none.
#[derive(Debug, thiserror::Error)]
pub enum BadTally {
    /// The bytes were not written by this program.
    #[error("the bytes are no tally")]
    Bytes,
    /// More was taken away than was there.
    #[error("number {0} would be counted less than not at all")]
    Negative(u32),
}

impl Change {
    /// What the order goes by, in one number, which is compared in one step.
    pub(crate) fn place(&self) -> u128 {
        u128::from(self.table) << 96 | u128::from(self.key.cast_unsigned()) << 32 | u128::from(self.number)
    }
}

/// Walks through a packed tally in the order of its numbers.
pub fn unpack(bytes: &[u8], mut each: impl FnMut(u32, u64)) -> Result<(), BadTally> {
    let mut rest = bytes;
    let mut next = 0_u64;
    while !rest.is_empty() {
        let head = read(&mut rest)?;
        let number = next + (head >> 1);
        let count = if head & 1 == 0 { 1 } else { read(&mut rest)?.saturating_add(2) };
        each(u32::try_from(number).map_err(|_| BadTally::Bytes)?, count);
        next = number + 1;
    }
    Ok(())
}

/// A packed tally with changes added, which come in the order of their numbers.
pub(crate) fn merge(bytes: &[u8], changes: &[Change]) -> Result<Vec<u8>, BadTally> {
    let mut packed = Packing { bytes: Vec::with_capacity(bytes.len() + 2 * changes.len()), next: 0 };
    let mut rest = changes;
    let mut failed = None;
    unpack(bytes, |number, count| {
        while let Some((earlier, by)) = take(&mut rest, |change| change.number < number) {
            failed = failed.take().or(packed.add(earlier, by).err());
        }
        let (_, by) = take(&mut rest, |change| change.number == number).unwrap_or_default();
        failed = failed.take().or(packed.add(number, count.cast_signed() + by).err());
    })?;
    while let Some((later, by)) = take(&mut rest, |_| true) {
        failed = failed.take().or(packed.add(later, by).err());
    }
    failed.map_or(Ok(packed.bytes), Err)
}

/// Takes the changes of the next number, added up, where that number is wanted.
fn take(rest: &mut &[Change], wanted: impl Fn(&Change) -> bool) -> Option<(u32, i64)> {
    let number = rest.first().filter(|change| wanted(change))?.number;
    let end = rest.iter().position(|change| change.number != number).unwrap_or(rest.len());
    let (taken, left) = rest.split_at(end);
    *rest = left;
    Some((number, taken.iter().map(|change| change.by).sum()))
}

struct Packing {
    bytes: Vec<u8>,
    next: u64,
}

impl Packing {
    fn add(&mut self, number: u32, count: i64) -> Result<(), BadTally> {
        let count = u64::try_from(count).map_err(|_| BadTally::Negative(number))?;
        let gap = u64::from(number) - self.next;
        match count {
            0 => return Ok(()),
            1 => write(&mut self.bytes, gap << 1),
            _ => {
                write(&mut self.bytes, gap << 1 | 1);
                write(&mut self.bytes, count - 2);
            }
        }
        self.next = u64::from(number) + 1;
        Ok(())
    }
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn write(bytes: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            return bytes.push(low);
        }
        bytes.push(low | 0x80);
    }
}

fn read(rest: &mut &[u8]) -> Result<u64, BadTally> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, left) = rest.split_first().ok_or(BadTally::Bytes)?;
        *rest = left;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(BadTally::Bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn changes(of: &[(u32, i64)]) -> Vec<Change> {
        let mut changes: Vec<_> =
            of.iter().map(|(number, by)| Change { table: 0, key: 0, number: *number, by: *by }).collect();
        changes.sort_unstable_by_key(Change::place);
        changes
    }

    fn unpacked(bytes: &[u8]) -> BTreeMap<u32, u64> {
        let mut counts = BTreeMap::new();
        unpack(bytes, |number, count| assert!(counts.insert(number, count).is_none())).unwrap();
        counts
    }

    #[test]
    fn what_was_taken_away_leaves_no_trace() {
        let bytes = merge(&[], &changes(&[(7, 1), (0, 5_000_000_000), (u32::MAX, 2)])).unwrap();
        assert_eq!(unpacked(&bytes), BTreeMap::from([(0, 5_000_000_000), (7, 1), (u32::MAX, 2)]));
        let bytes = merge(&bytes, &changes(&[(7, -1), (0, -5_000_000_000), (u32::MAX, -2)])).unwrap();
        assert!(bytes.is_empty());
        assert!(matches!(merge(&bytes, &changes(&[(3, -1)])), Err(BadTally::Negative(3))));
        assert!(unpack(&[0x80], |_, _| ()).is_err());
    }

    proptest! {
        #[test]
        fn a_tally_is_the_same_however_it_was_cut(
            all in prop::collection::vec((0_u32..300, 1_i64..200), 0..200),
            cut in 0_usize..200,
        ) {
            let (first, second) = all.split_at(cut.min(all.len()));
            let at_once = merge(&[], &changes(&all)).unwrap();
            let in_two = merge(&merge(&[], &changes(first)).unwrap(), &changes(second)).unwrap();
            prop_assert_eq!(&at_once, &in_two);
            let mut sums = BTreeMap::new();
            for (number, by) in all {
                *sums.entry(number).or_insert(0) += by.cast_unsigned();
            }
            prop_assert_eq!(unpacked(&at_once), sums);
        }
    }
}
