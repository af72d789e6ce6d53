//! What follows from the commands to gifts, in sentences.

use domain::FundId;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::kit::testing::{Scenario, given};

const ANN: ContactId = ContactId(Uuid::from_u128(1));
const TRAVEL: FundId = FundId(Uuid::from_u128(2));
const MEALS: FundId = FundId(Uuid::from_u128(3));

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

fn received(allocations: Vec<Allocation>) -> GiftEvent {
    GiftEvent::Received {
        donor: Some(ANN),
        amount: usd(10_000),
        campaign: None,
        method: None,
        stage: None,
        allocations,
        soft_credits: Vec::new(),
    }
}

fn receive(minor: i64) -> Value {
    json!({"donor": ANN, "amount": usd(minor)})
}

fn to(fund: FundId, minor: i64) -> Allocation {
    Allocation { fund, amount: usd(minor) }
}

fn corrected(event: usize, correction: GiftCorrection) -> GiftEvent {
    GiftEvent::Corrected { fact: Scenario::<Gift>::event_id(event), correction }
}

fn amount_corrected(event: usize, minor: i64) -> GiftEvent {
    corrected(event, GiftCorrection { amount: Some(usd(minor)), ..Default::default() })
}

#[test]
fn a_gift_is_received_once() {
    given::<Gift>(&[])
        .when("receive", receive(10_000))
        .then(&[received(Vec::new())])
        .when("receive", receive(10_000))
        .then_nothing()
        .when("receive", receive(20_000))
        .then_refused("received-differently")
        .when("receive", json!({"amount": usd(10_000), "method": "card"}))
        .then_refused("received-differently");
}

#[test]
fn a_gift_takes_nothing_away_but_may_be_worth_nothing() {
    given::<Gift>(&[]).when("receive", receive(0)).when("receive", receive(0)).then_nothing();
    given::<Gift>(&[])
        .when("receive", receive(-5))
        .then_refused("amount-negative")
        .when("receive", receive(Money::LIMIT + 1))
        .then_refused("amount-too-large")
        .when("refund", json!({"amount": usd(5)}))
        .then_refused("unknown-gift");
}

#[test]
fn no_more_goes_back_than_came_in() {
    let refunded = GiftEvent::Refunded { amount: usd(6_000) };
    given::<Gift>(&[received(Vec::new())])
        .when("refund", json!({"amount": usd(6_000)}))
        .then(std::slice::from_ref(&refunded))
        .when_repeated(1, "refund", json!({"amount": usd(6_000)}))
        .then_nothing()
        .when("refund", json!({"amount": usd(6_000)}))
        .then_refused("refund-too-large")
        .when("refund", json!({"amount": {"minor": 1, "currency": "EUR"}}))
        .then_refused("other-currency")
        .when("refund", json!({"amount": usd(4_000)}))
        .then(&[GiftEvent::Refunded { amount: usd(4_000) }])
        .when("refund", json!({"amount": usd(1)}))
        .then_refused("refund-too-large");
}

#[test]
fn a_gift_is_allocated_to_its_last_cent_and_no_further() {
    let both = vec![to(TRAVEL, 4_000), to(MEALS, 6_000)];
    given::<Gift>(&[received(Vec::new())])
        .when("allocate", json!({"allocations": both}))
        .then(&[GiftEvent::Allocated { allocations: both.clone() }])
        .when("allocate", json!({"allocations": [to(MEALS, 6_000), to(TRAVEL, 4_000)]}))
        .then_nothing()
        .when("allocate", json!({"allocations": [to(MEALS, 6_000), to(TRAVEL, 4_001)]}))
        .then_refused("allocated-too-much")
        .when("allocate", json!({"allocations": [to(MEALS, 1), to(MEALS, 2)]}))
        .then_refused("fund-twice")
        .when("allocate", json!({"allocations": [to(MEALS, 0)]}))
        .then_refused("amount-not-positive")
        .when(
            "allocate",
            json!({"allocations": [{"fund": MEALS, "amount": {"minor": 1, "currency": "EUR"}}]}),
        )
        .then_refused("other-currency")
        .when("allocate", json!({"allocations": []}))
        .then(&[GiftEvent::Allocated { allocations: Vec::new() }]);
}

