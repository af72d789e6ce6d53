//! Links by which whoever gets a letter ends it, without a token and without saying who they are. A link is the
//! contact, the purpose and the channel, signed with a key of this installation: nobody can make one up, and nothing
//! personal is in it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::contact::{ConsentChannel, ConsentPurpose};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;

/// What the key is for: another use of the secret gets another key.
const USE: &[u8] = b"rapport unsubscribe-link 1";
/// How many bytes of the signature a link carries.
const SIGNATURE: usize = 16;

/// Purposes and channels by the number under which links name them: links are in letters that were sent long ago, so
/// the lists are only ever added to.
const PURPOSES: [ConsentPurpose; 5] = [
    ConsentPurpose::Fundraising,
    ConsentPurpose::Newsletter,
    ConsentPurpose::Alerts,
    ConsentPurpose::Marketing,
    ConsentPurpose::Disclosure,
];
const CHANNELS: [ConsentChannel; 6] = [
    ConsentChannel::Any,
    ConsentChannel::Email,
    ConsentChannel::Phone,
    ConsentChannel::Sms,
    ConsentChannel::Post,
    ConsentChannel::Social,
];

/// What a link ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnsubscribeLink {
    /// Who is written to.
    pub contact: Uuid,
    /// For what.
    pub purpose: ConsentPurpose,
    /// Through which channel.
    pub channel: ConsentChannel,
}

impl UnsubscribeLink {
    /// The link as it stands in a URL.
    pub fn token(&self, secret: &[u8; 32]) -> String {
        let mut bytes = self.contact.as_bytes().to_vec();
        bytes.push(number(&PURPOSES, self.purpose));
        bytes.push(number(&CHANNELS, self.channel));
        let signature = signer(secret).chain_update(&bytes).finalize().into_bytes();
        bytes.extend_from_slice(&signature[..SIGNATURE]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a link; none where it was not signed here.
    pub fn read(token: &str, secret: &[u8; 32]) -> Option<Self> {
        // Longer than any link: not even decoded.
        let bytes = URL_SAFE_NO_PAD.decode(token.get(..token.len().min(64))?).ok()?;
        let (signed, signature) = bytes.split_at_checked(18)?;
        if signature.len() != SIGNATURE {
            return None;
        }
        signer(secret).chain_update(signed).verify_truncated_left(signature).ok()?;
        Some(Self {
            contact: Uuid::from_slice(&signed[..16]).ok()?,
            purpose: *PURPOSES.get(usize::from(signed[16]))?,
            channel: *CHANNELS.get(usize::from(signed[17]))?,
        })
    }
}

fn number<T: PartialEq + Copy>(list: &[T], one: T) -> u8 {
    list.iter().zip(0..).find(|(known, _)| **known == one).map_or(u8::MAX, |(_, number)| number)
}

/// Keys of HMAC-SHA-256 of its block size are taken as they are, so there is no key length to refuse.
fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    let mut block = [0_u8; 64];
    block[..32].copy_from_slice(key);
    Hmac::new(&block.into())
}

fn signer(secret: &[u8; 32]) -> Hmac<Sha256> {
    keyed(&keyed(secret).chain_update(USE).finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: [u8; 32] = [7; 32];

    fn link() -> UnsubscribeLink {
        UnsubscribeLink {
            contact: Uuid::from_u128(0x5f0c),
            purpose: ConsentPurpose::Newsletter,
            channel: ConsentChannel::Email,
        }
    }

    #[test]
    fn a_link_says_what_it_was_made_of_and_is_always_the_same() {
        assert_eq!(link().token(&SECRET), "AAAAAAAAAAAAAAAAAABfDAEBsA55grcH4fyGX9IddF6lkQ");
        assert_eq!(UnsubscribeLink::read(&link().token(&SECRET), &SECRET), Some(link()));
        for purpose in PURPOSES {
            for channel in CHANNELS {
                let link = UnsubscribeLink { purpose, channel, ..link() };
                assert_eq!(UnsubscribeLink::read(&link.token(&SECRET), &SECRET), Some(link));
            }
        }
    }

    #[test]
    fn a_link_that_was_changed_cut_or_made_elsewhere_is_none() {
        let token = link().token(&SECRET);
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            assert_eq!(UnsubscribeLink::read(&URL_SAFE_NO_PAD.encode(changed), &SECRET), None, "{index}");
        }
        let shorter = &URL_SAFE_NO_PAD.encode(&bytes[..bytes.len() - 1]);
        for nonsense in ["", "ä", &token[1..], &format!("{token}{token}"), shorter] {
            assert_eq!(UnsubscribeLink::read(nonsense, &SECRET), None, "{nonsense}");
        }
        assert_eq!(UnsubscribeLink::read(&token, &[8; 32]), None);
    }
}
