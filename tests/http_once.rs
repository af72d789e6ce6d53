//! Once and only once: of those who race exactly one wins, whoever repeats is answered alike, and whoever has
//! written reads what they wrote.

use std::{collections::HashMap, sync::Arc};

use axum::http::StatusCode;
use domain::{Kind, Role};
use futures::future::join_all;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::harness::{Ask, Client, Served, System, id, printed, send};

const RACERS: u64 = 64;

fn advance(stage: &str, revision: u64) -> Ask {
    Ask::command(Kind::Deal, id(Kind::Deal, 1), &json!({ "advance": { "stage": stage } })).if_match(revision)
}

fn open(deal: u64) -> Ask {
    Ask::command(Kind::Deal, id(Kind::Deal, deal), &json!({ "open": { "stage": "Prospecting" } }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixty_four_clients_at_one_revision_exactly_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let system = Arc::new(System::open(folder.path()).await);
    system.ask(open(1)).await.good();
    for revision in 1..=20 {
        let racers = (0..RACERS).map(|racer| {
            let system = Arc::clone(&system);
            tokio::spawn(async move { system.ask(advance(&format!("{revision} {racer}"), revision)).await })
        });
        let replies: Vec<_> = join_all(racers).await.into_iter().map(Result::unwrap).collect();
        let won: Vec<_> = replies.iter().filter(|reply| reply.status == 200).collect();
        assert_eq!(won.len(), 1, "revision {revision}");
        assert_eq!(won[0].json()["revision"], revision + 1);
        assert_eq!(won[0].headers["etag"], format!("\"{}\"", revision + 1));
        for lost in replies.iter().filter(|reply| reply.status != 200) {
            assert_eq!(
                (lost.status, &lost.json()["revision"]),
                (412, &json!(revision + 1)),
                "{}",
                lost.text()
            );
        }
    }
    assert_eq!(system.head().0, 21);
}

#[test]
fn over_the_wire_exactly_one_wins_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let token = printed(folder.path(), &["token", "create", "ann", "--role", "staff"]);
    let served = Served::start(folder.path());
    let connect = || Client::connect(served.address, token.trim()).unwrap();
    assert_eq!(connect().ask(&open(1)).unwrap().status, 200);
    let mut clients: Vec<Client> = (0..RACERS).map(|_| connect()).collect();
    for revision in 1..=5 {
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..)
                .zip(&mut clients)
                .map(|(racer, client)| {
                    scope.spawn(move || {
                        client.ask(&advance(&format!("{revision} {racer}"), revision)).unwrap().status
                    })
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count() as u64;
        assert_eq!((count(200), count(412)), (1, RACERS - 1), "revision {revision}");
    }
}

fn batch(lines: u64) -> Vec<Value> {
    let line = |number| {
        let amount = json!({ "minor": number, "currency": "USD" });
        json!({ "kind": "gift", "id": id(Kind::Gift, number), "key": format!("gift {number}"), "receive": { "amount": amount } })
    };
    (1..=lines).map(line).collect()
}

fn ndjson(lines: &[Value]) -> Ask {
    Ask::new("POST", "/commands", lines.iter().map(|line| format!("{line}\n")).collect::<String>())
}

/// Sends a batch until every line is answered; a line that another is working on is sent again.
async fn send_until_answered(system: &System, lines: Vec<Value>) -> HashMap<String, Value> {
    let (mut waiting, mut answered) = (lines, HashMap::new());
    for _ in 0..100 {
        let outcomes = system.ask(ndjson(&waiting)).await.good().lines();
        assert_eq!(outcomes.len(), waiting.len());
        let mut again = Vec::new();
        for (line, mut outcome) in waiting.into_iter().zip(outcomes) {
            if outcome["status"] == StatusCode::CONFLICT.as_u16() {
                assert_eq!(outcome["problem"]["type"], "urn:rapport:problem:key-in-flight");
                again.push(line);
                continue;
            }
            assert_eq!(outcome["status"], 200, "{outcome}");
            outcome.as_object_mut().unwrap().remove("line");
            answered.insert(line["key"].as_str().unwrap().to_owned(), outcome);
        }
        if again.is_empty() {
            return answered;
        }
        waiting = again;
    }
    panic!("a line is in flight for ever");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_batch_sent_twice_at_once_is_carried_out_once_and_answered_alike() {
    let folder = tempfile::tempdir().unwrap();
    let system = Arc::new(System::open(folder.path()).await);
    let both = (0..2).map(|_| {
        let system = Arc::clone(&system);
        tokio::spawn(async move { send_until_answered(&system, batch(500)).await })
    });
    let both: Vec<_> = join_all(both).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(both[0], both[1]);
    assert_eq!(system.head().0, 500);
    let later = send_until_answered(&system, batch(500)).await;
    assert_eq!(later, both[0]);
    assert_eq!(system.head().0, 500);
    let given = system.view("giving", "").await;
    assert_eq!(given["totals"]["gifts"], 500);
    let sum: u64 = (1..=500).sum();
    assert_eq!(given["totals"]["received"], json!([{ "minor": sum, "currency": "USD" }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_line_harms_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    let good = |number: u64| batch(number).pop().unwrap().to_string();
    let bad = [
        "{",
        "[]",
        r#"{"kind":"gift"}"#,
        r#"{"kind":"spaceship","id":"00000000-0000-0000-0000-000000000001","void":{}}"#,
        r#"{"kind":"gift","id":"00000000-0000-0000-0000-000000000001","void":{}}"#,
        r#"{"kind":"gift","id":"00000000-0000-0000-0000-000000000001","if_match":3,"receive":{"amount":{"minor":1,"currency":"USD"}}}"#,
    ];
    let mut body = Vec::new();
    for (number, bad) in (1..).zip(bad) {
        body.extend_from_slice(format!("{}\n\n{bad}\r\n", good(number)).as_bytes());
    }
    body.extend_from_slice(b"{\"kind\":\"\xff\"}\n");
    body.extend_from_slice(good(7).as_bytes());
    let outcomes = system.ask(Ask::new("POST", "/commands", body)).await.good().lines();
    let statuses: Vec<_> = outcomes.iter().map(|line| line["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 400, 200, 400, 200, 400, 200, 400, 200, 422, 200, 412, 400, 200]);
    let lines: Vec<_> = outcomes.iter().map(|line| line["line"].as_u64().unwrap()).collect();
    assert_eq!(
        lines,
        [1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16, 18, 19, 20],
        "empty lines count, but are no commands"
    );
    assert_eq!(system.head().0, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_answered_alike_for_ever_even_where_nothing_had_to_be_done() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    let first = system.ask(open(1).key("first")).await.good();
    let nothing = system.ask(open(1).key("nothing")).await.good();
    assert_eq!(nothing.json()["events"], json!([]));
    assert_eq!(nothing.json()["revision"], 1);
    system.ask(advance("Engaging", 1)).await.good();
    system.ask(open(2)).await.good();
    for (key, answer) in [("first", &first), ("nothing", &nothing)] {
        let again = system.ask(open(1).key(key)).await.good();
        assert_eq!((again.text(), &again.headers["etag"]), (answer.text(), &answer.headers["etag"]));
    }
    // A key belongs to its sender, and a refusal is decided anew.
    let other = system.ask_as(domain::Role::Staff, open(3).key("first")).await.good();
    assert_eq!(other.json()["events"].as_array().unwrap().len(), 1);
    let convert = Ask::command(Kind::Deal, id(Kind::Deal, 4), &json!({ "convert": {} })).key("refused");
    assert_eq!(system.ask(convert.clone()).await.status, 422);
    system.ask(open(4)).await.good();
    system.ask(convert).await.good();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_has_written_reads_what_they_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let system = Arc::new(System::open(folder.path()).await);
    let writers = (0..8_u64).map(|writer| {
        let system = Arc::clone(&system);
        tokio::spawn(async move {
            for number in 1..=15 {
                let product = format!("p{writer}");
                let deal = Uuid::from_u64_pair(writer + 100, number);
                let body = json!({ "open": { "stage": "Prospecting", "product": product } });
                let position = system.command(Kind::Deal, deal, body).await.position();
                let asked = system
                    .ask(Ask::get(format!("/views/pipeline?product={product}&after={position}")))
                    .await
                    .good();
                assert_eq!(asked.json()["totals"]["deals"], number);
                let seen: u64 = asked.headers["rapport-position"].parse().unwrap();
                assert!(seen >= position, "{seen} is before {position}");
            }
        })
    });
    join_all(writers).await.into_iter().for_each(Result::unwrap);
}

#[tokio::test]
async fn under_one_key_a_command_is_the_same_by_either_door_and_however_it_is_spaced() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    let gift = id(Kind::Gift, 1);
    let line = format!(
        r#"{{"kind":"gift","id":"{gift}","key":"k1","receive":{{"amount":{{"minor":5,"currency":"USD"}}}}}}"#
    );
    let first = system.ask(Ask::new("POST", "/commands", line.clone())).await.good().lines().pop().unwrap();
    assert_eq!(first["status"], 200, "{first}");
    let spaced = line.replace("{\"amount\"", "{ \"amount\" ").replace(",\"key\"", " ,\"key\"");
    let again = system.ask(Ask::new("POST", "/commands", spaced)).await.good().lines().pop().unwrap();
    assert_eq!(again["events"], first["events"], "{again}");
    let by_the_other_door = r#"{"receive": {"amount": {"minor": 5, "currency": "USD"}}}"#;
    let path = format!("/commands/gift/{gift}");
    let other = system.ask(Ask::new("POST", path.clone(), by_the_other_door).key("k1")).await.good().json();
    assert_eq!(other["events"], first["events"], "{other}");
    let another = by_the_other_door.replace(": 5", ": 6");
    assert_eq!(system.ask(Ask::new("POST", path, another).key("k1")).await.status, 422);
    assert_eq!(system.view("giving", "").await["totals"]["gifts"], 1);
}

#[tokio::test]
async fn a_batch_that_is_out_of_time_says_of_each_line_that_it_was_not_done() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    let ending = CancellationToken::new();
    let router = api::http::router(Arc::clone(&system.rapport), api::http::Trust::Tokens, ending.clone());
    ending.cancel();
    let ask = ndjson(&batch(3)).token(system.token(Role::Admin));
    let outcomes = send(&router, &ask).await.unwrap().good().lines();
    assert_eq!(outcomes.len(), 3);
    for (outcome, line) in outcomes.iter().zip(1..) {
        assert_eq!((&outcome["line"], &outcome["status"]), (&json!(line), &json!(503)), "{outcome}");
        assert!(outcome["problem"]["detail"].as_str().unwrap().contains("send this line again"), "{outcome}");
    }
    assert_eq!(system.head().0, 0, "nothing was done");
}
