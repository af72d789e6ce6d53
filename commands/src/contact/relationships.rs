//! Relationships of a contact to others: how, to whom and since when.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use domain::{
    ContactId,
    contact::{ContactEvent, RelationshipKind},
};

use super::rejection::{RELATIONSHIPS_LIMIT, Rejection};
use crate::kit::{
    decider::{Decision, Given, Past},
    field::{Comparison, Field},
};

/// The relationships of a contact, those that have ended among them.
#[derive(Clone, Debug, Default)]
pub(super) struct Relationships(BTreeMap<(RelationshipKind, ContactId), Field<Relationship>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relationship {
    Lasting { since: Option<NaiveDate> },
    Ended,
}

impl Relationships {
    pub(super) fn start(
        &self,
        relationship: RelationshipKind,
        to: ContactId,
        since: Option<NaiveDate>,
        given: &Given<'_>,
    ) -> Result<Decision<ContactEvent>, Rejection> {
        if to.0 == given.id {
            return Err(Rejection::RelatedToItself);
        }
        let known = self.0.get(&(relationship, to));
        let lasting = match known.and_then(Field::value) {
            Some(Relationship::Lasting { since }) => Some(*since),
            Some(Relationship::Ended) | None => None,
        };
        if lasting.is_some() && since.is_none() {
            return Ok(Decision::nothing());
        }
        let comparison = known
            .map_or(Comparison::Differs, |known| known.turn(&Relationship::Lasting { since }, given.source));
        let is_lasting = |known: &&Field<Relationship>| known.value() != Some(&Relationship::Ended);
        if comparison == Comparison::Differs
            && lasting.is_none()
            && self.0.values().filter(is_lasting).count() >= RELATIONSHIPS_LIMIT
        {
            return Err(Rejection::TooManyRelationships);
        }
        let event = ContactEvent::RelationshipStarted { relationship, to, since };
        Ok(comparison.decision("relationship", event))
    }

    pub(super) fn end(
        &self,
        relationship: RelationshipKind,
        to: ContactId,
        given: &Given<'_>,
    ) -> Decision<ContactEvent> {
        let known = self.0.get(&(relationship, to));
        let comparison =
            known.map_or(Comparison::Same, |known| known.turn(&Relationship::Ended, given.source));
        comparison.decision("relationship", ContactEvent::RelationshipEnded { relationship, to })
    }

    pub(super) fn started(
        &mut self,
        relationship: RelationshipKind,
        to: ContactId,
        since: Option<NaiveDate>,
        past: &Past<'_>,
    ) {
        let known = self.0.entry((relationship, to)).or_default();
        known.set(Some(Relationship::Lasting { since }), past);
    }

    pub(super) fn ended(&mut self, relationship: RelationshipKind, to: ContactId, past: &Past<'_>) {
        self.0.entry((relationship, to)).or_default().set(Some(Relationship::Ended), past);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::{
        contact::{
            Contact,
            examples::{BEN, ME, registered},
        },
        kit::testing::given,
    };

    #[test]
    fn contacts_are_related_to_others() {
        let to_ben = json!({"relationship": "partner_of", "to": BEN});
        let started = |since: Option<&str>| ContactEvent::RelationshipStarted {
            relationship: RelationshipKind::PartnerOf,
            to: BEN,
            since: since.map(|since| since.parse().unwrap()),
        };
        let ended = ContactEvent::RelationshipEnded { relationship: RelationshipKind::PartnerOf, to: BEN };
        given::<Contact>(&[registered()])
            .when("end_relationship", to_ben.clone())
            .then_nothing()
            .when("start_relationship", to_ben.clone())
            .then(&[started(None)])
            .when("start_relationship", to_ben.clone())
            .then_nothing()
            .when(
                "start_relationship",
                json!({"relationship": "partner_of", "to": BEN, "since": "2020-05-01"}),
            )
            .then(&[started(Some("2020-05-01"))])
            .when("end_relationship", to_ben.clone())
            .then(&[ended])
            .when("end_relationship", to_ben)
            .then_nothing()
            .when("start_relationship", json!({"relationship": "related_to", "to": ME}))
            .then_refused("related-to-itself");
    }

    #[test]
    fn a_contact_is_related_to_so_many_and_no_more() {
        let others = (1..=500).map(|n| ContactEvent::RelationshipStarted {
            relationship: RelationshipKind::RelatedTo,
            to: ContactId(Uuid::from_u128(n)),
            since: None,
        });
        given::<Contact>(&std::iter::once(registered()).chain(others).collect::<Vec<_>>())
            .when("start_relationship", json!({"relationship": "partner_of", "to": BEN}))
            .then_refused("too-many-relationships");
    }
}
