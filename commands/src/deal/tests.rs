//! What follows from the commands to deals, in sentences.

use domain::Currency;
use serde_json::json;

use super::*;
use crate::kit::testing::{Scenario, given};

fn opened() -> DealEvent {
    DealEvent::Opened {
        contact: None,
        owner: None,
        product: Some("GTX Basic".into()),
        value: None,
        stage: "Prospecting".into(),
        lead: None,
    }
}

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

fn value_corrected(event: usize, minor: i64) -> DealEvent {
    let correction = DealCorrection { value: Some(usd(minor)), ..Default::default() };
    DealEvent::Corrected { fact: Scenario::<Deal>::event_id(event), correction }
}

#[test]
fn a_deal_enters_the_pipeline_once() {
    let open = json!({"product": "GTX Basic", "stage": "Prospecting"});
    given::<Deal>(&[])
        .when("open", open.clone())
        .then(&[opened()])
        .when("open", open)
        .then_nothing()
        .when("open", json!({"product": "MG Special", "stage": "Prospecting"}))
        .then_refused("opened-differently");
}

#[test]
fn a_deal_advances_and_is_won() {
    given::<Deal>(&[opened()])
        .when("advance", json!({"stage": "Engaging"}))
        .then(&[DealEvent::Advanced { stage: "Engaging".into() }])
        .when("convert", json!({"value": {"minor": 105_400, "currency": "USD"}}))
        .then(&[DealEvent::Converted { value: Some(usd(105_400)) }])
        .when("convert", json!({"value": {"minor": 105_400, "currency": "USD"}}))
        .then_nothing();
}

#[test]
fn nobody_wins_what_nobody_opened() {
    given::<Deal>(&[]).when("convert", json!({})).then_refused("unknown-deal");
}

#[test]
fn a_closed_deal_is_reopened_before_it_moves() {
    given::<Deal>(&[opened(), DealEvent::Lost { because: None }])
        .when("advance", json!({"stage": "Engaging"}))
        .then_refused("closed")
        .when("convert", json!({}))
        .then_refused("closed")
        .when("reopen", json!({"stage": "Engaging"}))
        .then(&[DealEvent::Reopened { stage: "Engaging".into() }]);
}

#[test]
fn a_deal_does_not_close_before_it_opens() {
    given::<Deal>(&[])
        .on("2017-05-01")
        .when("open", json!({"stage": "Engaging"}))
        .on("2017-04-30")
        .when("lose", json!({}))
        .then_refused("closed-before-opened");
}

#[test]
fn a_correction_names_the_fact_that_was_wrong() {
    given::<Deal>(&[opened(), DealEvent::Converted { value: Some(usd(100)) }])
        .when("correct", json!({"value": {"minor": 200, "currency": "USD"}}))
        .then(&[value_corrected(1, 200)])
        .when("correct", json!({"value": {"minor": 200, "currency": "USD"}}))
        .then_nothing()
        .when("correct", json!({"value": {"minor": -1, "currency": "USD"}}))
        .then_refused("negative-value")
        .when("correct", json!({"value": {"minor": Money::LIMIT + 1, "currency": "USD"}}))
        .then_refused("value-too-large")
        .when("correct", json!({"product": "two\nlines"}))
        .then_refused("unfit-product");
}

#[test]
fn a_voided_deal_takes_no_more_commands() {
    given::<Deal>(&[opened()])
        .when("void", json!({}))
        .then(&[DealEvent::Voided {}])
        .when("void", json!({}))
        .then_nothing()
        .when("convert", json!({}))
        .then_refused("voided");
}

#[test]
fn an_import_repeated_changes_nothing_and_a_changed_row_is_followed() {
    let win = |minor: i64| json!({"value": {"minor": minor, "currency": "USD"}});
    given::<Deal>(&[])
        .imported_from("sheet")
        .when("open", json!({"stage": "Engaging", "product": "GTX Basic"}))
        .when("convert", win(100))
        .when("open", json!({"stage": "Engaging", "product": "GTX Basic"}))
        .then_nothing()
        .when("convert", win(100))
        .then_nothing()
        .when("convert", win(300))
        .then(&[value_corrected(1, 300)]);
}

#[test]
fn what_a_person_corrected_survives_the_next_import_and_is_reported() {
    let win = json!({"value": {"minor": 100, "currency": "USD"}});
    given::<Deal>(&[])
        .imported_from("sheet")
        .when("open", json!({"stage": "Engaging"}))
        .when("convert", win.clone())
        .by_a_person()
        .when("correct", json!({"value": {"minor": 900, "currency": "USD"}}))
        .imported_from("sheet")
        .when("convert", win)
        .then_nothing()
        .then_kept(&["value"]);
}
