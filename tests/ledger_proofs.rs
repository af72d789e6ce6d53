//! The ledger over HTTP, followed and checked by a monitor that we did not write: public crates for signed notes
//! and tiled logs.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use domain::{Kind, Role};
use serde_json::{Value, json};
use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{
    Checkpoint, Error, Hash, Tile, TileHashReader, TileReader, check_record, check_tree, prove_record,
    prove_tree, record_hash, tree_hash,
};
use tokio::runtime::Handle;

use crate::harness::{Ask, Client, Reply, Served, System, id, printed, run, send};

/// The height of the tiles, in levels.
const HEIGHT: u8 = 8;

/// Asks over HTTP, as somebody with an auditor's token.
struct Monitor<'a> {
    system: &'a System,
    runtime: Handle,
}

impl Monitor<'_> {
    fn get(&self, path: &str) -> Reply {
        let ask = Ask::get(path).token(self.system.token(Role::Auditor));
        self.runtime.block_on(send(&self.system.router, &ask)).unwrap().good()
    }

    /// The last checkpoint, its signature checked against the published key.
    fn checkpoint(&self) -> Checkpoint {
        let key = StandardVerifier::new(self.get("/ledger/key").text().trim()).unwrap();
        let note = Note::from_bytes(&self.get("/ledger/checkpoint").body).unwrap();
        let (signatures, others) = note.verify(&VerifierList::new(vec![Box::new(key)])).unwrap();
        assert_eq!((signatures.len(), others.len()), (1, 0));
        Checkpoint::from_bytes(note.text()).unwrap()
    }

    /// Every entry of the log up to a size, from bundles of entries.
    fn entries(&self, size: u64) -> Vec<Vec<u8>> {
        let mut entries = Vec::new();
        for tile in Tile::new_tiles(HEIGHT, 0, size).iter().filter(|tile| tile.level() == 0) {
            let path = tile.path().replace("tile/8/0/", "/ledger/tile/entries/");
            let body = self.get(&path).body;
            let mut rest = body.as_slice();
            while let Some((length, tail)) = rest.split_first_chunk::<2>() {
                let (entry, tail) = tail.split_at(u16::from_be_bytes(*length).into());
                entries.push(entry.to_vec());
                rest = tail;
            }
        }
        entries
    }
}

