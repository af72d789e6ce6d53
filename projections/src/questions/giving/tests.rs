//! The view `giving` told in small stories, and compared with plain sums.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, Datelike as _, NaiveDate};
use domain::{
    ContactId, Currency, FundId, Keyring, Kind, Money, Personal, StreamId,
    contact::{ContactEvent, ContactForm},
    gift::{Allocation, GiftCorrection, GiftEvent, SoftCredit},
};
use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::*;
use crate::kit::testing::{Story, event_id, given};

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

fn contact(number: u128) -> ContactId {
    ContactId(Uuid::from_u128(number))
}

fn to_fund(fund: u128, minor: i64) -> Allocation {
    Allocation { fund: FundId(Uuid::from_u128(fund)), amount: usd(minor) }
}

fn received(donor: Option<u128>, minor: i64, allocations: Vec<Allocation>) -> GiftEvent {
    GiftEvent::Received {
        donor: donor.map(contact),
        amount: usd(minor),
        campaign: Some("Spring".into()),
        method: Some("card".into()),
        stage: None,
        allocations,
        soft_credits: Vec::new(),
    }
}

fn gave(donor: u128, minor: i64) -> GiftEvent {
    received(Some(donor), minor, Vec::new())
}

fn registered(id: u128, name: &str) -> ContactEvent {
    let name = Some(Personal::new(contact(id), name.to_owned()));
    ContactEvent::Registered { form: ContactForm::Person, name }
}

fn corrected(correction: GiftCorrection) -> GiftEvent {
    GiftEvent::Corrected { fact: event_id(1), correction }
}

fn refunded(minor: i64) -> GiftEvent {
    GiftEvent::Refunded { amount: usd(minor) }
}

/// The rows as `group: gifts received refunded net` in the first currency.
fn told(view: &Value) -> Vec<String> {
    let rows = view["rows"].as_array().unwrap();
    let amount = |row: &Value, member: &str| row[member][0]["minor"].as_i64().unwrap_or_default();
    let line = |row: &Value| {
        let (received, refunded) = (amount(row, "received"), amount(row, "refunded"));
        assert_eq!(amount(row, "net"), received - refunded);
        format!("{}: {} {received} {refunded}", row["group"].as_str().unwrap(), row["gifts"])
    };
    rows.iter().map(line).collect()
}

#[track_caller]
fn tells(story: Story, query: &str, expected: &[&str]) -> Story {
    story.then(query, |view| assert_eq!(told(&view), expected, "{query}"))
}

#[test]
fn gifts_are_counted_and_summed_by_everything_they_can_be_grouped_by() {
    let soft = SoftCredit { contact: contact(8), amount: usd(9_999), role: "solicited".into() };
    let matched = GiftEvent::Received {
        donor: Some(contact(2)),
        amount: usd(500),
        campaign: None,
        method: None,
        stage: Some("Posted".into()),
        allocations: vec![to_fund(50, 500)],
        soft_credits: vec![soft],
    };
    let story = given::<Giving>()
        .happened("2011-01-01", 50, FundEvent::Opened { name: "Books".into(), restriction: None })
        .happened("2011-01-01", 1, registered(1, "Ada"))
        .happened("2011-06-30", 100, received(Some(1), 1_000, vec![to_fund(50, 300), to_fund(51, 200)]))
        .happened("2011-07-01", 101, matched)
        .happened("2012-02-03", 102, received(None, 70, Vec::new()))
        .happened("2012-02-04", 100, refunded(100));
    let story = tells(story, "", &["2011: 2 1500 100", "2012: 1 70 0"]);
    let story = tells(story, "by=month", &["2011-06: 1 1000 100", "2011-07: 1 500 0", "2012-02: 1 70 0"]);
    let story = tells(story, "by=campaign", &[": 1 500 0", "Spring: 2 1070 100"]);
    let story = tells(story, "by=method&received=2011", &[": 1 500 0", "card: 1 1000 100"]);
    let story = tells(story, "by=stage", &[": 2 1070 100", "Posted: 1 500 0"]);
    let (one, two) = (contact(1), contact(2));
    let story =
        tells(story, "by=donor", &[": 1 70 0", &format!("{one}: 1 1000 100"), &format!("{two}: 1 500 0")]);
    // 100 went back of 1000: a tenth of every part.
    let (books, other) = (contact(50), contact(51));
    let story = tells(
        story,
        "by=fund",
        &[": 2 570 50", &format!("{books}: 2 800 30"), &format!("{other}: 1 200 20")],
    );
    let story = tells(story, &format!("fund={books}"), &["2011: 2 800 30"]);
    let story = tells(story, &format!("donor={one}&by=fund&fund={books}"), &[&format!("{books}: 1 300 30")]);
    let story = tells(story, &format!("donor={one}&by=month"), &["2011-06: 1 1000 100"]);
    story
        .then("by=fund", |view| insta::assert_json_snapshot!(view))
        .then("by=donor", |view| assert_eq!(view["rows"][1]["name"], "Ada"))
        .then_refused("year=2012", "year")
        .then_refused("show=retention", "year")
        .then_refused("show=rollups&by=fund", "by")
        .then_refused("show=rollups&years_ago=1&days_back=3", "days_back")
        .then_refused("show=rollups&on=yesterday", "on");
}

