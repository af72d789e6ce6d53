//! What happened to somebody, step by step: what each step changed, two moments compared, and why it is so.

use std::collections::{BTreeMap, HashMap};

use commands::{BatchLine, Command, Sender};
use domain::{Actor, ContactId, Kind, Role};
use intake::{Campus, Demo};
use serde_json::{Value, json};

use crate::{
    harness::{Ask, Dice, System, id, printed},
    known::{Step, writable_kinds},
};

fn path(kind: Kind, number: u64) -> String {
    format!("/history/{kind}/{}", id(kind, number))
}

async fn get(system: &System, path: &str) -> Value {
    let joined = if path.contains('?') { '&' } else { '?' };
    system.ask(Ask::get(format!("{path}{joined}after={}", system.head()))).await.good().json()
}

fn rows(answer: &Value) -> &[Value] {
    answer["rows"].as_array().unwrap()
}

/// Values in words.
fn words(values: &Value) -> String {
    let word = |value: &Value| {
        if value["forgotten"] == true {
            "(erased)".into()
        } else {
            value["text"].as_str().unwrap().to_owned()
        }
    };
    values.as_array().unwrap().iter().map(word).collect::<Vec<_>>().join(", ")
}

/// The changes of a step in words.
fn changes(step: &Value) -> Vec<String> {
    let change = |change: &Value| {
        let label = change["label"].as_str().unwrap();
        format!("{label}: {} → {}", words(&change["before"]), words(&change["after"]))
    };
    step["changes"].as_array().unwrap().iter().map(change).collect()
}

async fn at(system: &System, kind: Kind, number: u64, day: &str, mut body: Value) {
    body["occurred_at"] = format!("{day}T12:00:00Z").into();
    system.command(kind, id(kind, number), body).await;
}