impl TileReader for Monitor<'_> {
    fn height(&self) -> u8 {
        HEIGHT
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        let path = |tile: &Tile| tile.path().replace("tile/8/", "/ledger/tile/");
        Ok(tiles.iter().map(|tile| self.get(&path(tile)).body).collect())
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

/// A system with a contact that carries tags, and that many events in its log, all signed.
async fn house_of(folder: &std::path::Path, events: u64) -> System {
    let system = System::open(folder).await;
    grow(&system, events).await;
    system
}

async fn grow(system: &System, events: u64) {
    let begin = system.head().0;
    let line = |number: u64| {
        let contact = id(Kind::Contact, 1 + number / 150);
        let command = if number.is_multiple_of(150) {
            json!({ "kind": "contact", "id": contact, "register": { "form": "person", "name": "Ann" } })
        } else {
            json!({ "kind": "contact", "id": contact, "tag": { "tag": format!("t{number}") } })
        };
        format!("{command}\n")
    };
    let lines: String = (begin..events).map(line).collect();
    let reply = system.ask(Ask::new("POST", "/commands", lines)).await.good();
    assert!(reply.lines().iter().all(|line| line["status"] == 200), "{}", reply.text());
    system.ask(Ask::new("POST", "/admin/checkpoint", "")).await.good();
    assert_eq!(system.head().0, events);
}

fn hashes(proof: &Value) -> Vec<Hash> {
    let hash =
        |text: &Value| Hash(BASE64_STANDARD.decode(text.as_str().unwrap()).unwrap().try_into().unwrap());
    proof.as_array().unwrap().iter().map(hash).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_that_we_did_not_write_follows_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let system = house_of(folder.path(), 700).await;
    let runtime = Handle::current();
    let system = tokio::task::spawn_blocking(move || {
        let monitor = Monitor { system: &system, runtime };
        let old = monitor.checkpoint();
        assert_eq!(old.size(), 700);
        assert_eq!(old.origin(), format!("rapport/{}", system.rapport.folder.log_id()));
        let reader = TileHashReader::new(old.size(), *old.hash(), &monitor);
        assert_eq!(tree_hash(700, &reader).unwrap(), *old.hash());
        let entries = monitor.entries(700);
        assert_eq!(entries.len(), 700);
        for number in [0, 1, 255, 256, 511, 699] {
            let leaf = record_hash(&entries[usize::try_from(number).unwrap()]);
            // Their proof from our tiles, and our proof, both by their check.
            let theirs = prove_record(700, number, &reader).unwrap();
            check_record(&theirs, 700, *old.hash(), number, leaf).unwrap();
            let ours = monitor.get(&format!("/ledger/inclusion?position={}", number + 1)).json();
            assert_eq!(hashes(&ours["proof"]), theirs);
            assert_eq!(ours["leaf"], BASE64_STANDARD.encode(leaf.0));
        }
        monitor.runtime.block_on(grow(&system, 1_030));
        let new = monitor.checkpoint();
        let reader = TileHashReader::new(new.size(), *new.hash(), &monitor);
        let ours = monitor.get("/ledger/consistency?from=700").json();
        assert_eq!(hashes(&ours["proof"]), prove_tree(1_030, 700, &reader).unwrap());
        check_tree(&hashes(&ours["proof"]), 1_030, *new.hash(), 700, *old.hash()).unwrap();
        system
    })
    .await
    .unwrap();
    drop(system);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_proven_is_answered_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let system = house_of(folder.path(), 300).await;
    system.command(Kind::Contact, id(Kind::Contact, 1), json!({ "tag": { "tag": "young" } })).await;
    for (path, status) in [
        ("/ledger/inclusion?position=301", 409),
        ("/ledger/inclusion?position=302", 404),
        ("/ledger/inclusion?position=0", 404),
        ("/ledger/inclusion?position=300&size=299", 409),
        ("/ledger/inclusion", 400),
        ("/ledger/inclusion?position=-1", 400),
        ("/ledger/inclusion?position=1&else=2", 400),
        ("/ledger/consistency?from=0", 409),
        ("/ledger/consistency?from=301", 409),
        ("/ledger/consistency?from=2&to=1", 409),
        ("/ledger/tile/0/001.p/45", 404),
        ("/ledger/tile/0/001.p/044", 404),
        ("/ledger/tile/7/000", 404),
        ("/ledger/tile/entries/../key", 404),
        ("/ledger/tile/0/x999/x999/x999/x999/x999/x999/x999/999", 404),
    ] {
        let reply = system.ask(Ask::get(path)).await;
        assert_eq!(reply.status, status, "{path}: {}", reply.text());
    }
    let many = json!({ "positions": vec![1; 1_001] });
    assert_eq!(system.ask(Ask::post("/ledger/proofs", &many)).await.status, 400);
    let signed = system.ask(Ask::new("POST", "/admin/checkpoint", "")).await.good();
    assert_eq!(signed.text().lines().nth(1), Some("301"));
    system.ask(Ask::get("/ledger/inclusion?position=301")).await.good();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_signed_when_it_is_closed_and_the_same_when_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let system = house_of(folder.path(), 20).await;
    system.command(Kind::Contact, id(Kind::Contact, 1), json!({ "tag": { "tag": "last" } })).await;
    system.close().await;
    let system = System::open(folder.path()).await;
    let note = system.ask(Ask::get("/ledger/checkpoint")).await.good().text();
    assert_eq!(note.lines().nth(1), Some("21"));
}

/// Exports a bundle of the first contact, and gives its file and its text.
fn exported(folder: &std::path::Path) -> (std::path::PathBuf, Value) {
    let file = folder.join("../ann.bundle");
    let about = format!("contact/{}", id(Kind::Contact, 1));
    printed(folder, &["export", &about, "--bundle", file.to_str().unwrap()]);
    let bundle = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    (file, bundle)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_proves_a_history_to_somebody_who_has_only_the_key() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("data");
    house_of(&folder, 300).await.close().await;
    let (file, bundle) = exported(&folder);
    assert_eq!(bundle["events"].as_array().unwrap().len(), 150);
    assert_eq!(bundle["events"][0]["meaning"]["detail"], "Ann");
    let key = std::fs::read_to_string(folder.join("ledger/key")).unwrap();
    // Far from the data folder, with the public key alone.
    let elsewhere = tempfile::tempdir().unwrap();
    let file = file.to_str().unwrap();
    let words = printed(elsewhere.path(), &["verify", file, "--key", key.trim()]);
    assert!(words.starts_with("PROVEN: each of the 150 events"), "{words}");
    assert!(words.contains("NOT PROVEN by a bundle"), "{words}");
    let another = signed_note_key();
    let output = run(elsewhere.path(), &["verify", file, "--key", &another]);
    assert!(!output.status.success());
}

/// The key of another log.
fn signed_note_key() -> String {
    ledger::note::Signer::new("rapport/another", &[5; 32]).verifier().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_in_which_anything_was_altered_proves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("data");
    house_of(&folder, 160).await.close().await;
    let served = Served::start(&folder);
    let (_, bundle) = exported(&folder);
    served.kill();
    let other = bundle["events"][7]["stored"]["data"].clone();
    let alterations: Vec<(&str, Value)> = vec![
        ("/events/3/stored/data", other),
        ("/events/3/stored/actor", "member:bob".into()),
        ("/events/3/stored/recorded_at", 1.into()),
        ("/events/3/stored/metadata", "{}".into()),
        ("/events/3/stored/subjects", "".into()),
        ("/events/3/number", 4_000.into()),
        ("/events/3/proof/0", bundle["events"][3]["proof"][1].clone()),
        ("/events/4", bundle["events"][3].clone()),
        ("/about", format!("contact-{}", id(Kind::Contact, 2)).into()),
        ("/checkpoint", bundle["checkpoint"].as_str().unwrap().replacen("160", "161", 1).into()),
        ("/key", signed_note_key().into()),
        ("/format", "rapport-bundle/v9".into()),
    ];
    let file = place.path().join("altered.bundle");
    for (path, value) in alterations {
        let mut altered = bundle.clone();
        *altered.pointer_mut(path).unwrap() = value;
        assert_ne!(altered, bundle, "{path}");
        std::fs::write(&file, altered.to_string()).unwrap();
        let output = run(&folder, &["verify", file.to_str().unwrap()]);
        let words = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!output.status.success() && words.starts_with("NOT PROVEN"), "{path}: {words}");
    }
    // An event that is left out of a stream is seen, and said.
    let mut shorter = bundle.clone();
    shorter["events"].as_array_mut().unwrap().remove(5);
    std::fs::write(&file, shorter.to_string()).unwrap();
    let words = printed(&folder, &["verify", file.to_str().unwrap()]);
    assert!(words.contains("only some events are shown: contact-"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_from_before_there_were_ledgers_gets_one_and_no_log_gets_a_second() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("data");
    let system = house_of(&folder, 30).await;
    let log = system.rapport.folder.log_id();
    system.close().await;
    // As the program before left it.
    std::fs::remove_dir_all(folder.join("ledger")).unwrap();
    std::fs::remove_file(folder.join("ledger-signing.key")).unwrap();
    std::fs::write(folder.join("format.json"), json!({ "format": 1, "log": log }).to_string()).unwrap();
    let keys = rusqlite::Connection::open(folder.join("keys.sqlite")).unwrap();
    keys.execute_batch("DROP TABLE signed; DROP TABLE checkpoints").unwrap();
    drop(keys);
    let system = System::open(&folder).await;
    let note = system.ask(Ask::new("POST", "/admin/checkpoint", "")).await.good().text();
    assert_eq!(note.lines().nth(1), Some("30"));
    system.close().await;
    assert!(printed(&folder, &["verify"]).starts_with("PROVEN: the first 30 events"));
    std::fs::remove_file(folder.join("ledger-signing.key")).unwrap();
    let refused = run(&folder, &["serve", "--listen", "127.0.0.1:0"]);
    let errors = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && errors.contains("ledger-signing.key is missing"), "{errors}");
    // Without the secret nothing more can be signed, but what was signed is still proven.
    assert!(printed(&folder, &["verify"]).starts_with("PROVEN: the first 30 events"));
}

#[test]
fn a_bundle_of_somebody_who_is_merged_proves_all_that_concerns_the_person() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let token = printed(&data, &["token", "create", "ann", "--role", "admin"]);
    let served = Served::start(&data);
    let mut client = Client::connect(served.address, token.trim()).unwrap();
    let contacts: Vec<_> = (1..=3).map(|number| id(Kind::Contact, number)).collect();
    for (contact, name) in contacts.iter().zip(["Alma One", "Alma Two", "Alma Three"]) {
        let register = json!({ "register": { "form": "person", "name": name } });
        client.ask(&Ask::command(Kind::Contact, *contact, &register)).unwrap().good();
        let gift = json!({ "receive": { "amount": { "minor": 100, "currency": "EUR" }, "donor": contact } });
        client.ask(&Ask::command(Kind::Gift, *contact, &gift)).unwrap().good();
    }
    for (contact, into) in [(contacts[1], contacts[0]), (contacts[2], contacts[1])] {
        let merge = json!({ "merge": { "into": into } });
        client.ask(&Ask::command(Kind::Contact, contact, &merge)).unwrap().good();
    }
    for contact in &contacts {
        let bundle = place.path().join(format!("{contact}.bundle"));
        let bundle = bundle.to_str().unwrap();
        printed(&data, &["export", &format!("contact/{contact}"), "--bundle", bundle, "--purpose", "audit"]);
        let proven = printed(&data, &["verify", bundle]);
        assert!(proven.starts_with("PROVEN: each of the 8 events"), "{proven}");
        let others = contacts.iter().filter(|other| **other != *contact);
        for other in others {
            assert!(proven.contains(&format!("contact-{other}")), "{proven}");
        }
        // An event of somebody else does not become theirs.
        let text = std::fs::read_to_string(bundle).unwrap();
        let stranger = text.replacen(
            &format!("\"about\":\"contact-{contact}\""),
            "\"about\":\"contact-00000000-0000-0001-0000-000000000009\"",
            1,
        );
        std::fs::write(bundle, stranger).unwrap();
        let refused = run(&data, &["verify", bundle]);
        assert_eq!(refused.status.code(), Some(1));
    }
}