#[test]
fn corrections_refunds_allocations_and_voids_leave_only_what_is_so() {
    let later: DateTime<chrono::Utc> = "2012-05-05T00:00:00Z".parse().unwrap();
    let story = given::<Giving>()
        .happened("2011-06-30", 100, gave(1, 1_000))
        .happened("2011-07-01", 100, refunded(250))
        .happened(
            "2011-07-02",
            100,
            corrected(GiftCorrection {
                donor: Some(contact(2)),
                amount: Some(usd(1_200)),
                stage: Some("Posted".into()),
                campaign: Some("Fall".into()),
                received_at: Some(later),
            }),
        )
        .happened("2011-07-03", 100, GiftEvent::Allocated { allocations: vec![to_fund(50, 1_200)] })
        .happened("2011-07-03", 100, GiftEvent::Acknowledged {});
    let story = tells(story, "by=month", &["2012-05: 1 1200 250"]);
    let story = tells(story, "by=campaign", &["Fall: 1 1200 250"]);
    let story = tells(story, "by=stage", &["Posted: 1 1200 250"]);
    let story = tells(story, "by=fund", &[&format!("{}: 1 1200 250", contact(50))]);
    let story = tells(story, "by=donor", &[&format!("{}: 1 1200 250", contact(2))]);
    let story = story.happened("2011-07-04", 100, GiftEvent::Voided {});
    let story = tells(story, "by=donor", &[]);
    tells(story, "", &[])
        .then("", |view| assert_eq!(view["totals"]["received"], json!([])))
        .then("show=rollups", |view| assert_eq!(view["rows"], json!([])));
}

#[test]
fn currencies_stay_apart() {
    let euros = GiftEvent::Received {
        donor: Some(contact(1)),
        amount: Money::new(5, "EUR".parse().unwrap()),
        campaign: None,
        method: None,
        stage: None,
        allocations: Vec::new(),
        soft_credits: Vec::new(),
    };
    given::<Giving>()
        .happened("2012-01-01", 100, gave(1, 7))
        .happened("2012-01-01", 101, euros)
        .then("", |view| {
            let expected = json!([{"minor": 5, "currency": "EUR"}, {"minor": 7, "currency": "USD"}]);
            assert_eq!(view["rows"][0]["net"], expected);
            assert_eq!(view["totals"]["gifts"], 2);
        })
        .then("show=rollups", |view| {
            assert_eq!(view["rows"][0]["sum"]["currency"], "EUR");
            assert_eq!(view["rows"][1]["sum"], json!({"minor": 7, "currency": "USD"}));
        });
}

