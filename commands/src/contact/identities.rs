//! Identities of a contact: under which handle they can be found and reached on which platform.

use std::collections::BTreeMap;

use domain::contact::ContactEvent;

use super::{
    personal::personal,
    rejection::{IDENTITIES_LIMIT, Rejection},
};
use crate::kit::{
    decider::{Decision, Given, Past},
    field::{Comparison, Field, count_on, switch},
};

/// The identities of a contact, those that were unlinked among them.
#[derive(Clone, Debug, Default)]
pub(super) struct Identities(BTreeMap<Identity, Link>);

/// A handle on a platform.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    pub(super) platform: String,
    pub(super) handle: String,
}

#[derive(Clone, Debug, Default)]
struct Link {
    linked: Field<bool>,
    verified: bool,
}

impl Identities {
    pub(super) fn link(
        &self,
        identity: Identity,
        verified: bool,
        given: &Given<'_>,
    ) -> Result<Decision<ContactEvent>, Rejection> {
        let link = self.0.get(&identity);
        let is_linked = link.is_some_and(|link| link.linked.value() == Some(&true));
        // Linking again proves what was not proven before, and never takes a proof away.
        let comparison = match link {
            Some(link) if is_linked && verified && !link.verified => Comparison::Differs,
            _ => switch(link.map(|link| &link.linked), true, given),
        };
        let count = count_on(self.0.values().map(|link| &link.linked));
        if comparison == Comparison::Differs && !is_linked && count >= IDENTITIES_LIMIT {
            return Err(Rejection::TooManyIdentities);
        }
        let Identity { platform, handle } = identity;
        let event = ContactEvent::IdentityLinked { platform, handle: personal(given, handle), verified };
        Ok(comparison.decision("identity", event))
    }

    pub(super) fn unlink(&self, identity: Identity, given: &Given<'_>) -> Decision<ContactEvent> {
        let linked = self.0.get(&identity).map(|link| &link.linked);
        let comparison = switch(linked, false, given);
        let Identity { platform, handle } = identity;
        let event = ContactEvent::IdentityUnlinked { platform, handle: personal(given, handle) };
        comparison.decision("identity", event)
    }

    pub(super) fn linked(&mut self, identity: Identity, verified: bool, past: &Past<'_>) {
        let link = self.0.entry(identity).or_default();
        link.linked.set(Some(true), past);
        link.verified |= verified;
    }

    pub(super) fn unlinked(&mut self, identity: Identity, past: &Past<'_>) {
        let link = self.0.entry(identity).or_default();
        link.linked.set(Some(false), past);
        link.verified = false;
    }
}

#[cfg(test)]
mod tests {
    use domain::contact::ContactEvent;
    use serde_json::json;

    use crate::{
        contact::{
            Contact,
            examples::{email, linked, own, registered},
        },
        kit::testing::given,
    };

    #[test]
    fn a_second_email_stands_beside_the_first() {
        given::<Contact>(&[registered()])
            .when("link_identity", email("ann@example.org"))
            .then(&[linked("ann@example.org", false)])
            .when("link_identity", email("ann@example.com"))
            .then(&[linked("ann@example.com", false)])
            .when("link_identity", email("ann@example.org"))
            .then_nothing()
            .when(
                "link_identity",
                json!({"platform": "email", "handle": "ann@example.org", "verified": true}),
            )
            .then(&[linked("ann@example.org", true)])
            .when("link_identity", email("ann@example.org"))
            .then_nothing()
            .when("unlink_identity", email("ann@example.org"))
            .then(&[ContactEvent::IdentityUnlinked {
                platform: "email".into(),
                handle: own("ann@example.org"),
            }])
            .when("unlink_identity", email("ann@example.org"))
            .then_nothing()
            .when("link_identity", email("ann@example.com"))
            .then_nothing();
    }

    #[test]
    fn a_contact_has_so_many_identities_and_no_more() {
        let emails = (0..200).map(|n| linked(&format!("{n}@example.org"), false));
        given::<Contact>(&std::iter::once(registered()).chain(emails).collect::<Vec<_>>())
            .when("link_identity", email("ann@example.org"))
            .then_refused("too-many-identities");
    }
}
