//! The view `leads` told in small stories, and compared with plain sums.

use std::collections::BTreeMap;

use domain::{
    ContactId, DealId, MemberId,
    lead::{DisqualifiedBecause, LeadEvent},
    member::MemberEvent,
};
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::Leads;
use crate::kit::testing::{event_id, given};

fn captured(contact: u128, source: &str) -> LeadEvent {
    LeadEvent::Captured {
        contact: ContactId(Uuid::from_u128(contact)),
        source: source.into(),
        conversation: None,
        interest: None,
    }
}

fn captured_on(lead: u128) -> LeadEvent {
    captured(lead, if lead.is_multiple_of(2) { "website" } else { "referral" })
}

fn assigned() -> LeadEvent {
    LeadEvent::Assigned { owner: MemberId(Uuid::from_u128(1)) }
}

fn disqualified(because: DisqualifiedBecause) -> LeadEvent {
    LeadEvent::Disqualified { because }
}

fn converted() -> LeadEvent {
    LeadEvent::Converted { deal: DealId(Uuid::from_u128(90)), value: None }
}

#[test]
fn leads_are_counted_by_how_they_stand_and_by_what_that_comes_to() {
    let ann = MemberEvent::Joined { name: "Ann".into(), team: None, region: None };
    given::<Leads>()
        .happened("2017-01-01", 1, ann)
        .happened("2017-01-01", 10, captured(50, "website"))
        .happened("2017-01-01", 11, captured(51, "website"))
        .happened("2017-01-01", 12, captured(52, "referral"))
        .happened("2017-02-01", 13, captured(53, "referral"))
        .happened("2017-02-01", 14, captured(54, "referral"))
        .happened("2017-02-02", 11, assigned())
        .happened("2017-02-02", 12, assigned())
        .happened("2017-02-03", 12, LeadEvent::Qualified { score: Some(80) })
        .happened("2017-02-10", 12, converted())
        .happened("2017-02-03", 13, disqualified(DisqualifiedBecause::Unreachable))
        .happened("2017-02-03", 14, disqualified(DisqualifiedBecause::Duplicate))
        .then("", |view| insta::assert_json_snapshot!(view))
        .then("show=leads&status=converted", |view| insta::assert_json_snapshot!(view))
        .then("by=owner&captured=2017-01", |view| {
            assert_eq!(view["rows"][1]["group"], "Ann");
            assert_eq!(view["rows"][1]["captured"], 2);
            assert_eq!(view["rows"][1]["days_to_conversion"], 40.0);
        })
        .then("by=month&source=referral", |view| {
            assert_eq!(view["rows"][0]["conversion_rate"], 1.0);
            assert_eq!(view["rows"][1]["lost"], 2);
        })
        .then("captured=2017-02&show=leads", |view| assert_eq!(view["rows"][0]["because"], "unreachable"))
        .then_refused("status=sold", "status")
        .then_refused(
            "status=contacted",
            "`new`, `assigned`, `qualified`, `unqualified`, `junk`, `converted`",
        )
        .then_refused("captured=17", "captured");
}