/// The rates of 2010 that the Fundraising Effectiveness Project reports: overall 41 %, repeat 70 %, new 27 %.
#[test]
fn retention_tells_first_year_donors_from_repeat_donors() {
    let mut story = given::<Giving>();
    let mut gift = 10_000;
    let mut give = |story: Story, day: &str, donor: u128| {
        gift += 1;
        story.happened(day, gift, gave(donor, 100))
    };
    for donor in 1..=200 {
        story = give(story, "2009-03-01", donor);
        if donor <= 54 {
            story = give(story, "2010-03-01", donor);
        }
    }
    for donor in 201..=297 {
        story = give(story, "2008-03-01", donor);
        story = give(story, "2009-03-01", donor);
        if donor <= 268 {
            story = give(story, "2010-03-01", donor);
        }
    }
    for donor in 301..=305 {
        story = give(story, "2007-03-01", donor);
        story = give(story, "2010-03-01", donor);
    }
    for donor in 401..=410 {
        story = give(story, "2010-03-01", donor);
    }
    story
        .then("show=retention&year=2010", |view| {
            let row = &view["rows"][0];
            let percent = |member: &str| (row[member].as_f64().unwrap() * 100.0).round();
            let rates = ["retention_rate", "first_year_rate", "repeat_rate"].map(percent);
            assert!(rates.iter().zip([41.0, 27.0, 70.0]).all(|(is, should)| (is - should).abs() < 0.5));
            let counts = ["active", "retained", "new", "reactivated", "lapsed", "donors_last_year"];
            assert_eq!(counts.map(|member| row[member].as_i64().unwrap()), [137, 122, 10, 5, 175, 297]);
            assert!(view["definition"].as_str().unwrap().starts_with("donor retention 2"));
        })
        .then("show=lybunt&year=2010", |view| assert_eq!(view["donors"], 175))
        .then("show=sybunt&year=2011", |view| {
            assert_eq!(view["donors"], 200 + 97 + 5 + 10);
            assert!(view["next"].is_string());
        })
        .then("show=retention&year=2007", |view| {
            assert_eq!(view["rows"][0]["retention_rate"], json!(null));
            assert_eq!(view["rows"][0]["new"], 5);
        });
}

#[test]
fn the_two_definitions_of_revenue_retention_are_told_apart() {
    given::<Giving>()
        .happened("2011-01-01", 100, gave(1, 6_000))
        .happened("2011-01-01", 101, gave(2, 4_000))
        .happened("2012-01-01", 102, gave(1, 4_500))
        .happened("2012-01-01", 103, gave(3, 9_000))
        .happened("2012-01-01", 104, received(None, 77, Vec::new()))
        .then("show=retention&year=2012", |view| insta::assert_json_snapshot!(view["rows"]));
}

#[test]
fn those_who_did_not_give_again_are_listed_with_what_they_gave() {
    given::<Giving>()
        .happened("2010-01-01", 1, registered(1, "Ada"))
        .happened("2010-01-01", 100, gave(1, 10))
        .happened("2011-01-01", 101, gave(1, 20))
        .happened("2011-02-01", 102, gave(1, 5))
        .happened("2010-01-01", 103, gave(2, 30))
        .happened("2011-01-01", 104, gave(3, 40))
        .happened("2012-01-01", 105, gave(3, 50))
        // What went back in full was no gift, neither this year nor last.
        .happened("2012-01-01", 106, gave(1, 60))
        .happened("2012-01-02", 106, refunded(60))
        .then("show=lybunt&year=2012", |view| insta::assert_json_snapshot!(view))
        .then("show=sybunt&year=2012", |view| insta::assert_json_snapshot!(view["rows"]));
}

