//! Checkpoints (C2SP `tlog-checkpoint`): how many events the log holds, and the root of the tree over them.

use std::str::FromStr;

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::{
    merkle::Hash,
    note::{NoteError, Signer, Verifier},
};

/// What a checkpoint says: three lines, the last with the root in base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many events it holds.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The checkpoint as a note, signed.
    pub fn signed(&self, signer: &Signer) -> String {
        signer.sign(&format!("{}\n{}\n{}\n", self.origin, self.size, BASE64_STANDARD.encode(self.root)))
    }

    /// What a note says that the key has signed.
    pub fn open(note: &str, key: &Verifier) -> Result<Self, NoteError> {
        key.open(note)?.parse()
    }
}

impl FromStr for Checkpoint {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let malformed = NoteError::Malformed;
        let mut lines = text.lines();
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(malformed("a checkpoint has three lines"));
        };
        let number = size.parse::<u64>().map_err(|_| malformed("its second line is no number of events"))?;
        if number.to_string() != size || origin.is_empty() {
            return Err(malformed("its second line is no number of events"));
        }
        let root = BASE64_STANDARD.decode(root).ok().and_then(|root| Hash::try_from(root).ok());
        let root = root.ok_or(malformed("its third line is no root"))?;
        Ok(Self { origin: origin.to_owned(), size: number, root })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_read_as_it_was_signed() {
        let signer = Signer::new("rapport/test", &[1; 32]);
        let checkpoint = Checkpoint { origin: "rapport/test".into(), size: 7, root: [3; 32] };
        assert_eq!(Checkpoint::open(&checkpoint.signed(&signer), &signer.verifier()), Ok(checkpoint));
    }

    #[test]
    fn what_is_signed_but_is_no_checkpoint_is_refused() {
        let signer = Signer::new("rapport/test", &[1; 32]);
        for text in ["a\n", "a\n07\nAAAA\n", "a\n+7\nAAAA\n", "a\n7\nAAAA\n", "\n7\nAAAA\n"] {
            assert!(Checkpoint::open(&signer.sign(text), &signer.verifier()).is_err(), "{text:?}");
        }
    }
}
