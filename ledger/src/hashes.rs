//! The files of the hashes: every fourth level of the tree, each in a file of its own, one hash after the other.
//!
//! What lies between two kept levels is hashed again when it is asked for: at most eight hashes for a node. So a
//! proof costs a few short reads and as many bytes are kept as for the leaves and a fifteenth more.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use crate::merkle::{Frontier, Hash, Nodes, node_hash};

/// Every so many levels one is kept.
const EVERY: u32 = 4;
/// How many levels are kept: enough for 2^39 events.
const KEPT: usize = 9;
/// What stands where a power cut has torn a file: nothing was written there.
pub(crate) const TORN: Hash = [0; 32];
/// The size of a hash in its file.
const BYTES: u64 = size_of::<Hash>() as u64;

/// The open files.
#[derive(Debug)]
pub(crate) struct Hashes {
    files: Vec<File>,
}

/// Hashes on their way into the files: what has been added and is not written yet.
#[derive(Debug, Default)]
pub(crate) struct Growth {
    frontier: Frontier,
    waiting: [Vec<u8>; KEPT],
    /// How many hashes of each level are in its file.
    written: [u64; KEPT],
}

impl Hashes {
    /// Opens the files; makes them where they are missing, if so wished.
    pub(crate) fn open(folder: &Path, create: bool) -> io::Result<Self> {
        let open = |kept: usize| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(create).truncate(false).mode(0o600);
            options.open(path(folder, kept))
        };
        Ok(Self { files: (0..KEPT).map(open).collect::<io::Result<_>>()? })
    }

    /// Opens the files for reading.
    pub(crate) fn open_to_read(folder: &Path) -> io::Result<Self> {
        Ok(Self { files: (0..KEPT).map(|kept| File::open(path(folder, kept))).collect::<io::Result<_>>()? })
    }

    /// How many leaves the files have the whole tree of.
    pub(crate) fn size(&self) -> io::Result<u64> {
        let mut size = u64::MAX;
        let mut below = 0;
        for (kept, file) in self.files.iter().enumerate() {
            let count = file.metadata()?.len() / BYTES;
            let expected = below >> EVERY;
            if kept > 0 && count < expected {
                // Whole groups of this level are all that can be relied on.
                size = size.min(((count + 1) << level(kept)) - 1);
            } else if kept == 0 {
                size = count;
            }
            below = count;
        }
        Ok(size)
    }

    /// Makes what is written durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.files.iter().try_for_each(File::sync_data)
    }

    /// The hashes of a kept level, one after the other.
    pub(crate) fn of_tile(&self, tile_level: u32, begin: u64, count: usize) -> io::Result<Vec<u8>> {
        let kept = usize::try_from(tile_level * crate::tile::HEIGHT / EVERY).unwrap_or(KEPT);
        let file = self.files.get(kept).ok_or_else(too_high)?;
        let mut bytes = vec![0; count * size_of::<Hash>()];
        file.read_exact_at(&mut bytes, begin * BYTES)?;
        Ok(bytes)
    }
}

impl Nodes for Hashes {
    type Error = io::Error;

    fn node(&self, level: u32, index: u64) -> io::Result<Hash> {
        let file = self.files.get((level / EVERY) as usize).ok_or_else(too_high)?;
        let above = level % EVERY;
        let mut bytes = [0; 32 << (EVERY - 1)];
        let bytes = &mut bytes[..32 << above];
        file.read_exact_at(bytes, (index << above) * BYTES)?;
        let mut hashes = [[0; 32]; 1 << (EVERY - 1)];
        let mut count = 0;
        for (hash, bytes) in hashes.iter_mut().zip(bytes.as_chunks().0) {
            *hash = *bytes;
            count += 1;
        }
        while count > 1 {
            count /= 2;
            for place in 0..count {
                hashes[place] = node_hash(&hashes[2 * place], &hashes[2 * place + 1]);
            }
        }
        Ok(hashes[0])
    }
}

impl Growth {
    /// Goes on from the first `size` leaves of the files.
    pub(crate) fn after(hashes: &Hashes, size: u64) -> io::Result<Self> {
        let mut written = [0; KEPT];
        for (kept, written) in written.iter_mut().enumerate() {
            *written = size >> level(kept);
        }
        Ok(Self { frontier: Frontier::at(hashes, size)?, waiting: Default::default(), written })
    }

    /// The tree so far.
    pub(crate) const fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Adds a leaf.
    pub(crate) fn push(&mut self, leaf: Hash) {
        let waiting = &mut self.waiting;
        self.frontier.push(leaf, |level, _, hash| {
            if level.is_multiple_of(EVERY)
                && let Some(waiting) = waiting.get_mut((level / EVERY) as usize)
            {
                waiting.extend_from_slice(hash);
            }
        });
    }

    /// Writes what waits. After an error the same may be written again.
    pub(crate) fn write(&mut self, hashes: &Hashes) -> io::Result<()> {
        for (kept, file) in hashes.files.iter().enumerate() {
            let waiting = &mut self.waiting[kept];
            if !waiting.is_empty() {
                file.write_all_at(waiting, self.written[kept] * BYTES)?;
                self.written[kept] += waiting.len() as u64 / BYTES;
                waiting.clear();
            }
        }
        Ok(())
    }
}

/// The level of the tree that the n-th file keeps.
fn level(kept: usize) -> u32 {
    // There are nine files.
    u32::try_from(kept).unwrap_or(u32::MAX) * EVERY
}

/// The level of the tree in each file, from below.
pub(crate) fn kept_levels() -> impl Iterator<Item = u32> {
    (0..KEPT).map(level)
}

/// The n-th file.
pub(crate) fn path(folder: &Path, kept: usize) -> PathBuf {
    folder.join(format!("hashes-{:02}", level(kept)))
}

fn too_high() -> io::Error {
    io::Error::other("the tree has no such level")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{leaf_hash, root};

    fn leaves(count: u64) -> impl Iterator<Item = Hash> {
        (0..count).map(|number| leaf_hash(&number.to_be_bytes()))
    }

    #[test]
    fn what_is_read_from_the_files_is_the_tree_that_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let hashes = Hashes::open(folder.path(), true).unwrap();
        let (mut growth, mut whole) = (Growth::default(), Vec::new());
        for leaf in leaves(5_000) {
            growth.push(leaf);
            growth.frontier().root();
            whole.push(growth.frontier().root());
        }
        growth.write(&hashes).unwrap();
        assert_eq!(hashes.size().unwrap(), 5_000);
        for size in [1, 15, 16, 17, 255, 256, 257, 4_095, 4_096, 4_097, 5_000] {
            let expected = whole[usize::try_from(size).unwrap() - 1];
            assert_eq!(root(&hashes, size).unwrap(), expected, "size {size}");
        }
    }

    #[test]
    fn a_tree_that_is_taken_up_in_its_middle_grows_again_to_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let hashes = Hashes::open(folder.path(), true).unwrap();
        let mut growth = Growth::default();
        leaves(1_000).for_each(|leaf| growth.push(leaf));
        growth.write(&hashes).unwrap();
        let mut again = Growth::after(&hashes, 300).unwrap();
        leaves(1_000).skip(300).for_each(|leaf| again.push(leaf));
        again.write(&hashes).unwrap();
        assert_eq!(again.frontier(), growth.frontier());
        assert_eq!(root(&hashes, 1_000).unwrap(), growth.frontier().root());
    }
}
