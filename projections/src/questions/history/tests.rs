//! The view `history` told in small stories, and compared with plain sums.

use std::sync::Arc;

use domain::{
    Actor, ContactId, Currency, Event, EventId, Keyring, MemberId, Money, Personal, Position, ProgramId,
    Source,
    contact::{ContactEvent, ContactForm},
    conversation::{Channel, ConversationEvent, Direction, Message},
    deal::{DealCorrection, DealEvent},
    enrolment::{EnrolmentEvent, EnrolmentRole},
    gathering::{AttendanceMethod, GatheringEvent},
    gift::GiftEvent,
    member::MemberEvent,
    program::ProgramEvent,
};
use rusqlite::Connection;
use serde_json::json;

use super::*;
use crate::kit::testing::{event_id, given};

const CONTACT: ContactId = ContactId(Uuid::from_u128(1));

fn personal(text: &str) -> Personal<String> {
    Personal::new(CONTACT, text.to_owned())
}

fn opened() -> DealEvent {
    DealEvent::Opened {
        contact: Some(CONTACT),
        owner: Some(MemberId(Uuid::from_u128(9))),
        product: Some("GTX".into()),
        value: None,
        stage: "Engaging".into(),
        lead: None,
    }
}

#[test]
fn a_contacts_history_runs_across_all_streams_in_plain_sentences() {
    let money = Money::new(105_400, Currency::USD);
    let joined = MemberEvent::Joined { name: "Ann".into(), team: None, region: None };
    let started =
        ProgramEvent::Started { name: "Mentoring".into(), starts_on: None, ends_on: None, fund: None };
    let scheduled = GatheringEvent::Scheduled {
        name: "Spring dinner".into(),
        gathering_type: "dinner".into(),
        program: Some(ProgramId(Uuid::from_u128(7))),
        cohort: None,
        starts_at: None,
        ends_at: None,
        place: None,
    };
    let correction =
        DealCorrection { value: Some(Money::new(7, Currency::USD)), ..DealCorrection::default() };
    let received = GiftEvent::Received {
        donor: Some(CONTACT),
        amount: money,
        campaign: Some("Spring".into()),
        method: Some("card".into()),
        stage: None,
        allocations: Vec::new(),
        soft_credits: Vec::new(),
    };
    let message = Message {
        direction: Direction::Incoming,
        to: None,
        author: Some(CONTACT),
        member: None,
        text: Some(personal("Where is it?")),
        reply_to: None,
        mentions: vec![ContactId(Uuid::from_u128(2))],
    };
    let enrolled = EnrolmentEvent::Enrolled {
        contact: CONTACT,
        program: ProgramId(Uuid::from_u128(7)),
        cohort: Some("Fall 2024".into()),
        role: EnrolmentRole::Participant,
    };
    given::<History>()
        .happened("2020-01-01", 9, joined)
        .happened("2020-01-01", 7, started)
        .happened("2020-01-01", 8, scheduled)
        .happened(
            "2020-01-02",
            1,
            ContactEvent::Registered { form: ContactForm::Person, name: Some(personal("Ada")) },
        )
        .happened("2020-01-03", 10, opened())
        .concerning(&[1])
        .happened("2020-01-04", 10, DealEvent::Converted { value: Some(money) })
        .concerning(&[1])
        .happened("2020-01-05", 10, DealEvent::Corrected { fact: event_id(6), correction })
        .happened("2020-01-05", 11, received)
        .concerning(&[1])
        .happened("2020-01-05", 11, GiftEvent::Acknowledged {})
        .happened(
            "2020-01-06",
            12,
            ConversationEvent::Logged { contact: CONTACT, channel: Channel::Chat, message },
        )
        .happened("2020-01-07", 13, enrolled)
        .happened(
            "2020-01-08",
            8,
            GatheringEvent::StudentAttended { contact: CONTACT, method: Some(AttendanceMethod::Scan) },
        )
        .then(&format!("contact={CONTACT}"), |view| {
            let told: Vec<_> = view["rows"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| json!([row["position"], row["revision"], row["tag"], row["what"], row["detail"]]))
                .collect();
            insta::assert_json_snapshot!(told);
        })
        .then(&format!("stream=deal-{}", Uuid::from_u128(10)), |view| insta::assert_json_snapshot!(view))
        .then(&format!("stream=deal/{}&order=newest", Uuid::from_u128(10)), |view| {
            assert_eq!(view["rows"][0]["revision"], 3);
            assert_eq!(view["rows"][2]["revision"], 1);
        })
        .then(&format!("contact={}", Uuid::from_u128(2)), |view| {
            assert_eq!(view["rows"].as_array().unwrap().len(), 1);
        })
        .then_not_found(&format!("contact={}", Uuid::from_u128(3)))
        .then_not_found(&format!("stream=gift-{}", Uuid::from_u128(10)))
        .then_refused("", "contact")
        .then_refused(&format!("contact={CONTACT}&stream=deal-{CONTACT}"), "stream")
        .then_refused("stream=robot-1", "stream");
}