#[test]
fn a_fiscal_year_is_named_after_its_end_and_may_be_chosen_late() {
    let chosen = |first_month| SettingEvent::FiscalYearChosen { first_month };
    let story = given::<Giving>()
        .happened("2011-06-30", 100, gave(1, 1))
        .happened("2011-07-01", 101, gave(2, 2))
        .happened("2012-06-30", 102, gave(1, 4));
    let story = tells(story, "year_kind=fiscal", &["2011: 2 3 0", "2012: 1 4 0"]);
    let story = story.happened("2012-07-01", 0, chosen(7)).happened("2012-07-01", 103, gave(2, 8));
    let story = tells(story, "year_kind=fiscal", &["2011: 1 1 0", "2012: 2 6 0", "2013: 1 8 0"]);
    let story = story
        .then("show=retention&year=2013&year_kind=fiscal", |view| {
            let row = &view["rows"][0];
            assert_eq!([&row["retained"], &row["lapsed"], &row["new"]], [&json!(1), &json!(1), &json!(0)]);
        })
        .then("show=rollups&year_kind=fiscal", |view| {
            assert_eq!(view["rows"][0]["years_donated"], json!([2011, 2012]));
            assert_eq!(view["rows"][1]["years_donated"], json!([2012, 2013]));
        });
    let story = story.happened("2012-07-02", 0, chosen(1));
    tells(story, "year_kind=fiscal", &["2011: 2 3 0", "2012: 2 12 0"])
        .then("show=lybunt&year=2013&year_kind=fiscal", |view| assert_eq!(view["donors"], 2));
}

#[test]
fn the_rollups_of_npsp_are_matched() {
    let one = contact(1);
    given::<Giving>()
        .happened("2007-05-01", 1, registered(1, "Ada"))
        .happened("2007-05-01", 100, gave(1, 1_000))
        .happened("2009-05-01", 101, gave(1, 500))
        .happened("2010-05-01", 102, gave(1, 250))
        .happened("2010-06-01", 103, gave(1, 751))
        .happened("2011-05-01", 104, gave(1, 300))
        .happened("2011-05-02", 104, refunded(100))
        .happened("2012-01-15", 105, gave(2, 5))
        .then(&format!("show=rollups&donor={one}"), |view| insta::assert_json_snapshot!(view))
        .then("show=rollups", |view| assert_eq!(view["rows"].as_array().unwrap().len(), 2))
        .then(&format!("show=rollups&donor={one}&years_ago=2"), |view| {
            let row = &view["rows"][0];
            assert_eq!(row["count"], 2);
            assert_eq!(row["best_year"], 2010);
            assert_eq!(row["best_year_total"]["minor"], 1_001);
            // Half a cent is rounded up.
            assert_eq!(row["average"]["minor"], 501);
        })
        .then(&format!("show=rollups&donor={one}&days_back=364&on=2011-05-31"), |view| {
            let row = &view["rows"][0];
            assert_eq!((&row["count"], &row["first"]), (&json!(2), &json!("2010-06-01")));
            assert_eq!(row["donor_streak"], 3);
        })
        .then(&format!("show=rollups&donor={one}&days_back=363&on=2011-05-31"), |view| {
            assert_eq!(view["rows"][0]["count"], 1);
        })
        .then(&format!("show=rollups&donor={one}&on=2013-01-01"), |view| {
            assert_eq!(view["rows"][0]["donor_streak"], 0);
        })
        .then(&format!("show=rollups&donor={one}&on=2007-01-01"), |view| {
            assert_eq!(view["rows"], json!([]));
        });
}

struct NoKeys;

impl Keyring for NoKeys {
    fn open(&self, _: ContactId, _: Uuid, _: &str) -> Option<Vec<u8>> {
        None
    }
}

/// Donors who gave twice, and some gifts of nobody.
fn many_donors() -> Tables {
    let connection = Connection::open_in_memory().unwrap();
    crate::kit::view::AnyView::of::<Giving>().create_tables(&connection).unwrap();
    connection.execute_batch(Giving::INDEXES).unwrap();
    let tables = Tables::new(connection, Arc::new(NoKeys));
    let apply = |id: Uuid, event: &GiftEvent, day: &str| {
        let recorded = crate::kit::testing::recorded_on(day, 1, StreamId::new(Kind::Gift, id), event.clone());
        gift::apply(&tables, id, event, &recorded).unwrap();
    };
    for donor in 0..25 {
        let (one, two) = (Uuid::from_u128(1_000 + donor), Uuid::from_u128(2_000 + donor));
        apply(one, &gave(donor, 100), "2010-01-01");
        let euros = Money::new(7, "EUR".parse().unwrap());
        let correction = GiftCorrection { amount: Some(euros), ..GiftCorrection::default() };
        apply(two, &gave(donor, 50), "2011-01-01");
        apply(two, &corrected(correction), "2011-01-01");
    }
    apply(Uuid::from_u128(3_000), &received(None, 5, Vec::new()), "2010-01-01");
    tables
}

