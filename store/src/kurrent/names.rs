//! The names of the streams in the cluster. Events stand in `KIND-UUID`, as they are called everywhere; what the nodes
//! keep together stands in streams of its own. All of them begin with the prefix of the log.

use domain::{Kind, StreamId};
use uuid::Uuid;

use crate::sealing::cipher::KeyName;

/// The names of one log.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    prefix: String,
}

/// What a stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds<'n> {
    /// Events, under the name of a stream without the prefix.
    Events(&'n str),
    /// One wrapped key.
    Key,
    /// What the log is: its id, the kinds in it, the secrets that belong to it.
    Identity,
    /// The answers to commands that changed nothing.
    Answers,
    /// Which epochs have begun and ended.
    Epochs,
    /// What a node says about itself.
    Node,
    /// A document that all nodes share.
    Document,
}

/// How many signs an id has, as it is written in a name.
const ID_LENGTH: usize = 36;
const KEY: &str = "key-";
const IDENTITY: &str = "rapport-log";
const ANSWERS: &str = "rapport-answers";
const EPOCHS: &str = "rapport-epochs";
const NODE: &str = "rapport-node-";
const DOCUMENT: &str = "rapport-tokens";

impl Names {
    pub(crate) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    pub(crate) fn stream(&self, stream: StreamId) -> String {
        self.stored(&stream.to_string())
    }

    /// The name of a stream as it is called everywhere, with the prefix.
    pub(crate) fn stored(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub(crate) fn key(&self, name: KeyName) -> String {
        format!("{}{KEY}{}", self.prefix, key_id(name))
    }

    /// How the names of all streams of keys begin.
    pub(crate) fn of_keys(&self) -> [String; 1] {
        [self.stored(KEY)]
    }

    pub(crate) fn identity(&self) -> String {
        self.stored(IDENTITY)
    }

    pub(crate) fn answers(&self) -> String {
        self.stored(ANSWERS)
    }

    pub(crate) fn epochs(&self) -> String {
        self.stored(EPOCHS)
    }

    pub(crate) fn node(&self, node: Uuid) -> String {
        format!("{}{NODE}{node}", self.prefix)
    }

    /// How the names of all streams begin in which nodes speak of themselves.
    pub(crate) fn of_nodes(&self) -> [String; 1] {
        [self.stored(NODE)]
    }

    pub(crate) fn document(&self) -> String {
        self.stored(DOCUMENT)
    }

    /// What a stream of this name holds; `None` where it is not ours.
    pub(crate) fn holds<'n>(&self, name: &'n str) -> Option<Holds<'n>> {
        let name = name.strip_prefix(&self.prefix)?;
        if Kind::ALL.iter().any(|kind| is_id_after(name, &format!("{kind}-"))) {
            return Some(Holds::Events(name));
        }
        match name {
            IDENTITY => Some(Holds::Identity),
            ANSWERS => Some(Holds::Answers),
            EPOCHS => Some(Holds::Epochs),
            DOCUMENT => Some(Holds::Document),
            _ if is_id_after(name, NODE) => Some(Holds::Node),
            _ if is_id_after(name, KEY) => Some(Holds::Key),
            _ => None,
        }
    }

    /// How the names of all streams with events begin.
    pub(crate) fn of_events(&self) -> Vec<String> {
        Kind::ALL.iter().map(|kind| format!("{}{kind}-", self.prefix)).collect()
    }

    /// How the names of all streams begin that a node follows.
    pub(crate) fn of_all(&self) -> Vec<String> {
        let mut prefixes = self.of_events();
        prefixes.extend([KEY, "rapport-"].map(|name| self.stored(name)));
        prefixes
    }
}

/// Others may have streams whose names begin as ours do; ours end with an id.
fn is_id_after(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|id| id.len() == ID_LENGTH && Uuid::parse_str(id).is_ok())
}

/// The id of a key's stream. The key of a contact itself has the contact's id; any other is derived from the contact
/// and the key, so that nobody can take the name of somebody else's key by choosing an id.
fn key_id((owner, key): KeyName) -> Uuid {
    use sha2::{Digest as _, Sha256};
    if key == owner.0 {
        return key;
    }
    let digest = Sha256::new().chain_update(owner.0).chain_update(key).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use domain::ContactId;

    use super::*;

    #[test]
    fn a_stream_is_told_by_its_name_and_those_of_others_are_not_ours() {
        let names = Names::new("club.");
        let (stream, id) = (StreamId::new(Kind::Lead, Uuid::nil()), Uuid::nil());
        let own = stream.to_string();
        assert_eq!(names.holds(&names.stream(stream)), Some(Holds::Events(own.as_str())));
        assert_eq!(names.holds(&names.key((ContactId(id), Uuid::max()))), Some(Holds::Key));
        assert_eq!(names.holds(&names.node(id)), Some(Holds::Node));
        assert_eq!(names.holds(&names.epochs()), Some(Holds::Epochs));
        for other in [
            own.as_str(),
            "club.lead-1",
            "club.key-1",
            "club.lead-lead-1",
            "$$club.lead-1",
            "club.lead",
            "club.",
        ] {
            assert_eq!(names.holds(other), None, "{other}");
        }
    }

    #[test]
    fn every_stream_of_ours_begins_with_a_prefix_that_is_asked_for() {
        let names = Names::new("club.");
        let all = names.of_all();
        for name in [
            names.identity(),
            names.answers(),
            names.document(),
            names.key((ContactId(Uuid::nil()), Uuid::nil())),
        ] {
            assert!(all.iter().any(|prefix| name.starts_with(prefix)), "{name}");
        }
    }

    #[test]
    fn the_key_of_a_contact_has_the_contacts_id_and_no_other_can_be_made_to_have_it() {
        let ann = ContactId(Uuid::from_u128(1));
        assert_eq!(key_id((ann, ann.0)), ann.0);
        assert_ne!(key_id((ContactId(Uuid::from_u128(2)), ann.0)), ann.0);
    }
}
