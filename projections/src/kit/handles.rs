//! Which handles hold, after they were linked and unlinked.

/// A handle, with whatever else a view tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handle<T> {
    pub(crate) platform: String,
    pub(crate) text: String,
    pub(crate) verified: bool,
    pub(crate) with: T,
}

/// The handles that hold, the one linked first in front, from every link (`true`) and its end (`false`) in their order.
pub(crate) fn held<T>(links: Vec<(Handle<T>, bool)>) -> Vec<Handle<T>> {
    let mut held = Vec::<Handle<T>>::new();
    for (link, linked) in links {
        let known = held.iter().position(|held| held.platform == link.platform && held.text == link.text);
        match (known, linked) {
            // Linking again proves what was not proven before, and never takes a proof away.
            (Some(known), true) => held[known].verified |= link.verified,
            (Some(known), false) => drop(held.remove(known)),
            (None, true) => held.push(link),
            (None, false) => {}
        }
    }
    held
}
