//! Views may be deleted, damaged or met by an event that cannot be read: they are built anew, mended, or stand
//! still where they must, and what was answered once about a moment is answered again.

use std::{collections::BTreeMap, fs, path::Path};

use domain::{Kind, KindSet, Position};
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::{
    harness::{Ask, Dice, System, id, printed, run},
    known::{Step, default_query},
};

/// What every view answers.
async fn answers(system: &System, more: &str) -> BTreeMap<&'static str, String> {
    let mut answers = BTreeMap::new();
    for view in projections::descriptions() {
        let path = format!("/views/{}?{}&{more}", view.name, default_query(view.name));
        let reply = system.ask(Ask::get(path)).await;
        assert!(matches!(reply.status, 200 | 400 | 404), "{}: {}", view.name, reply.text());
        answers.insert(view.name, format!("{} {}", reply.status, reply.text()));
    }
    answers
}

/// A moment of a life that goes on hour by hour.
fn hour(number: u64) -> String {
    let day = number / 24;
    format!("2015-{:02}-{:02}T{:02}:00:00Z", 1 + day / 28, 1 + day % 28, number % 24)
}

/// Lives for some hours: a command each.
async fn live(system: &System, dice: &mut Dice, hours: std::ops::Range<u64>) {
    for number in hours {
        let (kind, id, body) = Step::rolled(dice).body(Some(hour(number)));
        let reply = system.ask(Ask::command(kind, id, &body)).await;
        assert!(matches!(reply.status, 200 | 422), "{body}: {}", reply.text());
    }
}

/// A folder in which something has happened to everything.
async fn system(folder: &Path) -> System {
    let system = System::open(folder).await;
    let register = json!({ "register": { "form": "person", "name": "Zoë Quill" }, "occurred_at": hour(0) });
    system.command(Kind::Contact, id(Kind::Contact, 1), register).await;
    let value = json!({ "minor": 1_700, "currency": "USD" });
    let open = json!({ "open": { "stage": "Engaging", "value": value }, "occurred_at": hour(0) });
    system.command(Kind::Deal, id(Kind::Deal, 1_000), open).await;
    let receive =
        json!({ "receive": { "amount": value, "donor": id(Kind::Contact, 1) }, "occurred_at": hour(0) });
    system.command(Kind::Gift, id(Kind::Gift, 1_000), receive).await;
    live(&system, &mut Dice(11), 1..150).await;
    system
}

