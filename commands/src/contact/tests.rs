//! What follows from the commands to contacts as a whole, in sentences.

use serde_json::json;

use super::{
    examples::{BEN, ME, email, forgotten, phone, registered, renamed},
    *,
};
use crate::kit::testing::given;

#[test]
fn a_contact_is_registered_once() {
    given::<Contact>(&[])
        .when("register", json!({"form": "person", "name": "Ann"}))
        .then(&[registered()])
        .when("register", json!({"form": "person", "name": "Ann"}))
        .then_nothing()
        .when("register", json!({"form": "person", "name": "Anna"}))
        .then_refused("registered-differently")
        .when("register", json!({"form": "household"}))
        .then_refused("registered-differently");
}

#[test]
fn a_voided_contact_takes_no_more_commands() {
    given::<Contact>(&[registered()])
        .when("void", json!({}))
        .then(&[ContactEvent::Voided {}])
        .when("void", json!({}))
        .then_nothing()
        .when("rename", json!({"name": "Anna"}))
        .then_refused("voided");
}

#[test]
fn whoever_was_erased_is_unmerged_all_the_same() {
    let merged = ContactEvent::Merged { into: BEN, evidence: Vec::new(), looked_up: Vec::new() };
    given::<Contact>(&[registered(), merged, ContactEvent::Erased { ground: ErasureGround::Request }])
        .when("unmerge", json!({"from": ME}))
        .then_refused("merged-already")
        .when("unmerge", json!({"from": BEN}))
        .then(&[ContactEvent::Unmerged { from: BEN }])
        .when("unmerge", json!({"from": BEN}))
        .then_nothing();
}

#[test]
fn whoever_was_erased_takes_no_command_but_to_be_readmitted() {
    let erased = || ContactEvent::Erased { ground: ErasureGround::Request };
    let voided = [registered(), ContactEvent::Voided {}];
    // Somebody who was never registered, who is known, and who was voided.
    for before in [&[][..], &[registered()], &voided] {
        given::<Contact>(before)
            .when("readmit", json!({"basis": "consent"}))
            .then_refused("not-erased")
            .when("erase", json!({"ground": "request"}))
            .then(&[erased()])
            .when("erase", json!({"ground": "retention"}))
            .then_nothing()
            .when("register", json!({"form": "person", "name": "Ann"}))
            .then_refused("erased")
            .when("void", json!({}))
            .then_refused("erased")
            .when("readmit", json!({"basis": "consent"}))
            .then(&[ContactEvent::Readmitted { basis: LawfulBasis::Consent }])
            .when("readmit", json!({"basis": "contract"}))
            .then_nothing()
            .when("rename", json!({"name": "Ann"}))
            .then_refused("erased");
    }
}

#[test]
fn an_import_repeated_changes_nothing_and_a_changed_row_is_followed() {
    given::<Contact>(&[])
        .imported_from("sheet")
        .when("register", json!({"form": "person", "name": "Ann"}))
        .when("change_detail", json!({"detail": "phone", "value": "1"}))
        .when("tag", json!({"tag": "alumna"}))
        .when("register", json!({"form": "person", "name": "Ann"}))
        .then_nothing()
        .when("change_detail", json!({"detail": "phone", "value": "1"}))
        .then_nothing()
        .when("tag", json!({"tag": "alumna"}))
        .then_nothing()
        .when("register", json!({"form": "household", "name": "Anna"}))
        .then(&[renamed("Anna")])
        .then_kept(&["form"])
        .when("change_detail", json!({"detail": "phone", "value": "2"}))
        .then(&[phone(Some("2"))]);
}

#[test]
fn what_a_person_said_survives_the_next_import_and_is_reported() {
    given::<Contact>(&[])
        .imported_from("sheet")
        .when("register", json!({"form": "person", "name": "Ann"}))
        .when("change_detail", json!({"detail": "phone", "value": "1"}))
        .when("link_identity", email("ann@example.org"))
        .when("tag", json!({"tag": "alumna"}))
        .by_a_person()
        .when("rename", json!({"name": "Anna"}))
        .when("change_detail", json!({"detail": "phone"}))
        .when("unlink_identity", email("ann@example.org"))
        .when("untag", json!({"tag": "alumna"}))
        .imported_from("sheet")
        .when("register", json!({"form": "person", "name": "Ann"}))
        .then_nothing()
        .then_kept(&["name"])
        .when("change_detail", json!({"detail": "phone", "value": "1"}))
        .then_nothing()
        .then_kept(&["phone"])
        .when("link_identity", email("ann@example.org"))
        .then_nothing()
        .then_kept(&["identity"])
        .when("tag", json!({"tag": "alumna"}))
        .then_nothing()
        .then_kept(&["tag"]);
}

#[test]
fn who_was_forgotten_is_not_brought_back_by_an_import() {
    given::<Contact>(&[ContactEvent::Registered { form: ContactForm::Person, name: Some(forgotten()) }])
        .imported_from("sheet")
        .when("register", json!({"form": "person", "name": "Ann"}))
        .then_nothing()
        .then_kept(&["name"])
        .when("link_identity", email("ann@example.org"))
        .then_nothing()
        .then_kept(&["identity"])
        .when("change_detail", json!({"detail": "phone", "value": "1"}))
        .then_nothing()
        .then_kept(&["phone"])
        .when("tag", json!({"tag": "alumna"}))
        .then(&[ContactEvent::Tagged { tag: "alumna".into() }]);
}
