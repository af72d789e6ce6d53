//! The view `duplicates` told in small stories.

use domain::{ContactId, contact::ConsentPurpose};
use serde_json::{Value, json};

use super::*;
use crate::kit::testing::{Story, given};

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn text(of: u128, text: &str) -> Personal<String> {
    Personal::new(ContactId(id(of)), text.to_owned())
}

fn person(number: u128, name: &str) -> ContactEvent {
    ContactEvent::Registered { form: ContactForm::Person, name: Some(text(number, name)) }
}

fn linked(number: u128, platform: &str, handle: &str) -> ContactEvent {
    ContactEvent::IdentityLinked { platform: platform.into(), handle: text(number, handle), verified: false }
}

fn detail(number: u128, detail: Detail, value: &str) -> ContactEvent {
    ContactEvent::DetailChanged { detail, value: Some(text(number, value)) }
}

/// The pairs: who, whom, how strong, and the evidence in words.
fn told(view: &Value) -> Vec<Value> {
    let of = |row: &Value| {
        let evidence = row["evidence"].as_array().unwrap().iter().map(|one| {
            let word = |member: &str| one[member].as_str().unwrap().to_owned();
            format!("{} {} {}", word("strength"), word("feature"), word("bearing"))
        });
        json!([row["contact"], row["other"], row["strength"], evidence.collect::<Vec<_>>()])
    };
    view["rows"].as_array().unwrap().iter().map(of).collect()
}

/// Two who share an address, a number and a birthday, and one who only has a like name.
fn look_alikes() -> Story {
    given::<Duplicates>()
        .happened("2024-01-01", 1, person(1, "Ann Lee"))
        .happened("2024-01-01", 1, linked(1, "email", "Ann@Example.org"))
        .happened("2024-01-01", 1, detail(1, Detail::Phone, "+1 (555) 010-10"))
        .happened("2024-01-01", 1, detail(1, Detail::Birthday, "1990-05-01"))
        .happened("2024-01-02", 2, person(2, "Lee, Anne"))
        .happened("2024-01-02", 2, linked(2, "email", "ann@example.ORG"))
        .happened("2024-01-02", 2, detail(2, Detail::Phone, "+155501010"))
        .happened("2024-01-02", 2, detail(2, Detail::Birthday, "1990-05-01"))
        .happened("2024-01-03", 3, person(3, "Ann Lee"))
        .happened("2024-01-03", 3, detail(3, Detail::Birthday, "1971-12-24"))
}

#[test]
fn a_suggestion_gives_evidence_and_counter_evidence_for_every_feature() {
    look_alikes()
        .then(&format!("contact={}", id(1)), |view| {
            assert_eq!(
                told(&view),
                [
                    json!([
                        id(1),
                        id(2),
                        "strong",
                        ["strong email for", "weak name for", "weak phone for", "weak birthday for"]
                    ]),
                    json!([id(1), id(3), "weak", ["weak name for", "strong birthday against"]]),
                ]
            );
            assert_eq!((&view["rows"][0]["score"], &view["rows"][1]["score"]), (&json!(1.0), &json!(0.0)));
            assert_eq!(view["rows"][0]["other_name"], "Lee, Anne");
        })
        .then("", |view| assert_eq!(told(&view).len(), 1))
        .then_not_found(&format!("contact={}", id(9)));
}

#[test]
fn a_pair_told_apart_or_unmerged_does_not_come_back_and_one_that_is_merged_is_not_suggested() {
    let merged =
        || ContactEvent::Merged { into: ContactId(id(1)), evidence: Vec::new(), looked_up: Vec::new() };
    look_alikes()
        .happened("2024-02-01", 2, merged())
        .then("", |view| assert_eq!(view["rows"], json!([])))
        .then(&format!("contact={}", id(2)), |view| assert_eq!(told(&view).len(), 1))
        .happened("2024-02-02", 2, ContactEvent::Unmerged { from: ContactId(id(1)) })
        .then("", |view| assert_eq!(view["rows"], json!([])));
    look_alikes()
        .happened("2024-02-01", 2, ContactEvent::MergeDismissed { other: ContactId(id(1)) })
        .then("", |view| assert_eq!(view["rows"], json!([])))
        // Nor under another contact that is one with either.
        .happened("2024-02-02", 4, person(4, "Ann Lee"))
        .happened("2024-02-02", 4, linked(4, "email", "ann@example.org"))
        .then("", |view| assert_eq!(told(&view).len(), 2))
        .happened("2024-02-03", 4, merged())
        .then("", |view| assert_eq!(view["rows"], json!([])));
}

#[test]
fn another_number_at_the_same_place_speaks_against_it() {
    look_alikes()
        .happened("2024-02-01", 1, linked(1, "student-number", "7"))
        .happened("2024-02-01", 2, linked(2, "student-number", "8"))
        .then("", |view| {
            assert_eq!(view["rows"][0]["strength"], "weak");
            assert!(told(&view)[0][3].as_array().unwrap().contains(&json!("strong external_id against")));
        });
}