#[test]
fn pages_of_donors_follow_each_other_without_gap_or_repetition() {
    let tables = many_donors();
    for (query, count) in [
        ("by=donor", 26),
        ("by=donor&received=2011", 25),
        ("show=rollups", 50),
        ("show=lybunt&year=2012", 25),
        ("show=sybunt&year=2013", 25),
        ("by=month", 2),
    ] {
        let ask = |page: &Page| {
            let query = crate::kit::view::read_query(query).unwrap();
            serde_json::to_value(Giving::view(&tables, query, page).unwrap().unwrap()).unwrap()
        };
        let whole = ask(&Page::whole())["rows"].as_array().unwrap().clone();
        assert_eq!(whole.len(), count, "{query}");
        for limit in [1, 3, 26] {
            let (mut rows, mut cursor) = (Vec::new(), None);
            loop {
                let view = ask(&Page::new(Some(limit), cursor).unwrap());
                rows.extend(view["rows"].as_array().unwrap().clone());
                cursor = view["next"].as_str().map(str::to_owned);
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(rows, whole, "{query} by {limit}");
        }
    }
}

/// What a gift is, as far as plain sums need it.
#[derive(Clone, Debug)]
struct Plain {
    donor: Option<u128>,
    amount: Money,
    refunded: i64,
    campaign: &'static str,
    stage: &'static str,
    day: &'static str,
    funds: Vec<Allocation>,
}

#[derive(Clone, Debug)]
enum Step {
    Receive { donor: Option<u128>, minor: i64, euros: bool, day: &'static str, campaign: &'static str },
    Refund { percent: i64 },
    Donor { donor: u128 },
    Amount { minor: i64 },
    Day { day: &'static str },
    Words { campaign: &'static str, stage: &'static str },
    Allocate { percents: Vec<(u128, i64)> },
    FiscalYear { first_month: u8 },
    Void,
}

const DAYS: [&str; 7] =
    ["2009-12-31", "2010-01-01", "2010-06-30", "2010-07-01", "2011-03-04", "2012-11-30", "2013-05-06"];

fn day() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&DAYS[..])
}

fn step() -> impl Strategy<Value = Step> {
    let words = || prop::sample::select(&["", "Spring", "Fall"][..]);
    prop_oneof![
        4 => (prop::option::of(1..5_u128), 1..1_000_i64, any::<bool>(), day(), words()).prop_map(
            |(donor, minor, euros, day, campaign)| Step::Receive { donor, minor, euros, day, campaign }
        ),
        2 => (1..=100_i64).prop_map(|percent| Step::Refund { percent }),
        1 => (1..5_u128).prop_map(|donor| Step::Donor { donor }),
        1 => (1..1_000_i64).prop_map(|minor| Step::Amount { minor }),
        1 => day().prop_map(|day| Step::Day { day }),
        1 => (words(), words()).prop_map(|(campaign, stage)| Step::Words { campaign, stage }),
        2 => prop::collection::vec((50..53_u128, 0..60_i64), 0..4)
            .prop_map(|percents| Step::Allocate { percents }),
        1 => (1..=12_u8).prop_map(|first_month| Step::FiscalYear { first_month }),
        1 => Just(Step::Void),
    ]
}

