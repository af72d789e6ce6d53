//! Which contacts are one person: merged, unmerged, kept apart. Nothing is deleted and nothing is moved: a merge
//! is one fact on the stream of one contact, and its end is another.

use std::collections::BTreeSet;

use domain::{
    Actor, ContactId, Evidence, Kind, LookedUp, StreamId,
    contact::{ContactEvent, ContactForm},
    evidence::{Strength, weigh},
};
use uuid::Uuid;

use super::rejection::{APART_LIMIT, CHAIN_LIMIT, EVIDENCE_LIMIT, Rejection};
use crate::kit::{
    decider::{Decision, Given, Past},
    field::{Comparison, Field, kept},
};

/// How a contact stands to others.
#[derive(Clone, Debug, Default)]
pub(super) struct Merging {
    into: Field<ContactId>,
    /// Those whom somebody said it is not.
    apart: BTreeSet<ContactId>,
}

impl Merging {
    /// As which contact it counts, where it was merged.
    pub(super) fn counts_as(&self) -> Option<ContactId> {
        self.into.value().copied()
    }

    /// How a contact of this form that counts stands to others.
    pub(super) fn standing(&self, form: ContactForm) -> Standing {
        Standing::Known { form, into: self.counts_as(), apart: self.apart.clone() }
    }
}

/// Another contact, as it was when a merge looked it up.
#[derive(Clone, Debug)]
pub struct Found {
    contact: ContactId,
    revision: u64,
    standing: Standing,
}

/// How another contact stands.
#[derive(Clone, Debug)]
pub(super) enum Standing {
    /// Not registered, or not any more.
    Gone,
    /// Erased: nobody is merged into it any more, but it goes on to count as the one it was merged into.
    Erased { into: Option<ContactId> },
    /// Registered.
    Known { form: ContactForm, into: Option<ContactId>, apart: BTreeSet<ContactId> },
}

/// The next contact to look at on the way from `into` to the last that it is merged into.
pub(super) fn next_required(into: ContactId, chain: &[Found]) -> Option<Uuid> {
    let Some(last) = chain.last() else { return Some(into.0) };
    let next = match last.standing {
        Standing::Known { into, .. } | Standing::Erased { into } => into?,
        Standing::Gone => return None,
    };
    // Where others closed a circle on another node, it is gone round once.
    let seen = chain.iter().any(|found| found.contact == next);
    (!seen && chain.len() <= CHAIN_LIMIT).then_some(next.0)
}

impl Found {
    pub(super) fn at(id: Uuid, revision: u64, standing: Standing) -> Self {
        Self { contact: ContactId(id), revision, standing }
    }

    fn looked_up(&self) -> LookedUp {
        LookedUp { stream: StreamId::new(Kind::Contact, self.contact.0), revision: self.revision }
    }
}

impl Merging {
    pub(super) fn merge(
        &self,
        own_form: ContactForm,
        into: ContactId,
        evidence: Vec<Evidence>,
        chain: &[Found],
        given: &Given<'_>,
    ) -> Result<Decision<ContactEvent>, Rejection> {
        let me = ContactId(given.id);
        if into == me {
            return Err(Rejection::MergedIntoItself);
        }
        match self.into.compare(Some(&into), given.source) {
            Comparison::Same => return Ok(Decision::nothing()),
            Comparison::Kept => return Ok(kept("merged")),
            Comparison::Differs if self.into.value() == Some(&into) => return Ok(Decision::nothing()),
            Comparison::Differs if self.into.value().is_some() => {
                return Err(Rejection::MergedAlready);
            }
            Comparison::Differs => {}
        }
        let Some(Found { standing: Standing::Known { form, apart, .. }, .. }) = chain.first() else {
            return Err(Rejection::UnknownOther);
        };
        if *form != own_form {
            return Err(Rejection::DifferentForms);
        }
        if chain.iter().any(|found| found.contact == me) {
            return Err(Rejection::MergedTheOtherWay);
        }
        if chain.len() > CHAIN_LIMIT {
            return Err(Rejection::MergedTooDeep);
        }
        if evidence.len() > EVIDENCE_LIMIT {
            return Err(Rejection::TooMuchEvidence);
        }
        let told_apart = self.apart.contains(&into) || apart.contains(&me);
        let needs_a_person = told_apart || weigh(&evidence) == Strength::Weak;
        if needs_a_person && !matches!(given.by, Actor::Member(_)) {
            return Err(Rejection::NeedsAPerson);
        }
        let looked_up = chain.iter().map(Found::looked_up).collect();
        Ok(Decision::one(ContactEvent::Merged { into, evidence, looked_up }))
    }

