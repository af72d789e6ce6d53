//! What follows from the commands to leads, in sentences.

use domain::Currency;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::kit::testing::{Scenario, given};

const ANN: ContactId = ContactId(Uuid::from_u128(1));
const BEN: ContactId = ContactId(Uuid::from_u128(2));
const DEAL: DealId = DealId(Uuid::from_u128(3));
const OWNER: MemberId = MemberId(Uuid::from_u128(4));

fn captured() -> LeadEvent {
    LeadEvent::Captured { contact: ANN, source: "website".into(), conversation: None, interest: None }
}

fn corrected(source: Option<&str>, contact: Option<ContactId>) -> LeadEvent {
    LeadEvent::Corrected { fact: Scenario::<Lead>::event_id(0), source: source.map(str::to_owned), contact }
}

fn qualified(score: Option<u8>) -> LeadEvent {
    LeadEvent::Qualified { score }
}

#[test]
fn a_lead_is_captured_once() {
    given::<Lead>(&[])
        .when("capture", json!({"contact": ANN, "source": "website"}))
        .then(&[captured()])
        .when("capture", json!({"contact": ANN, "source": "website"}))
        .then_nothing()
        .when("capture", json!({"contact": ANN, "source": "referral"}))
        .then_refused("captured-differently");
}

#[test]
fn an_interest_belongs_to_the_contact_whose_it_is() {
    let wanted = json!({"contact": ANN, "source": "website", "interest": "Hebrew for beginners"});
    let interest = Some(Personal::new(ANN, "Hebrew for beginners".to_owned()));
    given::<Lead>(&[])
        .when("capture", wanted.clone())
        .then(&[LeadEvent::Captured { contact: ANN, source: "website".into(), conversation: None, interest }])
        .when("capture", wanted)
        .then_nothing()
        .when("capture", json!({"contact": ANN, "source": "website", "interest": "Mentoring"}))
        .then_refused("captured-differently")
        .imported_from("sheet")
        .when("capture", json!({"contact": ANN, "source": "website", "interest": "Mentoring"}))
        .then_nothing()
        .then_kept(&["interest"]);
}

#[test]
fn a_lead_is_assigned_qualified_and_converted() {
    let usd = Some(Money::new(5_000, Currency::USD));
    let convert = json!({"deal": DEAL, "value": {"minor": 5_000, "currency": "USD"}});
    given::<Lead>(&[captured()])
        .when("assign", json!({"owner": OWNER}))
        .then(&[LeadEvent::Assigned { owner: OWNER }])
        .when("assign", json!({"owner": OWNER}))
        .then_nothing()
        .when("qualify", json!({"score": 80}))
        .then(&[qualified(Some(80))])
        .when("qualify", json!({}))
        .then_nothing()
        .when("qualify", json!({"score": 90}))
        .then(&[qualified(Some(90))])
        .when("convert", convert.clone())
        .then(&[LeadEvent::Converted { deal: DEAL, value: usd }])
        .when("convert", convert)
        .then_nothing()
        .when("disqualify", json!({"because": "junk"}))
        .then_refused("converted")
        .when("convert", json!({"deal": Uuid::from_u128(9)}))
        .then_refused("converted");
}

#[test]
fn nobody_qualifies_a_stranger() {
    given::<Lead>(&[]).when("qualify", json!({"score": 80})).then_refused("unknown-lead");
}

#[test]
fn a_score_is_at_most_a_hundred_and_a_value_not_negative() {
    given::<Lead>(&[captured()])
        .when("qualify", json!({"score": 101}))
        .then_refused("score-out-of-range")
        .when("convert", json!({"deal": DEAL, "value": {"minor": -1, "currency": "USD"}}))
        .then_refused("negative-value");
}

#[test]
fn a_disqualified_lead_is_qualified_before_it_converts() {
    given::<Lead>(&[captured()])
        .when("disqualify", json!({"because": "unreachable"}))
        .then(&[LeadEvent::Disqualified { because: DisqualifiedBecause::Unreachable }])
        .when("disqualify", json!({"because": "unreachable"}))
        .then_nothing()
        .when("convert", json!({"deal": DEAL}))
        .then_refused("disqualified")
        .when("qualify", json!({}))
        .then(&[qualified(None)])
        .when("convert", json!({"deal": DEAL}))
        .then(&[LeadEvent::Converted { deal: DEAL, value: None }]);
}

#[test]
fn a_correction_names_the_fact_that_was_wrong() {
    given::<Lead>(&[captured()])
        .when("correct", json!({"contact": BEN}))
        .then(&[corrected(None, Some(BEN))])
        .when("correct", json!({"contact": BEN}))
        .then_nothing();
}

#[test]
fn a_voided_lead_takes_no_more_commands() {
    given::<Lead>(&[captured()])
        .when("void", json!({}))
        .then(&[LeadEvent::Voided {}])
        .when("void", json!({}))
        .then_nothing()
        .when("qualify", json!({}))
        .then_refused("voided");
}

#[test]
fn an_import_repeated_changes_nothing_and_a_changed_row_is_followed() {
    given::<Lead>(&[])
        .imported_from("sheet")
        .when("capture", json!({"contact": ANN, "source": "website"}))
        .when("qualify", json!({"score": 50}))
        .when("convert", json!({"deal": DEAL}))
        .when("capture", json!({"contact": ANN, "source": "website"}))
        .then_nothing()
        .when("qualify", json!({"score": 50}))
        .then_nothing()
        .when("convert", json!({"deal": DEAL}))
        .then_nothing()
        .when("qualify", json!({"score": 60}))
        .then_nothing()
        .then_kept(&["standing"])
        .when("capture", json!({"contact": ANN, "source": "referral"}))
        .then(&[corrected(Some("referral"), None)]);
}

#[test]
fn what_a_person_decided_survives_the_next_import_and_is_reported() {
    given::<Lead>(&[])
        .imported_from("sheet")
        .when("capture", json!({"contact": ANN, "source": "website"}))
        .when("qualify", json!({"score": 50}))
        .by_a_person()
        .when("correct", json!({"source": "referral"}))
        .when("disqualify", json!({"because": "duplicate"}))
        .imported_from("sheet")
        .when("capture", json!({"contact": ANN, "source": "website"}))
        .then_kept(&["source"])
        .when("qualify", json!({"score": 50}))
        .then_nothing()
        .then_kept(&["standing"]);
}
