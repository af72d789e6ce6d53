//! One person's way through the whole: somebody writes, becomes a lead, a customer, a student and a donor, and
//! every view tells its part of it.

use domain::{Kind, setting::SETTINGS};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{System, id, printed};

const ZOE: fn() -> Uuid = || id(Kind::Contact, 1);

fn usd(minor: i64) -> Value {
    json!({ "minor": minor, "currency": "USD" })
}

fn at(day: &str, mut body: Value) -> Value {
    body["occurred_at"] = format!("{day}T12:00:00Z").into();
    body
}

/// What happens, in this order.
fn story() -> Vec<(Kind, Uuid, Value)> {
    [becoming_a_customer(), becoming_a_student_and_donor()].concat()
}

fn becoming_a_customer() -> Vec<(Kind, Uuid, Value)> {
    let (zoe, ann) = (ZOE(), id(Kind::Member, 1));
    vec![
        (Kind::Setting, SETTINGS, json!({ "choose_zone": { "zone": "Europe/Rome" } })),
        (
            Kind::Member,
            ann,
            json!({ "join": { "name": "Ann Office", "team": "Outreach", "region": "West" } }),
        ),
        (
            Kind::Contact,
            zoe,
            at("2024-01-02", json!({ "register": { "form": "person", "name": "Zoë Quill" } })),
        ),
        (
            Kind::Contact,
            zoe,
            at(
                "2024-01-02",
                json!({ "link_identity": { "platform": "email", "handle": "zoe@example.org" } }),
            ),
        ),
        (
            Kind::Conversation,
            id(Kind::Conversation, 1),
            at(
                "2024-01-02",
                json!({ "log": {
            "contact": zoe, "channel": "email", "direction": "incoming", "text": "Do you teach evenings?" } }),
            ),
        ),
        (
            Kind::Conversation,
            id(Kind::Conversation, 1),
            at(
                "2024-01-03",
                json!({ "reply": {
            "direction": "outgoing", "member": ann, "text": "We do." } }),
            ),
        ),
        (
            Kind::Lead,
            id(Kind::Lead, 1),
            at(
                "2024-01-03",
                json!({ "capture": {
            "contact": zoe, "source": "conversation", "conversation": id(Kind::Conversation, 1), "interest": "evening course" } }),
            ),
        ),
        (Kind::Lead, id(Kind::Lead, 1), at("2024-01-04", json!({ "qualify": { "score": 80 } }))),
        (
            Kind::Lead,
            id(Kind::Lead, 1),
            at("2024-01-05", json!({ "convert": { "deal": id(Kind::Deal, 1), "value": usd(90_000) } })),
        ),
        (
            Kind::Deal,
            id(Kind::Deal, 1),
            at(
                "2024-01-05",
                json!({ "open": {
            "contact": zoe, "owner": ann, "product": "Evening course", "value": usd(90_000), "stage": "Proposal", "lead": id(Kind::Lead, 1) } }),
            ),
        ),
        (Kind::Deal, id(Kind::Deal, 1), at("2024-01-15", json!({ "convert": { "value": usd(85_000) } }))),
    ]
}

fn becoming_a_student_and_donor() -> Vec<(Kind, Uuid, Value)> {
    let zoe = ZOE();
    vec![
        (
            Kind::Program,
            id(Kind::Program, 1),
            at("2024-02-01", json!({ "start": { "name": "Evening course" } })),
        ),
        (
            Kind::Enrolment,
            id(Kind::Enrolment, 1),
            at(
                "2024-02-02",
                json!({ "enrol": {
            "contact": zoe, "program": id(Kind::Program, 1), "cohort": "Spring 2024" } }),
            ),
        ),
        (
            Kind::Gathering,
            id(Kind::Gathering, 1),
            at(
                "2024-02-03",
                json!({ "schedule": {
            "name": "First evening", "type": "class", "program": id(Kind::Program, 1), "starts_at": "2024-02-10T18:00:00Z" } }),
            ),
        ),
        (
            Kind::Gathering,
            id(Kind::Gathering, 1),
            at("2024-02-10", json!({ "attend": { "contact": zoe, "method": "check_in" } })),
        ),
        (Kind::Fund, id(Kind::Fund, 1), at("2024-03-01", json!({ "open": { "name": "Books" } }))),
        (
            Kind::Gift,
            id(Kind::Gift, 1),
            at(
                "2024-03-02",
                json!({ "receive": {
            "donor": zoe, "amount": usd(2_500), "campaign": "Spring", "allocations": [{ "fund": id(Kind::Fund, 1), "amount": usd(2_500) }] } }),
            ),
        ),
    ]
}

