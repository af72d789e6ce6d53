//! What has happened to a contact, and what is asked of it, in the sentences of the tests.

use domain::{
    ContactId, Personal,
    contact::{ContactEvent, ContactForm, Detail},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::kit::testing::ID;

pub(super) const ME: ContactId = ContactId(ID);
pub(super) const BEN: ContactId = ContactId(Uuid::from_u128(2));

pub(super) fn own(value: &str) -> Personal<String> {
    Personal::new(ME, value.to_owned())
}

/// A value whose key was destroyed.
pub(super) fn forgotten() -> Personal<String> {
    serde_json::from_value(json!({"$sealed": {"subject": ME, "text": "AAAA"}})).unwrap()
}

pub(super) fn registered() -> ContactEvent {
    ContactEvent::Registered { form: ContactForm::Person, name: Some(own("Ann")) }
}

pub(super) fn renamed(name: &str) -> ContactEvent {
    ContactEvent::Renamed { name: own(name) }
}

pub(super) fn phone(value: Option<&str>) -> ContactEvent {
    ContactEvent::DetailChanged { detail: Detail::Phone, value: value.map(own) }
}

pub(super) fn linked(handle: &str, verified: bool) -> ContactEvent {
    ContactEvent::IdentityLinked { platform: "email".into(), handle: own(handle), verified }
}

pub(super) fn email(handle: &str) -> Value {
    json!({"platform": "email", "handle": handle})
}