#[test]
fn a_donor_is_thanked_once() {
    given::<Gift>(&[received(Vec::new())])
        .when("acknowledge", json!({}))
        .then(&[GiftEvent::Acknowledged {}])
        .when("acknowledge", json!({}))
        .then_nothing();
}

#[test]
fn a_correction_names_the_fact_that_was_wrong() {
    given::<Gift>(&[received(Vec::new())])
        .when("correct", json!({"amount": usd(1_000)}))
        .then(&[amount_corrected(0, 1_000)])
        .when("correct", json!({"amount": usd(1_000)}))
        .then_nothing()
        .when("correct", json!({"amount": usd(2_000), "campaign": "Spring"}))
        .then(&[
            amount_corrected(1, 2_000),
            corrected(0, GiftCorrection { campaign: Some("Spring".into()), ..Default::default() }),
        ])
        .when("correct", json!({"campaign": " "}))
        .then_refused("unfit-text");
}

#[test]
fn a_correction_does_not_take_what_was_refunded_or_allocated() {
    let refunded = GiftEvent::Refunded { amount: usd(3_000) };
    given::<Gift>(&[received(vec![to(TRAVEL, 5_000)]), refunded])
        .when("correct", json!({"amount": usd(2_999)}))
        .then_refused("less-than-refunded")
        .when("correct", json!({"amount": usd(4_999)}))
        .then_refused("allocated-too-much")
        .when("correct", json!({"amount": {"minor": 10_000, "currency": "EUR"}}))
        .then_refused("other-currency")
        .when("correct", json!({"amount": usd(5_000)}))
        .then(&[amount_corrected(0, 5_000)]);
}

#[test]
fn a_voided_gift_takes_no_more_commands() {
    given::<Gift>(&[received(Vec::new())])
        .when("void", json!({}))
        .then(&[GiftEvent::Voided {}])
        .when("void", json!({}))
        .then_nothing()
        .when("refund", json!({"amount": usd(1)}))
        .then_refused("voided");
}

#[test]
fn an_import_repeated_changes_nothing_and_a_changed_row_is_followed() {
    let restricted = json!({"donor": ANN, "amount": usd(4_000), "allocations": [to(MEALS, 4_000)]});
    given::<Gift>(&[])
        .imported_from("civi")
        .when("receive", json!({"donor": ANN, "amount": usd(10_000), "allocations": [to(MEALS, 8_000)]}))
        .when("refund", json!({"amount": usd(4_000)}))
        .when("refund", json!({"amount": usd(4_000)}))
        .then_nothing()
        .when("receive", receive(10_000))
        .then_nothing()
        .when("receive", restricted.clone())
        .then(&[amount_corrected(0, 4_000), GiftEvent::Allocated { allocations: vec![to(MEALS, 4_000)] }])
        .when("receive", restricted)
        .then_nothing();
}

#[test]
fn what_a_person_corrected_survives_the_next_import_and_is_reported() {
    given::<Gift>(&[])
        .imported_from("civi")
        .when("receive", receive(10_000))
        .by_a_person()
        .when("correct", json!({"amount": usd(9_000)}))
        .when("allocate", json!({"allocations": [to(TRAVEL, 9_000)]}))
        .imported_from("civi")
        .when("receive", json!({"donor": ANN, "amount": usd(10_000), "allocations": [to(MEALS, 10_000)]}))
        .then_nothing()
        .then_kept(&["amount", "allocations"])
        .when("allocate", json!({"allocations": [to(MEALS, 1_000)]}))
        .then_kept(&["allocations"]);
}

#[test]
fn a_day_that_the_source_changes_is_corrected() {
    let received_at = Some("2024-03-02T00:00:00Z".parse().unwrap());
    given::<Gift>(&[])
        .imported_from("civi")
        .on("2024-03-01")
        .when("receive", receive(10_000))
        .on("2024-03-02")
        .when("receive", receive(10_000))
        .then(&[corrected(0, GiftCorrection { received_at, ..Default::default() })]);
}
