//! Where something of a data folder is lost for good there is one way on. It says what is lost before it does anything, it
//! destroys nothing, and that somebody took it stands in the log for ever.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use rusqlite::Connection;
use serde_json::Value;

use crate::{
    harness::{Served, printed, run},
    start_up::{copy, lived, start},
};

/// The folder after a loss, and what is to be said of it.
struct Loss {
    befalls: fn(&Path),
    lost: &'static [&'static str],
    /// What is answered afterwards: how many gifts, and whether the contact's name can be read.
    left: &'static str,
}

const LOSSES: &[Loss] = &[
    Loss { befalls: |folder| remove(folder, "ledger"), lost: &["ledger"], left: "40 true" },
    Loss { befalls: |folder| empty(folder, "ledger/checkpoints"), lost: &["ledger"], left: "40 true" },
    Loss { befalls: |folder| empty(folder, "ledger/hashes-00"), lost: &["ledger"], left: "40 true" },
    Loss {
        befalls: |folder| remove(folder, "format.json"),
        lost: &["format.json", "ledger"],
        left: "40 true",
    },
    Loss {
        befalls: |folder| empty(folder, "format.json"),
        lost: &["format.json", "ledger"],
        left: "40 true",
    },
    Loss {
        befalls: |folder| {
            // As somebody would who wants another ledger to be begun in silence.
            let format = fs::read_to_string(folder.join("format.json")).unwrap();
            fs::write(folder.join("format.json"), format.replace("\"format\":2", "\"format\":1")).unwrap();
            remove(folder, "ledger");
        },
        lost: &["ledger"],
        left: "40 true",
    },
    Loss { befalls: |folder| remove(folder, "keys.sqlite"), lost: &["keys.sqlite"], left: "40 false" },
    Loss { befalls: |folder| remove(folder, "epoch-1.key"), lost: &["keys.sqlite"], left: "40 false" },
    Loss {
        befalls: |folder| fs::write(folder.join("epoch-1.key"), [7; 32]).unwrap(),
        lost: &["keys.sqlite"],
        left: "40 false",
    },
    Loss {
        befalls: |folder| remove(folder, "installation.secret"),
        lost: &["installation.secret"],
        left: "40 true",
    },
    Loss {
        befalls: |folder| remove(folder, "ledger-signing.key"),
        lost: &["ledger-signing.key", "ledger"],
        left: "40 true",
    },
    Loss {
        befalls: |folder| {
            let log = Connection::open(folder.join("log.sqlite")).unwrap();
            log.execute("DELETE FROM events WHERE position > 36", []).unwrap();
        },
        lost: &["ledger", "log.sqlite"],
        left: "33 true",
    },
];

fn remove(folder: &Path, name: &str) {
    let path = folder.join(name);
    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
}

fn empty(folder: &Path, name: &str) {
    fs::write(folder.join(name), "").unwrap();
}

/// Every file with what is in it, but for what a look leaves behind.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut waiting) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(next).unwrap().map(Result::unwrap) {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let name = path.file_name().unwrap().as_bytes();
            if kind.is_dir() {
                waiting.push(path);
            } else if kind.is_file() && !name.ends_with(b"-shm") && !name.ends_with(b"-wal") {
                found.insert(path.clone(), fs::read(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn after_a_loss_an_operator_goes_on_with_what_is_left_and_the_log_says_so() {
    let place = tempfile::tempdir().unwrap();
    let whole = place.path().join("whole");
    let token = lived(&whole);
    for (number, loss) in LOSSES.iter().enumerate() {
        let folder = place.path().join(format!("loss-{number}"));
        copy(&whole, &folder);
        (loss.befalls)(&folder);
        let refused = start(&folder, &token).unwrap_err();

        let asked = run(&folder, &["restore", "--what-is-left"]);
        let said = String::from_utf8_lossy(&asked.stderr).into_owned();
        assert!(!asked.status.success() && said.contains("--because"), "loss {number}: {said}");
        // What stands in the way is the same as before, and nothing was touched by asking.
        assert_eq!(start(&folder, &token).unwrap_err(), refused, "loss {number}");
        let before = contents(&folder);

        let done = printed(&folder, &["restore", "--what-is-left", "--because", "the disk broke"]);
        assert!(done.starts_with(&format!("lost: {}\n", loss.lost.join(", "))), "loss {number}: {done}");
        assert_eq!(start(&folder, &token).as_deref(), Ok(loss.left), "loss {number}");
        let last = printed(&folder, &["events", "--kind", "setting", "--json"]);
        let last: Value = serde_json::from_str(last.lines().next_back().unwrap()).unwrap();
        assert_eq!(last["type"], "rapport.setting.loss_accepted.v1", "loss {number}: {last}");
        assert_eq!(last["data"]["because"], "the disk broke");
        assert_eq!(last["data"]["lost"], serde_json::json!(loss.lost), "loss {number}");
        let known = last["data"]["known"].as_u64().unwrap();
        assert!(known >= last["data"]["held"].as_u64().unwrap(), "loss {number}: {last}");
        let verified = run(&folder, &["verify"]);
        assert_eq!(verified.status.code(), Some(0), "loss {number}: {verified:?}");
        assert_eq!(run(&folder, &["check"]).status.code(), Some(0), "loss {number}");

        // Whatever was there and is of any worth still lies somewhere.
        let after: Vec<Vec<u8>> = contents(&folder).into_values().collect();
        for (path, bytes) in before {
            let is_made_again = path.starts_with(folder.join("views")) || path.ends_with("log-index.sqlite");
            let grows = ["log.sqlite", "keys.sqlite", "format.json", "tokens.json"];
            if !is_made_again && !grows.iter().any(|name| path.ends_with(name)) {
                // A ledger that is still right has gone on.
                let lies_somewhere = after.iter().any(|now| now.starts_with(&bytes));
                assert!(lies_somewhere, "loss {number}: {} is gone", path.display());
            }
        }
        let again = run(&folder, &["restore", "--what-is-left", "--because", "again"]);
        assert!(!again.status.success(), "nothing is lost any more");
    }
}

#[test]
fn without_a_log_and_beside_a_server_there_is_nothing_to_go_on_with() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("data");
    lived(&folder);
    let go_on = || {
        let done = run(&folder, &["restore", "--what-is-left", "--because", "lost"]);
        assert!(!done.status.success());
        String::from_utf8_lossy(&done.stderr).into_owned()
    };
    let served = Served::start(&folder);
    assert!(go_on().contains("in use by another process"), "{}", go_on());
    served.kill();
    let before = contents(&folder);
    fs::remove_file(folder.join("log.sqlite")).unwrap();
    let said = go_on();
    assert!(said.contains("log.sqlite is missing") && said.contains("backup"), "{said}");
    assert!(!said.contains("--what-is-left"), "{said}");
    assert_eq!(contents(&folder).len() + 1, before.len(), "nothing else was touched");
}
