//! Who looked at people is recorded before they are shown, and anybody can ask who has seen them.

use domain::{Kind, Role};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Ask, Served, System, id, printed, send};

/// A system with three contacts, the first of them a VIP.
async fn system(folder: &std::path::Path) -> System {
    let system = System::open(folder).await;
    for (number, name) in (1..).zip(["Ann Markerson", "Bob", "Cleo"]) {
        let contact = id(Kind::Contact, number);
        system
            .command(Kind::Contact, contact, json!({ "register": { "form": "person", "name": name } }))
            .await;
    }
    system.command(Kind::Contact, id(Kind::Contact, 1), json!({ "tag": { "tag": "vip" } })).await;
    system
}

async fn asked(system: &System, role: Role, path: &str) {
    let position = system.head();
    let path = format!("{path}{}after={position}", if path.contains('?') { "&" } else { "?" });
    system.ask_as(role, Ask::get(path)).await.good();
}

async fn disclosures(system: &System) -> Vec<Value> {
    system.view("disclosures", "limit=1000").await["rows"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_who_reads_people_leaves_a_record_and_one_who_reads_cells_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let system = system(folder.path()).await;
    let before = system.head().0;
    for path in ["/views/engagement", "/views/pipeline", "/views", "/metrics", "/ledger/checkpoint"] {
        system.ask_as(Role::Auditor, Ask::get(path)).await.good();
    }
    asked(&system, Role::Staff, "/views/contacts").await;
    system.ask_as(Role::Auditor, Ask::get(format!("/views/contacts?id={}", Uuid::nil()))).await;
    assert_eq!(system.head().0, before);
    asked(&system, Role::Auditor, "/views/contacts?form=person&limit=2").await;
    assert_eq!(system.head().0, before + 1);
    let rows = disclosures(&system).await;
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
    let system = system(folder.path()).await;
    let history = format!("/views/history?contact={}", id(Kind::Contact, 1));
    asked(&system, Role::Auditor, &history).await;
    let before = system.head().0;
    asked(&system, Role::Auditor, "/views/disclosures").await;
    system.ask_as(Role::Auditor, Ask::get("/events?kind=disclosure")).await.good();
    assert_eq!(system.head().0, before);
    // Nor does a history grow by being read.
    let rows = system.view("history", &format!("contact={}", id(Kind::Contact, 1))).await;
    assert_eq!(rows["rows"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_looked_for_is_recorded_without_anything_personal() {
    let folder = tempfile::tempdir().unwrap();
    let system = system(folder.path()).await;
    for query in ["name=Markerson&form=person", "n%61me=markers", "form=person&name=ann"] {
        let ask = Ask::new("POST", "/views/contacts", format!("{query}&after={}", system.head()));
        system.ask_as(Role::Auditor, ask).await.good();
    }
    let rows = disclosures(&system).await;
    assert_eq!(
        rows.iter().map(|row| row["query"].as_str().unwrap()).collect::<Vec<_>>(),
        ["form=person", "", "form=person"]
    );
    let of_ann = system.view("disclosures", &format!("contact={}", id(Kind::Contact, 1))).await;
    assert_eq!(of_ann["rows"].as_array().unwrap().len(), 3);
    let of_bob = system.view("disclosures", &format!("contact={}", id(Kind::Contact, 2))).await;
    assert_eq!(of_bob["rows"], json!([]));
    let events = system.ask(Ask::get("/events?kind=disclosure")).await.good().text();
    for word in ["Markerson", "markers", "ann\""] {
        assert!(!events.contains(word), "{word} in {events}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_feeds_and_purposes_are_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let system = system(folder.path()).await;
    let csv = Ask::get(format!("/views/contacts?after={}", system.head()))
        .header("accept", "text/csv")
        .header("rapport-purpose", "subject_request");
    system.ask_as(Role::Staff, csv).await.good();
    let feed = Ask::get("/events?from=2").header("accept", "text/event-stream");
    send(&system.router, &feed.token(system.token(Role::Auditor))).await.unwrap().good();
    system.ask_as(Role::Auditor, Ask::get("/events?limit=3")).await.good();
    let seen: Vec<Value> = disclosures(&system)
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
        let refused = system.ask_as(Role::Auditor, Ask::get("/views/contacts").header(name, value)).await;
        assert_eq!((refused.status, refused.json()["field"].as_str()), (400, Some(name)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_a_thing_concerns_was_seen_by_whoever_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let system = system(folder.path()).await;
    let gathering = id(Kind::Gathering, 1);
    let schedule =
        json!({ "schedule": { "name": "Dinner", "type": "dinner", "starts_at": "2026-01-01T18:00:00Z" } });
    system.command(Kind::Gathering, gathering, schedule).await;
    let attend = json!({ "attend": { "contact": id(Kind::Contact, 2), "method": "scan" } });
    system.command(Kind::Gathering, gathering, attend).await;
    let seen = |contact: u64| format!("contact={}", id(Kind::Contact, contact));
    for path in
        [format!("/history/gathering/{gathering}"), format!("/views/history?stream=gathering/{gathering}")]
    {
        asked(&system, Role::Auditor, &path).await;
    }
    let of = |rows: Value| rows["rows"].as_array().unwrap().len();
    assert_eq!(of(system.view("disclosures", &seen(2)).await), 2);
    assert_eq!(of(system.view("disclosures", &seen(1)).await), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_asks_who_has_seen_them_and_lists_are_asked_again_as_of_then() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("data");
    let system = system(&folder).await;
    asked(&system, Role::Auditor, "/views/contacts?form=person").await;
    asked(&system, Role::Auditor, "/views/contacts?tag=vip").await;
    asked(&system, Role::Auditor, &format!("/views/history?contact={}", id(Kind::Contact, 2))).await;
    system.ask_as(Role::Auditor, Ask::get("/events?from=1&limit=1")).await.good();
    // Somebody who came later was not on those lists, and a tag given later puts nobody on them.
    let late = id(Kind::Contact, 4);
    system.command(Kind::Contact, late, json!({ "register": { "form": "person" } })).await;
    system.command(Kind::Contact, id(Kind::Contact, 2), json!({ "tag": { "tag": "vip" } })).await;
    system.close().await;
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
