//! The tree: hashing, roots and proofs of RFC 9162, section 2.1.
//!
//! A tree of `size` leaves is the largest full tree on its left, of a power of two leaves, beside the tree of what
//! remains. Whatever is asked is made of full subtrees, each named by its level (the leaves are level 0) and its
//! index on that level; where their hashes come from is not known here ([`Nodes`]).

use std::{cell::RefCell, collections::HashMap};

use sha2::{Digest, Sha256};

/// A hash of the tree: SHA-256.
pub type Hash = [u8; 32];

/// The longest proof there is: one hash a level.
pub const PROOF_LIMIT: usize = 64;

/// From which level on nodes are remembered.
const REMEMBERED_FROM: u32 = 4;

/// The hash of a leaf.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(entry).finalize().into()
}

/// The hash of a node over its two children.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [0; 65];
    bytes[0] = 1;
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    Sha256::digest(bytes).into()
}

/// The root of a tree without leaves.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// Where the hashes of full subtrees come from.
pub trait Nodes {
    /// Why one cannot be had.
    type Error;
    /// The hash of the full subtree over the leaves from `index << level` on, `1 << level` of them.
    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// Nodes that are remembered once they were asked for: the proofs of many leaves share most of theirs.
pub struct Remembered<'n, N> {
    nodes: &'n N,
    known: RefCell<HashMap<(u32, u64), Hash>>,
}

impl<'n, N: Nodes> Remembered<'n, N> {
    /// Nothing is known yet.
    pub fn new(nodes: &'n N) -> Self {
        Self { nodes, known: RefCell::default() }
    }
}

impl<N: Nodes> Nodes for Remembered<'_, N> {
    type Error = N::Error;

    fn node(&self, level: u32, index: u64) -> Result<Hash, N::Error> {
        // Near the leaves hardly any is asked for twice.
        if level < REMEMBERED_FROM {
            return self.nodes.node(level, index);
        }
        if let Some(known) = self.known.borrow().get(&(level, index)) {
            return Ok(*known);
        }
        let hash = self.nodes.node(level, index)?;
        self.known.borrow_mut().insert((level, index), hash);
        Ok(hash)
    }
}

/// The right edge of a growing tree: the full subtrees that it is made of, the largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    subtrees: Vec<Hash>,
}

impl Frontier {
    /// The edge of the tree of the first `size` leaves.
    pub fn at<N: Nodes>(nodes: &N, size: u64) -> Result<Self, N::Error> {
        let levels = (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1);
        // A subtree of a level begins where the larger ones end.
        let subtrees = levels.map(|level| nodes.node(level, (size >> (level + 1)) << 1));
        Ok(Self { size, subtrees: subtrees.collect::<Result<_, _>>()? })
    }

    /// How many leaves the tree has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf, and tells level, index and hash of each subtree that it completes: itself first.
    pub fn push(&mut self, leaf: Hash, mut completed: impl FnMut(u32, u64, &Hash)) {
        let mut hash = leaf;
        let mut index = self.size;
        let mut level = 0;
        completed(level, index, &hash);
        while index & 1 == 1 {
            // An odd index has its left neighbour waiting at the edge.
            let Some(left) = self.subtrees.pop() else { break };
            hash = node_hash(&left, &hash);
            index >>= 1;
            level += 1;
            completed(level, index, &hash);
        }
        self.subtrees.push(hash);
        self.size += 1;
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        let mut smallest_first = self.subtrees.iter().rev();
        let Some(first) = smallest_first.next() else { return empty_root() };
        smallest_first.fold(*first, |right, left| node_hash(left, &right))
    }
}

/// The root of the first `size` leaves.
pub fn root<N: Nodes>(nodes: &N, size: u64) -> Result<Hash, N::Error> {
    if size == 0 { Ok(empty_root()) } else { subtree(nodes, 0, size) }
}

