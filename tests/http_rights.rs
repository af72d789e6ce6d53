//! Who may do what, by a table: every route and every command with every role, without a token and with one
//! that was revoked. What is not granted is refused and leaves the log as it was.

use std::collections::BTreeSet;

use domain::{
    Kind,
    Role::{self, Admin, Auditor, Fundraiser, Intake, Staff},
};
use serde_json::{Value, json};

use crate::{
    harness::{Ask, System, id, send},
    known::{default_query, known, thing},
};

const ALL: &[Role] = &Role::ALL;
const READERS: &[Role] = &[Admin, Staff, Auditor];

/// A route as OpenAPI writes it, a request to it, and the roles that may send it.
struct Row {
    route: &'static str,
    ask: Ask,
    roles: &'static [Role],
}

fn row(
    route: &'static str,
    roles: &'static [Role],
    path: impl Into<String>,
    body: impl Into<Vec<u8>>,
) -> Row {
    let method = route.split(' ').next().unwrap();
    Row { route, ask: Ask::new(method, path, body), roles }
}

/// Every route that wants a token, but for commands and views, which have tables of their own.
fn routes() -> Vec<Row> {
    let everywhere = |route, roles| {
        let path = String::from(str::split(route, ' ').nth(1).unwrap());
        row(route, roles, path, "")
    };
    vec![
        // Each line is judged by itself, as a line of its own test says.
        everywhere("POST /commands", ALL),
        everywhere("GET /views", ALL),
        everywhere("GET /events", READERS),
        row("GET /views/{name}/why", READERS, "/views/pipeline/why", ""),
        row("GET /history/{kind}/{id}", READERS, history(""), ""),
        row("GET /history/{kind}/{id}/compare", READERS, history("/compare?from=1&to=2&time=known_at"), ""),
        row("GET /history/{kind}/{id}/why", READERS, history("/why?field=name"), ""),
        everywhere("GET /openapi.json", ALL),
        everywhere("GET /docs", ALL),
        everywhere("GET /metrics", READERS),
        everywhere("GET /tokens", &[Admin]),
        row("POST /tokens", &[Admin], "/tokens", r#"{"name":"new","role":"staff"}"#),
        row(
            "POST /unsubscribe-links",
            &[Admin, Staff],
            "/unsubscribe-links",
            r#"{"contact":"5f0c0e6e-7a4e-4c39-b1a5-0d8d5a1f9f11","purpose":"newsletter","channel":"email"}"#,
        ),
        row("DELETE /tokens/{name}", &[Admin], "/tokens/new", ""),
        row("POST /admin/rebuild", &[Admin, Staff], "/admin/rebuild", r#"{"views":["pipeline"]}"#),
        everywhere("POST /admin/keys", &[Admin]),
        // Only through the socket; over a token it says so.
        row("POST /admin/backup", &[Admin], "/admin/backup", r#"{"to":"/nowhere"}"#),
        row("GET /erasures/{contact}", &[Admin, Auditor], format!("/erasures/{}", id(Kind::Contact, 99)), ""),
        row("POST /admin/check", READERS, "/admin/check", r#"{"views":["pipeline"]}"#),
        everywhere("POST /admin/checkpoint", &[Admin, Staff]),
        everywhere("GET /ledger/checkpoint", ALL),
        everywhere("GET /ledger/key", ALL),
        row("GET /ledger/tile/{tile}", READERS, "/ledger/tile/0/000.p/1", ""),
        row("GET /ledger/inclusion", READERS, "/ledger/inclusion?position=9999", ""),
        row("GET /ledger/consistency", READERS, "/ledger/consistency?from=1&to=1", ""),
        row("POST /ledger/proofs", READERS, "/ledger/proofs", r#"{"positions":[]}"#),
    ]
}

fn history(what: &str) -> String {
    format!("/history/contact/{}{what}", id(Kind::Contact, 1))
}

/// Who may ask which view; a view that is not named here says so itself.
fn readers(view: &str) -> &'static [Role] {
    match view {
        // Rows about people are not for fundraisers, who see cells and donors.
        "contacts" | "history" | "conversations" | "duplicates" | "erasures" => &[Admin, Staff, Auditor],
        "disclosures" => &[Admin, Auditor],
        "pipeline" | "giving" | "engagement" | "leads" => &[Admin, Staff, Fundraiser, Auditor],
        _ => projections::descriptions().into_iter().find(|known| known.name == view).unwrap().readers,
    }
}

/// Which routes need no token.
const OPEN: &[&str] =
    &["GET /health/live", "GET /health/ready", "GET /unsubscribe/{token}", "POST /unsubscribe/{token}"];

/// Everything a role may or may not send.
fn everything() -> Vec<Row> {
    let mut rows = routes();
    for command in known() {
        let body = json!({ command.name: (command.fields)(1) });
        let ask = Ask::command(command.kind, thing(command.kind, 3), &body);
        rows.push(Row { route: "POST /commands/{kind}/{id}", ask, roles: command.roles });
    }
    for view in projections::descriptions() {
        let (path, query) = (format!("/views/{}", view.name), default_query(view.name));
        rows.push(row("GET /views/{name}", readers(view.name), format!("{path}?{query}"), ""));
        rows.push(row("POST /views/{name}", readers(view.name), path, query));
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_lacks_the_right_is_refused_and_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    let gone = system.ask(Ask::post("/tokens", &json!({ "name": "gone", "role": "admin" }))).await.good();
    let gone = gone.json()["token"].as_str().unwrap().to_owned();
    system.ask(Ask::new("DELETE", "/tokens/gone", "")).await.good();
    for row in everything() {
        let body = String::from_utf8_lossy(&row.ask.body).into_owned();
        let label = format!("{} {} {body}", row.ask.method, row.ask.path);
        let head = system.head();
        let anonymous = send(&system.router, &row.ask).await.unwrap();
        assert_eq!(anonymous.status, 401, "without a token: {label}");
        assert_eq!(anonymous.headers["www-authenticate"], "Bearer realm=\"rapport\"");
        for token in [gone.as_str(), "", "rapport_0", "\u{e9}"] {
            let stranger = send(&system.router, &row.ask.clone().token(token)).await.unwrap();
            assert_eq!(stranger.status, 401, "with the token `{token}`: {label}");
        }
        // The weakest first, so that what is asked for is still there for those who may.
        for role in ALL.iter().rev().filter(|role| !row.roles.contains(role)) {
            let refused = system.ask_as(*role, row.ask.clone()).await;
            assert_eq!(refused.status, 403, "{role}: {label}: {}", refused.text());
            assert_eq!(refused.json()["type"], "urn:rapport:problem:forbidden");
        }
        assert_eq!(system.head(), head, "somebody without the right wrote: {label}");
        for role in row.roles {
            let answered = system.ask_as(*role, row.ask.clone()).await;
            let understood = matches!(answered.status, 200..=299 | 404 | 422);
            assert!(understood, "{role}: {label}: {} {}", answered.status, answered.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_command_and_view_has_its_row() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    let document = system.ask(Ask::get("/openapi.json")).await.good().json();
    let mut documented = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            documented.insert(format!("{} {}", method.to_uppercase(), general(path)));
        }
    }
    let tested: BTreeSet<String> =
        everything().iter().map(|row| row.route).chain(OPEN.iter().copied()).map(str::to_owned).collect();
    assert_eq!(documented, tested);

    let kinds = system.rapport.commands.describe();
    let described: BTreeSet<_> = kinds
        .iter()
        .flat_map(|kind| kind.commands.iter().map(|(name, roles)| (kind.kind, *name, sorted(roles))))
        .collect();
    let tested: BTreeSet<_> =
        known().iter().map(|command| (command.kind, command.name, sorted(command.roles))).collect();
    assert_eq!(
        described, tested,
        "register the kind in commands/src/lib.rs and say its commands in tests/known.rs"
    );
    for view in projections::descriptions() {
        assert_eq!(sorted(view.readers), sorted(readers(view.name)), "{}", view.name);
    }
}

/// The path of a route: documents may write out a route of each kind and view.
fn general(path: &str) -> String {
    let views: Vec<String> =
        projections::descriptions().iter().map(|view| format!("/views/{}", view.name)).collect();
    if views.iter().any(|view| view == path) {
        return "/views/{name}".to_owned();
    }
    let kinds: Vec<String> = Kind::ALL.iter().map(|kind| format!("/commands/{kind}/{{id}}")).collect();
    if kinds.iter().any(|kind| kind == path) { "/commands/{kind}/{id}".to_owned() } else { path.to_owned() }
}

fn sorted(roles: &[Role]) -> Vec<&'static str> {
    let mut names: Vec<_> = roles.iter().map(|role| role.name()).collect();
    names.sort_unstable();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn each_line_of_a_batch_is_judged_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    for (number, role) in (1..).zip(ALL) {
        let lines = [
            json!({ "kind": "contact", "id": id(Kind::Contact, number), "register": { "form": "person" } }),
            json!({ "kind": "gift", "id": id(Kind::Gift, number), "receive": { "amount": { "minor": 1, "currency": "USD" } } }),
            json!({ "kind": "setting", "id": thing(Kind::Setting, 0), "choose_fiscal_year": { "first_month": number } }),
        ];
        let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let answer = system.ask_as(*role, Ask::new("POST", "/commands", body)).await.good();
        let statuses: Vec<_> = answer.lines().iter().map(|line| line["status"].as_u64().unwrap()).collect();
        let expected = match role {
            Admin => [200, 200, 200],
            Staff => [200, 200, 403],
            Fundraiser => [403, 200, 403],
            Auditor => [403, 403, 403],
            Intake => [200, 403, 403],
        };
        assert_eq!(statuses, expected, "{role}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_views_names_only_those_that_the_caller_may_ask() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    for role in ALL {
        let listed = system.ask_as(*role, Ask::get("/views")).await.good().json();
        let listed: Vec<&str> =
            listed["views"].as_array().unwrap().iter().map(|view| view["name"].as_str().unwrap()).collect();
        let may = |view: &&str| readers(view).contains(role);
        let expected: Vec<&str> =
            projections::descriptions().iter().map(|view| view.name).filter(may).collect();
        assert_eq!(listed, expected, "{role}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_works_until_the_moment_it_is_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    let granted = system.ask(Ask::post("/tokens", &json!({ "name": "ann", "role": "staff" }))).await.good();
    let token = granted.json()["token"].as_str().unwrap().to_owned();
    let views = Ask::get("/views").token(&token);
    assert_eq!(send(&system.router, &views).await.unwrap().status, 200);
    let again = system.ask(Ask::post("/tokens", &json!({ "name": "ann", "role": "admin" }))).await;
    assert_eq!((again.status, &again.json()["type"]), (422, &json!("urn:rapport:problem:token/taken")));
    assert_eq!(system.ask(Ask::new("DELETE", "/tokens/ann", "")).await.status, 204);
    assert_eq!(send(&system.router, &views).await.unwrap().status, 401);
    assert_eq!(system.ask(Ask::new("DELETE", "/tokens/ann", "")).await.status, 404);
    let history = system.ask(Ask::get("/events?kind=member")).await.good().json();
    let tags: Vec<&Value> = history.as_array().unwrap().iter().map(|event| &event["type"]).collect();
    let expected = ["member.joined", "member.token_granted", "member.token_revoked"];
    assert_eq!(tags, expected.map(|tag| format!("rapport.{tag}.v1")).iter().collect::<Vec<_>>());
    assert!(!history.to_string().contains(&token), "the secret of a token is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_write_under_a_name_can_be_read_under_it() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    let names = [
        "é".repeat(51),
        "é".repeat(100),
        "é".repeat(101),
        "a\u{2028}b".into(),
        "\u{202e}a".into(),
        "a:b/c".into(),
        " a".into(),
        format!("a{}", " ".repeat(300)),
        "a\nb".into(),
        String::new(),
    ];
    for (number, name) in (1..).zip(&names) {
        let register = json!({ "register": { "form": "person" } });
        let (granted, imported) = (id(Kind::Contact, number), id(Kind::Contact, number + 100));
        let grant = system.ask(Ask::post("/tokens", &json!({ "name": name, "role": "staff" }))).await;
        if grant.status == 400 {
            assert_eq!(grant.json()["field"], "name");
            assert!(
                system.rapport.tokens.all().iter().all(|token| token.name != *name),
                "refused and granted"
            );
        } else {
            let token = grant.good().json()["token"].as_str().unwrap().to_owned();
            let ask = Ask::command(Kind::Contact, granted, &register).token(&token);
            send(&system.router, &ask).await.unwrap().good();
            check_writer(&system, &format!("member:{name}")).await;
        }
        let mut from_a_source = register;
        from_a_source["source"] = json!({ "name": name });
        let answer = system.ask(Ask::command(Kind::Contact, imported, &from_a_source)).await;
        if answer.status == 400 {
            assert_eq!(answer.json()["field"], "source.name");
        } else {
            answer.good();
            check_writer(&system, &format!("import:{name}")).await;
        }
    }
}

/// The last event was written under this name, and every view has seen it.
async fn check_writer(system: &System, name: &str) {
    let before = system.head().0 - 1;
    let events = system.ask(Ask::get(format!("/events?from={before}"))).await.good().json();
    assert_eq!(events[0]["by"], name);
    for view in projections::descriptions() {
        let after = system.head();
        let path = format!("/views/{}?{}&after={after}", view.name, default_query(view.name));
        assert!(matches!(system.ask(Ask::get(path)).await.status, 200 | 404), "{}: {name}", view.name);
    }
}
