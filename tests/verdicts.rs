//! Whoever proves or checks by night reads the exit status: 0 where all is sound, 1 where something was altered, 2 where
//! that cannot be told.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use domain::Kind;
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
    assert_eq!(of_others, projections::descriptions().len() - 1, "{said}");
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
