//! The leaf of an event: the bytes that are hashed into the tree.
//!
//! Every field goes in with its length in front, in a fixed order, so that no two events have the same bytes. The
//! data and the metadata go in as the SHA-256 of their stored text: sealed as it is, so that forgetting a person
//! changes no leaf. Nothing of one store goes in, so that a log copied in its order elsewhere keeps its root.

use domain::Stored;
use sha2::{Digest, Sha256};

use crate::merkle::{Hash, leaf_hash};

/// What the bytes are, and in which version.
const FORMAT: &[u8] = b"rapport-event/v1";
/// The largest entry that a bundle of entries of `tlog-tiles` can hold, in bytes.
pub const ENTRY_LIMIT: usize = u16::MAX as usize;

/// Writes the entry of an event: twelve fields, each with its length as four bytes, the highest first. Numbers are
/// eight bytes, the highest first; times are microseconds since 1970; what is absent is empty.
///
/// In order: the format, stream, revision, id, tag, `occurred_at`, `effective_at`, `recorded_at`, actor, subjects
/// (16 bytes each), SHA-256 of the metadata, SHA-256 of the data.
pub fn write_entry(event: &Stored<'_>, entry: &mut Vec<u8>) {
    entry.clear();
    let mut field = |bytes: &[u8]| {
        // Nothing that is stored comes near four gigabytes: a command's events are limited to one mebibyte.
        entry.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        entry.extend_from_slice(bytes);
    };
    field(FORMAT);
    field(event.stream.as_bytes());
    field(&event.revision.to_be_bytes());
    field(event.id);
    field(event.tag.as_bytes());
    match event.occurred_at {
        Some(moment) => field(&moment.to_be_bytes()),
        None => field(&[]),
    }
    field(&event.effective_at.to_be_bytes());
    field(&event.recorded_at.to_be_bytes());
    field(event.actor.as_bytes());
    field(event.subjects);
    match event.metadata {
        Some(metadata) => field(&Sha256::digest(metadata.as_bytes())),
        None => field(&[]),
    }
    field(&Sha256::digest(event.data.as_bytes()));
}

/// Hashes events one after the other, without an allocation for each.
#[derive(Debug, Default)]
pub struct LeafHasher {
    entry: Vec<u8>,
}

impl LeafHasher {
    /// The hash of an event's leaf.
    pub fn hash(&mut self, event: &Stored<'_>) -> Hash {
        write_entry(event, &mut self.entry);
        leaf_hash(&self.entry)
    }
}

#[cfg(test)]
mod tests {
    use domain::Position;
    use proptest::prelude::*;

    use super::*;

    fn event() -> Stored<'static> {
        Stored {
            position: Position(1),
            stream: "deal-00000000-0000-0000-0000-000000000001",
            revision: 1,
            id: &[7; 16],
            tag: "deal.opened",
            occurred_at: None,
            effective_at: 5,
            recorded_at: 5,
            actor: "member:ann",
            subjects: &[],
            metadata: None,
            data: "{}",
        }
    }

    fn hash(event: &Stored<'_>) -> Hash {
        LeafHasher::default().hash(event)
    }

    #[test]
    fn whatever_is_changed_in_an_event_changes_its_leaf() {
        let changed = [
            Stored { stream: "deal-00000000-0000-0000-0000-000000000002", ..event() },
            Stored { revision: 2, ..event() },
            Stored { id: &[8; 16], ..event() },
            Stored { tag: "deal.lost", ..event() },
            Stored { occurred_at: Some(5), ..event() },
            Stored { effective_at: 6, ..event() },
            Stored { recorded_at: 6, ..event() },
            Stored { actor: "member:bob", ..event() },
            Stored { subjects: &[9; 16], ..event() },
            Stored { metadata: Some(""), ..event() },
            Stored { data: "{ }", ..event() },
        ];
        for other in changed {
            assert_ne!(hash(&other), hash(&event()), "{other:?}");
        }
    }

    #[test]
    fn the_place_in_one_store_is_not_part_of_the_leaf() {
        assert_eq!(hash(&Stored { position: Position(99), ..event() }), hash(&event()));
    }

    proptest! {
        #[test]
        fn no_two_events_have_the_same_entry_however_their_texts_are_cut(
            one in "[a-z]{0,4}", two in "[a-z]{0,4}", three in "[a-z]{0,4}", four in "[a-z]{0,4}",
        ) {
            let first = Stored { tag: &one, actor: &two, ..event() };
            let second = Stored { tag: &three, actor: &four, ..event() };
            prop_assert_eq!(hash(&first) == hash(&second), (one == three) && (two == four));
        }
    }
}