/// The proof that the leaf `index` is in the tree of the first `size` leaves; `index` is below `size`.
pub fn inclusion<N: Nodes>(nodes: &N, index: u64, size: u64) -> Result<Vec<Hash>, N::Error> {
    let mut path = Vec::new();
    let (mut begin, mut end) = (0, size);
    // From the root down: at each step the half that does not hold the leaf is part of the proof.
    while end - begin > 1 {
        let middle = begin + left_size(end - begin);
        if index < middle {
            path.push(subtree(nodes, middle, end)?);
            end = middle;
        } else {
            path.push(subtree(nodes, begin, middle)?);
            begin = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of the first `old` leaves is the beginning of that of the first `size`; `old` is between
/// 1 and `size`.
pub fn consistency<N: Nodes>(nodes: &N, old: u64, size: u64) -> Result<Vec<Hash>, N::Error> {
    let mut path = Vec::new();
    let (mut begin, mut end) = (0, size);
    let mut is_whole_left = true;
    while old != end {
        let middle = begin + left_size(end - begin);
        if old <= middle {
            path.push(subtree(nodes, middle, end)?);
            end = middle;
        } else {
            path.push(subtree(nodes, begin, middle)?);
            begin = middle;
            is_whole_left = false;
        }
    }
    // The old root itself need not be sent where it is a node of the new tree: the asker has it.
    if !is_whole_left {
        path.push(subtree(nodes, begin, end)?);
    }
    path.reverse();
    Ok(path)
}

/// Whether a leaf is in a tree, by its proof.
pub fn proves_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let mut hash = *leaf;
    let arrives = climb(index, size - 1, path, |is_left, sibling| {
        hash = if is_left { node_hash(sibling, &hash) } else { node_hash(&hash, sibling) };
    });
    arrives && hash == *root
}

/// Whether one tree is the beginning of another, by its proof.
pub fn proves_consistency(old: u64, old_root: &Hash, size: u64, root: &Hash, path: &[Hash]) -> bool {
    if old == 0 || old > size {
        return false;
    }
    if old == size {
        return path.is_empty() && old_root == root;
    }
    let (first, path) = if old.is_power_of_two() {
        (Some(old_root), path)
    } else {
        (path.first(), path.get(1..).unwrap_or_default())
    };
    let Some(first) = first else { return false };
    // The old tree's last full subtree is where the way up begins.
    let level = (old - 1).trailing_ones();
    let (mut old_hash, mut hash) = (*first, *first);
    let arrives = climb((old - 1) >> level, (size - 1) >> level, path, |is_left, sibling| {
        if is_left {
            old_hash = node_hash(sibling, &old_hash);
            hash = node_hash(sibling, &hash);
        } else {
            hash = node_hash(&hash, sibling);
        }
    });
    arrives && old_hash == *old_root && hash == *root
}

/// Goes from a node up to the root by its siblings, telling of each whether it stands on the left; whether the root
/// is reached with the last of them. `last` is the last node of the level on which the way begins.
fn climb(mut node: u64, mut last: u64, path: &[Hash], mut with: impl FnMut(bool, &Hash)) -> bool {
    if path.len() > PROOF_LIMIT {
        return false;
    }
    for sibling in path {
        if last == 0 {
            return false;
        }
        let is_left = node & 1 == 1 || node == last;
        with(is_left, sibling);
        // The last node of a level without a right neighbour moves up as it is.
        while is_left && node & 1 == 0 && node != 0 {
            node >>= 1;
            last >>= 1;
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0
}

/// How many leaves the left half of a tree has: the largest power of two below its size, which is above 1.
fn left_size(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// The hash over the leaves from `begin` up to `end`. `begin` is a multiple of every power of two below the length,
/// as it always is on the way down from the root; so the parts are full subtrees, but for the last.
fn subtree<N: Nodes>(nodes: &N, begin: u64, end: u64) -> Result<Hash, N::Error> {
    let length = end - begin;
    if length.is_power_of_two() {
        let level = length.ilog2();
        return nodes.node(level, begin >> level);
    }
    let middle = begin + left_size(length);
    Ok(node_hash(&subtree(nodes, begin, middle)?, &subtree(nodes, middle, end)?))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    struct Leaves(Vec<Hash>);

    impl Nodes for Leaves {
        type Error = Infallible;

        fn node(&self, level: u32, index: u64) -> Result<Hash, Infallible> {
            if level == 0 {
                return Ok(self.0[usize::try_from(index).unwrap()]);
            }
            Ok(node_hash(&self.node(level - 1, 2 * index)?, &self.node(level - 1, 2 * index + 1)?))
        }
    }

    fn leaves(count: u64) -> Leaves {
        Leaves((0..count).map(|number| leaf_hash(&number.to_be_bytes())).collect())
    }

    /// The root as the standard defines it, word for word.
    fn defined_root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [one] => *one,
            many => {
                let middle = many.len().next_power_of_two() / 2;
                node_hash(&defined_root(&many[..middle]), &defined_root(&many[middle..]))
            }
        }
    }

    #[test]
    fn the_root_is_the_one_that_the_standard_defines() {
        let tree = leaves(70);
        for size in 0..=70 {
            let expected = defined_root(&tree.0[..usize::try_from(size).unwrap()]);
            assert_eq!(root(&tree, size), Ok(expected), "size {size}");
        }
    }

    #[test]
    fn a_growing_tree_has_the_root_of_its_leaves_also_when_it_is_taken_up_again() {
        let tree = leaves(70);
        let mut growing = Frontier::default();
        for (size, leaf) in (1..).zip(&tree.0) {
            growing.push(*leaf, |level, index, hash| assert_eq!(tree.node(level, index), Ok(*hash)));
            assert_eq!(Ok(growing.root()), root(&tree, size));
            assert_eq!(Frontier::at(&tree, size), Ok(growing.clone()));
        }
        assert_eq!(Frontier::default().root(), empty_root());
    }

    proptest! {
        #[test]
        fn every_leaf_is_proven_and_no_other_in_its_place(size in 1_u64..200, one in 0_u64..200, other in 0_u64..200) {
            let (tree, one, other) = (leaves(size), one % size, other % size);
            let (Ok(root), Ok(path)) = (root(&tree, size), inclusion(&tree, one, size));
            let leaf = |index: u64| tree.0[usize::try_from(index).unwrap()];
            prop_assert!(proves_inclusion(&leaf(one), one, size, &path, &root));
            prop_assert_eq!(proves_inclusion(&leaf(other), one, size, &path, &root), one == other);
            prop_assert_eq!(proves_inclusion(&leaf(one), other, size, &path, &root), one == other);
        }

        #[test]
        fn an_old_tree_is_proven_to_be_the_beginning_of_a_new_one(size in 1_u64..200, old in 1_u64..200) {
            let (tree, old) = (leaves(size), (old - 1) % size + 1);
            let (Ok(old_root), Ok(new_root)) = (root(&tree, old), root(&tree, size));
            let Ok(path) = consistency(&tree, old, size);
            prop_assert!(proves_consistency(old, &old_root, size, &new_root, &path));
            let another = leaf_hash(b"another");
            prop_assert!(!proves_consistency(old, &another, size, &new_root, &path));
            prop_assert!(!proves_consistency(old, &old_root, size, &another, &path));
        }
    }

    #[test]
    fn a_proof_of_nothing_proves_nothing() {
        let hash = leaf_hash(b"");
        assert!(!proves_inclusion(&hash, 0, 0, &[], &hash));
        assert!(!proves_consistency(0, &hash, 5, &hash, &[]));
        assert!(!proves_consistency(3, &hash, 5, &hash, &[]));
        assert!(proves_inclusion(&hash, 0, 1, &[], &hash));
    }
}
