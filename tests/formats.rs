//! What goes outside is what `docs/formats.md` says, byte by byte. A verifier in another language, which has nothing of ours,
//! proves what the product exports, and nothing in which anything was altered.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use domain::{Kind, Position, Stored};
use ledger::{
    bundle::{Bundle, BundleError, Proven, StoredEvent},
    checkpoint::Checkpoint,
    leaf::{LeafHasher, write_entry},
    merkle::node_hash,
    note::{Signer, Verifier},
};
use serde_json::{Value, json};

use crate::harness::{Ask, Client, Served, System, id, printed, workspace};

/// The verifier in Python has fewer lines than this: somebody can read it before they rely on it.
const LINES: usize = 150;

/// The verifier in Python on a file, with a key; nothing where there is no Python.
#[expect(clippy::print_stdout, reason = "whoever runs the suite should see what was not tried")]
fn in_python(bundle: &Path, key: &str) -> Option<Output> {
    let script = workspace().join("docs/verify_bundle.py");
    // Isolated and without packages of the site: the standard library is all that it needs.
    let output =
        Command::new("python3").args(["-I", "-S"]).arg(script).arg(bundle).args(["--key", key]).output();
    match output {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("skipped: there is no python3");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// The verifier of the product on the same.
fn in_rust(text: &str, key: &Verifier) -> Result<Proven, BundleError> {
    Bundle::read(text).and_then(|bundle| bundle.verify(key))
}

/// What the product exports of a person.
struct Exported {
    place: tempfile::TempDir,
    file: PathBuf,
    text: String,
    key: Verifier,
}

/// Exports somebody who is registered twice and merged, whose log holds events of others as well.
fn exported() -> Exported {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let token = printed(&data, &["token", "create", "ann", "--role", "admin"]);
    let served = Served::start(&data);
    let mut client = Client::connect(served.address, token.trim()).unwrap();
    let mut send = |kind: Kind, number: u64, command: Value| {
        client.ask(&Ask::command(kind, id(kind, number), &command)).unwrap().good();
    };
    let contact = |number: u64| id(Kind::Contact, number);
    for number in 1..=3 {
        send(Kind::Contact, number, json!({ "register": { "form": "person", "name": "Zoë" } }));
        let gift = json!({ "amount": { "minor": 100, "currency": "EUR" }, "donor": contact(number) });
        let at = "2024-02-29T12:00:00.25Z";
        send(Kind::Gift, number, json!({ "receive": gift, "occurred_at": at, "reason": "a letter" }));
        send(Kind::Gift, number, json!({ "acknowledge": {} }));
    }
    send(Kind::Contact, 2, json!({ "merge": { "into": contact(1) } }));
    let file = place.path().join("zoe.bundle");
    printed(&data, &["export", &format!("contact/{}", contact(1)), "--bundle", file.to_str().unwrap()]);
    let (text, key) =
        (fs::read_to_string(&file).unwrap(), fs::read_to_string(data.join("ledger/key")).unwrap());
    Exported { place, file, text, key: key.parse().unwrap() }
}

/// The index of the first event with a tag.
fn first(bundle: &Value, tag: &str) -> usize {
    let events = bundle["events"].as_array().unwrap();
    events.iter().position(|event| event["stored"]["tag"] == tag).unwrap()
}

/// The text with another letter in place of the n-th.
fn flipped(value: &Value, place: usize) -> Value {
    let mut letters: Vec<char> = value.as_str().unwrap().chars().collect();
    letters[place] = if letters[place] == 'A' { 'B' } else { 'A' };
    Value::from(letters.into_iter().collect::<String>())
}

/// The bundle with one value replaced.
fn with(bundle: &Value, pointer: &str, value: Value) -> String {
    let mut altered = bundle.clone();
    *altered.pointer_mut(pointer).unwrap_or_else(|| panic!("there is no {pointer}")) = value;
    assert_ne!(altered, *bundle, "{pointer}");
    altered.to_string()
}

/// Bundles in which what is stored was altered.
fn altered_events(bundle: &Value) -> Vec<(String, String)> {
    let (name, gift) = (first(bundle, "contact.registered"), first(bundle, "gift.received"));
    let stored = |member: &str| format!("/events/{gift}/stored/{member}");
    let value = |member: &str| &bundle["events"][gift]["stored"][member];
    let more = |member: &str| Value::from(value(member).as_i64().unwrap() + 1);
    let replaced = |member: &str, from: &str, to: &str| {
        let text = value(member).as_str().unwrap();
        assert!(text.contains(from), "{text}");
        (stored(member), Value::from(text.replacen(from, to, 1)))
    };
    let sealed = &bundle["events"][name]["stored"]["data"];
    let in_its_middle = sealed.as_str().unwrap().find("\"text\":\"").unwrap() + 12;
    let mut cases = vec![
        replaced("data", ":100,", ":900,"),
        replaced("data", "{", "{ "),
        replaced("actor", "ann", "bob"),
        replaced("tag", "received", "refunded"),
        replaced("stream", "gift-", "deal-"),
        replaced("metadata", "reason", "season"),
        (format!("/events/{name}/stored/data"), flipped(sealed, in_its_middle)),
        (stored("id"), flipped(value("id"), 3)),
        (stored("subjects"), flipped(value("subjects"), 3)),
        (stored("subjects"), "".into()),
        (stored("metadata"), Value::Null),
        (stored("occurred_at"), Value::Null),
        (format!("/events/{name}/stored/occurred_at"), 0.into()),
        (format!("/events/{name}/stored/metadata"), "".into()),
    ];
    for member in ["revision", "occurred_at", "effective_at", "recorded_at"] {
        cases.push((stored(member), more(member)));
    }
    cases.into_iter().map(|(pointer, value)| (pointer.clone(), with(bundle, &pointer, value))).collect()
}

/// Bundles in which what proves the events was altered.
fn altered_proofs(bundle: &Value) -> Vec<(String, String)> {
    let (note, proof) =
        (bundle["checkpoint"].as_str().unwrap(), bundle["events"][1]["proof"].as_array().unwrap());
    let line = |number: usize| note.lines().nth(number).unwrap();
    let lines = |number: usize, new: &str| {
        let mut lines: Vec<&str> = note.lines().collect();
        lines[number] = new;
        Value::from(lines.join("\n") + "\n")
    };
    let root = flipped(&line(2).into(), 5);
    let signature = flipped(&line(4).into(), line(4).chars().count() - 30);
    let (shorter, longer) = (&proof[1..], [&proof[..], &proof[..1]].concat());
    let cases: Vec<(&str, Value)> = vec![
        ("/events/1/proof/0", flipped(&proof[0], 0)),
        ("/events/1/proof/1", proof[0].clone()),
        ("/events/1/proof/1", "".into()),
        ("/events/1/proof", shorter.into()),
        ("/events/1/proof", longer.into()),
        ("/events/1/number", (bundle["events"][1]["number"].as_u64().unwrap() + 1).into()),
        ("/events/0/number", 0.into()),
        ("/events/1", bundle["events"][0].clone()),
        ("/events/0", bundle["events"][1].clone()),
        ("/events", json!([])),
        ("/about", format!("contact-{}", id(Kind::Contact, 3)).into()),
        ("/checkpoint", lines(0, "rapport/another")),
        ("/checkpoint", lines(1, "1000")),
        ("/checkpoint", lines(2, root.as_str().unwrap())),
        ("/checkpoint", lines(4, signature.as_str().unwrap())),
        ("/checkpoint", note.trim_end().into()),
        ("/checkpoint", note.lines().take(3).collect::<Vec<_>>().join("\n").into()),
        ("/checkpoint", "".into()),
    ];
    cases.into_iter().map(|(pointer, value)| (pointer.to_owned(), with(bundle, pointer, value))).collect()
}

/// Texts that are no bundle of the form.
fn other_forms(bundle: &Value, text: &str) -> Vec<(String, String)> {
    let cases: Vec<(&str, Value)> = vec![
        ("/format", "rapport-bundle/v2".into()),
        ("/about", "somebody".into()),
        ("/events", Value::Null),
        ("/events/0", Value::Null),
        ("/events/0/number", json!(1.0)),
        ("/events/0/number", true.into()),
        ("/events/0/number", "1".into()),
        ("/events/0/proof", "".into()),
        ("/events/0/proof/0", 1.into()),
        ("/events/0/meaning", json!({ "what": "something" })),
        ("/events/0/meaning/what", 1.into()),
        ("/events/0/stored/data", Value::Null),
        ("/events/0/stored/revision", json!(-1)),
        ("/events/0/stored/id", "*".into()),
    ];
    let mut forms: Vec<_> = cases
        .into_iter()
        .map(|(pointer, value)| (pointer.to_owned(), with(bundle, pointer, value)))
        .collect();
    let begin = "{\"format\":";
    for (what, other) in [
        ("a member that is not known", text.replacen(begin, "{\"more\":1,\"format\":", 1)),
        ("a member twice", text.replacen(begin, "{\"format\":\"rapport-bundle/v1\",\"format\":", 1)),
        ("a member of an event twice", text.replacen("\"number\":", "\"number\":1,\"number\":", 1)),
        ("a member that is missing", text.replacen("\"number\":", "\"numbers\":", 1)),
        ("more behind it", format!("{text} 1")),
        ("half of it", text.chars().take(text.chars().count() / 2).collect()),
        ("nothing", String::new()),
        ("brackets", "[".repeat(100_000)),
    ] {
        assert_ne!(other, text, "{what}");
        forms.push((what.to_owned(), other));
    }
    forms
}

#[test]
fn a_verifier_in_python_proves_what_the_product_exports() {
    let Exported { file, text, key, place } = exported();
    let proven = in_rust(&text, &key).unwrap();
    assert_eq!((proven.events, proven.merged.len(), proven.streams_with_gaps.len()), (7, 1, 0));
    let written = place.path().join("key");
    fs::write(&written, format!("{key}\n")).unwrap();
    // The key in the bundle is not asked.
    let another = Signer::new(key.name(), &[5; 32]);
    let of_another = place.path().join("another.bundle");
    let bundle: Value = serde_json::from_str(&text).unwrap();
    fs::write(&of_another, with(&bundle, "/key", another.verifier().to_string().into())).unwrap();
    for (file, key) in
        [(&file, key.to_string()), (&file, written.display().to_string()), (&of_another, key.to_string())]
    {
        let Some(output) = in_python(file, &key) else { return };
        let words = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{words}{}", String::from_utf8_lossy(&output.stderr));
        let expected = format!(
            "PROVEN: 7 events, to the byte and in their places, of the {} in the log {}.\nThey concern {}, as the same \
             person {}.\nStreams without a gap: {}; with gaps: none.\n",
            proven.size, proven.origin, proven.about, proven.merged[0], proven.whole_streams
        );
        assert!(words.starts_with(&expected), "{words}\n{expected}");
    }
}

#[test]
fn a_verifier_in_python_proves_nothing_that_was_altered() {
    let Exported { text, key, place, .. } = exported();
    let bundle: Value = serde_json::from_str(&text).unwrap();
    let cases = [altered_events(&bundle), altered_proofs(&bundle), other_forms(&bundle, &text)].concat();
    let file = place.path().join("altered.bundle");
    for (what, altered) in cases {
        assert!(in_rust(&altered, &key).is_err(), "{what}");
        fs::write(&file, &altered).unwrap();
        let Some(output) = in_python(&file, &key.to_string()) else { return };
        let (words, errors) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{what}: {words}{errors}");
        assert!(words.starts_with("NOT PROVEN: ") && errors.is_empty(), "{what}: {words}{errors}");
    }
}

#[test]
fn a_verifier_in_python_believes_no_other_key() {
    let Exported { file, text, key, place } = exported();
    let mut bundle: Value = serde_json::from_str(&text).unwrap();
    let another = Signer::new(key.name(), &[5; 32]);
    let check = |file: &Path, key: &Verifier| {
        assert!(in_rust(&fs::read_to_string(file).unwrap(), key).is_err());
        let Some(output) = in_python(file, &key.to_string()) else { return };
        let words = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{words}");
        assert!(words.starts_with("NOT PROVEN: "), "{words}");
    };
    check(&file, &another.verifier());
    check(&file, &Signer::new("rapport/another", &[5; 32]).verifier());
    // Somebody signs the same log with a key of their own, and says so.
    let checkpoint = Checkpoint::open(bundle["checkpoint"].as_str().unwrap(), &key).unwrap();
    bundle["checkpoint"] = checkpoint.signed(&another).into();
    bundle["key"] = another.verifier().to_string().into();
    let forged = place.path().join("forged.bundle");
    fs::write(&forged, bundle.to_string()).unwrap();
    in_rust(&bundle.to_string(), &another.verifier()).unwrap();
    check(&forged, &key);
    // A false signature is not made good by a second one, and that of a stranger does no harm.
    let note = checkpoint.signed(&Signer::new("stranger", &[6; 32]));
    let stranger = note.lines().last().unwrap();
    let own = serde_json::from_str::<Value>(&text).unwrap()["checkpoint"].as_str().unwrap().to_owned();
    let signature = own.lines().last().unwrap();
    let wrong = flipped(&signature.into(), signature.chars().count() - 30);
    bundle["checkpoint"] = format!("{own}{}\n", wrong.as_str().unwrap()).into();
    fs::write(&forged, bundle.to_string()).unwrap();
    check(&forged, &key);
    bundle["checkpoint"] = format!("{own}{stranger}\n").into();
    fs::write(&forged, bundle.to_string()).unwrap();
    in_rust(&bundle.to_string(), &key).unwrap();
    let Some(output) = in_python(&forged, &key.to_string()) else { return };
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_verifier_in_python_names_the_streams_with_gaps() {
    let Exported { text, key, place, .. } = exported();
    let mut bundle: Value = serde_json::from_str(&text).unwrap();
    let left_out = first(&bundle, "gift.received");
    let gift = bundle["events"].as_array_mut().unwrap().remove(left_out);
    let stream = gift["stored"]["stream"].as_str().unwrap();
    let proven = in_rust(&bundle.to_string(), &key).unwrap();
    assert_eq!(proven.streams_with_gaps, [stream]);
    let file = place.path().join("shorter.bundle");
    fs::write(&file, bundle.to_string()).unwrap();
    let Some(output) = in_python(&file, &key.to_string()) else { return };
    let words = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{words}");
    let expected = format!("Streams without a gap: {}; with gaps: {stream}.", proven.whole_streams);
    assert!(words.starts_with("PROVEN: 6 events") && words.contains(&expected), "{words}");
}

#[test]
fn what_a_verifier_in_python_cannot_read_is_told_apart_from_what_is_false() {
    let place = tempfile::tempdir().unwrap();
    let key = Signer::new("rapport/test", &[1; 32]).verifier().to_string();
    let file = place.path().join("some.bundle");
    fs::write(&file, "{}").unwrap();
    let other = key.replacen("test", "tests", 1);
    for (file, key, status) in [
        (file.clone(), key.as_str(), 1),
        (place.path().join("nowhere"), key.as_str(), 2),
        (place.path().to_owned(), key.as_str(), 2),
        (file.clone(), "no key", 2),
        (file.clone(), other.as_str(), 2),
        (file, "", 2),
    ] {
        let Some(output) = in_python(&file, key) else { return };
        assert_eq!(output.status.code(), Some(status), "{} {key}", file.display());
    }
}

#[test]
fn the_verifier_in_python_can_be_read_at_one_sitting() {
    let lines = fs::read_to_string(workspace().join("docs/verify_bundle.py")).unwrap().lines().count();
    assert!(lines < LINES, "docs/verify_bundle.py has {lines} lines");
}

fn page() -> String {
    fs::read_to_string(workspace().join("docs/formats.md")).unwrap()
}

/// The bundle that the page shows.
fn example(page: &str) -> String {
    let mut blocks = page.split("```json\n").skip(1).filter_map(|block| block.split("```").next());
    blocks.find(|block| block.contains("rapport-bundle/v1")).unwrap().to_owned()
}

/// The page shows this as a block of its own.
#[track_caller]
fn shows(page: &str, block: &str) {
    assert!(page.contains(&format!("\n```\n{block}```\n")), "the page does not show:\n{block}");
}

fn in_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_leaf_on_the_page_is_what_is_computed() {
    let page = page();
    let bundle = Bundle::read(&example(&page)).unwrap();
    let event = &bundle.events[0];
    let StoredEvent { stream, revision, tag, occurred_at, effective_at, .. } = &event.stored;
    let id = BASE64_STANDARD.decode(&event.stored.id).unwrap();
    let subjects = BASE64_STANDARD.decode(&event.stored.subjects).unwrap();
    let stored = Stored {
        position: Position(1),
        stream,
        revision: *revision,
        id: &id,
        tag,
        occurred_at: *occurred_at,
        effective_at: *effective_at,
        recorded_at: event.stored.recorded_at,
        actor: &event.stored.actor,
        subjects: &subjects,
        metadata: event.stored.metadata.as_deref(),
        data: &event.stored.data,
    };
    let (mut entry, mut lines) = (Vec::new(), String::new());
    write_entry(&stored, &mut entry);
    let mut rest = entry.as_slice();
    while let Some((length, fields)) = rest.split_first_chunk::<4>() {
        let (field, after) = fields.split_at(usize::try_from(u32::from_be_bytes(*length)).unwrap());
        lines += &format!("{} {}\n", in_hex(length), in_hex(field));
        rest = after;
    }
    shows(&page, &lines);
    let leaf = LeafHasher::default().hash(&stored);
    assert!(page.contains(&format!("Its leaf: `{}`", in_hex(&leaf))), "{}", in_hex(&leaf));
    let sibling = BASE64_STANDARD.decode(&event.proof[0]).unwrap().try_into().unwrap();
    let root = node_hash(&leaf, &sibling);
    assert_eq!(Checkpoint::open(&bundle.checkpoint, &bundle.own_key().unwrap()).unwrap().root, root);
}

#[test]
fn the_checkpoint_and_the_bundle_on_the_page_are_what_is_signed_and_proven() {
    let page = page();
    let text = example(&page);
    let bundle = Bundle::read(&text).unwrap();
    let key = bundle.own_key().unwrap();
    let signer = Signer::new(key.name(), &[1; 32]);
    assert_eq!(key, signer.verifier());
    shows(&page, &format!("{key}\n"));
    let checkpoint = Checkpoint::open(&bundle.checkpoint, &key).unwrap();
    assert_eq!(checkpoint.signed(&signer), bundle.checkpoint);
    shows(&page, &bundle.checkpoint);
    assert_eq!(bundle.verify(&key).map(|proven| (proven.events, proven.size)), Ok((1, 2)));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("example.bundle");
    fs::write(&file, text).unwrap();
    let Some(output) = in_python(&file, &key.to_string()) else { return };
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Every name of a member in a value.
fn names(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                found.insert(name.clone());
                names(member, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| names(item, found)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_names_every_member_that_goes_outside() {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    let document = system.ask(Ask::get("/openapi.json")).await.good().json();
    let page = page();
    let mut expected = BTreeSet::new();
    names(&serde_json::from_str(&example(&page)).unwrap(), &mut expected);
    for schema in [
        "CloudEvent_envelope",
        "CloudEvent_extensions",
        "Certificate",
        "KeysLeft",
        "LeftInView",
        "StoredEvent",
    ] {
        let members = document["components"]["schemas"][schema]["properties"].as_object();
        let members = members.unwrap_or_else(|| panic!("the document has no {schema}"));
        expected.extend(members.keys().cloned());
    }
    let missing: Vec<_> = expected.iter().filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/formats.md does not say what these are: {missing:?}");
}
