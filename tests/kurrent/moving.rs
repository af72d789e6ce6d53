//! Moving system: a whole log from a folder into a cluster, and back, cut off on the way, and the same afterwards.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use domain::Kind;
use intake::{Campus, Demo};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::servers::Servers;
use crate::{
    harness::{Ask, Client, Served, System, TEST_TIMEOUT, id, printed, program, run},
    kurrent_double::Lost,
};

/// An organisation that has kept its log in a folder so far: a small campus, with somebody erased.
async fn campus() -> (TempDir, u64) {
    let place = tempfile::tempdir().unwrap();
    let system = System::open(place.path()).await;
    let lines: Vec<String> = Demo::new(Campus::new(20, 1)).collect();
    for lines in lines.chunks(2_000) {
        system.ask(Ask::new("POST", "/commands", lines.join("\n"))).await.good();
    }
    for (number, name) in [(1, "Ann Leaves"), (2, "Ben Stays")] {
        system
            .command(
                Kind::Contact,
                id(Kind::Contact, number),
                json!({ "register": { "form": "person", "name": name } }),
            )
            .await;
    }
    system.command(Kind::Contact, id(Kind::Contact, 1), json!({ "erase": { "ground": "request" } })).await;
    system.ask(Ask::new("POST", "/admin/checkpoint", "")).await.good();
    let events = system.head().0;
    system.close().await;
    (place, events)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The root in a note, or in what `copy` prints.
fn root(said: &str) -> String {
    let line = said.lines().find_map(|line| line.strip_prefix("root ")).unwrap();
    line.split(',').next().unwrap().to_owned()
}

fn last_note(folder: &Path) -> String {
    let notes = std::fs::read_to_string(folder.join("ledger/checkpoints")).unwrap();
    let begin = notes.rfind("rapport/").map(|_| notes.trim_end().rfind("\n\n\u{2014}").unwrap()).unwrap();
    let begin = notes[..begin].rfind("\n\n").map_or(0, |end| end + 2);
    notes[begin..].to_owned()
}

fn ask(client: &mut Client, path: &str) -> Value {
    client.ask(&Ask::get(path)).unwrap().good().json()
}

/// What people ask for on both sides.
const QUESTIONS: &[&str] = &[
    "/views/engagement?by=program",
    "/views/giving",
    "/views/contacts?name=ben",
    "/views/pipeline?by=region",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_log_moves_into_a_cluster_and_back_and_stays_the_same() {
    let (old, events) = campus().await;
    let servers = Servers::double(3);
    let copy = ["copy", "--from", text(old.path()), "--to", &servers.url];
    // Cut off by a kill, by lost answers and by cut connections, the same copy goes on.
    let mut begun = program(old.path(), &copy).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while servers.faults().event_count("contact-") < 5 && began.elapsed() < TEST_TIMEOUT {
        std::thread::sleep(Duration::from_millis(1));
    }
    begun.kill().unwrap();
    begun.wait().unwrap();
    let reached = servers.faults().appended().len();
    servers.faults().lose_next_appends(2, Lost::After);
    servers.faults().lose_next_appends_to("enrolment-", 3, Lost::Before);
    servers.faults().knows_batches(false);
    let said = printed(old.path(), &copy);
    assert!(
        said.contains(&format!("copied {events} events")) && said.contains("the same as the original's"),
        "{said}"
    );
    assert!(
        reached > 0 && reached < servers.faults().appended().len(),
        "it was cut off on the way: {reached}"
    );
    assert_eq!(
        servers.faults().event_count(&format!("key-{}", id(Kind::Contact, 1))),
        0,
        "no key of the erased"
    );
    let note = last_note(old.path());
    assert_eq!(note.lines().nth(2).unwrap(), root(&said), "the ledger of the copy comes to the same root");

    // A node of the cluster takes its secrets from the old folder, and whoever could come in still can.
    let old_token = printed(old.path(), &["token", "create", "ann", "--role", "admin"]).trim().to_owned();
    let said = printed(old.path(), &copy);
    assert!(said.contains("the same as the original's"), "{said}");
    let node = tempfile::tempdir().unwrap();
    let arguments = ["--store", &servers.url, "--secrets", text(old.path())];
    let (before, after) = {
        let there = Served::start_with(node.path(), &arguments);
        let token =
            printed(node.path(), &[&["token", "create", "ben", "--role", "admin"][..], &arguments].concat());
        let mut there = Client::connect(there.address, token.trim()).unwrap();
        let here = Served::start(old.path());
        let mut here = Client::connect(here.address, &old_token).unwrap();
        there.ask(&Ask::new("POST", "/admin/checkpoint", "")).unwrap().good();
        let both =
            |path: &&str| (ask(&mut here, path)["rows"].clone(), ask(&mut there, path)["rows"].clone());
        QUESTIONS.iter().map(both).unzip::<_, _, Vec<_>, Vec<_>>()
    };
    assert_eq!(before, after);
    assert!(after[2].to_string().contains("Ben Stays"), "what lives can be read");
    // What was signed before the move is true of the cluster.
    let kept = node.path().join("kept.txt");
    std::fs::write(&kept, &note).unwrap();
    let proven = printed(node.path(), &[&["verify", "--checkpoint", text(&kept)][..], &arguments].concat());
    assert!(proven.starts_with("PROVEN"), "{proven}");

    back_again(&servers, node.path(), old.path());
}

fn back_again(servers: &Servers, node: &Path, old: &Path) {
    let place = tempfile::tempdir().unwrap();
    let home = place.path().join("home");
    let copy = ["copy", "--from", &servers.url, "--to", text(&home), "--secrets", text(node)];
    let begun = program(&home, &copy).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut begun = begun.unwrap();
    std::thread::sleep(Duration::from_millis(120));
    begun.kill().unwrap();
    begun.wait().unwrap();
    let said = printed(&home, &copy);
    assert!(said.contains("the same as the original's"), "{said}");
    assert!(printed(&home, &["check"]).contains("as the log says"));
    assert!(printed(&home, &["verify"]).starts_with("PROVEN"));
    assert!(printed(&home, &["view", "contacts", "name=ben"]).contains("Ben Stays"));
    assert!(
        !printed(&home, &["history", &format!("contact/{}", id(Kind::Contact, 1))]).contains("Ann Leaves")
    );
    // The old system holds less by now, and is not copied over the new one.
    let over = run(old, &["copy", "--from", text(old), "--to", text(&home)]);
    assert!(String::from_utf8_lossy(&over.stderr).contains("`rapport backup` copies folders"));
    let into_full = run(old, &["copy", "--from", &servers.url, "--to", text(&home), "--secrets", text(node)]);
    assert!(!into_full.status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_keys_have_begun_new_epochs_moves_as_well() {
    let (old, _) = campus().await;
    printed(old.path(), &["keys", "rotate"]);
    let servers = Servers::double(1);
    let copy = ["copy", "--from", text(old.path()), "--to", &servers.url];
    printed(old.path(), &copy);
    let node = tempfile::tempdir().unwrap();
    let arguments = ["--store", &servers.url, "--secrets", text(old.path())];
    drop(Served::start_with(node.path(), &arguments));
    let ben = ["view", "contacts", "name=ben"];
    let asked = [&ben[..], &arguments].concat();
    assert!(printed(node.path(), &asked).contains("Ben Stays"));
    // Where the old folder has gone on to another epoch, the cluster's can no longer be taken from it.
    printed(old.path(), &["keys", "rotate"]);
    let refused = run(old.path(), &copy);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("a new epoch since the copy was begun"), "{said}");
    // It goes on holding a log, and keeps the keys of it, whatever the cluster does.
    printed(node.path(), &[&["keys", "rotate"][..], &arguments].concat());
    printed(node.path(), &[&["keys", "rotate"][..], &arguments].concat());
    for (folder, asked) in [(node.path(), &asked[..]), (old.path(), &ben)] {
        assert!(printed(folder, asked).contains("Ben Stays"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_not_copied_over_another_one() {
    let (old, _) = campus().await;
    let servers = Servers::double(1);
    let other = tempfile::tempdir().unwrap();
    drop(servers.node(other.path(), None).await);
    let refused = run(old.path(), &["copy", "--from", text(old.path()), "--to", &servers.url]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("it holds the log"), "{said}");
}