    pub(super) fn unmerge(
        &self,
        from: ContactId,
        given: &Given<'_>,
    ) -> Result<Decision<ContactEvent>, Rejection> {
        match self.into.value() {
            None => Ok(Decision::nothing()),
            Some(into) if *into != from => Err(Rejection::MergedAlready),
            Some(_) if self.into.compare(None, given.source) == Comparison::Kept => Ok(kept("merged")),
            Some(_) => Ok(Decision::one(ContactEvent::Unmerged { from })),
        }
    }

    pub(super) fn dismiss(
        &self,
        other: ContactId,
        given: &Given<'_>,
    ) -> Result<Decision<ContactEvent>, Rejection> {
        if other.0 == given.id {
            return Err(Rejection::MergedIntoItself);
        }
        if self.into.value() == Some(&other) {
            return Err(Rejection::IsMerged);
        }
        let apart = &self.apart;
        if !apart.contains(&other) && apart.len() >= APART_LIMIT {
            return Err(Rejection::TooManyDismissed);
        }
        Ok(Decision::unless(apart.contains(&other), ContactEvent::MergeDismissed { other }))
    }

    /// Whoever was registered in error is not somebody else either.
    pub(super) fn void(&self) -> Decision<ContactEvent> {
        let unmerged = self.into.value().map(|from| ContactEvent::Unmerged { from: *from });
        Decision::all(unmerged.into_iter().chain([ContactEvent::Voided {}]).collect())
    }
}

impl Merging {
    pub(super) fn merged(&mut self, into: ContactId, past: &Past<'_>) {
        self.into.set(Some(into), past);
        self.apart.remove(&into);
    }

    pub(super) fn unmerged(&mut self, from: ContactId, past: &Past<'_>) {
        self.into.set(None, past);
        self.apart.insert(from);
    }