fn after(system: &System) -> String {
    format!("after={}", system.head())
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_views_come_back_with_the_same_answers() {
    let folder = tempfile::tempdir().unwrap();
    let system = system(folder.path()).await;
    let before = answers(&system, &after(&system)).await;
    system.close().await;
    fs::remove_dir_all(folder.path().join("views")).unwrap();
    let system = System::open(folder.path()).await;
    assert_eq!(answers(&system, &after(&system)).await, before);
    system.close().await;
    // One file alone, and the pointer to another.
    let views = folder.path().join("views");
    fs::remove_file(views.join(current(folder.path(), "giving"))).unwrap();
    fs::remove_file(views.join("pipeline.current")).unwrap();
    let system = System::open(folder.path()).await;
    assert_eq!(answers(&system, &after(&system)).await, before);
}

/// The name of the file that a view is served from.
fn current(folder: &Path, view: &str) -> String {
    fs::read_to_string(folder.join("views").join(format!("{view}.current"))).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_changed_by_hand_is_found_named_and_mended() {
    let folder = tempfile::tempdir().unwrap();
    let system = system(folder.path()).await;
    let before = answers(&system, &after(&system)).await;
    system.close().await;
    assert!(run(folder.path(), &["check"]).status.success());
    let deal = id(Kind::Deal, 1_000);
    let file =
        Connection::open(folder.path().join("views").join(current(folder.path(), "pipeline"))).unwrap();
    let changed = file.execute("UPDATE deals SET minor = minor + 1 WHERE deal = ?1", [deal]).unwrap();
    assert_eq!(changed, 1);
    drop(file);
    let checked = run(folder.path(), &["check"]);
    let told = String::from_utf8(checked.stdout).unwrap();
    assert_eq!(checked.status.code(), Some(1), "{told}");
    let named = format!("pipeline: table deals, row deal={deal}: differs in minor\n");
    assert!(told.contains(&named), "{told}");
    assert_eq!(told.matches("table ").count(), 1, "{told}");
    assert!(run(folder.path(), &["check", "giving", "history"]).status.success());
    printed(folder.path(), &["rebuild", "pipeline"]);
    assert!(run(folder.path(), &["check"]).status.success());
    let system = System::open(folder.path()).await;
    assert_eq!(answers(&system, &after(&system)).await, before);
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Makes the last event of a kind unreadable; where it stands.
fn spoil(folder: &Path, kind: Kind) -> Position {
    let log = Connection::open(folder.join("log.sqlite")).unwrap();
    let last = "SELECT max(position) FROM events WHERE tag LIKE ?1";
    let position: u64 = log.query_row(last, [format!("{kind}.%")], |row| row.get(0)).unwrap();
    let spoiled = log.execute("UPDATE events SET data = '{\"x\":1}' WHERE position = ?1", params![position]);
    assert_eq!(spoiled, Ok(1));
    Position(position)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_event_stops_only_the_views_that_want_its_kind() {
    let (folder, copied) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let system = system(folder.path()).await;
    let before = answers(&system, &after(&system)).await;
    system.close().await;
    copy(folder.path(), copied.path());
    let bad = spoil(copied.path(), Kind::Gift);
    let checked = run(copied.path(), &["check"]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(String::from_utf8(checked.stdout).unwrap().contains(&format!("giving: position {bad}: ")));

    fs::remove_dir_all(copied.path().join("views")).unwrap();
    let system = System::open(copied.path()).await;
    let register = json!({ "open": { "stage": "Engaging", "value": { "minor": 1, "currency": "USD" } } });
    let position = system.command(Kind::Deal, id(Kind::Deal, 2_000), register).await.position();
    system.rapport.views.settle(Position(position), |_| ()).await;
    let listed = system.ask(Ask::get("/views")).await.good().json();
    for (view, status) in projections::descriptions().iter().zip(listed["views"].as_array().unwrap()) {
        assert_eq!(status["name"], view.name);
        let asked = system.ask(Ask::get(format!("/views/{}?{}", view.name, default_query(view.name)))).await;
        if view.kinds.contains(&Kind::Gift) {
            assert_eq!(status["phase"]["stopped"]["at"], json!(bad), "{}: {status}", view.name);
            assert_eq!(asked.status, 503, "{}: {}", view.name, asked.text());
            assert_eq!(asked.json()["type"], "urn:rapport:problem:view-stopped");
        } else {
            assert_eq!((&status["phase"], &status["lag"]), (&json!("following"), &json!(0)), "{}", view.name);
            assert_eq!(asked.status, 200, "{}: {}", view.name, asked.text());
        }
    }
    let history = system.ask(Ask::get("/events?kind=deal&limit=1000")).await.good();
    assert!(!history.json().as_array().unwrap().is_empty(), "other kinds can be read");
    drop(system);
    let system = System::open(folder.path()).await;
    assert_eq!(answers(&system, &after(&system)).await, before, "the log that was copied is as it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_once_is_answered_again_about_that_moment() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    let (mut dice, mut then) = (Dice(23), Vec::new());
    let register = json!({ "register": { "form": "person" }, "occurred_at": hour(0) });
    system.command(Kind::Contact, id(Kind::Contact, 1), register).await;
    for round in 0..6 {
        live(&system, &mut dice, round * 25 + 1..round * 25 + 26).await;
        let moment = hour(round * 25 + 25);
        then.push((system.head(), moment, answers(&system, &after(&system)).await));
    }
    assert!(then.windows(2).all(|two| two[0].2 != two[1].2), "it never stands still");
    for (size, moment, answer) in &then {
        assert_eq!(answers(&system, &format!("known_at={size}")).await, *answer, "known at {size}");
        assert_eq!(answers(&system, &format!("as_of={moment}")).await, *answer, "as of {moment}");
    }
    // What is learnt later about an earlier time changes what was so, not what was known.
    let deal = json!({ "open": { "stage": "Engaging" }, "occurred_at": hour(2) });
    system.command(Kind::Deal, id(Kind::Deal, 5_000), deal).await;
    let gift = json!({ "receive": { "amount": { "minor": 5, "currency": "JPY" } }, "occurred_at": hour(2) });
    system.command(Kind::Gift, id(Kind::Gift, 5_000), gift).await;
    for (size, moment, answer) in &then {
        assert_eq!(answers(&system, &format!("as_of={moment}&known_at={size}")).await, *answer);
        let told = |answer: &str| serde_json::from_str::<Value>(&answer[4..]).unwrap();
        let now = answers(&system, &format!("as_of={moment}")).await;
        let deals =
            |answer: &BTreeMap<_, String>| told(&answer["pipeline"])["totals"]["deals"].as_u64().unwrap();
        assert_eq!(deals(&now), deals(answer) + 1, "as of {moment}");
        let gifts =
            |answer: &BTreeMap<_, String>| told(&answer["giving"])["totals"]["gifts"].as_u64().unwrap();
        assert_eq!(gifts(&now), gifts(answer) + 1, "as of {moment}");
    }
    let page = system.rapport.store.read_all(Position::START, 10_000, KindSet::ALL).await.unwrap();
    assert_eq!(page.events.len() as u64, system.head().0, "nothing was written by asking");
}
