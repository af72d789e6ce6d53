//! Forgetting: what was erased is in no file, whatever was copied, cut off, restored or imported before or after;
//! and every number stays.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use domain::{Kind, Role};
use serde_json::{Value, json};
use store::{DataFolder, EmbeddedStore, Log as _, Options};
use uuid::Uuid;

use crate::{
    harness::{Ask, Client, Dice, Served, System, id, printed, run},
    known::{Step, known},
};

/// The one who is erased, and somebody who stays.
fn ada() -> Uuid {
    id(Kind::Contact, 1)
}

fn ben() -> Uuid {
    id(Kind::Contact, 2)
}

/// Everything personal that is said in the story, of Ada and of Ben; each is found nowhere else. Quotes and accents
/// look different in JSON.
fn marker(whose: &str, what: &str) -> String {
    format!("{whose}-{what}-Qzé\"7\\x")
}

const WHAT: &[&str] = &["name", "renamed", "note", "email", "proof", "interest", "text", "reason"];

/// The commands that say each of these things of a contact.
fn story(whose: &str, contact: Uuid, number: u64) -> Vec<(Kind, Uuid, Value)> {
    let say = |what: &str| marker(whose, what);
    let (consent, lead) = (id(Kind::Contact, number), id(Kind::Lead, number));
    vec![
        (Kind::Contact, contact, json!({ "register": { "form": "person", "name": say("name") } })),
        (Kind::Contact, contact, json!({ "rename": { "name": say("renamed") }, "reason": say("reason") })),
        (Kind::Contact, contact, json!({ "change_detail": { "detail": "note", "value": say("note") } })),
        (
            Kind::Contact,
            contact,
            json!({ "link_identity": { "platform": "email", "handle": say("email"), "verified": true } }),
        ),
        (
            Kind::Contact,
            consent,
            json!({ "give_consent": { "purpose": "newsletter", "channel": "email", "basis": "consent",
                    "proof": say("proof") } }),
        ),
        (
            Kind::Lead,
            lead,
            json!({ "capture": { "contact": contact, "source": "website", "interest": say("interest") } }),
        ),
        (
            Kind::Conversation,
            id(Kind::Conversation, number),
            json!({ "log": { "contact": contact, "channel": "email", "direction": "incoming", "text": say("text") } }),
        ),
        (
            Kind::Gift,
            id(Kind::Gift, number),
            json!({ "receive": { "donor": contact, "amount": { "minor": 1_234_500 + number, "currency": "USD" } },
                    "occurred_at": "2024-03-01T00:00:00Z" }),
        ),
        (
            Kind::Gathering,
            id(Kind::Gathering, 1),
            json!({ "attend": { "contact": contact, "method": "scan" } }),
        ),
    ]
}

fn whole_story() -> Vec<(Kind, Uuid, Value)> {
    let schedule =
        json!({ "schedule": { "name": "Dinner", "type": "dinner", "starts_at": "2024-03-01T18:00:00Z" } });
    let mut all = vec![(Kind::Gathering, id(Kind::Gathering, 1), schedule)];
    all.extend(story("Ada", ada(), 1));
    all.extend(story("Ben", ben(), 2));
    all
}

/// Every form in which a text may stand in a file.
fn forms(text: &str) -> Vec<Vec<u8>> {
    let json = Value::from(text).to_string();
    let ascii: String = text
        .chars()
        .map(
            |letter| if letter.is_ascii() { letter.to_string() } else { format!("\\u{:04x}", letter as u32) },
        )
        .collect();
    let mut forms: Vec<Vec<u8>> =
        vec![text.into(), json.trim_matches('"').into(), ascii.into(), text.to_lowercase().into()];
    // Base64 of a text within another one begins at any of three places; the ends depend on what is around.
    for offset in 0..3 {
        let padded = [vec![b' '; offset], text.as_bytes().to_vec()].concat();
        let encoded = base64(&padded);
        forms.push(encoded[4..encoded.len() / 4 * 4 - 4].to_vec());
    }
    forms
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |three: u32, shift: u32| LETTERS[usize::try_from((three >> shift) & 63).unwrap()];
    bytes
        .chunks(3)
        .flat_map(|chunk| {
            let three = chunk.iter().chain([&0, &0]).take(3).fold(0, |all, byte| all << 8 | u32::from(*byte));
            [18, 12, 6, 0].map(|shift| letter(three, shift))
        })
        .collect()
}

