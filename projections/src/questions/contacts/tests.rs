//! The view `contacts` told in small stories, and compared with plain sums.

use std::{fmt::Write as _, sync::Arc};

use chrono::{DateTime, NaiveDate};
use domain::{
    Actor, ContactId, EventId, Keyring, Position, StreamId,
    contact::{Detail, RelationshipKind},
};
use rusqlite::{Connection, types::Value};
use serde_json::json;

use super::*;
use crate::kit::{
    testing::{Story, given},
    view::AnyView,
};

fn personal(contact: u128, text: &str) -> Personal<String> {
    Personal::new(ContactId(Uuid::from_u128(contact)), text.to_owned())
}

fn registered(contact: u128, name: &str) -> ContactEvent {
    ContactEvent::Registered { form: ContactForm::Person, name: Some(personal(contact, name)) }
}

fn linked(contact: u128, platform: &str, handle: &str) -> ContactEvent {
    ContactEvent::IdentityLinked {
        platform: platform.into(),
        handle: personal(contact, handle),
        verified: false,
    }
}

fn unlinked(contact: u128, platform: &str, handle: &str) -> ContactEvent {
    ContactEvent::IdentityUnlinked { platform: platform.into(), handle: personal(contact, handle) }
}

fn tagged(tag: &str) -> ContactEvent {
    ContactEvent::Tagged { tag: tag.into() }
}

