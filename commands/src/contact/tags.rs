//! Tags of a contact.

use std::collections::BTreeMap;

use domain::contact::ContactEvent;

use super::rejection::{Rejection, TAGS_LIMIT};
use crate::kit::{
    decider::{Decision, Given, Past},
    field::{Comparison, Field, count_on, switch},
};

/// The tags of a contact, those that were taken from them among them.
#[derive(Clone, Debug, Default)]
pub(super) struct Tags(BTreeMap<String, Field<bool>>);

impl Tags {
    pub(super) fn tag(&self, tag: String, given: &Given<'_>) -> Result<Decision<ContactEvent>, Rejection> {
        let comparison = switch(self.0.get(&tag), true, given);
        if comparison == Comparison::Differs && count_on(self.0.values()) >= TAGS_LIMIT {
            return Err(Rejection::TooManyTags);
        }
        Ok(comparison.decision("tag", ContactEvent::Tagged { tag }))
    }

    pub(super) fn untag(&self, tag: String, given: &Given<'_>) -> Decision<ContactEvent> {
        let comparison = switch(self.0.get(&tag), false, given);
        comparison.decision("tag", ContactEvent::Untagged { tag })
    }

    pub(super) fn tagged(&mut self, tag: &str, past: &Past<'_>) {
        self.0.entry(tag.to_owned()).or_default().set(Some(true), past);
    }

    pub(super) fn untagged(&mut self, tag: &str, past: &Past<'_>) {
        self.0.entry(tag.to_owned()).or_default().set(Some(false), past);
    }
}

#[cfg(test)]
mod tests {
    use domain::contact::ContactEvent;
    use serde_json::json;

    use crate::{
        contact::{Contact, examples::registered},
        kit::testing::given,
    };

    #[test]
    fn nobody_tags_a_stranger() {
        given::<Contact>(&[]).when("tag", json!({"tag": "alumna"})).then_refused("unknown-contact");
    }

    #[test]
    fn a_contact_is_tagged_and_untagged() {
        given::<Contact>(&[registered()])
            .when("untag", json!({"tag": "alumna"}))
            .then_nothing()
            .when("tag", json!({"tag": "alumna"}))
            .then(&[ContactEvent::Tagged { tag: "alumna".into() }])
            .when("tag", json!({"tag": "alumna"}))
            .then_nothing()
            .when("untag", json!({"tag": "alumna"}))
            .then(&[ContactEvent::Untagged { tag: "alumna".into() }]);
    }

    #[test]
    fn a_contact_carries_so_many_tags_and_no_more() {
        let tags = (0..200).map(|n| ContactEvent::Tagged { tag: n.to_string() });
        let events: Vec<_> = std::iter::once(registered()).chain(tags).collect();
        given::<Contact>(&events)
            .when("tag", json!({"tag": "7"}))
            .then_nothing()
            .when("tag", json!({"tag": "one too many"}))
            .then_refused("too-many-tags")
            .when("untag", json!({"tag": "7"}))
            .when("tag", json!({"tag": "one too many"}))
            .then(&[ContactEvent::Tagged { tag: "one too many".into() }]);
    }
}