/// What a step records of a gift, and the gift after it; nothing where a decider would refuse it.
fn take(step: &Step, gift: Option<Plain>) -> Option<(GiftEvent, Option<Plain>)> {
    if let Step::Receive { donor, minor, euros, day, campaign } = step {
        if gift.is_some() {
            return None;
        }
        let currency = if *euros { "EUR".parse().unwrap() } else { Currency::USD };
        let amount = Money::new(*minor, currency);
        let event = GiftEvent::Received {
            donor: donor.map(contact),
            amount,
            campaign: Some((*campaign).to_owned()).filter(|campaign| !campaign.is_empty()),
            method: None,
            stage: None,
            allocations: Vec::new(),
            soft_credits: vec![SoftCredit { contact: contact(9), amount, role: "solicited".into() }],
        };
        let (donor, funds) = (*donor, Vec::new());
        return Some((event, Some(Plain { donor, amount, refunded: 0, campaign, stage: "", day, funds })));
    }
    let mut gift = gift?;
    let currency = gift.amount.currency;
    let correction = GiftCorrection::default();
    let event = match step {
        Step::Receive { .. } | Step::FiscalYear { .. } => return None,
        Step::Void => return Some((GiftEvent::Voided {}, None)),
        Step::Refund { percent } => {
            let minor = (gift.amount.minor - gift.refunded) * percent / 100;
            gift.refunded += minor;
            GiftEvent::Refunded { amount: Money::new(minor, currency) }
        }
        Step::Donor { donor } => {
            gift.donor = Some(*donor);
            corrected(GiftCorrection { donor: Some(contact(*donor)), ..correction })
        }
        Step::Amount { minor } => {
            gift.amount.minor = (*minor).max(gift.refunded);
            corrected(GiftCorrection { amount: Some(gift.amount), ..correction })
        }
        Step::Day { day } => {
            gift.day = day;
            let at = format!("{day}T00:00:00Z").parse().unwrap();
            corrected(GiftCorrection { received_at: Some(at), ..correction })
        }
        Step::Words { campaign, stage } => {
            (gift.campaign, gift.stage) = (campaign, stage);
            let words = (Some((*campaign).to_owned()), Some((*stage).to_owned()));
            corrected(GiftCorrection { campaign: words.0, stage: words.1, ..correction })
        }
        Step::Allocate { percents } => {
            let part = |(fund, percent): &(u128, i64)| Allocation {
                fund: FundId(Uuid::from_u128(*fund)),
                amount: Money::new(gift.amount.minor * percent / 100, currency),
            };
            gift.funds = percents.iter().map(part).collect();
            GiftEvent::Allocated { allocations: gift.funds.clone() }
        }
    };
    Some((event, Some(gift)))
}

type Sums = BTreeMap<(String, String), (i64, i64)>;

fn sums_of(view: &Value) -> Sums {
    let mut sums = Sums::new();
    for row in view["rows"].as_array().unwrap() {
        for (member, sign) in [("received", true), ("refunded", false)] {
            for amount in row[member].as_array().unwrap() {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                let sum = sums.entry((text(&row["group"]), text(&amount["currency"]))).or_default();
                *(if sign { &mut sum.0 } else { &mut sum.1 }) += amount["minor"].as_i64().unwrap();
            }
        }
    }
    sums
}

/// Plain sums over the gifts in force.
fn plain_sums<'a>(gifts: impl Iterator<Item = &'a Plain>, key: impl Fn(&Plain) -> String) -> Sums {
    let mut sums = Sums::new();
    for gift in gifts {
        let sum = sums.entry((key(gift), gift.amount.currency.to_string())).or_default();
        sum.0 += gift.amount.minor;
        sum.1 += gift.refunded;
    }
    sums
}

fn year_of(day: &str, first_month: u8) -> i32 {
    let day: NaiveDate = day.parse().unwrap();
    let begun = first_month > 1 && day.month() >= u32::from(first_month);
    day.year() + i32::from(begun)
}

/// Who gave in which year.
fn givers(gifts: &BTreeMap<u128, Plain>, first_month: u8) -> BTreeMap<i32, BTreeSet<u128>> {
    let mut years = BTreeMap::<i32, BTreeSet<u128>>::new();
    for gift in gifts.values().filter(|gift| gift.refunded == 0 || gift.refunded < gift.amount.minor) {
        if let Some(donor) = gift.donor {
            years.entry(year_of(gift.day, first_month)).or_default().insert(donor);
        }
    }
    years
}

