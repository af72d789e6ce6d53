//! Who looked at people is recorded before they are shown, and anybody can ask who has seen them.

use domain::{Kind, Role};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Ask, House, Served, id, printed, send};

/// A house with three contacts, the first of them a VIP.
async fn house(folder: &std::path::Path) -> House {
    let house = House::open(folder).await;
    for (number, name) in (1..).zip(["Ann Markerson", "Bob", "Cleo"]) {
        let contact = id(Kind::Contact, number);
        house
            .command(Kind::Contact, contact, json!({ "register": { "form": "person", "name": name } }))
            .await;
    }
    house.command(Kind::Contact, id(Kind::Contact, 1), json!({ "tag": { "tag": "vip" } })).await;
    house
}

async fn asked(house: &House, role: Role, path: &str) {
    let position = house.head();
    let path = format!("{path}{}after={position}", if path.contains('?') { "&" } else { "?" });
    house.ask_as(role, Ask::get(path)).await.good();
}

async fn disclosures(house: &House) -> Vec<Value> {
    house.view("disclosures", "limit=1000").await["rows"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_who_reads_people_leaves_a_record_and_one_who_reads_cells_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path()).await;
    let before = house.head().0;
    for path in ["/views/engagement", "/views/pipeline", "/views", "/metrics", "/ledger/checkpoint"] {
        house.ask_as(Role::Auditor, Ask::get(path)).await.good();
    }
    asked(&house, Role::Staff, "/views/contacts").await;
    house.ask_as(Role::Auditor, Ask::get(format!("/views/contacts?id={}", Uuid::nil()))).await;
    assert_eq!(house.head().0, before);
    asked(&house, Role::Auditor, "/views/contacts?form=person&limit=2").await;
    assert_eq!(house.head().0, before + 1);
    let rows = disclosures(&house).await;
    let row = &rows[0];
    assert_eq!(row["reader"], "member:auditor");
    assert_eq!(
        (&row["role"], &row["purpose"], &row["manner"]),
        (&"auditor".into(), &"audit".into(), &"read".into())
    );
    assert_eq!((&row["view"], &row["query"]), (&"contacts".into(), &"form=person&limit=2".into()));
    assert_eq!((row["size"].as_u64(), row["rows"].as_u64()), (Some(before), Some(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_who_has_read_makes_no_more_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path()).await;
    let history = format!("/views/history?contact={}", id(Kind::Contact, 1));
    asked(&house, Role::Auditor, &history).await;
    let before = house.head().0;
    asked(&house, Role::Auditor, "/views/disclosures").await;
    house.ask_as(Role::Auditor, Ask::get("/events?kind=disclosure")).await.good();
    assert_eq!(house.head().0, before);
    // Nor does a history grow by being read.
    let rows = house.view("history", &format!("contact={}", id(Kind::Contact, 1))).await;
    assert_eq!(rows["rows"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_looked_for_is_recorded_without_anything_personal() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path()).await;
    for query in ["name=Markerson&form=person", "n%61me=markers", "form=person&name=ann"] {
        let ask = Ask::new("POST", "/views/contacts", format!("{query}&after={}", house.head()));
        house.ask_as(Role::Auditor, ask).await.good();
    }
    let rows = disclosures(&house).await;
    assert_eq!(
        rows.iter().map(|row| row["query"].as_str().unwrap()).collect::<Vec<_>>(),
        ["form=person", "", "form=person"]
    );
    let of_ann = house.view("disclosures", &format!("contact={}", id(Kind::Contact, 1))).await;
    assert_eq!(of_ann["rows"].as_array().unwrap().len(), 3);
    let of_bob = house.view("disclosures", &format!("contact={}", id(Kind::Contact, 2))).await;
    assert_eq!(of_bob["rows"], json!([]));
    let events = house.ask(Ask::get("/events?kind=disclosure")).await.good().text();
    for word in ["Markerson", "markers", "ann\""] {
        assert!(!events.contains(word), "{word} in {events}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_feeds_and_purposes_are_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path()).await;
    let csv = Ask::get(format!("/views/contacts?after={}", house.head()))
        .header("accept", "text/csv")
        .header("rapport-purpose", "subject_request");
    house.ask_as(Role::Staff, csv).await.good();
    let feed = Ask::get("/events?from=2").header("accept", "text/event-stream");
    send(&house.router, &feed.token(house.token(Role::Auditor))).await.unwrap().good();
    house.ask_as(Role::Auditor, Ask::get("/events?limit=3")).await.good();
    let seen: Vec<Value> = disclosures(&house)
        .await
        .iter()
        .map(|row| {
            json!([row["reader"], row["manner"], row["purpose"], row["view"], row["query"], row["rows"]])
        })
        .collect();
    let expected = [
        json!(["member:auditor", "read", "audit", "events", "from=0&limit=3", 3]),
        json!(["member:auditor", "feed", "audit", "events", "from=2", 0]),
        json!(["member:staff", "export", "subject_request", "contacts", "", 3]),
    ];
    assert_eq!(seen, expected);
    for (name, value) in [("rapport-purpose", "curiosity"), ("rapport-manner", "loudly")] {
        let refused = house.ask_as(Role::Auditor, Ask::get("/views/contacts").header(name, value)).await;
        assert_eq!((refused.status, refused.json()["field"].as_str()), (400, Some(name)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_a_thing_concerns_was_seen_by_whoever_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path()).await;
    let gathering = id(Kind::Gathering, 1);
    let schedule =
        json!({ "schedule": { "name": "Dinner", "type": "dinner", "starts_at": "2026-01-01T18:00:00Z" } });
    house.command(Kind::Gathering, gathering, schedule).await;
    let attend = json!({ "attend": { "contact": id(Kind::Contact, 2), "method": "scan" } });
    house.command(Kind::Gathering, gathering, attend).await;
    let seen = |contact: u64| format!("contact={}", id(Kind::Contact, contact));
    for path in
        [format!("/history/gathering/{gathering}"), format!("/views/history?stream=gathering/{gathering}")]
    {
        asked(&house, Role::Auditor, &path).await;
    }
    let of = |rows: Value| rows["rows"].as_array().unwrap().len();
    assert_eq!(of(house.view("disclosures", &seen(2)).await), 2);
    assert_eq!(of(house.view("disclosures", &seen(1)).await), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_asks_who_has_seen_them_and_lists_are_asked_again_as_of_then() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("data");
    let house = house(&folder).await;
    asked(&house, Role::Auditor, "/views/contacts?form=person").await;
    asked(&house, Role::Auditor, "/views/contacts?tag=vip").await;
    asked(&house, Role::Auditor, &format!("/views/history?contact={}", id(Kind::Contact, 2))).await;
    house.ask_as(Role::Auditor, Ask::get("/events?from=1&limit=1")).await.good();
    // Somebody who came later was not on those lists, and a tag given later puts nobody on them.
    let late = id(Kind::Contact, 4);
    house.command(Kind::Contact, late, json!({ "register": { "form": "person" } })).await;
    house.command(Kind::Contact, id(Kind::Contact, 2), json!({ "tag": { "tag": "vip" } })).await;
    house.close().await;
    let served = Served::start(&folder);
    let seen = |number: u64| -> Vec<String> {
        let about = format!("contact/{}", id(Kind::Contact, number));
        let rows: Value =
            serde_json::from_str(&printed(&folder, &["disclosures", &about, "--json"])).unwrap();
        rows["rows"].as_array().unwrap().iter().map(|row| row["query"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(seen(1), ["tag=vip", "form=person"]);
    assert_eq!(
        seen(2),
        ["from=1&limit=1".to_owned(), format!("contact={}", id(Kind::Contact, 2)), "form=person".to_owned()]
    );
    assert_eq!(seen(3), ["form=person"]);
    assert_eq!(seen(4), [] as [&str; 0]);
    let all = printed(&folder, &["disclosures"]);
    assert_eq!(all.lines().filter(|line| line.contains("member:auditor")).count(), 4, "{all}");
    served.kill();
}
