//! Details of a contact: phone, address, birthday, note and so on. Each has one value, or none.

use std::collections::BTreeMap;

use domain::contact::{ContactEvent, Detail};

use super::{
    personal::personal,
    rejection::{DETAIL_LIMIT, Rejection},
};
use crate::kit::{
    decider::{Decision, Given, Past},
    field::{Comparison, Field},
};

/// The details of a contact.
#[derive(Clone, Debug, Default)]
pub(super) struct Details(BTreeMap<Detail, Field<String>>);

impl Details {
    pub(super) fn change(
        &self,
        detail: Detail,
        value: Option<String>,
        given: &Given<'_>,
    ) -> Result<Decision<ContactEvent>, Rejection> {
        let too_long =
            |value: &String| value.contains(['\n', '\r', '\t']) || value.chars().count() > DETAIL_LIMIT;
        if detail != Detail::Note && value.as_ref().is_some_and(too_long) {
            return Err(Rejection::NotOneLine);
        }
        let comparison = match self.0.get(&detail) {
            Some(known) => known.compare(value.as_ref(), given.source),
            None if value.is_none() => Comparison::Same,
            None => Comparison::Differs,
        };
        let value = value.map(|value| personal(given, value));
        Ok(comparison.decision(name_of(detail), ContactEvent::DetailChanged { detail, value }))
    }

    pub(super) fn changed(&mut self, detail: Detail, value: Option<String>, past: &Past<'_>) {
        self.0.entry(detail).or_default().set(value, past);
    }
}

/// The name under which a detail is reported.
pub(super) const fn name_of(detail: Detail) -> &'static str {
    match detail {
        Detail::GivenName => "given_name",
        Detail::FamilyName => "family_name",
        Detail::Salutation => "salutation",
        Detail::JobTitle => "job_title",
        Detail::Phone => "phone",
        Detail::Address => "address",
        Detail::Country => "country",
        Detail::Birthday => "birthday",
        Detail::Sector => "sector",
        Detail::Note => "note",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{
        contact::{
            Contact,
            examples::{phone, registered, renamed},
        },
        kit::testing::given,
    };

    #[test]
    fn a_contact_is_renamed_and_described() {
        given::<Contact>(&[registered()])
            .when("rename", json!({"name": "Anna"}))
            .then(&[renamed("Anna")])
            .when("rename", json!({"name": "Anna"}))
            .then_nothing()
            .when("change_detail", json!({"detail": "phone"}))
            .then_nothing()
            .when("change_detail", json!({"detail": "phone", "value": "+1 555 0100"}))
            .then(&[phone(Some("+1 555 0100"))])
            .when("change_detail", json!({"detail": "phone", "value": "+1 555 0100"}))
            .then_nothing()
            .when("change_detail", json!({"detail": "phone"}))
            .then(&[phone(None)])
            .when("change_detail", json!({"detail": "phone", "value": "one\ntwo"}))
            .then_refused("not-one-line");
    }
}
