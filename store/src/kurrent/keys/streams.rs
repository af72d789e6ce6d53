//! The streams of the keys: one for each, with the key as it was drawn and as it was wrapped anew.

use uuid::Uuid;

use crate::kurrent::{
    keys::mirror::WrappedKey,
    names::{Holds, Names},
    wire::events::{Raw, read_data},
};

/// The tags of a key: when it is drawn, and when it is wrapped anew.
pub(crate) const DRAWN: &str = "key.drawn";
pub(crate) const WRAPPED: &str = "key.wrapped";

/// The wrapped keys of a page. Other people's streams may be called nearly as ours are.
pub(crate) fn keys_in(page: &[Raw], names: &Names) -> Vec<WrappedKey> {
    page.iter().filter(|raw| names.holds(&raw.name) == Some(Holds::Key)).filter_map(key_in).collect()
}

/// The wrapped key in an event of such a stream.
pub(crate) fn key_in(raw: &Raw) -> Option<WrappedKey> {
    [DRAWN, WRAPPED].contains(&raw.tag.as_str()).then(|| read_data(raw))?
}

/// Drawn once for each key, so that the same key sent twice stands once.
pub(crate) fn id_of(key: &WrappedKey) -> Uuid {
    use sha2::{Digest as _, Sha256};
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Sha256::digest(key.wrapped.as_bytes())[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