/// Every file below a folder, but the socket.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut waiting) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let kind = fs::symlink_metadata(&path).map(|file| file.file_type());
            match kind {
                Ok(kind) if kind.is_dir() => waiting.push(path),
                Ok(kind) if kind.is_file() => found.push(path),
                // A file may go while we look.
                _ => {}
            }
        }
    }
    found
}

/// In which files below a folder somebody is still named, in whatever form.
fn found(folder: &Path, whose: &str) -> Vec<String> {
    let wanted: Vec<(&str, Vec<u8>)> = WHAT
        .iter()
        .flat_map(|what| forms(&marker(whose, what)).into_iter().map(move |form| (*what, form)))
        .collect();
    let mut found = Vec::new();
    for file in files(folder) {
        let Ok(bytes) = fs::read(&file) else { continue };
        for (what, form) in &wanted {
            if memchr::memmem::find(&bytes, form).is_some() {
                found.push(format!("{what} in {}", file.display()));
            }
        }
    }
    found
}

async fn tell(system: &System) {
    for (kind, id, body) in whole_story() {
        system.command(kind, id, body).await;
    }
    system.rapport.views.settle(system.head(), |_| ()).await;
}

async fn erase(system: &System, contact: Uuid) -> Value {
    system.command(Kind::Contact, contact, json!({ "erase": { "ground": "request" } })).await;
    system.ask(Ask::get(format!("/erasures/{contact}"))).await.good().json()
}