struct NoKeys;

impl Keyring for NoKeys {
    fn open(&self, _: ContactId, _: Uuid, _: &str) -> Option<Vec<u8>> {
        None
    }
}

fn tables() -> Tables {
    let connection = Connection::open_in_memory().unwrap();
    crate::kit::view::AnyView::of::<History>().create_tables(&connection).unwrap();
    connection.execute_batch(History::INDEXES).unwrap();
    Tables::new(connection, Arc::new(NoKeys))
}

fn recorded(position: u64, event: Event, metadata: &Metadata) -> Recorded {
    let at: DateTime<Utc> = "2020-01-02T03:04:05.000006Z".parse().unwrap();
    Recorded {
        position: Position(position),
        stream: StreamId::new(event.kind(), CONTACT.0),
        revision: position,
        id: event_id(position),
        occurred_at: None,
        effective_at: at,
        recorded_at: at,
        by: Actor::Import("crm".into()),
        subjects: vec![CONTACT, CONTACT],
        metadata: Some(serde_json::to_string(metadata).unwrap().into()),
        event,
    }
}

#[test]
fn the_whole_envelope_is_shown_and_forgotten_texts_leave_it_whole() {
    let metadata = Metadata {
        on_behalf_of: Some(Actor::Member("ann".into())),
        reason: Some(personal("asked on the phone")),
        source: Some(Source {
            name: "crm".into(),
            file: Some("deals.csv".into()),
            line: Some(7),
            zone: Some("UTC".into()),
        }),
        correlation: Some(Uuid::from_u128(0xC0)),
        causation: Some(EventId(Uuid::from_u128(0xCA))),
        day: None,
    };
    let tables = tables();
    let renamed = Event::Contact(ContactEvent::Renamed { name: personal("Ada") });
    History::apply(&tables, &recorded(1, renamed, &metadata)).unwrap();
    let question = || Query { contact: Some(CONTACT.0), ..Query::default() };
    let ask = || {
        let view = History::view(&tables, question(), &Page::default()).unwrap();
        serde_json::to_value(view).unwrap()["rows"][0].clone()
    };
    insta::assert_json_snapshot!(ask());
    let subject = CONTACT.0;
    let erased = tables.execute("UPDATE texts SET text = '' WHERE subject = ?1", [subject]).unwrap();
    assert_eq!(erased, 2);
    assert_eq!((&ask()["detail"], &ask()["reason"]), (&json!(""), &json!("")));
}

#[test]
fn a_thousand_events_of_one_contact_are_read_by_index_alone() {
    let tables = tables();
    for position in 1..=1_000 {
        let tagged = Event::Contact(ContactEvent::Tagged { tag: format!("tag {position}") });
        History::apply(&tables, &recorded(position, tagged, &Metadata::default())).unwrap();
    }
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = Page::new(Some(300), cursor).unwrap();
        let query = Query { contact: Some(CONTACT.0), order: Order::Newest, ..Query::default() };
        let View { rows, next } = History::view(&tables, query, &page).unwrap().unwrap();
        seen.extend(rows.into_iter().map(|row| row.position));
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, (1..=1_000).rev().collect::<Vec<u64>>());
    for positions in [
        "SELECT position FROM concerned WHERE contact = 1 AND position > 5 ORDER BY position LIMIT 9",
        "SELECT position FROM events WHERE stream = x'00' AND position > 5 ORDER BY position LIMIT 9",
    ] {
        let plan = tables.rows(&format!("EXPLAIN QUERY PLAN {}", rows_at(positions, "ASC")), [], |row| {
            row.get::<_, String>(3)
        });
        let plan = plan.unwrap();
        assert!(plan.iter().all(|step| !step.starts_with("SCAN") || step == "SCAN p"), "{plan:?}");
    }
}
