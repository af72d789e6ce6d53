//! What an attack once achieved and does not achieve any more.

use domain::{Kind, Role};
use serde_json::{Value, json};

use crate::harness::{Ask, System, binary, id};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_names_a_source_is_recorded_as_the_one_who_did() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    let body = json!({
        "register": { "form": "person", "name": "x" },
        "source": { "name": "nightly-sync" },
        "on_behalf_of": "member:somebody-else",
    });
    system.ask_as(Role::Intake, Ask::command(Kind::Contact, id(Kind::Contact, 1), &body)).await.good();
    let events = system.ask(Ask::get("/events")).await.good().json();
    assert_eq!(
        (&events[0]["by"], &events[0]["onbehalfof"]),
        (&json!("import:nightly-sync"), &json!("member:intake"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_for_one_command_about_one_thing() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    let register = |number| {
        let body = json!({ "register": { "form": "person", "name": "x" } });
        Ask::command(Kind::Contact, id(Kind::Contact, number), &body).key("k")
    };
    system.ask(register(1)).await.good();
    system.ask(register(1)).await.good();
    assert_eq!(system.ask(register(2)).await.status, 422);
    assert_eq!(system.ask(register(1).if_match(77)).await.status, 422);
    assert_eq!(system.head().0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_to_the_nanosecond_is_the_same_refund_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let gift = id(Kind::Gift, 1);
    let refund = json!({
        "refund": { "amount": { "minor": 100, "currency": "USD" } },
        "source": { "name": "bank" },
        "occurred_at": "2020-02-01T00:00:00.123456789Z",
    });
    let system = System::open(folder.path()).await;
    system
        .command(Kind::Gift, gift, json!({ "receive": { "amount": { "minor": 1_000, "currency": "USD" } } }))
        .await;
    system.command(Kind::Gift, gift, refund.clone()).await;
    system.close().await;
    let system = System::open(folder.path()).await;
    let again = system.command(Kind::Gift, gift, refund).await;
    assert_eq!(again.json()["events"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_revoked_where_tokens_are_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    let member = commands::member::id_of("carl");
    system.ask(Ask::post("/tokens", &json!({ "name": "carl", "role": "staff" }))).await.good();
    let revoke = Ask::command(Kind::Member, member, &json!({ "revoke_token": {} }));
    assert_eq!(system.ask(revoke).await.status, 403);
    // Renamed by somebody, granted again: the name in the books does not stand in the way of a token.
    system.command(Kind::Member, member, json!({ "rename": { "name": "Carla" } })).await;
    system.ask(Ask::new("DELETE", "/tokens/carl", "")).await.good();
    system.ask(Ask::post("/tokens", &json!({ "name": "carl", "role": "admin" }))).await.good();
    let tags: Vec<Value> =
        system.ask(Ask::get("/events?kind=member")).await.json().as_array().unwrap().clone();
    let tags: Vec<&str> = tags.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let expected = ["joined", "token_granted", "renamed", "token_revoked", "token_granted"];
    assert_eq!(tags, expected.map(|tag| format!("rapport.member.{tag}.v1")));
}

#[test]
fn the_command_line_writes_under_the_name_that_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let asked = |arguments: &[&str]| {
        let mut command = std::process::Command::new(binary());
        command.arg("--data").arg(folder.path()).env("RAPPORT_AS", "Zoë").args(arguments);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    asked(&["token", "create", "a/b", "--role", "staff"]);
    asked(&["token", "revoke", "a/b"]);
    let events = asked(&["events"]);
    assert_eq!(events.matches("member:Zoë").count(), 3, "{events}");
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_about_the_past_that_nobody_waits_for_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    for number in 1..=50 {
        system.command(Kind::Deal, id(Kind::Deal, number), json!({ "open": { "stage": "A" } })).await;
    }
    for minute in 0..60 {
        let ask = Ask::get(format!("/views/pipeline?as_of=2019-01-01T00:{minute:02}:00Z"));
        // Hung up on before the answer can be there.
        let _ = tokio::time::timeout(std::time::Duration::from_millis(2), system.ask(ask)).await;
    }
    system.ask(Ask::get("/views/pipeline?as_of=2018-01-01")).await.good();
    let files =
        std::fs::read_dir(folder.path().join("views/past")).unwrap().map(|entry| entry.unwrap().path());
    let kept = files.filter(|path| path.extension().is_some_and(|ending| ending == "sqlite")).count();
    // Sixteen are kept, and two may be folded at the moment.
    assert!(kept <= 18, "{kept} files of the past");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_gifts_add_up_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    let largest = domain::Money::LIMIT;
    let mut lines = String::new();
    for number in 1..=500 {
        let receive = json!({ "amount": { "minor": largest, "currency": "USD" } });
        lines += &json!({ "kind": "gift", "id": id(Kind::Gift, number), "receive": receive }).to_string();
        lines.push('\n');
    }
    system.ask(Ask::new("POST", "/commands", lines)).await.good();
    let giving = system.view("giving", "").await;
    assert_eq!(giving["totals"]["received"][0]["minor"], 500 * largest);
    let beyond = json!({ "receive": { "amount": { "minor": largest + 1, "currency": "USD" } } });
    assert_eq!(system.ask(Ask::command(Kind::Gift, id(Kind::Gift, 9_999), &beyond)).await.status, 422);
}
