//! Whoever proves or checks by night reads the exit status: 0 where all is sound, 1 where something was altered, 2 where
//! that cannot be told.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use domain::Kind;
use rusqlite::Connection;
use serde_json::json;

use crate::harness::{Ask, Client, Served, id, printed, run};

fn gifts(client: &mut Client) {
    for number in 0..200 {
        let gift =
            json!({ "receive": { "amount": { "minor": 100, "currency": "EUR" }, "campaign": "Spring" } });
        client.ask(&Ask::command(Kind::Gift, id(Kind::Gift, number), &gift)).unwrap().good();
    }
}

/// The file of a view.
fn view_file(folder: &Path, view: &str) -> PathBuf {
    let files = fs::read_dir(folder.join("views")).unwrap().map(|entry| entry.unwrap().path());
    let is_it = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with(view) && name.ends_with(".sqlite")
    };
    files.into_iter().find(is_it).unwrap()
}

#[test]
fn where_nothing_is_signed_yet_it_cannot_be_told_and_later_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path());
    let token = printed(folder.path(), &["token", "create", "ann", "--role", "admin"]);
    gifts(&mut Client::connect(served.address, token.trim()).unwrap());
    served.kill();
    let verified = run(folder.path(), &["verify"]);
    let said = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert_eq!(verified.status.code(), Some(2), "{said}");
    assert!(said.contains("Nothing is signed yet"), "{said}");
    // Whoever opens the folder signs when it ends.
    printed(folder.path(), &["views"]);
    assert!(printed(folder.path(), &["verify"]).starts_with("PROVEN"));
    let nowhere = run(&folder.path().join("nowhere"), &["verify"]);
    assert_eq!(nowhere.status.code(), Some(2));
}

#[test]
fn a_damaged_view_is_named_and_the_others_are_checked_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let token = printed(folder.path(), &["token", "create", "ann", "--role", "admin"]);
    let mut served = Served::start(folder.path());
    gifts(&mut Client::connect(served.address, token.trim()).unwrap());
    served.terminate();
    served.ended_within(crate::harness::TEST_TIMEOUT).unwrap();
    let file = view_file(folder.path(), "giving");
    let length = fs::metadata(&file).unwrap().len();
    // The first page of every table and index lies before this, so that a start does not see it.
    let begin = 16 * 4_096;
    assert!(length > begin, "{length}");
    let damaged = File::options().write(true).open(&file).unwrap();
    damaged.write_all_at(&vec![0xff; usize::try_from(length - begin).unwrap()], begin).unwrap();
    let checked = run(folder.path(), &["check"]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert_eq!(checked.status.code(), Some(1), "{said} {}", String::from_utf8_lossy(&checked.stderr));
    let of_others = said.lines().filter(|line| line.contains("as the log says")).count();
    // The keys and the kept answers are held against the log as well.
    assert_eq!(of_others, projections::descriptions().len() - 1 + 2, "{said}");
    assert!(said.lines().any(|line| line.starts_with("giving: ")), "{said}");
    printed(folder.path(), &["rebuild", "giving"]);
    printed(folder.path(), &["check"]);
}

#[test]
fn a_log_whose_end_was_lost_is_not_served_and_not_proven() {
    let folder = tempfile::tempdir().unwrap();
    let token = printed(folder.path(), &["token", "create", "ann", "--role", "admin"]);
    let served = Served::start(folder.path());
    gifts(&mut Client::connect(served.address, token.trim()).unwrap());
    // Hashed within a moment, and signed a minute later.
    std::thread::sleep(std::time::Duration::from_millis(500));
    served.kill();
    for suffix in ["-wal", "-shm"] {
        fs::remove_file(folder.path().join(format!("log.sqlite{suffix}"))).unwrap();
    }
    let refused = run(folder.path(), &["views"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("its end has been lost"), "{said}");
    assert!(!folder.path().join("log.sqlite-wal").exists() || said.contains("rapport verify"), "{said}");
}

#[test]
fn an_answer_that_is_kept_for_a_repeated_command_is_held_against_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let token = printed(folder.path(), &["token", "create", "ann", "--role", "admin"]);
    let mut served = Served::start(folder.path());
    let mut client = Client::connect(served.address, token.trim()).unwrap();
    for number in 0..3 {
        let gift = json!({ "receive": { "amount": { "minor": 100, "currency": "EUR" } } });
        let ask = Ask::command(Kind::Gift, id(Kind::Gift, number), &gift).key(&format!("key {number}"));
        client.ask(&ask).unwrap().good();
    }
    served.terminate();
    served.ended_within(crate::harness::TEST_TIMEOUT).unwrap();
    assert!(printed(folder.path(), &["check", "giving"]).starts_with("giving: as the log says"));
    let log = Connection::open(folder.path().join("log.sqlite")).unwrap();
    let changed = log.execute(
        "UPDATE answers SET answer = replace(answer, '\"position\":5', '\"position\":4') WHERE number = 3",
        [],
    );
    assert_eq!(changed.unwrap(), 1);
    let answers: String =
        log.query_row("SELECT answer FROM answers WHERE number = 3", [], |row| row.get(0)).unwrap();
    drop(log);
    let checked = run(folder.path(), &["check"]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert_eq!(checked.status.code(), Some(1), "{said} {answers}");
    assert!(said.contains("answers: table answers, row number=3: the event at position"), "{said}");
}

#[test]
fn a_checkpoint_that_is_taken_away_from_the_middle_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let token = printed(folder.path(), &["token", "create", "ann", "--role", "admin"]);
    let mut served = Served::start(folder.path());
    let mut client = Client::connect(served.address, token.trim()).unwrap();
    let mut sizes = Vec::new();
    for number in 0..3 {
        let gift = json!({ "receive": { "amount": { "minor": 100, "currency": "EUR" } } });
        client.ask(&Ask::command(Kind::Gift, id(Kind::Gift, number), &gift)).unwrap().good();
        let note = client.ask(&Ask::post("/admin/checkpoint", &json!({}))).unwrap().good().text();
        sizes.push(note.lines().nth(1).unwrap().to_owned());
    }
    served.terminate();
    served.ended_within(crate::harness::TEST_TIMEOUT).unwrap();
    assert!(printed(folder.path(), &["verify"]).starts_with("PROVEN"));
    let file = folder.path().join("ledger/checkpoints");
    let text = fs::read_to_string(&file).unwrap();
    // A record ends with an empty line, and so does the text of its note.
    let notes: Vec<&str> = text.split("\n\n").collect();
    let records = notes.chunks(2).map(|record| record.join("\n\n") + "\n\n");
    let without = records.filter(|record| record.lines().nth(1) != Some(&sizes[1]) && record.len() > 2);
    fs::write(&file, without.collect::<String>()).unwrap();
    assert!(fs::read_to_string(&file).unwrap().len() < text.len());
    let verified = run(folder.path(), &["verify"]);
    let said = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert_eq!(verified.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("the checkpoint over {} events", sizes[1])), "{said}");
}
