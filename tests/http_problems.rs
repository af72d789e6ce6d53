//! What cannot be done is answered with a problem that says what is wrong and what to do, and nothing that
//! anybody sends breaks or holds up the server.

use std::fmt::Write as _;

use domain::{Kind, Role, setting::SETTINGS};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::{
    harness::{Ask, Client, Dice, Reply, Served, System, id, printed, send},
    known::Step,
};

const GIFT: &str = r#"{"receive": {"amount": {"minor": 100, "currency": "USD"}}}"#;

fn gift(body: impl Into<Vec<u8>>) -> Ask {
    Ask::new("POST", format!("/commands/gift/{}", id(Kind::Gift, 1)), body)
}

/// Requests that cannot be answered, each with what is wrong with it.
fn wrong() -> Vec<(&'static str, Ask)> {
    let get = |path: &str| Ask::get(path);
    vec![
        ("malformed JSON", gift(r#"{"receive": "#)),
        ("something after the JSON", gift(format!("{GIFT} true"))),
        ("no object", gift("[]")),
        ("a wrong type", gift(r#"{"receive": {"amount": {"minor": "100", "currency": "USD"}}}"#)),
        ("no currency", gift(r#"{"receive": {"amount": {"minor": 100, "currency": "usd"}}}"#)),
        (
            "an unknown field",
            gift(r#"{"receive": {"amount": {"minor": 1, "currency": "USD"}, "amuont": 1}}"#),
        ),
        ("two commands", gift(r#"{"void": {}, "acknowledge": {}}"#)),
        ("no command", gift(r#"{"reason": "because"}"#)),
        ("an unknown command", gift(r#"{"recieve": {}}"#)),
        ("a field of a batch", gift(r#"{"void": {}, "key": "k"}"#)),
        ("an odd date", gift(r#"{"void": {}, "occurred_at": "2020-02-30T00:00:00Z"}"#)),
        ("a distant date", gift(r#"{"void": {}, "occurred_at": "+12020-01-01T00:00:00Z"}"#)),
        ("invalid UTF-8", gift(b"{\"receive\": \"\xff\"}".to_vec())),
        (
            "an oversized body",
            gift(format!("{{\"void\": {{}}, \"reason\": \"{}\"}}", "a".repeat(1024 * 1024))),
        ),
        ("no UUID", Ask::post("/commands/gift/17", &json!({ "void": {} }))),
        (
            "an unknown kind",
            Ask::post(format!("/commands/spaceship/{}", id(Kind::Gift, 1)), &json!({ "void": {} })),
        ),
        ("nothing to void", gift(r#"{"void": {}}"#)),
        (
            "settings elsewhere",
            Ask::command(
                Kind::Setting,
                id(Kind::Setting, 1),
                &json!({ "choose_fiscal_year": { "first_month": 1 } }),
            ),
        ),
        (
            "an unknown zone",
            Ask::command(Kind::Setting, SETTINGS, &json!({ "choose_zone": { "zone": "Mars/Base" } })),
        ),
        (
            "a reused key",
            Ask::command(Kind::Fund, id(Kind::Fund, 1), &json!({ "open": { "name": "Other" } })).key("k"),
        ),
        (
            "another revision",
            Ask::command(Kind::Fund, id(Kind::Fund, 1), &json!({ "rename": { "name": "Other" } }))
                .if_match(7),
        ),
        ("If-Match without a revision", gift(GIFT).header("if-match", "\"x\"")),
        ("an empty key", gift(GIFT).header("idempotency-key", "")),
        ("a long key", gift(GIFT).key(&"k".repeat(201))),
        ("a key outside ASCII", gift(GIFT).key("schlüssel")),
        ("an absurd limit", get("/views/pipeline?limit=0")),
        ("an endless limit", get("/views/pipeline?limit=99999999999999999999999")),
        ("an absurd cursor", get("/views/pipeline?cursor=x")),
        ("an absurd as_of", get("/views/pipeline?as_of=yesterday")),
        ("an absurd known_at", get("/views/pipeline?known_at=-1")),
        ("an absurd after", get("/views/pipeline?after=first")),
        ("after the end", get("/views/pipeline?after=1000000")),
        ("an unknown parameter", get("/views/pipeline?colour=red")),
        ("an unknown group", get("/views/pipeline?by=colour")),
        ("broken percent-encoding", get("/views/pipeline?as_of=%ff")),
        ("a long query", get(&format!("/views/pipeline?product={}", "a".repeat(9_000)))),
        ("an unknown view", get("/views/horoscope")),
        ("an unknown contact", get("/views/contacts?id=00000000-0000-0000-0000-000000000000")),
        ("an unknown kind of event", get("/events?kind=spaceship")),
        ("an absurd number of events", get("/events?limit=1001")),
        ("a position beyond all", get("/events?from=18446744073709551615")),
        ("an unknown route", get("/horoscope")),
        ("a wrong method", Ask::new("PUT", "/views", "")),
        ("a rebuild of nothing", Ask::post("/admin/rebuild", &json!({ "views": ["horoscope"] }))),
        ("an unknown role", Ask::post("/tokens", &json!({ "name": "ann", "role": "king" }))),
        ("a name with a line break", Ask::post("/tokens", &json!({ "name": "a\nb", "role": "staff" }))),
        ("a token that nobody has", Ask::new("DELETE", "/tokens/nobody", "")),
    ]
}

async fn house_with_a_fund(folder: &std::path::Path) -> System {
    let system = System::open(folder).await;
    let open = Ask::command(Kind::Fund, id(Kind::Fund, 1), &json!({ "open": { "name": "Books" } })).key("k");
    system.ask(open).await.good();
    system
}

#[tokio::test(flavor = "multi_thread")]
async fn every_problem_says_what_is_wrong_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let system = house_with_a_fund(folder.path()).await;
    let head = system.head();
    let mut told = String::new();
    for (label, ask) in wrong() {
        let reply = system.ask(ask.clone()).await;
        check_problem(&ask, &reply);
        let _ = writeln!(told, "{label}\n  {}", reply.text());
    }
    assert_eq!(system.head(), head, "what cannot be done leaves no trace");
    insta::assert_snapshot!(told);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_allowed_in_is_told_how_to_get_in() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    let stranger = send(&system.router, &Ask::get("/views")).await.unwrap();
    insta::assert_snapshot!(stranger.text());
    let person = Ask::get("/docs").header("accept", "text/html,*/*;q=0.8");
    let person = send(&system.router, &person).await.unwrap();
    assert_eq!((person.status, person.headers["location"].as_str()), (303, "/session"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_has_a_new_name_says_where_it_has_gone() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    for name in ["rebuild", "check", "checkpoint", "keys", "backup"] {
        let old = Ask::new("POST", format!("/upkeep/{name}?views=a%20b"), "{}");
        let gone = send(&system.router, &old).await.unwrap();
        let new = format!("/admin/{name}?views=a%20b");
        assert_eq!((gone.status, gone.headers["location"].as_str()), (308, new.as_str()));
        let there = send(&system.router, &Ask::new("POST", new, "{}")).await.unwrap();
        assert_eq!(there.status, 401, "{name}: the new address asks who is calling");
    }
    let gone = send(&system.router, &Ask::new("POST", "/upkeep/checkpoint", "")).await.unwrap();
    assert_eq!(gone.headers["location"], "/admin/checkpoint");
    system.ask(Ask::new("POST", gone.headers["location"].as_str(), "")).await.good();
    assert_eq!(send(&system.router, &Ask::new("POST", "/upkeep/rest", "")).await.unwrap().status, 404);
}

/// A problem as RFC 9457 writes it.
#[track_caller]
fn check_problem(ask: &Ask, reply: &Reply) {
    let label = || format!("{ask:?}: {} {}", reply.status, reply.text());
    assert!((400..500).contains(&reply.status), "{}", label());
    assert_eq!(
        reply.headers.get("content-type").map(String::as_str),
        Some("application/problem+json"),
        "{}",
        label()
    );
    let Ok(Value::Object(problem)) = serde_json::from_slice(&reply.body) else { panic!("{}", label()) };
    assert_eq!(problem["status"], reply.status, "{}", label());
    let known =
        |member: &str| matches!(member, "type" | "title" | "status" | "detail" | "field" | "revision");
    assert!(problem.keys().all(|member| known(member)), "{}", label());
    let said = |member: &str| problem[member].as_str().is_some_and(|text| !text.is_empty());
    assert!(said("title") && said("detail"), "{}", label());
    assert!(problem["type"].as_str().unwrap().starts_with("urn:rapport:problem:"), "{}", label());
}

/// Some of them cannot even be written as HTTP; ten thousand can.
const HOSTILE: u64 = 13_500;
const AT_A_TIME: usize = 16;

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_hostile_requests_break_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let system = house_with_a_fund(folder.path()).await;
    let roles = [Role::Admin, Role::Staff, Role::Fundraiser, Role::Auditor, Role::Intake];
    let answered = stream::iter(0..HOSTILE)
        .map(|seed| {
            let (mut dice, router) = (Dice(seed), system.router.clone());
            // Nobody who may revoke tokens plays here: the others would be locked out.
            let role = if dice.below(3) == 0 { *dice.pick(&roles[1..]) } else { Role::Staff };
            let ask = hostile(&mut dice).token(system.token(role));
            async move {
                let reply = send(&router, &ask).await?;
                // The front page leads to the description.
                let fine = (200..300).contains(&reply.status) || (reply.status == 303 && ask.path == "/");
                if !fine {
                    check_problem(&ask, &reply);
                }
                Some(fine)
            }
        })
        .buffer_unordered(AT_A_TIME)
        .filter_map(|answered| async move { answered })
        .collect::<Vec<bool>>()
        .await;
    let fine = answered.iter().filter(|fine| **fine).count();
    // The generator is of use only while it gets through to everything, and is refused often enough.
    assert!(answered.len() >= 10_000, "only {} could be sent", answered.len());
    assert!((1_000..9_000).contains(&fine), "{fine} of {} were good", answered.len());
    let checked = system.rapport.views.check(&[], |_, _| ()).await.unwrap();
    for view in checked {
        assert!(view.differences.is_empty() && view.stopped.is_none(), "{view:?}");
    }
}

/// A request that is valid in most of its parts.
fn hostile(dice: &mut Dice) -> Ask {
    let mut ask = match dice.below(10) {
        0..4 => {
            let occurred_at = (dice.below(2) == 0).then(|| odd_text(dice));
            let (kind, id, body) = Step::rolled(dice).body(occurred_at);
            Ask::command(kind, id, &body)
        }
        4 => {
            let lines = 1 + dice.below(5);
            Ask::new("POST", "/commands", (0..lines).flat_map(|_| batch_line(dice)).collect::<Vec<u8>>())
        }
        5..8 => Ask::get(format!("/views/{}?{}", odd_view(dice), odd_query(dice))),
        8 => Ask::get(format!("/events?{}", odd_query(dice))),
        _ => {
            let method = *dice.pick(&["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"]);
            Ask::new(method, odd_path(dice), odd_bytes(dice))
        }
    };
    if dice.below(3) == 0 {
        damage(dice, &mut ask.body);
    }
    for _ in 0..dice.below(3) {
        let name = *dice.pick(&[
            "accept",
            "content-type",
            "idempotency-key",
            "if-match",
            "last-event-id",
            "cookie",
            "x-forwarded-for",
            "rapport-as",
            "content-encoding",
            "accept-encoding",
        ]);
        let value = match dice.below(4) {
            0 => odd_bytes(dice),
            1 => b"text/csv, text/event-stream;q=0.1".to_vec(),
            _ => odd_text(dice).into_bytes(),
        };
        ask.headers.push((name.to_owned(), value));
    }
    ask
}

fn batch_line(dice: &mut Dice) -> Vec<u8> {
    let (kind, id, mut body) = Step::rolled(dice).body(None);
    body["kind"] = kind.to_string().into();
    body["id"] = id.to_string().into();
    if dice.below(2) == 0 {
        body["key"] = dice.below(50).to_string().into();
    }
    if dice.below(5) == 0 {
        body["if_match"] = odd_value(dice, 0);
    }
    let mut line = body.to_string().into_bytes();
    if dice.below(4) == 0 {
        damage(dice, &mut line);
    }
    line.push(b'\n');
    line
}

/// Changes valid JSON a little, so that it stays valid or not.
fn damage(dice: &mut Dice, body: &mut Vec<u8>) {
    if dice.below(2) == 0
        && let Ok(mut value) = serde_json::from_slice::<Value>(body)
    {
        exchange(dice, &mut value);
        *body = value.to_string().into_bytes();
        return;
    }
    for _ in 0..=dice.below(3) {
        let place = usize::try_from(dice.below(body.len() as u64 + 1)).unwrap();
        match dice.below(4) {
            0 => body.truncate(place),
            1 => body.insert(place, u8::try_from(dice.below(256)).unwrap()),
            2 => drop(body.splice(place..place, odd_value(dice, 0).to_string().into_bytes())),
            _ => {
                if let Some(byte) = body.get_mut(place) {
                    *byte ^= 1 << dice.below(8);
                }
            }
        }
    }
}

/// Puts an odd value somewhere.
fn exchange(dice: &mut Dice, value: &mut Value) {
    match value {
        Value::Object(members) if !members.is_empty() && dice.below(5) > 0 => {
            let name = dice.pick(&members.keys().cloned().collect::<Vec<_>>()).clone();
            if dice.below(8) == 0 {
                members.insert(odd_text(dice), odd_value(dice, 0));
            }
            exchange(dice, &mut members[&name]);
        }
        Value::Array(items) if !items.is_empty() => {
            let place = usize::try_from(dice.below(items.len() as u64)).unwrap();
            exchange(dice, &mut items[place]);
        }
        other => *other = odd_value(dice, 0),
    }
}

fn odd_value(dice: &mut Dice, depth: u32) -> Value {
    match dice.below(12) {
        0 => Value::Null,
        1 => json!(dice.roll()),
        2 => json!(-i64::try_from(dice.roll() >> 1).unwrap()),
        3 => json!(1e300),
        4 => json!(0.1),
        5 => json!(i64::MAX),
        6 if depth < 3 => json!([odd_value(dice, depth + 1)]),
        7 if depth < 3 => json!({ odd_text(dice): odd_value(dice, depth + 1) }),
        8 => {
            // Deeper than any reader of JSON follows.
            let deep = 1 + dice.below(300);
            (0..deep.min(120)).fold(json!({}), |inner, _| json!({ "a": inner }))
        }
        9 => json!("x".repeat(usize::try_from(dice.below(3_000)).unwrap())),
        _ => json!(odd_text(dice)),
    }
}

fn odd_text(dice: &mut Dice) -> String {
    let texts = [
        "",
        " ",
        "0",
        "-1",
        "1e9",
        "99999999999999999999",
        "NaN",
        "null",
        "true",
        "\u{0}",
        "a\nb",
        "\u{202e}\u{feff}",
        "💥",
        "%00",
        "' OR 1=1 --",
        "../../etc/passwd",
        "2020-02-30",
        "2017-06-30",
        "0000-00-00T00:00:00Z",
        "9999-12-31T23:59:60Z",
        "-0001-01-01T00:00:00Z",
        "+262142-12-31T23:59:59Z",
        "2016-02-29T23:59:59.999999999+14:00",
        "1969-12-31T23:59:59.9999999Z",
        "2017-Q2",
        "2017-Q9",
        "2017",
        "99999-12",
        "USD",
        "won",
        "00000000-0000-0000-0000-000000000000",
        "contact-00000000-0000-0000-0000-000000000001",
        "deal/ffffffff-ffff-ffff-ffff-ffffffffffff",
        "\"",
        "\"3\"",
        "W/\"3\"",
    ];
    (*dice.pick(&texts)).to_owned()
}

fn odd_bytes(dice: &mut Dice) -> Vec<u8> {
    (0..dice.below(64)).map(|_| u8::try_from(dice.below(256)).unwrap()).collect()
}

fn odd_view(dice: &mut Dice) -> String {
    let views = projections::descriptions();
    if dice.below(20) == 0 { encoded(&odd_text(dice)) } else { dice.pick(&views).name.to_owned() }
}

fn odd_query(dice: &mut Dice) -> String {
    let names = [
        "after",
        "as_of",
        "known_at",
        "cursor",
        "limit",
        "by",
        "show",
        "stage",
        "owner",
        "opened",
        "closed",
        "period",
        "from",
        "to",
        "id",
        "name",
        "contact",
        "stream",
        "order",
        "kind",
        "subject",
        "donor",
        "fund",
        "year",
        "received",
        "years_ago",
        "days_back",
        "on",
        "depth",
        "gathering",
        "tag",
        "email",
        "form",
        "conversation",
        "at",
        "state",
    ];
    let pairs = (0..dice.below(4)).map(|_| {
        let name = *dice.pick(&names);
        match dice.below(8) {
            0 => encoded(&odd_text(dice)),
            1 => format!(
                "{name}={}",
                dice.pick(&["deals", "donor", "rollups", "retention", "month", "newest", "all"])
            ),
            2 => format!("{name}={}", dice.below(40)),
            3 => format!("{name}=%f{}", dice.below(10)),
            _ => format!("{name}={}", encoded(&odd_text(dice))),
        }
    });
    pairs.collect::<Vec<_>>().join("&")
}

fn odd_path(dice: &mut Dice) -> String {
    let parts = [
        "commands",
        "views",
        "events",
        "tokens",
        "docs",
        "metrics",
        "openapi.json",
        "health",
        "ready",
        "gift",
        "..",
        "",
    ];
    let part = |dice: &mut Dice| match dice.below(3) {
        0 => encoded(&odd_text(dice)),
        _ => (*dice.pick(&parts)).to_owned(),
    };
    (0..=dice.below(4)).map(|_| format!("/{}", part(dice))).collect()
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}

#[test]
fn garbage_on_the_wire_costs_nobody_else_anything() {
    let folder = tempfile::tempdir().unwrap();
    let token = printed(folder.path(), &["token", "create", "ann", "--role", "staff"]);
    let served = Served::start(folder.path());
    let mut steady = Client::connect(served.address, token.trim()).unwrap();
    let mut dice = Dice(7);
    for round in 0..100 {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(served.address).unwrap();
        let mut bytes = match dice.below(5) {
            0 => b"GET /views HTTP/1.1\r\n".to_vec(),
            1 => b"POST /commands HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999\r\n\r\n".to_vec(),
            2 => b"POST /commands HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n".to_vec(),
            3 => format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(100_000)).into_bytes(),
            _ => Vec::new(),
        };
        bytes.extend(odd_bytes(&mut dice));
        // It may be hung up on before all is said.
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        stream.set_read_timeout(Some(crate::harness::TEST_TIMEOUT)).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 5"), "round {round}: {}", String::from_utf8_lossy(&answer));
        assert_eq!(steady.ask(&Ask::get("/views")).unwrap().status, 200, "round {round}");
    }
}
