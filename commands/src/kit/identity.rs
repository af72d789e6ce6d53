//! Ids that follow from other ids: the same command always has the same id, and so have its events.

use domain::{CommandKey, EventId};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The id of the n-th event of a command, counted from 0.
pub(crate) fn event_id(command: Uuid, index: usize) -> EventId {
    EventId(derived(&[b"event", command.as_bytes(), &(index as u64).to_be_bytes()]))
}

/// The key under which the answer to a command is kept: the same text from two writers is two keys.
pub(crate) fn command_key(writer: &str, key: &str) -> CommandKey {
    CommandKey(*derived(&[b"key", writer.as_bytes(), b"\0", key.as_bytes()]).as_bytes())
}

/// The id of a command that came with a key.
pub(crate) fn command_of_key(key: CommandKey) -> Uuid {
    derived(&[b"command", &key.0])
}

/// The hash of a command: of its body, of what it is about, and of the revision that it expects.
pub(crate) fn fingerprint(kind: &str, id: Uuid, if_match: Option<u64>, body: &[u8; 32]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(kind);
    hash.update(id.as_bytes());
    hash.update(if_match.map_or([0xFF; 8], u64::to_be_bytes));
    hash.update(body);
    hash.finalize().into()
}

/// The id of a member of staff who is known by the name of their token.
pub(crate) fn member_id(name: &str) -> Uuid {
    derived(&[b"member", name.as_bytes()])
}

fn derived(parts: &[&[u8]]) -> Uuid {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Uuid::new_v8(bytes)
}
