//! What keeps parts of a store from their work, for whoever asks whether it can be used.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// A part of the process that cannot do its work, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Which part, as "the log".
    pub part: String,
    /// What is wrong, and what to do where that is known.
    pub reason: String,
    /// Whether it will not pass by itself: only a new start helps.
    pub is_final: bool,
}

impl Trouble {
    /// A thread that has ended although nobody has asked it to.
    pub fn ended(part: &str) -> Self {
        Self { part: part.to_owned(), reason: "its thread has ended".to_owned(), is_final: true }
    }
}

/// What is in the way at the moment, by part.
#[derive(Debug, Default)]
pub(crate) struct Troubles(Mutex<BTreeMap<&'static str, String>>);

impl Troubles {
    /// Takes note of what keeps a part from its work; said once, however often it is tried again.
    pub(crate) fn note(&self, part: &'static str, reason: &str) {
        let mut troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = troubles.insert(part, reason.to_owned());
        drop(troubles);
        if before.is_none_or(|before| before != reason) {
            tracing::error!(part, reason, "something keeps a part from its work; it tries again");
        }
    }

    /// Takes note that a part works again.
    pub(crate) fn clear(&self, part: &'static str) {
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(part);
        if before.is_some() {
            tracing::info!(part, "it works again");
        }
    }

    pub(crate) fn all(&self) -> Vec<Trouble> {
        let troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let trouble = |(part, reason): (&&'static str, &String)| Trouble {
            part: (*part).to_owned(),
            reason: reason.clone(),
            is_final: false,
        };
        troubles.iter().map(trouble).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_the_last_trouble_that_was_noted_until_it_works_again() {
        let troubles = Troubles::default();
        assert_eq!(troubles.all(), []);
        troubles.note("the log", "the disk is full");
        troubles.note("the index", "it cannot be written");
        troubles.note("the log", "it cannot be opened");
        let found = |part: &str| troubles.all().into_iter().find(|trouble| trouble.part == part);
        assert_eq!(found("the log").unwrap().reason, "it cannot be opened");
        troubles.clear("the log");
        assert_eq!(found("the log"), None);
        assert!(!found("the index").unwrap().is_final);
    }
}