async fn told(system: &System) -> u64 {
    let mut position = 0;
    for (kind, id, body) in story() {
        position = system.command(kind, id, body).await.position();
    }
    position
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customers_story_reads_well_from_the_first_message_to_the_gift() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    let position = told(&system).await;
    let history = system.view("history", &format!("contact={}&after={position}", ZOE())).await;
    let rows = history["rows"].as_array().unwrap();
    let lines = rows.iter().map(|row| {
        let text = |name: &str| row[name].as_str().unwrap_or_default();
        format!(
            "{} {} {:<27} {} [{}]",
            &text("occurred_at")[..10],
            text("by"),
            text("tag"),
            text("what"),
            text("detail")
        )
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
    // Every tag of the story that concerns her is there, in its order.
    let hers: Vec<&Value> = rows.iter().map(|row| &row["position"]).collect();
    assert!(hers.is_sorted_by_key(|position| position.as_u64()));
    system.close().await;

    let subject = format!("contact/{}", ZOE());
    let typed = printed(folder.path(), &["history", &subject, "--wide"]);
    for word in [
        "conversation.logged",
        "lead.captured",
        "deal.converted",
        "gathering.student_attended",
        "gift.received",
    ] {
        assert!(typed.contains(word), "{word} is missing in\n{typed}");
    }
    let as_of = printed(folder.path(), &["history", &subject, "--as-of", "2024-01-10", "--json"]);
    let as_of: Value = serde_json::from_str(&as_of).unwrap();
    assert_eq!(as_of["rows"].as_array().unwrap().last().unwrap()["tag"], "deal.opened");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_view_tells_its_part_of_the_story() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    told(&system).await;
    let found = system.view("contacts", "email=ZOE@example.org").await;
    assert_eq!(found["rows"][0]["id"], json!(ZOE()));
    let found = system.view("contacts", "name=quill%20zoe").await;
    assert_eq!(found["rows"][0]["name"], "Zoë Quill");
    let pipeline = system.view("pipeline", "team=Outreach").await;
    assert_eq!(pipeline["totals"]["won"], 1);
    assert_eq!(pipeline["totals"]["won_value"], json!([{ "minor": 85_000, "currency": "USD" }]));
    assert_eq!(pipeline["totals"]["cycle_days"], 10.0);
    let engagement = system.view("engagement", &format!("program={}", id(Kind::Program, 1))).await;
    let engagement = &engagement["totals"];
    assert_eq!((&engagement["participants"], &engagement["enrolments"]), (&json!(1), &json!(1)));
    let giving = system.view("giving", &format!("donor={}", ZOE())).await;
    assert_eq!(giving["totals"]["received"], json!([{ "minor": 2_500, "currency": "USD" }]));
    let leads = system.view("leads", "").await;
    assert_eq!((&leads["totals"]["won"], &leads["totals"]["days_to_conversion"]), (&json!(1), &json!(2.0)));
    let conversations = system.view("conversations", "state=all").await;
    assert_eq!(conversations["rows"][0]["contact"], json!(ZOE()));
    assert_eq!(conversations["rows"][0]["first_response_minutes"], 1440.0);
}