/// A customer whose deal was imported, corrected and won.
async fn told(system: &System) {
    let zoe = id(Kind::Contact, 1);
    let ann = json!({ "join": { "name": "Ann Office", "region": "West" } });
    at(system, Kind::Member, 1, "2024-01-01", ann).await;
    at(system, Kind::Contact, 1, "2024-01-02", json!({ "register": { "form": "person", "name": "Zoë" } }))
        .await;
    let open = json!({
        "open": { "contact": zoe, "owner": id(Kind::Member, 1), "stage": "Proposal",
                  "value": { "minor": 90_000, "currency": "USD" } },
        "source": { "name": "crm", "file": "deals.csv", "line": 7 },
    });
    at(system, Kind::Deal, 1, "2024-01-05", open).await;
    at(
        system,
        Kind::Contact,
        1,
        "2024-01-10",
        json!({ "rename": { "name": "Zoë Quill" }, "reason": "married" }),
    )
    .await;
    at(system, Kind::Deal, 1, "2024-02-01", json!({ "convert": {} })).await;
    let correct =
        json!({ "correct": { "value": { "minor": 85_000, "currency": "USD" } }, "reason": "a typo" });
    at(system, Kind::Deal, 1, "2024-02-02", correct).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_says_what_it_changed_who_says_so_and_from_which_file() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    told(&system).await;
    let answer = get(&system, &path(Kind::Contact, 1)).await;
    let told: Vec<_> =
        rows(&answer).iter().map(|step| (step["tag"].as_str().unwrap(), changes(step))).collect();
    insta::assert_debug_snapshot!(told);
    assert_eq!(answer["name"]["text"], "Zoë Quill");
    let opened = &rows(&answer)[1];
    // A job names itself and for whom it works, and where each fact comes from.
    assert_eq!((&opened["by"], &opened["on_behalf_of"]), (&json!("import:crm"), &json!("member:admin")));
    assert_eq!((&opened["file"], &opened["line"]), (&json!("deals.csv"), &json!(7)));
    let corrected = rows(&answer).last().unwrap();
    assert_eq!(corrected["corrected"]["event"], corrected["corrects"]);
    assert_eq!(corrected["corrected"]["revision"], 1);
    let standing: Vec<_> =
        answer["standing"].as_array().unwrap().iter().map(|one| words(&one["values"])).collect();
    assert_eq!(standing, ["Zoë Quill", "person"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_in_the_middle_knows_what_was_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    told(&system).await;
    let zoe = id(Kind::Contact, 1);
    for gathering in 1..=3 {
        let schedule = json!({ "schedule": { "name": format!("Evening {gathering}"), "type": "class" } });
        at(&system, Kind::Gathering, gathering, "2024-03-01", schedule).await;
        for (contact, what) in [(zoe, "register"), (id(Kind::Contact, 9), "register"), (zoe, "attend")] {
            at(&system, Kind::Gathering, gathering, "2024-03-02", json!({ what: { "contact": contact } }))
                .await;
        }
    }
    let whole = get(&system, &path(Kind::Contact, 1)).await;
    let mut paged = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = get(&system, &format!("{}?limit=2{cursor}", path(Kind::Contact, 1))).await;
        paged.extend(rows(&page).to_vec());
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(rows(&whole), paged);
    let voided = json!({ "void_presence": { "contact": zoe } });
    at(&system, Kind::Gathering, 1, "2024-03-03", voided).await;
    let last =
        get(&system, &format!("{}?limit=1&cursor={}", path(Kind::Contact, 1), last_cursor(&system).await))
            .await;
    assert_eq!(changes(&rows(&last)[0]), ["presence of Zoë Quill: attended → "]);
}

/// The cursor after which only the last step comes.
async fn last_cursor(system: &System) -> String {
    let all = get(system, &path(Kind::Contact, 1)).await;
    let before = rows(&all).len() - 1;
    let page = get(system, &format!("{}?limit={before}", path(Kind::Contact, 1))).await;
    page["next"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_times_are_respected() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    told(&system).await;
    let size = system.head();
    // Learnt today, so a long time ago.
    at(&system, Kind::Contact, 1, "2024-01-11", json!({ "tag": { "tag": "alumni" } })).await;
    let steps = async |times: &str| get(&system, &format!("{}?{times}", path(Kind::Contact, 1))).await;
    let early = steps("as_of=2024-01-06").await;
    assert_eq!((rows(&early).len(), &early["name"]["text"]), (2, &json!("Zoë")));
    assert_eq!(rows(&steps("as_of=2024-01-12").await).len(), 4);
    assert_eq!(rows(&steps(&format!("as_of=2024-01-12&known_at={size}")).await).len(), 3);
    let known = steps(&format!("known_at={size}")).await;
    assert_eq!((rows(&known).len(), &known["log"]["size"]), (5, &json!(size)));

    let why = async |field: &str, times: &str| {
        get(&system, &format!("{}/why?field={field}{times}", path(Kind::Contact, 1))).await
    };
    assert_eq!(words(&why("name", "").await["values"]), "Zoë Quill");
    assert_eq!(words(&why("name", "&as_of=2024-01-09").await["values"]), "Zoë");
    let email = json!({ "link_identity": { "platform": "email", "handle": "zoe@example.org" } });
    at(&system, Kind::Contact, 1, "2024-03-01", email).await;
    let newsletter = json!({ "purpose": "newsletter", "channel": "email", "basis": "consent" });
    at(&system, Kind::Contact, 1, "2024-03-01", json!({ "give_consent": newsletter })).await;
    assert_eq!(words(&why("email", "").await["values"]), "zoe@example.org");
    assert_eq!(words(&why("newsletter+by+email", "").await["values"]), "given");
    let unknown = Ask::get(format!("{}/why?field=tag%20alumni&known_at={size}", path(Kind::Contact, 1)));
    let unknown = system.ask(unknown).await;
    assert_eq!((unknown.status, &unknown.json()["field"]), (400, &json!("field")));
    let never = system.ask(Ask::get(format!("{}/why?field=name", path(Kind::Contact, 99)))).await;
    assert_eq!(never.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_moments_are_compared_in_either_time() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    told(&system).await;
    let size = system.head().0;
    at(&system, Kind::Contact, 1, "2024-01-11", json!({ "tag": { "tag": "alumni" } })).await;
    let compare =
        async |query: &str| get(&system, &format!("{}/compare?{query}", path(Kind::Contact, 1))).await;
    let in_words = |answer: &Value| -> Vec<String> {
        answer["things"].as_array().unwrap().iter().flat_map(changes).collect()
    };
    for same in ["from=2024-01-06&to=2024-01-06", "from=3&to=3&time=known_at"] {
        let nothing = compare(same).await;
        assert_eq!((&nothing["things"], &nothing["rows"]), (&json!([]), &json!([])), "{same}");
    }
    let between = compare("from=2024-01-06&to=2024-02-01").await;
    assert_eq!(
        in_words(&between),
        [
            "name: Zoë → Zoë Quill",
            "tag alumni:  → yes",
            "stage: Proposal → Won",
            "closed:  → 2024-02-01 12:00 UTC"
        ]
    );
    assert_eq!(rows(&between).len(), 3);
    let as_known = compare(&format!("from=2024-01-06&to=2024-02-01&known_at={size}")).await;
    assert_eq!(in_words(&as_known).len(), 3, "the tag was not known then");
    let learnt = compare(&format!("from={size}&to={}&time=known_at", size + 1)).await;
    assert_eq!(in_words(&learnt), ["tag alumni:  → yes"]);
    let backwards = Ask::get(format!("{}/compare?from=2024-02-01&to=2024-01-06", path(Kind::Contact, 1)));
    assert_eq!(system.ask(backwards).await.status, 400);
    let twice = Ask::get(format!(
        "{}/compare?from=2024-01-01&to=2024-01-06&as_of=2024-01-01",
        path(Kind::Contact, 1)
    ));
    assert_eq!(system.ask(twice).await.json()["field"], "as_of");
}

/// A life in which much happens to a few things of every kind. What happens to one kind does not depend on which others
/// there are.
async fn live(system: &System, steps_per_kind: usize) {
    let sender = || Sender { by: Actor::Member("ann".to_owned()), role: Role::Admin, system: false };
    let kinds = writable_kinds();
    let mut dice: Vec<Dice> = kinds
        .iter()
        .map(|kind| Dice(kind.word().bytes().fold(11, |seed, byte| seed * 31 + u64::from(byte))))
        .collect();
    let mut commands = Vec::new();
    for number in 0..steps_per_kind {
        let day = format!("2020-{:02}-{:02}T08:00:00Z", 1 + number % 12, 1 + number % 28);
        for (kind, dice) in kinds.iter().zip(&mut dice) {
            let step = Step::rolled_for(*kind, dice);
            let (kind, id, body) = step.body(number.is_multiple_of(3).then(|| day.clone()));
            let body = commands::Body::parse(body.to_string().as_bytes()).unwrap();
            commands.push(Command { kind, id, body, sender: sender(), key: None, if_match: None });
        }
    }
    // Some are refused, as in life.
    system.rapport.commands.execute_all(commands).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn why_names_the_last_change_of_the_field_in_any_life() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    live(&system, 270).await;
    let mut asked = 0;
    for kind in Kind::ALL {
        for number in 0..3 {
            let of_one = format!("/history/{kind}/{}", crate::known::thing(*kind, number));
            let answered = system.ask(Ask::get(format!("{of_one}?limit=1000&after={}", system.head()))).await;
            if answered.status == 404 {
                continue;
            }
            let answer = answered.good().json();
            let stream = &answer["thing"];
            // Old and new are never logged as the same, unless the event repeats what was so.
            let mut last = HashMap::new();
            for step in rows(&answer).iter().filter(|step| step["stream"] == *stream) {
                for change in step["changes"].as_array().unwrap() {
                    assert_eq!(change["before"] == change["after"], change["unchanged"] == true, "{step}");
                    if change["unchanged"] != true {
                        last.insert(
                            change["field"].as_str().unwrap().to_owned(),
                            (step.clone(), change.clone()),
                        );
                    }
                }
            }
            for standing in answer["standing"].as_array().unwrap().iter().take(6) {
                let field = standing["field"].as_str().unwrap();
                let query = field.replace(' ', "+").replace('&', "%26");
                let why = get(&system, &format!("{of_one}/why?field={query}")).await;
                let Some((step, change)) = last.get(field) else { continue };
                assert_eq!(why["event"]["position"], step["position"], "{field} of {stream}");
                assert_eq!(why["values"], change["after"]);
                assert_eq!(why["values"], standing["values"]);
                asked += 1;
            }
        }
    }
    assert!(asked > 50, "only {asked} fields were asked about");
}

/// The demo's organisation, small.
async fn campus(system: &System) {
    let sender = Sender { by: Actor::Member("demo".to_owned()), role: Role::Admin, system: false };
    let lines: Vec<String> = Demo::new(Campus::new(60, 1)).collect();
    for batch in lines.chunks(2_000) {
        let command = |line: &String| {
            let BatchLine { kind, id, body, key, if_match } = BatchLine::parse(line.as_bytes()).unwrap();
            Command { kind, id, body, sender: sender.clone(), key, if_match }
        };
        for answer in system.rapport.commands.execute_all(batch.iter().map(command).collect()).await {
            answer.unwrap();
        }
    }
}

/// Every thing behind a cell, page after page.
async fn behind(system: &System, view: &str, query: &str) -> (i64, BTreeMap<String, Value>) {
    let (mut found, mut cursor, mut count) = (BTreeMap::new(), String::new(), 0);
    loop {
        let page = get(system, &format!("/views/{view}/why?{query}&limit=7{cursor}")).await;
        count = page["count"].as_i64().unwrap().max(count);
        for row in rows(&page) {
            let twice = found.insert(row["thing"].as_str().unwrap().to_owned(), row["event"].clone());
            assert!(twice.is_none(), "{} is behind the cell twice", row["thing"]);
        }
        let Some(next) = page["next"].as_str() else { return (count, found) };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_every_cell_stand_as_many_things_as_it_counts() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    campus(&system).await;
    live(&system, 140).await;
    let views: [(&str, &str, &[&str]); 3] = [
        ("pipeline", "deals", &["stage", "owner", "team", "region", "product", "opened", "closed"]),
        ("leads", "captured", &["source", "owner", "status", "month"]),
        ("giving", "gifts", &["year", "month", "fund", "campaign", "method", "stage"]),
    ];
    let mut cells = 0;
    for (view, counted, groups) in views {
        for by in groups {
            let answer = system.view(view, &format!("by={by}&limit=1000")).await;
            for cell in rows(&answer).iter().take(12) {
                let group = cell["group"].as_str().unwrap().replace(' ', "+").replace('&', "%26");
                let (count, things) = behind(&system, view, &format!("by={by}&group={group}")).await;
                assert_eq!(cell[counted].as_i64().unwrap(), count, "{view} by={by}: {cell}");
                assert_eq!(count, i64::try_from(things.len()).unwrap(), "{view} by={by}: {cell}");
                cells += 1;
            }
        }
    }
    assert!(cells > 60, "only {cells} cells were looked behind");
    let (count, _) = behind(&system, "pipeline", "").await;
    assert_eq!(system.view("pipeline", "").await["totals"]["deals"], json!(count));
    assert_eq!(system.ask(Ask::get("/views/history/why?contact=1")).await.status, 400);
    assert_eq!(system.ask(Ask::get("/views/pipeline?group=West")).await.json()["field"], "group");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_event_that_put_a_deal_into_a_region_may_be_the_move_of_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    told(&system).await;
    let (count, things) = behind(&system, "pipeline", "by=region&group=West").await;
    assert_eq!(count, 1);
    let deal = format!("deal-{}", id(Kind::Deal, 1));
    assert_eq!(things[&deal]["tag"], "deal.corrected", "its figures are what the correction says");
    at(&system, Kind::Member, 1, "2024-03-01", json!({ "move": { "region": "East" } })).await;
    assert_eq!(behind(&system, "pipeline", "by=region&group=West").await.0, 0);
    let (_, things) = behind(&system, "pipeline", "by=region&group=East").await;
    assert_eq!(things[&deal]["tag"], "member.moved");
    let (_, things) = behind(&system, "pipeline", "by=region&group=West&as_of=2024-02-15").await;
    assert_eq!(things[&deal]["tag"], "deal.corrected");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_forgotten_is_forgotten_here_too_but_not_that_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    told(&system).await;
    system.rapport.log.keys().destroy_owned_by(ContactId(id(Kind::Contact, 1))).unwrap();
    let answer = get(&system, &path(Kind::Contact, 1)).await;
    assert_eq!(changes(&rows(&answer)[2]), ["name: (erased) → (erased)"]);
    assert_eq!((&answer["name"]["forgotten"], &answer["name"]["text"]), (&json!(true), &Value::Null));
    assert!(changes(&rows(&answer)[1]).contains(&"contact:  → (erased)".to_owned()));
    let changed = &answer.to_string();
    let steps: String = rows(&answer).iter().map(|step| step["changes"].to_string()).collect();
    assert!(!steps.contains("Zoë"), "{changed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_who_reads_a_journey_has_been_recorded_before() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    told(&system).await;
    let (zoe, head) = (id(Kind::Contact, 1), system.head());
    for (path, query) in [
        (format!("{}?as_of=2024-01-06", path(Kind::Contact, 1)), format!("contact={zoe}&as_of=2024-01-06")),
        (format!("{}/why?field=name", path(Kind::Contact, 1)), format!("contact={zoe}")),
        (
            format!("{}/compare?from=2024-01-01&to=2024-03-01", path(Kind::Contact, 1)),
            format!("contact={zoe}"),
        ),
        ("/views/pipeline/why?by=region".to_owned(), "at=6".to_owned()),
    ] {
        let before = system.head();
        system.ask_as(Role::Auditor, Ask::get(path)).await.good();
        assert_eq!(system.head().0, before.0 + 1);
        let seen = system.view("disclosures", &format!("contact={zoe}&limit=1")).await;
        let seen = &rows(&seen)[0];
        assert_eq!((&seen["view"], &seen["query"]), (&json!("history"), &json!(query)));
    }
    system.ask_as(Role::Staff, Ask::get(path(Kind::Contact, 1))).await.good();
    assert_eq!(system.head().0, head.0 + 4, "staff are not recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_written_as_a_page_to_be_filed() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    told(&system).await;
    let hostile =
        json!({ "rename": { "name": "<script>alert(1)</script> & Söhne" }, "reason": "a \"test\" <b>" });
    at(&system, Kind::Contact, 1, "2024-04-01", hostile).await;
    system.close().await;
    let (subject, file) = (format!("contact/{}", id(Kind::Contact, 1)), folder.path().join("zoe.html"));
    printed(folder.path(), &["history", &subject, "--html", file.to_str().unwrap()]);
    let page = std::fs::read_to_string(&file).unwrap();
    assert!(!page.contains("<script") && !page.contains("<b>\"") && !page.contains("http://"), "{page}");
    let (body, foot) = page.split("<body>").nth(1).unwrap().split_once("<footer>").unwrap();
    // The day on which the facts were learnt is today.
    let mut parts = body.split("learnt ");
    let first = parts.next().unwrap().to_owned();
    let body = parts.fold(first, |text, part| text + "learnt DAY" + &part["2024-01-01".len()..]);
    insta::assert_snapshot!(body.replace("</li>", "</li>\n").replace("<h2>", "\n<h2>"));
    for word in ["Written for <b>tester</b>", "the first <b>7</b> events of the log", "rapport verify"] {
        assert!(foot.contains(word), "{word}: {foot}");
    }
    // The checkpoint at its foot, copied into a file of its own, proves the log.
    let checkpoint = foot.split("<pre>").nth(1).unwrap().split("</pre>").next().unwrap();
    let kept = folder.path().join("kept.txt");
    std::fs::write(&kept, checkpoint).unwrap();
    let proven = printed(folder.path(), &["verify", "--checkpoint", kept.to_str().unwrap()]);
    assert!(
        proven.contains("PROVEN: the first 7 events") || proven.contains("PROVEN: the first 8"),
        "{proven}"
    );
    // That somebody took it away as a file is recorded.
    let seen = printed(folder.path(), &["disclosures", &subject]);
    assert!(seen.contains("export") && seen.contains("member:tester"), "{seen}");

    let text = printed(folder.path(), &["history", &subject, "--changes"]);
    assert!(text.contains("name  Zoë → Zoë Quill") && text.contains("from: deals.csv, line 7"), "{text}");
    let deal = format!("deal/{}", id(Kind::Deal, 1));
    let text = printed(folder.path(), &["why", &deal, "value"]);
    assert!(text.contains("value: 850.00 USD") && text.contains("because: a typo"), "{text}");
    let text = printed(folder.path(), &["why", "view", "pipeline", "by=stage", "group=Won"]);
    assert!(text.contains("1 behind this cell") && text.contains(&deal), "{text}");
    let text = printed(folder.path(), &["history", &subject, "--compare", "2024-01-06", "2024-01-20"]);
    assert!(text.contains("Zoë → Zoë Quill"), "{text}");
}
