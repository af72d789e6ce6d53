//! What follows from the commands to gatherings, in sentences.

use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::kit::testing::{Scenario, given};

const ANN: ContactId = ContactId(Uuid::from_u128(1));

fn scheduled() -> GatheringEvent {
    GatheringEvent::Scheduled {
        name: "Shabbat dinner".into(),
        gathering_type: "dinner".into(),
        program: None,
        cohort: None,
        starts_at: "2024-09-06T22:00:00Z".parse().ok(),
        ends_at: None,
        place: None,
    }
}

fn row(starts_at: &str) -> serde_json::Value {
    json!({"name": "Shabbat dinner", "type": "dinner", "starts_at": starts_at})
}

fn rescheduled(starts_at: &str) -> GatheringEvent {
    GatheringEvent::Rescheduled { starts_at: starts_at.parse().unwrap(), ends_at: None }
}

fn attended() -> GatheringEvent {
    GatheringEvent::StudentAttended { contact: ANN, method: None }
}

fn registered() -> GatheringEvent {
    GatheringEvent::StudentRegistered { contact: ANN }
}

fn missed() -> GatheringEvent {
    GatheringEvent::StudentMissed { contact: ANN }
}

fn voided_presence(event: usize) -> GatheringEvent {
    GatheringEvent::PresenceVoided { contact: ANN, fact: Scenario::<Gathering>::event_id(event) }
}

fn ann() -> serde_json::Value {
    json!({"contact": ANN})
}

#[test]
fn a_gathering_is_scheduled_once() {
    given::<Gathering>(&[])
        .when("schedule", row("2024-09-06T22:00:00Z"))
        .then(&[scheduled()])
        .when("schedule", row("2024-09-06T22:00:00Z"))
        .then_nothing()
        .when("schedule", row("2024-09-13T22:00:00Z"))
        .then_refused("scheduled-differently")
        .when("schedule", json!({"name": "Shabbat dinner", "type": "lecture"}))
        .then_refused("scheduled-differently");
}

#[test]
fn a_gathering_is_rescheduled_and_cancelled() {
    given::<Gathering>(&[scheduled()])
        .when("reschedule", json!({"starts_at": "2024-09-13T22:00:00Z"}))
        .then(&[rescheduled("2024-09-13T22:00:00Z")])
        .when("reschedule", json!({"starts_at": "2024-09-13T22:00:00Z"}))
        .then_nothing()
        .when("cancel", json!({}))
        .then(&[GatheringEvent::Cancelled {}])
        .when("cancel", json!({}))
        .then_nothing()
        .when("reschedule", json!({"starts_at": "2024-09-20T22:00:00Z"}))
        .then_refused("cancelled");
}

#[test]
fn a_gathering_does_not_end_before_it_starts() {
    let backwards = json!({"starts_at": "2024-09-06T22:00:00Z", "ends_at": "2024-09-06T21:00:00Z"});
    given::<Gathering>(&[scheduled()]).when("reschedule", backwards).then_refused("ends-before-it-starts");
}

#[test]
fn people_register_and_attend_or_come_without_registering() {
    given::<Gathering>(&[scheduled()])
        .when("register", ann())
        .then(&[registered()])
        .when("register", ann())
        .then_nothing()
        .when("attend", json!({"contact": ANN, "method": "scan"}))
        .then(&[GatheringEvent::StudentAttended { contact: ANN, method: Some(AttendanceMethod::Scan) }])
        .when("attend", ann())
        .then_nothing()
        .when("register", ann())
        .then_nothing();
    given::<Gathering>(&[scheduled()]).when("attend", ann()).then(&[attended()]);
}

#[test]
fn who_attended_did_not_miss_it_unless_that_was_wrong() {
    given::<Gathering>(&[scheduled(), attended()])
        .when("miss", ann())
        .then_refused("attended")
        .when("excuse", ann())
        .then_refused("attended")
        .when("void_presence", ann())
        .then(&[voided_presence(1)])
        .when("void_presence", ann())
        .then_nothing()
        .when("miss", ann())
        .then(&[missed()])
        .when("miss", ann())
        .then_nothing()
        .when("register", ann())
        .then_refused("missed")
        .when("excuse", ann())
        .then(&[GatheringEvent::StudentExcused { contact: ANN }])
        .when("attend", ann())
        .then(&[attended()]);
}

#[test]
fn nobody_is_present_where_nothing_takes_place() {
    given::<Gathering>(&[scheduled(), attended(), GatheringEvent::Cancelled {}])
        .when("register", json!({"contact": Uuid::from_u128(2)}))
        .then_refused("cancelled")
        .when("record_headcount", json!({"people": 12}))
        .then_refused("cancelled")
        .imported_from("sheet")
        .when("attend", json!({"contact": Uuid::from_u128(2)}))
        .then_refused("cancelled")
        .when("attend", ann())
        .then_nothing();
    given::<Gathering>(&[]).when("attend", ann()).then_refused("unknown-gathering");
}

#[test]
fn a_headcount_replaces_the_one_before() {
    given::<Gathering>(&[scheduled()])
        .when("record_headcount", json!({"people": 40}))
        .then(&[GatheringEvent::HeadcountRecorded { people: 40 }])
        .when("record_headcount", json!({"people": 40}))
        .then_nothing()
        .imported_from("sheet")
        .when("record_headcount", json!({"people": 38}))
        .then_nothing()
        .then_kept(&["people"]);
}

#[test]
fn a_voided_gathering_takes_no_more_commands() {
    given::<Gathering>(&[scheduled()])
        .when("void", json!({}))
        .then(&[GatheringEvent::Voided {}])
        .when("void", json!({}))
        .then_nothing()
        .when("attend", ann())
        .then_refused("voided");
}

#[test]
fn an_import_repeated_changes_nothing_and_a_changed_row_is_followed() {
    given::<Gathering>(&[])
        .imported_from("sheet")
        .when("schedule", row("2024-09-06T22:00:00Z"))
        .when("register", ann())
        .when("attend", ann())
        .when("schedule", row("2024-09-06T22:00:00Z"))
        .then_nothing()
        .when("register", ann())
        .then_nothing()
        .when("attend", ann())
        .then_nothing()
        .when("schedule", row("2024-09-13T22:00:00Z"))
        .then(&[rescheduled("2024-09-13T22:00:00Z")])
        .when("schedule", json!({"name": "Friday dinner", "type": "dinner"}))
        .then_nothing()
        .then_kept(&["name"])
        .when("miss", ann())
        .then(&[voided_presence(2), missed()])
        .when("register", ann())
        .then_nothing();
}

#[test]
fn what_a_person_said_survives_the_next_import_and_is_reported() {
    given::<Gathering>(&[])
        .imported_from("sheet")
        .when("schedule", row("2024-09-06T22:00:00Z"))
        .when("attend", ann())
        .by_a_person()
        .when("reschedule", json!({"starts_at": "2024-09-13T22:00:00Z"}))
        .when("void_presence", ann())
        .imported_from("sheet")
        .when("schedule", row("2024-09-06T22:00:00Z"))
        .then_nothing()
        .then_kept(&["starts_at"])
        .when("attend", ann())
        .then_nothing()
        .then_kept(&["presence"])
        .by_a_person()
        .when("attend", ann())
        .then(&[attended()])
        .imported_from("sheet")
        .when("void_presence", ann())
        .then_nothing()
        .then_kept(&["presence"]);
}
