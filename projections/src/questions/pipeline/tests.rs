//! The view `pipeline` told in small stories.

use domain::{
    Currency, MemberId, Money,
    deal::{DealCorrection, DealEvent},
    member::MemberEvent,
};
use uuid::Uuid;

use super::Pipeline;
use crate::kit::testing::{event_id, given};

fn member(team: &str, region: &str) -> MemberEvent {
    MemberEvent::Joined { name: format!("of {team}"), team: Some(team.into()), region: Some(region.into()) }
}

fn opened(owner: u128) -> DealEvent {
    DealEvent::Opened {
        contact: None,
        owner: Some(MemberId(Uuid::from_u128(owner))),
        product: Some("GTX".into()),
        value: None,
        stage: "Engaging".into(),
        lead: None,
    }
}

fn won(minor: i64) -> DealEvent {
    DealEvent::Converted { value: Some(Money::new(minor, Currency::USD)) }
}

#[test]
fn won_deals_are_counted_and_valued_by_region() {
    given::<Pipeline>()
        .happened("2017-01-01", 1, member("Ann", "West"))
        .happened("2017-01-01", 2, member("Bob", "East"))
        .happened("2017-01-02", 10, opened(1))
        .happened("2017-01-02", 11, opened(1))
        .happened("2017-01-02", 12, opened(2))
        .happened("2017-01-12", 10, won(105_400))
        .happened("2017-02-12", 12, DealEvent::Lost { because: None })
        .then("by=region", |view| insta::assert_json_snapshot!(view))
        .then("show=deals&stage=Won", |view| insta::assert_json_snapshot!(view));
}

#[test]
fn a_deal_reopened_corrected_and_voided_leaves_no_trace_in_the_cells() {
    let correction =
        DealCorrection { value: Some(Money::new(7, Currency::USD)), ..DealCorrection::default() };
    given::<Pipeline>()
        .happened("2017-01-02", 10, opened(1))
        .happened("2017-01-12", 10, won(5))
        .happened("2017-01-13", 10, DealEvent::Corrected { fact: event_id(2), correction })
        .then("stage=Won", |view| assert_eq!(view["totals"]["won_value"][0]["minor"], 7))
        .happened("2017-01-14", 10, DealEvent::Reopened { stage: "Engaging".into() })
        .happened("2017-01-15", 10, DealEvent::Advanced { stage: "Proposal".into() })
        .then("", |view| assert_eq!(view["rows"][0]["group"], "Proposal"))
        .happened("2017-01-16", 10, DealEvent::Voided {})
        .then("", |view| assert_eq!(view["rows"], serde_json::json!([])));
}

#[test]
fn periods_pages_and_nonsense_are_understood() {
    given::<Pipeline>()
        .happened("2017-01-02", 10, opened(1))
        .happened("2017-03-02", 11, opened(1))
        .then("opened=2017-Q1&by=opened", |view| assert_eq!(view["rows"][1]["group"], "2017-03"))
        .then("closed=2017&show=deals", |view| assert_eq!(view["rows"], serde_json::json!([])))
        .then_refused("opened=17", "opened")
        .then_refused("colour=red", "colour");
}