#[test]
fn a_handle_that_both_have_proven_is_strong() {
    let proven = |number| ContactEvent::IdentityLinked {
        platform: "mastodon".into(),
        handle: text(number, "@ann"),
        verified: true,
    };
    given::<Duplicates>()
        .happened("2024-01-01", 1, person(1, "Ann Lee"))
        .happened("2024-01-01", 2, person(2, "Xaver Quux"))
        .happened("2024-01-01", 1, proven(1))
        .happened("2024-01-01", 2, proven(2))
        .then("", |view| {
            let expected = ["strong verified_identity for", "strong external_id for", "weak name against"];
            assert_eq!(told(&view), [json!([id(2), id(1), "strong", expected])]);
        });
}

#[test]
fn an_address_that_many_share_an_address_given_up_and_another_form_suggest_nobody() {
    let mut story = given::<Duplicates>();
    for number in 1..=30 {
        story = story.happened("2024-01-01", number, person(number, &format!("Person{number}"))).happened(
            "2024-01-01",
            number,
            linked(number, "email", "office@example.org"),
        );
    }
    story.then(&format!("contact={}", id(30)), |view| assert_eq!(view["rows"], json!([])));
    look_alikes()
        .happened(
            "2024-02-01",
            2,
            ContactEvent::IdentityUnlinked { platform: "email".into(), handle: text(2, "ann@example.ORG") },
        )
        .then(&format!("contact={}", id(1)), |view| assert_eq!(view["rows"][0]["strength"], "weak"));
    given::<Duplicates>()
        .happened("2024-01-01", 1, person(1, "Lee"))
        .happened("2024-01-01", 1, linked(1, "email", "lee@example.org"))
        .happened("2024-01-01", 2, ContactEvent::Registered { form: ContactForm::Household, name: None })
        .happened("2024-01-01", 2, linked(2, "email", "lee@example.org"))
        .then("", |view| assert_eq!(view["rows"], json!([])));
}

#[test]
fn what_was_forgotten_suggests_nobody() {
    let sealed = |number: u128| -> Personal<String> {
        serde_json::from_value(json!({"$sealed": {"subject": id(number), "text": "AAAA"}})).unwrap()
    };
    let mut story = given::<Duplicates>();
    for number in [1, 2] {
        let handle = || sealed(number);
        story = story
            .happened(
                "2024-01-01",
                number,
                ContactEvent::Registered { form: ContactForm::Person, name: Some(handle()) },
            )
            .happened(
                "2024-01-01",
                number,
                ContactEvent::DetailChanged { detail: Detail::Phone, value: Some(handle()) },
            )
            .happened(
                "2024-01-01",
                number,
                ContactEvent::IdentityLinked { platform: "email".into(), handle: handle(), verified: true },
            );
    }
    story
        .then("", |view| assert_eq!(view["rows"], json!([])))
        .then(&format!("contact={}", id(1)), |view| assert_eq!(view["rows"], json!([])));
}

#[test]
fn pairs_come_in_pages_without_gap_or_repetition() {
    let mut story = given::<Duplicates>();
    for number in 1..=250_u128 {
        // Two share one address, then three, and so on in turns.
        let address = format!("a{}@example.org", number / (2 + number % 2));
        story = story.happened("2024-01-01", number, person(number, &format!("Person{number}"))).happened(
            "2024-01-01",
            number,
            linked(number, "email", &address),
        );
    }
    let tables = story.into_tables();
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = Page::new(Some(7), cursor).unwrap();
        let view = Duplicates::view(&tables, Query::default(), &page).unwrap().unwrap();
        seen.extend(view.rows.iter().map(|pair| (pair.contact.0, pair.other.0)));
        cursor = view.next;
        if cursor.is_none() {
            break;
        }
    }
    let mut expected = Vec::new();
    for one in 1..=250_u128 {
        let of = |number: u128| number / (2 + number % 2);
        expected.extend((1..one).filter(|other| of(*other) == of(one)).map(|other| (id(one), id(other))));
    }
    expected.sort_unstable();
    let mut once = seen.clone();
    once.sort_unstable();
    assert!(!expected.is_empty());
    assert_eq!(once, expected);
}

#[test]
fn what_tells_nobody_apart_is_not_kept() {
    look_alikes()
        .happened("2024-02-01", 1, detail(1, Detail::Note, "likes tea"))
        .happened("2024-02-01", 1, ContactEvent::Tagged { tag: "vip".into() })
        .happened(
            "2024-02-01",
            1,
            ContactEvent::ConsentWithdrawn {
                purpose: ConsentPurpose::Alerts,
                channel: domain::contact::ConsentChannel::Any,
            },
        )
        .happened("2024-02-02", 1, ContactEvent::Voided {})
        .then("", |view| assert_eq!(view["rows"], json!([])))
        .then_not_found(&format!("contact={}", id(1)));
}