    pub(super) fn dismissed(&mut self, other: ContactId) {
        self.apart.insert(other);
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        Personal,
        evidence::{Bearing, Feature},
    };
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        contact::Contact,
        kit::testing::{ID, Scenario, given},
    };

    const ME: ContactId = ContactId(ID);
    const BEN: ContactId = ContactId(Uuid::from_u128(2));
    const CAT: ContactId = ContactId(Uuid::from_u128(3));

    fn registered(form: ContactForm) -> ContactEvent {
        ContactEvent::Registered { form, name: None }
    }

    fn merged(into: ContactId) -> ContactEvent {
        ContactEvent::Merged { into, evidence: Vec::new(), looked_up: Vec::new() }
    }

    fn read_at(contact: ContactId, revision: u64) -> LookedUp {
        LookedUp { stream: StreamId::new(Kind::Contact, contact.0), revision }
    }

    fn evidence(feature: Feature, bearing: Bearing, strength: Strength) -> Evidence {
        Evidence { feature, bearing, strength }
    }

    /// Me and Ben, two people.
    fn two() -> Scenario<Contact> {
        given::<Contact>(&[registered(ContactForm::Person)])
            .and_to(BEN.0, &[registered(ContactForm::Person)])
            .and_to(CAT.0, &[registered(ContactForm::Person)])
    }

    fn merge(into: ContactId) -> Value {
        json!({"into": into})
    }

    fn with(into: ContactId, evidence: &[Evidence]) -> Value {
        json!({"into": into, "evidence": evidence})
    }

    #[test]
    fn a_merge_says_what_it_was_judged_by_and_is_decided_once() {
        let proof = evidence(Feature::Email, Bearing::For, Strength::Strong);
        two()
            .when("merge", with(BEN, &[proof]))
            .then(&[ContactEvent::Merged {
                into: BEN,
                evidence: vec![proof],
                looked_up: vec![read_at(BEN, 1)],
            }])
            .when("merge", merge(BEN))
            .then_nothing();
    }

    #[test]
    fn it_can_be_undone_and_done_again() {
        two()
            .when("unmerge", json!({"from": BEN}))
            .then_nothing()
            .when("merge", merge(BEN))
            .when("unmerge", json!({"from": CAT}))
            .then_refused("merged-already")
            .when("unmerge", json!({"from": BEN}))
            .then(&[ContactEvent::Unmerged { from: BEN }])
            .when("unmerge", json!({"from": BEN}))
            .then_nothing()
            .when("merge", merge(BEN))
            .then(&[ContactEvent::Merged {
                into: BEN,
                evidence: Vec::new(),
                looked_up: vec![read_at(BEN, 1)],
            }]);
    }

    #[test]
    fn a_contact_is_merged_into_one_other_at_a_time() {
        two().when("merge", merge(BEN)).when("merge", merge(CAT)).then_refused("merged-already");
    }

    #[test]
    fn nobody_is_merged_with_themselves_a_stranger_one_voided_or_another_form() {
        let organization = Uuid::from_u128(4);
        two()
            .and_to(CAT.0, &[ContactEvent::Voided {}])
            .and_to(organization, &[registered(ContactForm::Organization)])
            .when("merge", merge(ME))
            .then_refused("merged-into-itself")
            .when("merge", merge(ContactId(Uuid::from_u128(9))))
            .then_refused("unknown-other")
            .when("merge", merge(CAT))
            .then_refused("unknown-other")
            .when("merge", merge(ContactId(organization)))
            .then_refused("different-forms");
    }

    #[test]
    fn a_circle_is_never_closed_however_long_the_way_round() {
        two().and_to(BEN.0, &[merged(ME)]).when("merge", merge(BEN)).then_refused("merged-the-other-way");
        two()
            .and_to(BEN.0, &[merged(CAT)])
            .and_to(CAT.0, &[merged(ME)])
            .when("merge", merge(BEN))
            .then_refused("merged-the-other-way");
        two().and_to(BEN.0, &[merged(CAT)]).when("merge", merge(BEN)).then(&[ContactEvent::Merged {
            into: BEN,
            evidence: Vec::new(),
            looked_up: vec![read_at(BEN, 2), read_at(CAT, 1)],
        }]);
    }

    #[test]
    fn a_circle_that_came_from_elsewhere_is_gone_round_only_once() {
        two().and_to(BEN.0, &[merged(CAT)]).and_to(CAT.0, &[merged(BEN)]).when("merge", merge(BEN)).then(&[
            ContactEvent::Merged {
                into: BEN,
                evidence: Vec::new(),
                looked_up: vec![read_at(BEN, 2), read_at(CAT, 2)],
            },
        ]);
    }

    #[test]
    fn merges_stand_in_a_row_up_to_a_limit() {
        let number = |n: usize| Uuid::from_u128(100 + n as u128);
        let mut scenario = two();
        for n in 0..CHAIN_LIMIT + 5 {
            scenario = scenario
                .and_to(number(n), &[registered(ContactForm::Person), merged(ContactId(number(n + 1)))]);
        }
        scenario.when("merge", merge(ContactId(number(0)))).then_refused("merged-too-deep");
    }

    #[test]
    fn on_weak_evidence_only_a_person_merges() {
        let name = evidence(Feature::Name, Bearing::For, Strength::Weak);
        let email = evidence(Feature::Email, Bearing::For, Strength::Strong);
        let birthday = evidence(Feature::Birthday, Bearing::Against, Strength::Strong);
        for weak in [&[][..], &[name], &[name, name], &[email, birthday]] {
            two().by_a_policy().when("merge", with(BEN, weak)).then_refused("needs-a-person");
            two().imported_from("sheet").when("merge", with(BEN, weak)).then_refused("needs-a-person");
            two().when("merge", with(BEN, weak)).then(&[ContactEvent::Merged {
                into: BEN,
                evidence: weak.to_vec(),
                looked_up: vec![read_at(BEN, 1)],
            }]);
        }
        two().by_a_policy().when("merge", with(BEN, &[email, name])).then(&[ContactEvent::Merged {
            into: BEN,
            evidence: vec![email, name],
            looked_up: vec![read_at(BEN, 1)],
        }]);
        two().when("merge", with(BEN, &[name; EVIDENCE_LIMIT + 1])).then_refused("too-much-evidence");
    }

    #[test]
    fn whom_a_person_told_apart_only_a_person_merges() {
        let email = evidence(Feature::Email, Bearing::For, Strength::Strong);
        let apart = ContactEvent::MergeDismissed { other: BEN };
        two()
            .when("dismiss_merge", json!({"other": BEN}))
            .then(&[apart])
            .when("dismiss_merge", json!({"other": BEN}))
            .then_nothing()
            .by_a_policy()
            .when("merge", with(BEN, &[email]))
            .then_refused("needs-a-person")
            .by_a_person()
            .when("merge", with(BEN, &[email]))
            .when("unmerge", json!({"from": BEN}))
            .by_a_policy()
            .when("merge", with(BEN, &[email]))
            .then_refused("needs-a-person");
        two()
            .and_to(BEN.0, &[ContactEvent::MergeDismissed { other: ME }])
            .by_a_policy()
            .when("merge", with(BEN, &[email]))
            .then_refused("needs-a-person");
    }

    #[test]
    fn an_import_does_not_merge_again_what_a_person_has_unmerged() {
        let email = evidence(Feature::Email, Bearing::For, Strength::Strong);
        two()
            .imported_from("sheet")
            .when("merge", with(BEN, &[email]))
            .when("merge", with(BEN, &[email]))
            .then_nothing()
            .by_a_person()
            .when("unmerge", json!({"from": BEN}))
            .imported_from("sheet")
            .when("merge", with(BEN, &[email]))
            .then_nothing()
            .then_kept(&["merged"]);
    }

    #[test]
    fn contacts_that_are_one_are_not_told_apart_without_being_unmerged() {
        two()
            .when("dismiss_merge", json!({"other": ME}))
            .then_refused("merged-into-itself")
            .when("merge", merge(BEN))
            .when("dismiss_merge", json!({"other": BEN}))
            .then_refused("is-merged");
    }

    #[test]
    fn a_contact_is_told_apart_from_so_many_and_no_more() {
        let mut scenario = two();
        for n in 0..APART_LIMIT {
            scenario = scenario.when("dismiss_merge", json!({"other": Uuid::from_u128(1_000 + n as u128)}));
        }
        scenario.when("dismiss_merge", json!({"other": BEN})).then_refused("too-many-dismissed");
    }

    #[test]
    fn who_was_registered_in_error_is_unmerged_with_that() {
        two()
            .when("merge", merge(BEN))
            .when("void", json!({}))
            .then(&[ContactEvent::Unmerged { from: BEN }, ContactEvent::Voided {}]);
    }

    #[test]
    fn a_merged_contact_takes_commands_as_before() {
        let name = Personal::new(ME, "Ann".to_owned());
        two()
            .when("merge", merge(BEN))
            .when("rename", json!({"name": "Ann"}))
            .then(&[ContactEvent::Renamed { name }]);
    }
}