fn check_sums(story: Story, gifts: &BTreeMap<u128, Plain>, first_month: u8) -> Story {
    let donor = |gift: &Plain| gift.donor.map_or(String::new(), |donor| contact(donor).to_string());
    let story = story
        .then("", |view| assert_eq!(sums_of(&view), plain_sums(gifts.values(), |gift| gift.day[..4].into())))
        .then("year_kind=fiscal", |view| {
            let year = |gift: &Plain| year_of(gift.day, first_month).to_string();
            assert_eq!(sums_of(&view), plain_sums(gifts.values(), year));
        })
        .then("by=month", |view| {
            assert_eq!(sums_of(&view), plain_sums(gifts.values(), |gift| gift.day[..7].into()));
            assert_eq!(view["totals"]["gifts"], gifts.len());
        })
        .then("by=campaign", |view| {
            assert_eq!(sums_of(&view), plain_sums(gifts.values(), |gift| gift.campaign.into()));
        })
        .then("by=stage", |view| {
            assert_eq!(sums_of(&view), plain_sums(gifts.values(), |gift| gift.stage.into()));
        })
        .then("by=donor", |view| assert_eq!(sums_of(&view), plain_sums(gifts.values(), donor)))
        .then(&format!("by=stage&donor={}", contact(1)), |view| {
            let theirs = gifts.values().filter(|gift| gift.donor == Some(1));
            assert_eq!(sums_of(&view), plain_sums(theirs, |gift| gift.stage.into()));
        });
    story.then("by=fund", |view| {
        let (mut all, mut by_fund) = (Sums::new(), Sums::new());
        for ((fund, currency), (received, refunded)) in sums_of(&view) {
            let sum = all.entry((String::new(), currency.clone())).or_default();
            *sum = (sum.0 + received, sum.1 + refunded);
            by_fund.entry((fund, currency)).or_default().0 += received;
        }
        assert_eq!(all, plain_sums(gifts.values(), |_| String::new()));
        let mut plain = Sums::new();
        for gift in gifts.values() {
            let currency = gift.amount.currency.to_string();
            let mut left = gift.amount.minor;
            for Allocation { fund, amount } in &gift.funds {
                plain.entry((fund.to_string(), currency.clone())).or_default().0 += amount.minor;
                left -= amount.minor;
            }
            plain.entry((String::new(), currency)).or_default().0 += left;
        }
        by_fund.retain(|_, sums| sums.0 != 0);
        plain.retain(|_, sums| sums.0 != 0);
        assert_eq!(by_fund, plain);
    })
}

