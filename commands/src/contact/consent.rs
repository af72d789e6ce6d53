//! Consent of a contact: for what and through which channel they may be written to.

use std::collections::BTreeMap;

use domain::{
    Personal,
    contact::{ConsentChannel, ConsentPurpose, ContactEvent, LawfulBasis},
};

use crate::kit::{
    decider::{Decision, Given, Past},
    field::{Comparison, Field},
};

/// The consents of a contact.
#[derive(Clone, Debug, Default)]
pub(super) struct Consents(BTreeMap<(ConsentPurpose, ConsentChannel), Field<Consent>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Consent {
    Given(LawfulBasis),
    Withdrawn,
}

impl Consents {
    pub(super) fn give(
        &self,
        (purpose, channel): (ConsentPurpose, ConsentChannel),
        basis: LawfulBasis,
        proof: Option<Personal<String>>,
        given: &Given<'_>,
    ) -> Decision<ContactEvent> {
        let wanted = Consent::Given(basis);
        let consent = self.0.get(&(purpose, channel));
        let comparison = consent.map_or(Comparison::Differs, |consent| consent.turn(&wanted, given.source));
        comparison.decision("consent", ContactEvent::ConsentGiven { purpose, channel, basis, proof })
    }

    pub(super) fn withdraw(
        &self,
        purpose: ConsentPurpose,
        channel: ConsentChannel,
        given: &Given<'_>,
    ) -> Decision<ContactEvent> {
        let comparison = self.0.get(&(purpose, channel)).map_or(Comparison::Differs, |consent| {
            // A withdrawal counts whoever brings it; only one that was told before may have been overtaken.
            let is_news =
                given.source.is_some_and(|source| !consent.was_said_by(source, &Consent::Withdrawn));
            match consent.turn(&Consent::Withdrawn, given.source) {
                Comparison::Kept if is_news => Comparison::Differs,
                comparison => comparison,
            }
        });
        comparison.decision("consent", ContactEvent::ConsentWithdrawn { purpose, channel })
    }

    pub(super) fn given(
        &mut self,
        purpose: ConsentPurpose,
        channel: ConsentChannel,
        basis: LawfulBasis,
        past: &Past<'_>,
    ) {
        self.0.entry((purpose, channel)).or_default().set(Some(Consent::Given(basis)), past);
    }

    pub(super) fn withdrawn(&mut self, purpose: ConsentPurpose, channel: ConsentChannel, past: &Past<'_>) {
        self.0.entry((purpose, channel)).or_default().set(Some(Consent::Withdrawn), past);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        contact::{Contact, examples::registered},
        kit::testing::given,
    };

    fn given_consent() -> ContactEvent {
        ContactEvent::ConsentGiven {
            purpose: ConsentPurpose::Newsletter,
            channel: ConsentChannel::Email,
            basis: LawfulBasis::Consent,
            proof: None,
        }
    }

    fn withdrawn_consent() -> ContactEvent {
        let (purpose, channel) = (ConsentPurpose::Newsletter, ConsentChannel::Email);
        ContactEvent::ConsentWithdrawn { purpose, channel }
    }

    fn consent() -> Value {
        json!({"purpose": "newsletter", "channel": "email", "basis": "consent"})
    }

    fn withdrawal() -> Value {
        json!({"purpose": "newsletter", "channel": "email"})
    }

    #[test]
    fn consent_is_given_and_withdrawn() {
        given::<Contact>(&[registered()])
            .when("give_consent", consent())
            .then(&[given_consent()])
            .when("give_consent", consent())
            .then_nothing()
            .when("withdraw_consent", withdrawal())
            .then(&[withdrawn_consent()])
            .when("withdraw_consent", withdrawal())
            .then_nothing();
    }

    #[test]
    fn who_never_consented_may_still_object() {
        given::<Contact>(&[registered()])
            .when("withdraw_consent", withdrawal())
            .then(&[withdrawn_consent()])
            .imported_from("sheet")
            .when("give_consent", consent())
            .then_nothing()
            .then_kept(&["consent"]);
    }

    #[test]
    fn a_withdrawal_counts_whoever_brings_it_and_once() {
        given::<Contact>(&[registered(), given_consent()])
            .imported_from("sheet")
            .when("withdraw_consent", withdrawal())
            .then(&[withdrawn_consent()])
            .by_a_person()
            .when("give_consent", consent())
            .then(&[given_consent()])
            .imported_from("sheet")
            .when("withdraw_consent", withdrawal())
            .then_nothing()
            .then_kept(&["consent"]);
    }
}