#[track_caller]
fn finds(story: Story, query: &str, expected: &[u128]) -> Story {
    story.then(query, |view| {
        let found: Vec<Uuid> = view["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].as_str().unwrap().parse().unwrap())
            .collect();
        let expected: Vec<_> = expected.iter().map(|id| Uuid::from_u128(*id)).collect();
        assert_eq!(found, expected, "{query}");
    })
}

#[test]
fn a_card_holds_everything_known_of_a_contact() {
    let id = Uuid::from_u128(1);
    given::<Contacts>()
        .happened("2020-01-01", 1, registered(1, "Ada King"))
        .happened(
            "2020-01-01",
            2,
            ContactEvent::Registered { form: ContactForm::Organization, name: Some(personal(2, "Engines")) },
        )
        .happened("2020-01-02", 1, ContactEvent::Renamed { name: personal(1, "Ada Lovelace") })
        .happened(
            "2020-01-02",
            1,
            ContactEvent::DetailChanged { detail: Detail::JobTitle, value: Some(personal(1, "Countess")) },
        )
        .happened(
            "2020-01-02",
            1,
            ContactEvent::DetailChanged { detail: Detail::Phone, value: Some(personal(1, "1")) },
        )
        .happened("2020-01-02", 1, ContactEvent::DetailChanged { detail: Detail::Phone, value: None })
        .happened("2020-01-02", 1, linked(1, "email", "ada@example.org"))
        .happened("2020-01-03", 1, linked(1, "email", "ada@work.example"))
        .happened("2020-01-03", 1, tagged("alumni"))
        .happened(
            "2020-01-04",
            1,
            ContactEvent::ConsentGiven {
                purpose: ConsentPurpose::Newsletter,
                channel: ConsentChannel::Email,
                basis: LawfulBasis::Consent,
                proof: Some(personal(1, "form 7")),
            },
        )
        .happened(
            "2020-01-05",
            1,
            ContactEvent::ConsentWithdrawn {
                purpose: ConsentPurpose::Fundraising,
                channel: ConsentChannel::Any,
            },
        )
        .happened(
            "2020-01-05",
            1,
            ContactEvent::RelationshipStarted {
                relationship: RelationshipKind::EmployeeOf,
                to: ContactId(Uuid::from_u128(2)),
                since: NaiveDate::from_ymd_opt(2019, 5, 1),
            },
        )
        .then(&format!("id={id}"), |view| insta::assert_json_snapshot!(view))
        .then(&format!("id={}", Uuid::from_u128(2)), |view| {
            assert_eq!(view["relationships"][0]["direction"], "from");
            assert_eq!(view["relationships"][0]["name"], "Ada Lovelace");
        })
        .then("", |view| insta::assert_json_snapshot!(view))
        .then_not_found(&format!("id={}", Uuid::from_u128(3)))
        .then_refused(&format!("id={id}&tag=alumni"), "id");
}

#[test]
fn people_are_found_by_name_email_identity_tag_and_form() {
    let story = given::<Contacts>()
        .happened("2020-01-01", 1, registered(1, "Zoë Étienne-Brown"))
        .happened("2020-01-01", 2, registered(2, "Bob \"OR\" Brown"))
        .happened("2020-01-01", 3, ContactEvent::Registered { form: ContactForm::Household, name: None })
        .happened("2020-01-01", 1, linked(1, "email", "Zoe@Example.org"))
        .happened("2020-01-01", 1, linked(1, "email", "zoe@home.example"))
        .happened("2020-01-01", 2, linked(2, "mastodon", "@Bob"))
        .happened("2020-01-01", 2, tagged("alumni"));
    let story = finds(story, "name=brown", &[1, 2]);
    let story = finds(story, "name=zo+etienne", &[1]);
    let story = finds(story, "name=%22OR%22", &[2]);
    let story = finds(story, "name=rown", &[]);
    let story = finds(story, "email=zoe%40example.ORG", &[1]);
    let story = finds(story, "email=zoe%40home.example", &[1]);
    let story = finds(story, "platform=mastodon&identity=%40Bob", &[2]);
    let story = finds(story, "platform=mastodon&identity=%40bob", &[]);
    let story = finds(story, "tag=alumni", &[2]);
    let story = finds(story, "form=household", &[3]);
    let story = finds(story, "name=brown&tag=alumni&form=person", &[2]);
    story
        .then_refused("name=%22", "name")
        .then_refused("email=", "email")
        .then_refused("identity=%40Bob", "platform")
        .then_refused("form=robot", "form");
}

#[test]
fn a_handle_unlinked_finds_nobody_until_it_is_linked_again() {
    let story = given::<Contacts>()
        .happened("2020-01-01", 1, registered(1, "Ada"))
        .happened("2020-01-01", 1, linked(1, "email", "a@x.org"))
        .happened("2020-01-02", 1, linked(1, "email", "b@x.org"))
        .happened("2020-01-03", 1, unlinked(1, "email", "a@x.org"));
    let story = finds(story, "email=a%40x.org", &[]);
    let story = finds(story, "email=b%40x.org", &[1])
        .then("", |view| assert_eq!(view["rows"][0]["emails"], json!(["b@x.org"])));
    let story = story.happened("2020-01-04", 1, linked(1, "email", "a@x.org"));
    finds(story, "email=a%40x.org", &[1])
        .then("", |view| assert_eq!(view["rows"][0]["emails"], json!(["b@x.org", "a@x.org"])));
}

#[test]
fn a_voided_contact_is_gone_from_searches_cards_and_relationships() {
    let story = given::<Contacts>()
        .happened("2020-01-01", 1, registered(1, "Ada"))
        .happened("2020-01-01", 2, registered(2, "Bob"))
        .happened("2020-01-01", 2, linked(2, "email", "b@x.org"))
        .happened(
            "2020-01-01",
            1,
            ContactEvent::RelationshipStarted {
                relationship: RelationshipKind::PartnerOf,
                to: ContactId(Uuid::from_u128(2)),
                since: None,
            },
        )
        .happened("2020-01-02", 2, ContactEvent::Voided {});
    let story = finds(story, "", &[1]);
    let story = finds(story, "name=bob", &[]);
    finds(story, "email=b%40x.org", &[])
        .then_not_found(&format!("id={}", Uuid::from_u128(2)))
        .then(&format!("id={}", Uuid::from_u128(1)), |view| assert_eq!(view["relationships"], json!([])));
}

struct NoKeys;

impl Keyring for NoKeys {
    fn open(&self, _: ContactId, _: Uuid, _: &str) -> Option<Vec<u8>> {
        None
    }
}

/// Folds one contact's events, and says what stands in the tables.
fn fold(events: &[ContactEvent], then: &str) -> (Tables, String) {
    let connection = Connection::open_in_memory().unwrap();
    AnyView::of::<Contacts>().create_tables(&connection).unwrap();
    connection.execute_batch(Contacts::INDEXES).unwrap();
    let tables = Tables::new(connection, Arc::new(NoKeys));
    for (index, event) in events.iter().enumerate() {
        let position = index as u64 + 1;
        let at = DateTime::UNIX_EPOCH;
        let recorded = Recorded {
            position: Position(position),
            stream: StreamId::new(Kind::Contact, Uuid::from_u128(1)),
            revision: position,
            id: EventId(Uuid::from_u128(position.into())),
            occurred_at: None,
            effective_at: at,
            recorded_at: at,
            by: Actor::Member("ann".into()),
            subjects: vec![ContactId(Uuid::from_u128(1))],
            metadata: None,
            event: Event::Contact(event.clone()),
        };
        Contacts::apply(&tables, &recorded).unwrap();
    }
    tables.connection().execute_batch(then).unwrap();
    let mut dump = String::new();
    for table in ["contacts", "details", "identities", "tags", "consents", "relationships"] {
        let sql = format!("SELECT * FROM {table}");
        let mut statement = tables.connection().prepare(&sql).unwrap();
        let columns = statement.column_count();
        let rows = statement
            .query_map([], |row| (0..columns).map(|index| row.get(index)).collect::<Result<Vec<Value>, _>>())
            .unwrap();
        for row in rows {
            writeln!(dump, "{table} {:?}", row.unwrap()).unwrap();
        }
    }
    (tables, dump)
}

#[test]
fn fold_then_erase_is_erase_then_fold_and_leaves_no_word_behind() {
    let story = |text: &dyn Fn(&str) -> Personal<String>| {
        let unlinked =
            |handle: &str| ContactEvent::IdentityUnlinked { platform: "email".into(), handle: text(handle) };
        let linked = |handle: &str| ContactEvent::IdentityLinked {
            platform: "email".into(),
            handle: text(handle),
            verified: false,
        };
        let consent = |proof: Option<Personal<String>>, channel| ContactEvent::ConsentGiven {
            purpose: ConsentPurpose::Alerts,
            channel,
            basis: LawfulBasis::Consent,
            proof,
        };
        vec![
            ContactEvent::Registered { form: ContactForm::Person, name: Some(text("Ada")) },
            ContactEvent::Renamed { name: text("Lovelace") },
            ContactEvent::DetailChanged { detail: Detail::Note, value: Some(text("likes engines")) },
            linked("a@x.org"),
            linked("b@x.org"),
            unlinked("a@x.org"),
            consent(Some(text("form")), ConsentChannel::Email),
            consent(None, ConsentChannel::Phone),
        ]
    };
    let clear = |value: &str| personal(1, value);
    let sealed = |_: &str| {
        let form = json!({"$sealed": {"subject": Uuid::from_u128(1), "text": "AAAA"}});
        serde_json::from_value(form).unwrap()
    };
    // What the runtime does to every declared column.
    let erase =
        "UPDATE contacts SET name = ''; UPDATE details SET value = ''; UPDATE identities SET handle = '';
        UPDATE consents SET proof = '';";
    let (erased_later, one) = fold(&story(&clear), erase);
    let (_, other) = fold(&story(&sealed), "");
    assert_eq!(one, other);
    let search = Query { name: Some("love".into()), ..Query::default() };
    let found = Contacts::view(&erased_later, search, &Page::default()).unwrap();
    assert!(matches!(found, Some(View::Found(found)) if found.rows.is_empty()));
    let words: Vec<Vec<u8>> =
        erased_later.rows("SELECT block FROM name_search_data", [], |row| row.get(0)).unwrap();
    for word in ["ada", "lovelace"] {
        assert!(!words.iter().any(|block| block.windows(word.len()).any(|at| at == word.as_bytes())));
    }
    let card = Query { id: Some(Uuid::from_u128(1)), ..Query::default() };
    let card = Contacts::view(&erased_later, card, &Page::default()).unwrap();
    let card = serde_json::to_value(card).unwrap();
    assert_eq!((&card["name"], &card["consents"][0]["proof"]), (&json!(""), &json!("")));
    assert_eq!(card["consents"][1]["proof"], json!(null));
}

#[test]
fn those_found_come_in_pages() {
    let mut story = given::<Contacts>();
    for id in 1..=120_u128 {
        story = story.happened("2020-01-01", id, registered(id, "Brown"));
    }
    story.then("name=bro", |view| {
        assert_eq!(view["rows"].as_array().unwrap().len(), Page::LIMIT);
        assert!(view["next"].is_string());
    });
}