fn check_retention(story: Story, gifts: &BTreeMap<u128, Plain>, kind: &str, first_month: u8) -> Story {
    let years = givers(gifts, first_month);
    let mut story = story;
    for year in 2009..=2014 {
        let in_year = |year: i32| years.get(&year).cloned().unwrap_or_default();
        let before: BTreeSet<u128> =
            years.range(..year - 1).flat_map(|(_, donors)| donors).copied().collect();
        let (last, this) = (in_year(year - 1), in_year(year));
        let expected = [
            this.len(),
            this.intersection(&last).count(),
            this.iter().filter(|donor| !last.contains(donor) && !before.contains(donor)).count(),
            this.iter().filter(|donor| !last.contains(donor) && before.contains(donor)).count(),
            last.difference(&this).count(),
            last.len(),
            last.difference(&before).count(),
            last.intersection(&this).filter(|donor| !before.contains(donor)).count(),
        ];
        story = story.then(&format!("show=retention&year={year}&year_kind={kind}"), |view| {
            let members = [
                "active",
                "retained",
                "new",
                "reactivated",
                "lapsed",
                "donors_last_year",
                "first_year_donors",
                "first_year_retained",
            ];
            let row = &view["rows"][0];
            let found = members.map(|member| usize::try_from(row[member].as_u64().unwrap()).unwrap());
            assert_eq!(found, expected, "{year}");
            assert_eq!(found[0], found[1] + found[2] + found[3]);
        });
    }
    story
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_money_and_donors_are_conserved(
        steps in prop::collection::vec((100..106_u128, step()), 0..40)
    ) {
        let mut story = given::<Giving>();
        let mut gifts = BTreeMap::<u128, Plain>::new();
        let (mut first_month, mut voided) = (1, BTreeSet::new());
        for (id, step) in &steps {
            if let Step::FiscalYear { first_month: chosen } = step {
                first_month = *chosen;
                let event = SettingEvent::FiscalYearChosen { first_month };
                story = story.happened("2014-01-01", 0, event);
                continue;
            }
            if voided.contains(id) {
                continue;
            }
            let Some((event, gift)) = take(step, gifts.get(id).cloned()) else { continue };
            let day = gift.as_ref().map_or("2014-01-01", |gift| gift.day);
            story = story.happened(day, *id, event);
            if let Some(gift) = gift {
                gifts.insert(*id, gift);
            } else {
                gifts.remove(id);
                voided.insert(*id);
            }
        }
        story = check_sums(story, &gifts, first_month);
        story = check_retention(story, &gifts, "calendar", 1);
        story = check_retention(story, &gifts, "fiscal", first_month);
        for id in gifts.keys() {
            story = story.happened("2014-01-01", *id, GiftEvent::Voided {});
        }
        for query in ["", "by=fund", "by=donor", "show=sybunt&year=2030", "show=rollups"] {
            story = story.then(query, |view| assert_eq!(view["rows"], json!([])));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is asked for and however it is grouped, cells and what stands behind them agree.
    #[test]
    fn cells_and_the_gifts_behind_them_agree(
        said in prop::collection::vec((0_u128..6, 0_u8..9, 0_usize..3), 0..25),
        by in prop::sample::select(vec!["donor", "fund", "campaign", "year", "month", "method", "stage"]),
        year_kind in prop::sample::select(vec!["calendar", "fiscal"]),
        asked in prop::collection::vec(
            prop::sample::select(vec![
                "campaign=Spring", "campaign=", "method=card", "stage=Posted", "stage=", "received=2011",
                "received=2011-12..2012-02", "donor", "fund", "fund",
            ]),
            0..3,
        ),
    ) {
        let days = ["2011-06-30", "2011-12-31", "2012-02-03"];
        let mut story =
            given::<Giving>().happened("2011-01-01", 9, SettingEvent::FiscalYearChosen { first_month: 7 });
        for (gift, what, day) in said {
            let two_funds = vec![to_fund(50, 3), to_fund(51, 4)];
            let event = match what {
                0 => refunded(2),
                1 => refunded(10),
                2 => GiftEvent::Allocated { allocations: two_funds },
                3 => GiftEvent::Voided {},
                4 => corrected(GiftCorrection {
                    stage: Some("Posted".into()),
                    campaign: Some(String::new()),
                    ..GiftCorrection::default()
                }),
                5 => received(None, 7, vec![to_fund(51, 5)]),
                6 => received(Some(gift % 2 + 1), 10, two_funds),
                _ => gave(gift % 3 + 1, 10),
            };
            story = story.happened(days[day], 100 + gift, event);
        }
        let mut query = format!("by={by}&year_kind={year_kind}");
        let mut given = BTreeSet::new();
        for condition in asked {
            if given.insert(condition.split('=').next()) {
                query += &match condition {
                    "donor" => format!("&donor={}", contact(1)),
                    "fund" => format!("&fund={}", contact(50)),
                    condition => format!("&{condition}"),
                };
            }
        }
        story.counts_alike(&query, "gifts", None);
    }

    /// What the domain says of a gift, sums over all gifts say as well.
    #[test]
    fn sums_over_all_gifts_follow_the_rule_for_one(amount in 0_i64..5, refunded in 0_i64..7) {
        let money = domain::gift::GiftMoney { amount: usd(amount), refunded };
        let sql = format!("SELECT {}, {} FROM (SELECT ?1 AS minor, ?2 AS refunded)", year::COUNTS, year::NET);
        let connection = Connection::open_in_memory().unwrap();
        let found = connection.query_row(&sql, [amount, refunded], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        prop_assert_eq!(found, (money.counts(), money.net().minor));
    }
}
