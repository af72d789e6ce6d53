//! Signed notes and their keys (C2SP `signed-note`), with Ed25519.
//!
//! A note is a text that ends with a line break, an empty line, and one line for each signature:
//! an em dash, the signer's name, and in base64 the four bytes that identify the key before the signature.

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_STANDARD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

/// The signature type Ed25519 in keys and their ids.
const ED25519: u8 = 1;
/// The longest note that is read, in bytes.
pub const NOTE_LIMIT: usize = 64 << 10;

/// A private key with the name it signs under.
pub struct Signer {
    name: String,
    key: SigningKey,
}

/// A public key with its name, written `name+id+key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    key: VerifyingKey,
}

/// Why a note or a key is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is not a signed note.
    #[error("this is not a signed note: {0}")]
    Malformed(&'static str),
    /// It is not a key.
    #[error("this is not a public key of the form NAME+ID+KEY: {0}")]
    MalformedKey(&'static str),
    /// No signature of the note is by the key.
    #[error("the note is not signed by `{0}`, or by another key of that name")]
    NotSigned(String),
    /// A signature says that it is by the key, and is not.
    #[error("the signature of `{0}` is false: the text or the signature was altered")]
    False(String),
}

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Signer").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Signer {
    /// Signs as `name` (without blanks and plus signs) with the key that grows from 32 secret bytes.
    pub fn new(name: &str, secret: &[u8; 32]) -> Self {
        Self { name: name.to_owned(), key: SigningKey::from_bytes(secret) }
    }

    /// The public half.
    pub fn verifier(&self) -> Verifier {
        Verifier { name: self.name.clone(), key: self.key.verifying_key() }
    }

    /// The note that a text, which ends with a line break, becomes by being signed.
    pub fn sign(&self, text: &str) -> String {
        let mut bytes = self.verifier().id().to_vec();
        bytes.extend_from_slice(&self.key.sign(text.as_bytes()).to_bytes());
        format!("{text}\n\u{2014} {} {}\n", self.name, BASE64_STANDARD.encode(bytes))
    }
}

impl Verifier {
    /// The name that the key signs under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Four bytes that tell keys of one name apart.
    pub fn id(&self) -> [u8; 4] {
        let hash = Sha256::new()
            .chain_update(self.name.as_bytes())
            .chain_update([b'\n', ED25519])
            .chain_update(self.key.as_bytes())
            .finalize();
        [hash[0], hash[1], hash[2], hash[3]]
    }

    /// The text of a note, when one of its signatures is by this key and none that says so is false.
    pub fn open<'n>(&self, note: &'n str) -> Result<&'n str, NoteError> {
        let (text, signatures) = split(note)?;
        let mut is_signed = false;
        for line in signatures.lines() {
            let (name, bytes) = signature(line)?;
            let Some((id, signature)) = bytes.split_first_chunk::<4>() else {
                return Err(NoteError::Malformed("a signature is too short"));
            };
            if name != self.name || *id != self.id() {
                continue;
            }
            let signature = Signature::from_slice(signature)
                .map_err(|_| NoteError::Malformed("a signature has another length than Ed25519 gives it"))?;
            self.key
                .verify_strict(text.as_bytes(), &signature)
                .map_err(|_| NoteError::False(self.name.clone()))?;
            is_signed = true;
        }
        if is_signed { Ok(text) } else { Err(NoteError::NotSigned(self.name.clone())) }
    }
}

fn split(note: &str) -> Result<(&str, &str), NoteError> {
    if note.len() > NOTE_LIMIT {
        return Err(NoteError::Malformed("it is too long"));
    }
    let place =
        note.rfind("\n\n").ok_or(NoteError::Malformed("it has no empty line before the signatures"))?;
    let (text, signatures) = (&note[..=place], &note[place + 2..]);
    if signatures.is_empty() || !signatures.ends_with('\n') {
        return Err(NoteError::Malformed("it does not end with a line that is a signature"));
    }
    Ok((text, signatures))
}

fn signature(line: &str) -> Result<(&str, Vec<u8>), NoteError> {
    let malformed = NoteError::Malformed("a line after the empty one is no signature");
    let (name, signature) =
        line.strip_prefix("\u{2014} ").and_then(|rest| rest.split_once(' ')).ok_or(malformed.clone())?;
    let bytes = BASE64_STANDARD.decode(signature).map_err(|_| malformed)?;
    Ok((name, bytes))
}

impl fmt::Display for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[ED25519], self.key.as_bytes().as_slice()].concat();
        let id = u32::from_be_bytes(self.id());
        write!(formatter, "{}+{id:08x}+{}", self.name, BASE64_STANDARD.encode(key))
    }
}

impl FromStr for Verifier {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let malformed = NoteError::MalformedKey;
        // The key itself may hold plus signs, the name may not.
        if text.trim().contains(|sign: char| sign.is_control() || sign.is_whitespace()) {
            return Err(malformed("it holds a blank or a sign that cannot be printed"));
        }
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(malformed("it has fewer than three parts"));
        };
        let bytes = BASE64_STANDARD.decode(key).map_err(|_| malformed("the last part is not base64"))?;
        let Some((&ED25519, key)) = bytes.split_first() else {
            return Err(malformed("it is not a key of Ed25519"));
        };
        let key = <[u8; 32]>::try_from(key).map_err(|_| malformed("it does not have 32 bytes"))?;
        let key = VerifyingKey::from_bytes(&key).map_err(|_| malformed("these bytes are no key"))?;
        let verifier = Self { name: name.to_owned(), key };
        if format!("{:08x}", u32::from_be_bytes(verifier.id())) != id {
            return Err(malformed("its id is not that of its name and its key"));
        }
        Ok(verifier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer() -> Signer {
        Signer::new("rapport/test", &[1; 32])
    }

    #[test]
    fn a_note_opens_with_the_key_that_signed_it() {
        let note = signer().sign("one\ntwo\n");
        assert_eq!(signer().verifier().open(&note), Ok("one\ntwo\n"));
    }

    #[test]
    fn a_key_is_read_as_it_was_written() {
        let key = signer().verifier();
        assert_eq!(key.to_string().parse(), Ok(key.clone()));
        let broken = key.to_string().replace("rapport/test+", "rapport/tests+");
        assert!(matches!(broken.parse::<Verifier>(), Err(NoteError::MalformedKey(_))));
    }

    #[test]
    fn an_altered_text_or_another_key_is_not_accepted() {
        let key = signer().verifier();
        let note = signer().sign("size 7\n");
        assert_eq!(key.open(&note.replace('7', "8")), Err(NoteError::False("rapport/test".into())));
        let another = Signer::new("rapport/test", &[2; 32]);
        assert_eq!(key.open(&another.sign("size 7\n")), Err(NoteError::NotSigned("rapport/test".into())));
        for text in
            ["", "size 7\n", "size 7\n\n", "size 7\n\n\u{2014} rapport/test AAAA\n", "\n\n\u{2014} x\n"]
        {
            assert!(key.open(text).is_err(), "{text:?}");
        }
    }
}
