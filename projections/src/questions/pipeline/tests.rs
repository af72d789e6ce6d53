//! The view `pipeline` told in small stories.

use domain::{
    Currency, MemberId, Money,
    deal::{DealCorrection, DealEvent},
    member::MemberEvent,
};
use proptest::prelude::*;
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

fn one_of(words: &[&'static str]) -> impl Strategy<Value = Option<String>> + use<> {
    prop::option::of(prop::sample::select(words.to_vec()).prop_map(str::to_owned))
}

/// One of the things that may happen to a deal.
fn what_happened(what: u8, deal: u128) -> DealEvent {
    let later: chrono::DateTime<chrono::Utc> = "2017-03-05T00:00:00Z".parse().unwrap();
    match what {
        0 => won(7),
        1 => DealEvent::Lost { because: None },
        2 => DealEvent::Reopened { stage: "Engaging".into() },
        3 => DealEvent::Advanced { stage: "Won".into() },
        4 => DealEvent::Voided {},
        5 => DealEvent::Corrected {
            fact: event_id(1),
            correction: DealCorrection {
                owner: Some(MemberId(Uuid::from_u128(2))),
                opened_at: Some(later),
                closed_at: Some(later),
                ..DealCorrection::default()
            },
        },
        6 => DealEvent::Opened {
            contact: None,
            owner: None,
            product: None,
            value: Some(Money::new(5, Currency::USD)),
            stage: "Prospecting".into(),
            lead: None,
        },
        _ => opened(deal % 3 + 1),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is asked for and however it is grouped, cells, deals and what stands behind them agree.
    #[test]
    fn cells_deals_and_what_stands_behind_them_agree(
        said in prop::collection::vec((0_u128..6, 0_u8..9, 0_usize..3), 0..25),
        by in prop::sample::select(vec!["stage", "owner", "team", "region", "product", "opened", "closed"]),
        stage in one_of(&["Won", "Engaging", "Nowhere"]),
        owner in prop::option::of(1_u128..4),
        team in one_of(&["Ann", "Bob", ""]),
        region in one_of(&["West", "East"]),
        product in one_of(&["GTX", ""]),
        opened in one_of(&["2017-01", "2016", "2017-Q1"]),
        closed in one_of(&["2017-02", "2017", "2016-12..2017-01"]),
    ) {
        let days = ["2016-12-31", "2017-01-02", "2017-02-28"];
        let mut story = given::<Pipeline>()
            .happened("2016-01-01", 1, member("Ann", "West"))
            .happened("2016-01-01", 2, member("Bob", "East"));
        for (deal, what, day) in said {
            story = story.happened(days[day], 10 + deal, what_happened(what, deal));
        }
        let owner = owner.map(|owner| Uuid::from_u128(owner).to_string());
        let asked = [
            ("stage", stage),
            ("owner", owner),
            ("team", team),
            ("region", region),
            ("product", product),
            ("opened", opened),
            ("closed", closed),
        ];
        // All at once leave nothing over; two at a time do.
        for pair in asked.windows(2) {
            let mut query = format!("by={by}");
            for (name, value) in pair {
                query.extend(value.as_ref().map(|value| format!("&{name}={value}")));
            }
            story.counts_alike(&query, "deals", Some("show=deals"));
        }
    }
}