#[test]
fn a_lead_corrected_and_voided_leaves_no_trace_in_the_cells() {
    given::<Leads>()
        .happened("2017-01-01", 10, captured(50, "website"))
        .happened("2017-01-02", 10, disqualified(DisqualifiedBecause::Junk))
        .happened("2017-01-03", 10, LeadEvent::Qualified { score: None })
        .happened("2017-01-04", 10, assigned())
        .happened(
            "2017-01-05",
            10,
            LeadEvent::Corrected { fact: event_id(1), source: Some("referral".into()), contact: None },
        )
        .then("by=source", |view| assert_eq!(view["rows"][0]["group"], "referral"))
        .then("status=qualified", |view| assert_eq!(view["totals"]["open"], 1))
        .happened("2017-01-06", 10, converted())
        .happened("2017-01-06", 10, disqualified(DisqualifiedBecause::Junk))
        .then("", |view| assert_eq!(view["rows"][0]["group"], "converted"))
        .happened("2017-01-07", 10, LeadEvent::Voided {})
        .then("", |view| assert_eq!(view["rows"], json!([])))
        .then("show=leads", |view| assert_eq!(view["rows"], json!([])));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The oracle reads how each lead stands off the last thing said of it, without folding.
    #[test]
    fn cells_are_what_plain_counts_over_the_facts_say(
        said in prop::collection::vec((0_u128..6, 0_u8..5), 0..30),
    ) {
        let mut story = given::<Leads>();
        let source = |lead: u128| if lead.is_multiple_of(2) { "website" } else { "referral" };
        for lead in 0..6 {
            story = story.happened("2017-01-01", lead, captured(lead, source(lead)));
        }
        for (lead, what) in &said {
            let event = match what {
                0 => LeadEvent::Qualified { score: None },
                1 => disqualified(DisqualifiedBecause::NotInterested),
                2 => disqualified(DisqualifiedBecause::Junk),
                3 => converted(),
                _ => assigned(),
            };
            story = story.happened("2017-01-11", *lead, event);
        }
        let mut expected = BTreeMap::<&str, i64>::new();
        for lead in (0..6).filter(|lead| source(*lead) == "website") {
            let of_lead: Vec<u8> = said.iter().filter(|(id, _)| *id == lead).map(|(_, what)| *what).collect();
            let judged = of_lead.iter().rev().find(|what| **what < 3);
            let status = match judged {
                _ if of_lead.contains(&3) => "converted",
                Some(0) => "qualified",
                Some(1) => "unqualified",
                Some(_) => "junk",
                None if of_lead.is_empty() => "new",
                None => "assigned",
            };
            *expected.entry(status).or_default() += 1;
        }
        story.then("source=website", |view| {
            let rows = view["rows"].as_array().unwrap().iter();
            let found: BTreeMap<&str, i64> =
                rows.map(|row| (row["group"].as_str().unwrap(), row["captured"].as_i64().unwrap())).collect();
            assert_eq!(found, expected);
            assert_eq!(view["totals"]["captured"], 3);
        });
    }

    /// Whatever is asked for and however it is grouped, cells, leads and what stands behind them agree.
    #[test]
    fn cells_leads_and_what_stands_behind_them_agree(
        said in prop::collection::vec((0_u128..5, 0_u8..9, 0_usize..3), 0..25),
        by in prop::sample::select(vec!["source", "owner", "status", "month"]),
        source in prop::option::of(prop::sample::select(vec!["website", "referral", "nowhere"])),
        owner in prop::option::of(1_u128..4),
        status in prop::option::of(prop::sample::select(domain::lead::LeadStatus::ALL.to_vec())),
        captured in prop::option::of(prop::sample::select(vec!["2017-01", "2017-Q1", "2016", "2016-12..2017-01"])),
    ) {
        let days = ["2016-12-31", "2017-01-01", "2017-02-28"];
        let mut story = given::<Leads>();
        for member in 1..3 {
            let joined = MemberEvent::Joined { name: "Ann".into(), team: None, region: None };
            story = story.happened("2016-01-01", member, joined);
        }
        for (lead, what, day) in said {
            let corrected = LeadEvent::Corrected { fact: event_id(1), source: Some("website".into()), contact: None };
            let event = match what {
                0 => LeadEvent::Qualified { score: Some(7) },
                1 => disqualified(DisqualifiedBecause::Unreachable),
                2 => disqualified(DisqualifiedBecause::Duplicate),
                3 => converted(),
                4 => LeadEvent::Voided {},
                5 => corrected,
                6 => LeadEvent::Assigned { owner: MemberId(Uuid::from_u128(lead % 3 + 1)) },
                _ => captured_on(lead),
            };
            story = story.happened(days[day], 10 + lead, event);
        }
        let mut query = format!("by={by}");
        let owner = owner.map(|owner| Uuid::from_u128(owner).to_string());
        let status = status.map(crate::kit::column::word);
        let asked = [
            ("source", source.map(str::to_owned)),
            ("owner", owner),
            ("status", status),
            ("captured", captured.map(str::to_owned)),
        ];
        for (name, value) in asked {
            query.extend(value.map(|value| format!("&{name}={value}")));
        }
        story.counts_alike(&query, "captured", Some("show=leads"));
    }
}
