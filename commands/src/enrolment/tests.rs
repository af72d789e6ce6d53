//! What follows from the commands to enrolments, in sentences.

use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::kit::testing::{Scenario, given};

const ANN: ContactId = ContactId(Uuid::from_u128(1));
const BEN: ContactId = ContactId(Uuid::from_u128(2));
const PROGRAM: ProgramId = ProgramId(Uuid::from_u128(3));

fn enrolled() -> EnrolmentEvent {
    EnrolmentEvent::Enrolled {
        contact: ANN,
        program: PROGRAM,
        cohort: Some("2013J".into()),
        role: EnrolmentRole::Participant,
    }
}

fn row() -> serde_json::Value {
    json!({"contact": ANN, "program": PROGRAM, "cohort": "2013J"})
}

fn advanced(stage: &str) -> EnrolmentEvent {
    EnrolmentEvent::Advanced { stage: stage.into() }
}

fn completed(result: &str) -> EnrolmentEvent {
    EnrolmentEvent::Completed { result: Some(result.into()) }
}

fn cohort_corrected(cohort: &str) -> EnrolmentEvent {
    let fact = Scenario::<Enrolment>::event_id(0);
    EnrolmentEvent::Corrected { fact, cohort: Some(cohort.into()), role: None }
}

#[test]
fn somebody_enrols_once() {
    given::<Enrolment>(&[])
        .when("enrol", row())
        .then(&[enrolled()])
        .when("enrol", row())
        .then_nothing()
        .when("enrol", json!({"contact": ANN, "program": PROGRAM, "cohort": "2014B"}))
        .then_refused("enrolled-differently")
        .when("enrol", json!({"contact": BEN, "program": PROGRAM}))
        .then_refused("enrolled-differently");
}

#[test]
fn they_advance_and_complete() {
    given::<Enrolment>(&[enrolled()])
        .when("advance", json!({"stage": "Active"}))
        .then(&[advanced("Active")])
        .when("advance", json!({"stage": "Active"}))
        .then_nothing()
        .when("complete", json!({"result": "Pass"}))
        .then(&[completed("Pass")])
        .when("complete", json!({}))
        .then_nothing()
        .when("complete", json!({"result": "Distinction"}))
        .then_refused("over")
        .when("withdraw", json!({}))
        .then_refused("over")
        .when("advance", json!({"stage": "Second year"}))
        .then_refused("over");
}

#[test]
fn who_withdrew_is_reinstated() {
    given::<Enrolment>(&[enrolled()])
        .when("reinstate", json!({}))
        .then_nothing()
        .when("withdraw", json!({}))
        .then(&[EnrolmentEvent::Withdrawn {}])
        .when("withdraw", json!({}))
        .then_nothing()
        .when("complete", json!({}))
        .then_refused("over")
        .when("reinstate", json!({}))
        .then(&[EnrolmentEvent::Reinstated {}])
        .when("complete", json!({}))
        .then(&[EnrolmentEvent::Completed { result: None }]);
}

#[test]
fn nobody_completes_what_they_did_not_join() {
    given::<Enrolment>(&[]).when("complete", json!({})).then_refused("unknown-enrolment");
}

#[test]
fn a_correction_names_the_fact_that_was_wrong() {
    let fact = Scenario::<Enrolment>::event_id(0);
    let role = Some(EnrolmentRole::Volunteer);
    given::<Enrolment>(&[enrolled()])
        .when("correct", json!({"cohort": "2014B", "role": "volunteer"}))
        .then(&[EnrolmentEvent::Corrected { fact, cohort: Some("2014B".into()), role }])
        .when("correct", json!({"cohort": "2014B"}))
        .then_nothing();
}

#[test]
fn a_voided_enrolment_takes_no_more_commands() {
    given::<Enrolment>(&[enrolled()])
        .when("void", json!({}))
        .then(&[EnrolmentEvent::Voided {}])
        .when("void", json!({}))
        .then_nothing()
        .when("enrol", row())
        .then_refused("voided");
}

#[test]
fn an_import_repeated_changes_nothing_and_a_changed_row_is_followed() {
    given::<Enrolment>(&[])
        .imported_from("oulad")
        .when("enrol", row())
        .when("advance", json!({"stage": "Active"}))
        .when("withdraw", json!({}))
        .when("enrol", row())
        .then_nothing()
        .when("advance", json!({"stage": "Active"}))
        .then_nothing()
        .when("withdraw", json!({}))
        .then_nothing()
        .when("complete", json!({"result": "Pass"}))
        .then(&[EnrolmentEvent::Reinstated {}, completed("Pass")])
        .when("advance", json!({"stage": "Second year"}))
        .then(&[EnrolmentEvent::Reinstated {}, advanced("Second year")])
        .when("enrol", json!({"contact": BEN, "program": PROGRAM, "cohort": "2014B"}))
        .then(&[cohort_corrected("2014B")])
        .then_kept(&["contact"]);
}

#[test]
fn what_a_person_said_survives_the_next_import_and_is_reported() {
    given::<Enrolment>(&[])
        .imported_from("oulad")
        .when("enrol", row())
        .when("withdraw", json!({}))
        .by_a_person()
        .when("correct", json!({"cohort": "2014B"}))
        .when("reinstate", json!({}))
        .imported_from("oulad")
        .when("enrol", row())
        .then_nothing()
        .then_kept(&["cohort"])
        .when("withdraw", json!({}))
        .then_nothing()
        .then_kept(&["phase"])
        .by_a_person()
        .when("complete", json!({"result": "Pass"}))
        .imported_from("oulad")
        .when("advance", json!({"stage": "Active"}))
        .then_nothing()
        .then_kept(&["stage"]);
}