async fn check(system: &System) {
    for view in system.rapport.views.check(&[], |_, _| ()).await.unwrap() {
        assert!(view.differences.is_empty() && view.stopped.is_none(), "{view:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_erased_are_in_no_file_while_it_runs_and_every_number_stays() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    tell(&system).await;
    // Somebody looks back, so that files of the past are there.
    let then = system.head();
    system.ask(Ask::get(format!("/views/contacts?id={}&known_at={then}", ada()))).await.good();
    system.ask(Ask::get(format!("/views/history?contact={}&as_of=2100-01-01", ada()))).await.good();
    assert!(!found(folder.path(), "Ada").is_empty(), "what is looked for can be found");
    let figures = ["giving", "engagement", "leads", "pipeline"];
    let mut before = Vec::new();
    for view in figures {
        before.push(system.view(view, "").await.to_string());
    }
    let certificate = erase(&system, ada()).await;
    assert_eq!(certificate["complete"], true, "{certificate}");
    assert_eq!((&certificate["keys"]["living"], &certificate["past_from_before"]), (&json!(0), &json!(0)));
    assert!(certificate["views"].as_array().unwrap().iter().any(|view| view["rows"].as_u64() > Some(0)));
    // While everything is open, write-ahead logs included.
    assert_eq!(found(folder.path(), "Ada"), [] as [String; 0]);
    assert!(!found(folder.path(), "Ben").is_empty());
    for (view, before) in figures.iter().zip(before) {
        assert_eq!(system.view(view, "").await.to_string(), before, "{view}");
    }
    check(&system).await;
    // What is left says that it happened, by whom, and nothing of it.
    let history = system.view("history", &format!("contact={}", ada())).await;
    let rows = history["rows"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["tag"] == "contact.erased" && row["by"] == "member:admin"));
    let renamed = rows.iter().find(|row| row["tag"] == "contact.renamed").unwrap();
    assert_eq!((&renamed["detail"], &renamed["reason"]), (&json!(""), &json!("")));
    let erasures = system.view("erasures", "").await;
    assert_eq!(erasures["rows"][0]["contact"], ada().to_string());
    let events = system.ask(Ask::get(format!("/events?subject={}&limit=1000", ada()))).await.good().text();
    assert!(events.contains(r#""erased":true"#) && !events.contains("Ada-"));
    // Also of the past nothing is said any more, and nothing comes back after a start.
    let past = system.ask(Ask::get(format!("/views/contacts?id={}&known_at={then}", ada()))).await.good();
    assert_eq!(past.json()["name"], "");
    system.close().await;
    let system = System::open(folder.path()).await;
    check(&system).await;
    assert_eq!(found(folder.path(), "Ada"), [] as [String; 0]);
    assert_eq!(system.view("contacts", &format!("id={}", ben())).await["name"], marker("Ben", "renamed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_of_an_erasure_holds_nothing_that_was_erased_nor_why_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    tell(&system).await;
    let reason = marker("Ada", "reason");
    let body = json!({ "erase": { "ground": "request" }, "reason": reason });
    let position = system.command(Kind::Contact, ada(), body).await.position();
    let event = system.ask(Ask::get(format!("/events?from={}&limit=1", position - 1))).await.good().json();
    assert_eq!(event[0]["data"], json!({ "ground": "request" }));
    assert_eq!(event[0]["reason"], json!(r#"{"erased":true}"#));
    system.ask(Ask::get(format!("/erasures/{}", ada()))).await.good();
    assert_eq!(found(folder.path(), "Ada"), [] as [String; 0]);
}

/// Many lives share pages; what is moved from page to page leaves nothing behind either.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_are_erased_none_leaves_a_trace_in_the_pages_of_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    let mut dice = Dice(7);
    let people: Vec<Uuid> = (0..1_500).map(|_| Uuid::from_u64_pair(dice.roll(), dice.roll())).collect();
    let word = |contact: &Uuid, what: &str| format!("{what}{}", contact.simple());
    for chunk in people.chunks(250) {
        let lines: String = chunk
            .iter()
            .flat_map(|person| {
                [
                    json!({ "kind": "contact", "id": person, "register": { "form": "person", "name": word(person, "n") } }),
                    json!({ "kind": "contact", "id": person, "link_identity": { "platform": "email", "handle": word(person, "h") } }),
                    json!({ "kind": "contact", "id": person, "change_detail": { "detail": "note", "value": word(person, "d") } }),
                    json!({ "kind": "conversation", "id": person, "log": { "contact": person, "channel": "email",
                            "direction": "incoming", "text": word(person, "t") } }),
                ]
            })
            .map(|line| format!("{line}\n"))
            .collect();
        system.ask(Ask::new("POST", "/commands", lines)).await.good();
        system.rapport.views.settle(system.head(), |_| ()).await;
    }
    let erased: Vec<&Uuid> = people.iter().step_by(9).collect();
    let lines: String = erased
        .iter()
        .map(|person| json!({ "kind": "contact", "id": person, "erase": { "ground": "retention" } }))
        .map(|line| format!("{line}\n"))
        .collect();
    system.ask(Ask::new("POST", "/commands", lines)).await.good();
    system.rapport.views.settle(system.head(), |_| ()).await;
    let certificate = system.ask(Ask::get(format!("/erasures/{}", erased[0]))).await.good().json();
    assert_eq!(certificate["complete"], true, "{certificate}");
    let mut left = Vec::new();
    for file in files(folder.path()) {
        let bytes = fs::read(&file).unwrap();
        for person in &erased {
            for what in ["n", "h", "d", "t"] {
                if memchr::memmem::find(&bytes, word(person, what).as_bytes()).is_some() {
                    left.push(format!("{what} in {}", file.display()));
                }
            }
        }
    }
    assert_eq!(left, [] as [String; 0]);
    check(&system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn for_every_view_fold_then_erase_is_erase_then_fold() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    let mut dice = Dice(11);
    let mut messages = Vec::new();
    // Things begin before they go on; nobody is erased yet.
    let begun = known().into_iter().filter(|command| !command.roles.is_empty());
    let mut begin: Vec<(Kind, Uuid, Value)> = Vec::new();
    for command in begun {
        for number in 0..5 {
            let gone = ["erase", "readmit", "void", "redact"].contains(&command.name);
            if !gone {
                let thing = crate::known::thing(command.kind, number);
                begin.push((
                    command.kind,
                    thing,
                    json!({ command.name: (command.fields)(dice.below(1_000)) }),
                ));
            }
        }
    }
    for (kind, id, body) in begin {
        let reply = system.ask(Ask::command(kind, id, &body)).await;
        if kind == Kind::Conversation && reply.status == 200 {
            for event in reply.json()["events"].as_array().unwrap() {
                messages.push((id, event["id"].as_str().unwrap().to_owned()));
            }
        }
    }
    system.rapport.views.settle(system.head(), |_| ()).await;
    check(&system).await;
    let redact = |message: &str| json!({ "redact": { "message": message, "ground": "request" } });
    for (conversation, message) in messages.iter().step_by(3) {
        system.ask(Ask::command(Kind::Conversation, *conversation, &redact(message))).await;
    }
    for number in 0..3 {
        erase(&system, id(Kind::Contact, number)).await;
        for _ in 0..40 {
            let (kind, id, body) = Step::rolled(&mut dice).body(None);
            system.ask(Ask::command(kind, id, &body)).await;
        }
    }
    system.rapport.views.settle(system.head(), |_| ()).await;
    let redacted = system.view("erasures", "of=message").await;
    assert!(redacted["rows"].as_array().unwrap().len() > 2, "{redacted}");
    // Each view was folded and then erased; the check folds what is erased already.
    check(&system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_message_is_redacted_for_somebody_whom_it_mentions_and_the_rest_stays() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    tell(&system).await;
    let conversation = id(Kind::Conversation, 2);
    let secret = marker("Ada", "text");
    let reply = json!({ "reply": { "direction": "incoming", "text": secret, "mentions": [ada()] } });
    let reply = system.command(Kind::Conversation, conversation, reply).await.json();
    let message = reply["events"][0]["id"].as_str().unwrap();
    system.rapport.views.settle(system.head(), |_| ()).await;
    let redact = json!({ "redact": { "message": message, "ground": "request" } });
    let refused = system.ask_as(Role::Staff, Ask::command(Kind::Conversation, conversation, &redact)).await;
    assert_eq!(refused.status, 403);
    system.command(Kind::Conversation, conversation, redact.clone()).await;
    let thread = system.view("conversations", &format!("conversation={conversation}")).await.to_string();
    assert!(thread.contains("Ben-text") && !thread.contains("Ada-text"), "{thread}");
    let history = system.view("history", &format!("stream=conversation-{conversation}")).await;
    let rows = history["rows"].as_array().unwrap();
    assert_eq!(rows[1]["detail"], "");
    assert_eq!(rows[2]["corrects"], message);
    check(&system).await;
    // Done again it changes nothing.
    let again = system.command(Kind::Conversation, conversation, redact).await.json();
    assert_eq!(again["events"], json!([]));
}

/// What a log with two people in it is, opened without views.
fn opened(folder: &Path, options: &Options) -> Arc<EmbeddedStore> {
    EmbeddedStore::open(&DataFolder::open(folder).unwrap(), options.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_between_the_record_and_the_destruction_is_made_good_before_anything_is_answered() {
    use commands::{Body, Command, Commands, Sender};
    use domain::{Actor, EventStore, KindSet, Position};
    let folder = tempfile::tempdir().unwrap();
    let options = Options::default();
    let store = opened(folder.path(), &options);
    let command = |body: Value| {
        let sender = Sender { by: Actor::Member("ann".to_owned()), role: Role::Admin, system: false };
        let body = Body::parse(body.to_string().as_bytes()).unwrap();
        Command { kind: Kind::Contact, id: ada(), body, sender, key: None, if_match: None }
    };
    let commands = Commands::new(Arc::clone(&store) as Arc<dyn EventStore>);
    commands.execute(command(json!({ "register": { "form": "person", "name": "Ada" } }))).await.unwrap();
    options.faults.refuse_erasures(true);
    commands.execute(command(json!({ "erase": { "ground": "request" } }))).await.unwrap_err();
    // It is recorded; but nobody sees it, because the key still opens.
    assert_eq!(store.head(), Position(1));
    assert!(store.read_all(Position(1), 10, KindSet::ALL).await.unwrap().events.is_empty());
    assert_eq!(store.keys().state_of(domain::ContactId(ada())).unwrap().living, 1);
    drop(commands);
    drop(store);
    let store = opened(folder.path(), &Options::default());
    assert_eq!(store.head(), Position(2));
    assert_eq!(store.keys().state_of(domain::ContactId(ada())).unwrap().living, 0);
    let events = store.read_stream(domain::StreamId::new(Kind::Contact, ada()), 0, 10).await.unwrap();
    assert!(!format!("{events:?}").contains("Clear"));
}

#[test]
fn a_restored_backup_brings_nobody_back_and_old_keys_are_useless_after_a_new_epoch() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let path = |name: &str| at(name).to_string_lossy().into_owned();
    let data = at("data");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let token = runtime.block_on(async {
        let system = System::open(&data).await;
        tell(&system).await;
        let granted =
            system.ask(Ask::post("/tokens", &json!({ "name": "ann", "role": "admin" }))).await.good();
        let token = granted.json()["token"].as_str().unwrap().to_owned();
        system.close().await;
        token
    });
    let served = Served::start(&data);
    // Before: everything is there, log and keys.
    printed(&data, &["backup", &path("before"), "--keys", &path("keys-before")]);
    printed(&data, &["backup", &path("backup"), "--keys", &path("keys")]);
    assert!(!at("backup").join("keys.sqlite").exists() && !at("backup").join("installation.secret").exists());
    let told = printed(&data, &["erase", &format!("contact/{}", ada()), "--ground", "request", "--yes"]);
    assert!(told.contains("Nothing is left of them") && told.contains("can still be opened"), "{told}");
    assert_eq!(found(&data, "Ada"), [] as [String; 0]);
    // A log with the erasure and keys from before it: it is carried out again at the first start.
    printed(&data, &["backup", &path("after")]);
    printed(&at("one"), &["restore", &path("after"), "--keys", &path("keys-before")]);
    assert_eq!(found(&at("one"), "Ada"), [] as [String; 0]);
    assert!(!found(&at("one"), "Ben").is_empty());
    // A new epoch; the next backup ends the old one in its folder of keys as well.
    let told = printed(&data, &["erase", &format!("contact/{}", ada()), "--rotate", "--yes"]);
    assert!(told.contains("useless"), "{told}");
    let mut client = Client::connect(served.address, &token).unwrap();
    let card = client.ask(&Ask::get(format!("/views/contacts?id={}", ben()))).unwrap().good().json();
    assert_eq!(card["name"], marker("Ben", "renamed"));
    printed(&data, &["backup", &path("backup-2"), "--keys", &path("keys")]);
    assert!(!at("keys").join("epoch-1.key").exists() && at("keys").join("epoch-2.key").exists());
    served.kill();
    // The log from before with the keys of now: she is not in it any more, he is.
    printed(&at("two"), &["restore", &path("before"), "--keys", &path("keys")]);
    assert_eq!(found(&at("two"), "Ada"), [] as [String; 0]);
    assert!(!found(&at("two"), "Ben").is_empty());
    // The old copy of the keys is refused with the epoch key of now.
    fs::copy(at("keys-before").join("keys.sqlite"), at("keys").join("keys.sqlite")).unwrap();
    let refused = run(&at("three"), &["restore", &path("before"), "--keys", &path("keys")]);
    assert!(!refused.status.success());
    assert_eq!(found(&at("three"), "Ada"), [] as [String; 0]);
    // Without keys everybody is sealed, and that is said.
    let told = printed(&at("four"), &["restore", &path("before")]);
    assert!(told.contains("cannot be read") && told.contains("new ledger"), "{told}");
    assert_eq!(found(&at("four"), "Ben"), [] as [String; 0]);
    for copy in ["before", "backup", "backup-2", "after", "keys", "keys-before"] {
        assert_eq!(found(&at(copy), "Ada"), [] as [String; 0], "{copy}");
    }
}

#[test]
fn a_backup_is_not_put_where_something_else_is_nor_with_its_keys() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).to_string_lossy().into_owned();
    let data = place.path().join("data");
    printed(&data, &["token", "create", "ann", "--role", "staff"]);
    fs::create_dir(place.path().join("foreign")).unwrap();
    fs::write(place.path().join("foreign/letter.txt"), "mine").unwrap();
    let inside = path("backup/keys");
    let in_data = path("data/backup");
    for refused in [
        vec!["backup", &path("foreign")],
        vec!["backup", &path("backup"), "--keys", &inside],
        vec!["backup", &path("backup"), "--keys", &path("backup")],
        vec!["backup", &in_data],
    ] {
        assert!(!run(&data, &refused).status.success(), "{refused:?}");
    }
    printed(&data, &["backup", &path("backup"), "--keys", &path("keys")]);
    // Again into the same folders, and not into each other's.
    printed(&data, &["backup", &path("backup"), "--keys", &path("keys")]);
    assert!(!run(&data, &["backup", &path("keys")]).status.success());
    let full = run(&data, &["restore", &path("backup"), "--keys", &path("keys")]);
    assert!(String::from_utf8_lossy(&full.stderr).contains("not empty"), "{full:?}");
    assert!(!run(&place.path().join("new"), &["restore", &path("foreign")]).status.success());
    let mode = |path: &Path| {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    for folder in ["backup", "keys"] {
        assert_eq!(mode(&place.path().join(folder)), 0o700);
        for file in files(&place.path().join(folder)) {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
    }
}

const MAP: &str = r#"
name = "club"
description = "People, what they gave, and where they are enrolled"
format = "csv"
[ids]
person = "contact"
gift = "gift"
enrolment = "enrolment"
program = "program"
[[table]]
file = ["club.csv"]
[table.columns.amount]
header = "amount"
type = "amount"
currency = "USD"
[[table.command]]
on = { id = "person", from = ["who"] }
command = "register"
fields = { form = { value = "person" }, name = "name" }
once = true
[[table.command]]
on = { id = "gift", from = ["gift"] }
command = "receive"
fields = { donor = { id = "person", from = ["who"] }, amount = "amount" }
[[table.command]]
on = { id = "enrolment", from = ["gift"] }
command = "enrol"
fields = { contact = { id = "person", from = ["who"] }, program = { id = "program", from = ["program"] } }
[[table.command]]
on = { id = "enrolment", from = ["gift"] }
command = "complete"
fields = { result = { value = "Pass" } }
"#;

#[test]
fn an_import_brings_nobody_back_and_the_money_still_adds_up() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let (map, file) = (place.path().join("club.toml"), place.path().join("club.csv"));
    fs::write(&map, MAP).unwrap();
    let rows = |more: &str| {
        let ada = marker("Ada", "name").replace('"', "\"\"");
        let ben = marker("Ben", "name").replace('"', "\"\"");
        format!("who,name,gift,amount,program\n1,\"{ada}\",g1,10.00,p\n2,\"{ben}\",g2,5.00,p\n{more}")
    };
    let import = |rows: String| {
        fs::write(&file, rows).unwrap();
        let arguments =
            ["import", "csv", &file.to_string_lossy(), "--map", &map.to_string_lossy()].map(str::to_owned);
        printed(&data, &arguments.each_ref().map(String::as_str))
    };
    let view = |arguments: &[&str]| -> Value {
        serde_json::from_str(&printed(&data, &[&["view", "--json"], arguments].concat())).unwrap()
    };
    import(rows(""));
    let people = view(&["contacts", "name=ada"]);
    let erased = people["rows"][0]["id"].as_str().unwrap().to_owned();
    printed(&data, &["erase", &format!("contact/{erased}"), "--yes"]);
    let gifts = view(&["giving"])["totals"].clone();
    // The same file says nothing new, and a new gift of hers is money without a donor.
    let told = import(rows(""));
    assert!(
        told.contains(": 0 events") && told.contains("1 rows are about somebody who was erased"),
        "{told}"
    );
    assert_eq!(view(&["giving"])["totals"], gifts);
    let told = import(rows(&format!("1,{},g3,2.50,p\n", "Ada-name-again")));
    assert!(told.contains("1  gift.received") && !told.contains("enrolment"), "{told}");
    assert!(view(&["giving"]).to_string().contains(r#""minor":1750"#), "{}", view(&["giving"]));
    assert_eq!(found(&data, "Ada"), [] as [String; 0]);
    // A row of hers is not refused either: it was kept out, and nothing of it lies in a file of rejects.
    assert!(!place.path().join("club.rejects.csv").exists());
    // Consent is given anew: somebody new, with another id, and the old one stays erased.
    let served = Served::start(&data);
    let token = printed(&data, &["token", "create", "boss", "--role", "admin"]);
    let mut client = Client::connect(served.address, token.trim()).unwrap();
    let readmit = json!({ "readmit": { "basis": "consent" } });
    client.ask(&Ask::command(Kind::Contact, erased.parse().unwrap(), &readmit)).unwrap().good();
    let told = import(rows(""));
    assert!(told.contains("1  contact.registered") && !told.contains("was erased"), "{told}");
    let again = view(&["contacts", "name=ada"]);
    assert_ne!(again["rows"][0]["id"], erased);
    assert_eq!(again["rows"][0]["name"], marker("Ada", "name"));
    assert!(view(&["giving"]).to_string().contains(r#""minor":1750"#));
    // Erased again, they are kept out again.
    printed(&data, &["erase", &format!("contact/{}", again["rows"][0]["id"].as_str().unwrap()), "--yes"]);
    assert!(import(rows("")).contains(": 0 events"));
    assert_eq!(found(&data, "Ada"), [] as [String; 0]);
}

#[test]
fn what_is_held_about_somebody_is_handed_to_them_without_what_is_of_others() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let system = System::open(&data).await;
        tell(&system).await;
        // Ben writes in Ada's conversation, and they are related.
        let said =
            json!({ "reply": { "direction": "incoming", "author": ben(), "text": marker("Ben", "secret") } });
        system.command(Kind::Conversation, id(Kind::Conversation, 1), said).await;
        let related = json!({ "start_relationship": { "relationship": "partner_of", "to": ben() } });
        system.command(Kind::Contact, ada(), related).await;
        system.close().await;
    });
    let folder = place.path().join("ada");
    let about = format!("contact/{}", ada());
    let folder_text = folder.to_string_lossy().into_owned();
    printed(&data, &["export", &about, "--subject", &folder_text]);
    let names: Vec<String> =
        files(&folder).iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert!(["index.html", "contact.vcf", "data.json"].iter().all(|name| names.iter().any(|is| is == name)));
    let held: Value = serde_json::from_slice(&fs::read(folder.join("data.json")).unwrap()).unwrap();
    assert_eq!(held["card"]["name"], marker("Ada", "renamed"));
    assert_eq!(held["gifts"].as_array().unwrap().len(), 1);
    assert_eq!(held["conversations"][0]["tree"][0]["text"], marker("Ada", "text"));
    let text = held.to_string();
    let missing: Vec<&&str> = WHAT.iter().filter(|what| !text.contains(&format!("Ada-{what}-"))).collect();
    assert_eq!(missing, [] as [&&str; 0]);
    assert_eq!(found(&folder, "Ben"), [] as [String; 0]);
    assert!(files(&folder).iter().all(|file| !fs::read_to_string(file).unwrap().contains("Ben-")));
    let page = fs::read_to_string(folder.join("index.html")).unwrap();
    assert!(page.contains("Ada-email-") && !page.contains("<script"));
    // Not over something else, not of a stranger, and not of somebody who was erased.
    assert!(!run(&data, &["export", &about, "--subject", &folder_text]).status.success());
    let other = place.path().join("other").to_string_lossy().into_owned();
    assert!(
        !run(&data, &["export", &format!("contact/{}", id(Kind::Contact, 77)), "--subject", &other])
            .status
            .success()
    );
    printed(&data, &["erase", &about, "--yes"]);
    let refused = run(&data, &["export", &about, "--subject", &other]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("was erased"), "{refused:?}");
    assert!(!Path::new(&other).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_merged_person_one_contact_is_erased_and_the_person_stays_one() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    tell(&system).await;
    let merge = |into: Uuid| json!({ "merge": { "into": into, "evidence": [] } });
    system.command(Kind::Contact, ada(), merge(ben())).await;
    system.rapport.views.settle(system.head(), |_| ()).await;
    let engagement = system.view("engagement", "").await;
    let certificate = erase(&system, ada()).await;
    assert_eq!(
        (&certificate["complete"], &certificate["others"]),
        (&json!(false), &json!([ben()])),
        "{certificate}"
    );
    assert_eq!(found(folder.path(), "Ada"), [] as [String; 0]);
    assert!(!found(folder.path(), "Ben").is_empty());
    assert_eq!(system.view("engagement", "").await, engagement);
    // Nobody is merged into whoever was erased, and no circle is closed over them either.
    let third = id(Kind::Contact, 3);
    let register = json!({ "register": { "form": "person", "name": "Cleo" } });
    system.command(Kind::Contact, third, register).await;
    for (contact, into) in [(third, ada()), (ben(), ada())] {
        let refused = system.ask(Ask::command(Kind::Contact, contact, &merge(into))).await;
        assert_eq!(refused.status, 422, "{}", refused.text());
    }
    check(&system).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_circle_is_closed_over_somebody_who_was_erased() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    tell(&system).await;
    let third = id(Kind::Contact, 3);
    system.command(Kind::Contact, third, json!({ "register": { "form": "person", "name": "Cleo" } })).await;
    let merge = |into: Uuid| json!({ "merge": { "into": into, "evidence": [] } });
    // The third is Ada, and Ada is Ben; then Ada is erased. Ben is not the third: that would be a circle.
    system.command(Kind::Contact, third, merge(ada())).await;
    system.command(Kind::Contact, ada(), merge(ben())).await;
    erase(&system, ada()).await;
    let refused = system.ask(Ask::command(Kind::Contact, ben(), &merge(third))).await;
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(refused.text().contains("merged-the-other-way"), "{}", refused.text());
    check(&system).await;
}

/// Two contacts of one person, the second merged into the first, each with an address; and the token to ask with.
fn one_person(data: &Path) -> (Served, Client) {
    let token = printed(data, &["token", "create", "ann", "--role", "admin"]);
    let served = Served::start(data);
    let mut client = Client::connect(served.address, token.trim()).unwrap();
    for (contact, name) in [(ada(), "Alma One"), (ben(), "Alma Two")] {
        let link =
            json!({ "link_identity": { "platform": "email", "handle": format!("{contact}@example.org") } });
        for command in [
            json!({ "register": { "form": "person", "name": name } }),
            link,
            json!({ "tag": { "tag": "board" } }),
        ] {
            client.ask(&Ask::command(Kind::Contact, contact, &command)).unwrap().good();
        }
    }
    let consent =
        json!({ "give_consent": { "purpose": "newsletter", "channel": "email", "basis": "consent" } });
    client.ask(&Ask::command(Kind::Contact, ada(), &consent)).unwrap().good();
    let household =
        json!({ "start_relationship": { "relationship": "partner_of", "to": id(Kind::Contact, 3) } });
    let other = json!({ "register": { "form": "person", "name": "Bela" } });
    client.ask(&Ask::command(Kind::Contact, id(Kind::Contact, 3), &other)).unwrap().good();
    client.ask(&Ask::command(Kind::Contact, ada(), &household)).unwrap().good();
    client.ask(&Ask::command(Kind::Contact, ben(), &json!({ "merge": { "into": ada() } }))).unwrap().good();
    (served, client)
}

/// The card of a contact once everything is seen.
fn card(client: &mut Client, contact: Uuid) -> Value {
    let seen = client.ask(&Ask::get("/events?from=0&limit=1000")).unwrap().good().json();
    let last = seen.as_array().unwrap().last().unwrap()["position"].clone();
    client.ask(&Ask::get(format!("/views/contacts?id={contact}&after={last}"))).unwrap().good().json()
}

#[test]
fn a_person_is_erased_with_every_contact_that_is_merged_and_only_when_somebody_says_yes() {
    for asked in [ada(), ben()] {
        let place = tempfile::tempdir().unwrap();
        let (_served, mut client) = one_person(place.path());
        let contact = format!("contact/{asked}");
        let refused = run(place.path(), &["erase", &contact]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success());
        for told in
            ["Alma One", "Alma Two", "the same person", &ada().to_string(), &ben().to_string(), "--yes"]
        {
            assert!(said.contains(told), "{told} is not said: {said}");
        }
        assert_eq!(card(&mut client, asked)["identities"].as_array().unwrap().len(), 2, "nothing was erased");
        let told = printed(place.path(), &["erase", &contact, "--yes"]);
        assert_eq!(told.matches("Nothing is left of them").count(), 2, "{told}");
        let card = card(&mut client, asked);
        assert_eq!(card["erased"], true);
        for nothing in ["identities", "tags", "consents", "relationships"] {
            assert_eq!(card[nothing], json!([]), "{nothing}");
        }
        let tagged = client.ask(&Ask::get("/views/contacts?tag=board")).unwrap().good().json();
        assert_eq!(tagged["rows"], json!([]));
        let partner = client.ask(&Ask::get(format!("/views/contacts?id={}", id(Kind::Contact, 3)))).unwrap();
        assert_eq!(partner.good().json()["relationships"], json!([]));
    }
}

#[test]
fn the_certificate_of_one_contact_names_the_others_of_the_same_person() {
    let place = tempfile::tempdir().unwrap();
    let (_served, mut client) = one_person(place.path());
    let erased = run(place.path(), &["erase", &format!("contact/{}", ada()), "--only", "--yes"]);
    let said = String::from_utf8_lossy(&erased.stdout).into_owned();
    assert!(!erased.status.success() && !said.contains("Nothing is left of them"), "{said}");
    assert!(said.contains(&format!("another contact of the same person, contact/{}", ben())), "{said}");
    let certificate = client.ask(&Ask::get(format!("/erasures/{}", ada()))).unwrap().good().json();
    assert_eq!((&certificate["complete"], &certificate["others"]), (&json!(false), &json!([ben()])));
    let card = card(&mut client, ada());
    assert_eq!((&card["name"], &card["erased"]), (&json!("Alma Two"), &Value::Null));
    assert_eq!(card["identities"].as_array().unwrap().len(), 1);
}

#[test]
fn nobody_is_certified_as_forgotten_who_was_never_known() {
    let place = tempfile::tempdir().unwrap();
    let (_served, _client) = one_person(place.path());
    let mistyped = run(place.path(), &["erase", &format!("contact/{}", id(Kind::Contact, 99)), "--yes"]);
    let said = String::from_utf8_lossy(&mistyped.stderr).into_owned();
    assert!(!mistyped.status.success() && said.contains("nobody is known as"), "{said}");
}
