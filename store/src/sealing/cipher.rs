//! How a text is encrypted with a key, bound to the name of that key.

use aes_gcm::{
    Aes256Gcm, Key, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use domain::ContactId;
use uuid::Uuid;

use crate::sealing::key_error::KeyError;

const NONCE: usize = 12;

/// Whose key, and which one.
pub(crate) type KeyName = (ContactId, Uuid);

/// The cipher of a key.
pub(crate) fn cipher(key: &[u8; 32]) -> Aes256Gcm {
    Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key))
}

/// Binds a text to the name of its key, so that it cannot be passed off as somebody else's.
fn binding((owner, key): KeyName) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(owner.0.as_bytes());
    bytes[16..].copy_from_slice(key.as_bytes());
    bytes
}

pub(crate) fn encrypt(cipher: &Aes256Gcm, name: KeyName, plain: &[u8]) -> Result<Vec<u8>, KeyError> {
    let nonce: [u8; NONCE] = rand::random();
    let payload = Payload { msg: plain, aad: &binding(name) };
    let text = cipher.encrypt(&Nonce::from(nonce), payload).map_err(|_| KeyError::Damaged)?;
    Ok([nonce.as_slice(), &text].concat())
}

pub(crate) fn decrypt(cipher: &Aes256Gcm, name: KeyName, sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, text) = sealed.split_first_chunk::<NONCE>()?;
    cipher.decrypt(&Nonce::from(*nonce), Payload { msg: text, aad: &binding(name) }).ok()
}
