//! Ids of imported things: repeatable, and nobody can guess back from them.

use std::{collections::HashMap, fmt};

use domain::Kind;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use uuid::Uuid;

/// Gives every imported thing its id: a UUID v8 made from HMAC-SHA-256 over what the source calls it.
///
/// The same secret, source and external id give the same id for ever, so that a row imported again meets the
/// thing that it made. Without the installation's secret nobody can try out which number a student has.
#[derive(Clone)]
pub struct Ids {
    keyed: Hmac<Sha256>,
    /// Those who were erased, and whether they may be known again.
    erased: HashMap<Uuid, bool>,
}

impl fmt::Debug for Ids {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ids").finish_non_exhaustive()
    }
}

impl Ids {
    /// Ids under the secret of this installation.
    pub fn new(secret: &[u8; 32]) -> Self {
        // A MAC of SHA-256 takes keys of its block size as they are, so there is no key length to refuse.
        let mut block = [0_u8; 64];
        block[..32].copy_from_slice(secret);
        Self { keyed: Hmac::new(&block.into()), erased: HashMap::new() }
    }

    /// The contacts who were erased, and whether each of them was readmitted since.
    #[must_use]
    pub fn with_erased(mut self, erased: HashMap<Uuid, bool>) -> Self {
        self.erased = erased;
        self
    }

    /// The id of what `source` calls `external` (one or several values). Whoever was erased and readmitted is
    /// somebody new, of the next generation; if they were erased again, of the one after it.
    pub fn id(&self, kind: Kind, source: &str, external: &[&str]) -> Uuid {
        let mut generation = 0;
        loop {
            let id = self.id_in(kind, source, external, generation);
            // Each generation that is passed over is another one of those who were erased.
            if kind != Kind::Contact || self.erased.get(&id) != Some(&true) {
                return id;
            }
            generation += 1;
        }
    }

    /// Whether this is somebody who was erased and may not be known again.
    pub fn is_erased(&self, kind: Kind, id: Uuid) -> bool {
        kind == Kind::Contact && self.erased.contains_key(&id)
    }

    /// The id in one generation. Every part goes in with its length, so that no two lists of parts sound alike.
    pub fn id_in(&self, kind: Kind, source: &str, external: &[&str], generation: u32) -> Uuid {
        let mut mac = self.keyed.clone();
        let mut part = |bytes: &[u8]| {
            mac.update(&(bytes.len() as u64).to_be_bytes());
            mac.update(bytes);
        };
        part(kind.word().as_bytes());
        part(source.as_bytes());
        part(&(external.len() as u64).to_be_bytes());
        for value in external {
            part(value.as_bytes());
        }
        part(&generation.to_be_bytes());
        let digest = mac.finalize().into_bytes();
        let mut bytes = [0_u8; 16];
        bytes.copy_from_slice(&digest[..16]);
        Uuid::new_v8(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_thing_has_the_same_id_and_nothing_else_has_it() {
        let ids = Ids::new(&[7; 32]);
        let id = ids.id(Kind::Contact, "sheet", &["account", "12"]);
        assert_eq!(id, Ids::new(&[7; 32]).id(Kind::Contact, "sheet", &["account", "12"]));
        assert_eq!(id.get_version_num(), 8);
        let others = [
            ids.id(Kind::Deal, "sheet", &["account", "12"]),
            ids.id(Kind::Contact, "sheet2", &["account", "12"]),
            ids.id(Kind::Contact, "sheet", &["account1", "2"]),
            ids.id(Kind::Contact, "sheet", &["account", "1", "2"]),
            ids.id_in(Kind::Contact, "sheet", &["account", "12"], 1),
            Ids::new(&[8; 32]).id(Kind::Contact, "sheet", &["account", "12"]),
        ];
        assert!(!others.contains(&id));
    }

    #[test]
    fn who_comes_back_after_an_erasure_is_somebody_new() {
        let ids = Ids::new(&[7; 32]);
        let first = ids.id(Kind::Contact, "sheet", &["12"]);
        let in_generation = |generation| ids.id_in(Kind::Contact, "sheet", &["12"], generation);
        let erased = ids.clone().with_erased(HashMap::from([(first, false)]));
        assert!(erased.is_erased(Kind::Contact, erased.id(Kind::Contact, "sheet", &["12"])));
        let again = ids.clone().with_erased(HashMap::from([(first, true)]));
        assert_eq!(again.id(Kind::Contact, "sheet", &["12"]), in_generation(1));
        assert!(!again.is_erased(Kind::Contact, in_generation(1)));
        let twice = HashMap::from([(first, true), (in_generation(1), false)]);
        let twice = ids.clone().with_erased(twice);
        assert!(twice.is_erased(Kind::Contact, twice.id(Kind::Contact, "sheet", &["12"])));
        assert_eq!(
            again.id(Kind::Contact, "sheet", &["13"]),
            ids.id(Kind::Contact, "sheet", &["13"]),
            "others keep their ids"
        );
    }
}
