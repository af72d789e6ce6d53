//! Whatever has become of a file of the data folder while nobody was looking: the next start serves rightly, or refuses,
//! names the file and says what to do.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use domain::Kind;
use serde_json::json;

use crate::harness::{Ask, Client, Served, id, printed, program};

/// A folder with gifts and a named contact in it, its server ended by a kill, and the token of an administrator.
pub(crate) fn lived(folder: &Path) -> String {
    let token = printed(folder, &["token", "create", "ann", "--role", "admin"]).trim().to_owned();
    let served = Served::start(folder);
    let mut client = Client::connect(served.address, &token).unwrap();
    let register = json!({ "register": { "form": "person", "name": "Ada Lovelace" } });
    client.ask(&Ask::command(Kind::Contact, id(Kind::Contact, 1), &register)).unwrap().good();
    gifts(&mut client, 0..30);
    client.ask(&Ask::post("/admin/checkpoint", &json!({}))).unwrap().good();
    gifts(&mut client, 30..40);
    // What was recorded last is hashed within a moment, and not signed.
    std::thread::sleep(std::time::Duration::from_millis(500));
    served.kill();
    token
}

fn gifts(client: &mut Client, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let gift = json!({ "receive": { "amount": { "minor": 100, "currency": "EUR" } } });
        client.ask(&Ask::command(Kind::Gift, id(Kind::Gift, number), &gift)).unwrap().good();
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    DirBuilder::new().recursive(true).mode(0o700).create(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

/// Every file that a start may meet, with its path in the folder; those of a socket and a lock are made anew.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut waiting) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                waiting.push(entry.path());
            } else if entry.file_type().unwrap().is_file() {
                found.push(entry.path().strip_prefix(folder).unwrap().to_owned());
            }
        }
    }
    // Of the views two are enough: all are opened alike.
    let is_tried = |file: &Path| {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        !file.starts_with("views") || name.starts_with("giving") || name.starts_with("contacts")
    };
    found.retain(|file| file != Path::new("lock") && is_tried(file));
    found.sort();
    found
}

/// What happens to a file.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Missing,
    Empty,
    Cut,
    Foreign,
    Linked,
}

const FATES: [Fate; 5] = [Fate::Missing, Fate::Empty, Fate::Cut, Fate::Foreign, Fate::Linked];

impl Fate {
    fn befall(self, file: &Path, elsewhere: &Path) {
        match self {
            Self::Missing => fs::remove_file(file).unwrap(),
            Self::Empty => drop(File::create(file).unwrap()),
            Self::Cut => {
                let length = fs::metadata(file).unwrap().len();
                File::options().write(true).open(file).unwrap().set_len(length / 2).unwrap();
            }
            Self::Foreign => {
                fs::write(file, "this was never written by anybody who knows it\n".repeat(100)).unwrap();
            }
            Self::Linked => {
                fs::rename(file, elsewhere).unwrap();
                symlink(elsewhere, file).unwrap();
            }
        }
    }
}

/// What a start came to: everything that was recorded is answered, or it is refused with a reason.
pub(crate) fn start(folder: &Path, token: &str) -> Result<String, String> {
    let output = program(folder, &["view", "giving", "--json"]).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!errors.contains("panicked"), "{errors}");
    if !output.status.success() {
        return Err(errors);
    }
    let served = Served::start(folder);
    let mut client = Client::connect(served.address, token).unwrap();
    let giving = client.ask(&Ask::get("/views/giving")).unwrap();
    let giving =
        if giving.status == 200 { giving.json()["totals"]["gifts"].to_string() } else { giving.text() };
    let contact = client.ask(&Ask::get(format!("/views/contacts?id={}", id(Kind::Contact, 1)))).unwrap();
    Ok(format!("{giving} {}", contact.text().contains("Ada Lovelace")))
}

#[test]
fn whatever_became_of_a_file_the_next_start_serves_rightly_or_names_it() {
    let place = tempfile::tempdir().unwrap();
    let whole = place.path().join("whole");
    let token = lived(&whole);
    let (mut wrong, mut count) = (Vec::new(), 0);
    for file in files(&whole) {
        for fate in FATES {
            count += 1;
            let folder = place.path().join("tried");
            copy(&whole, &folder);
            fate.befall(&folder.join(&file), &place.path().join("elsewhere"));
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            match start(&folder, &token) {
                Ok(answer) if answer == "40 true" => {}
                Ok(answer) => wrong.push(format!("{fate:?} {}: served {answer}", file.display())),
                // Its name, or that of what it belongs to.
                Err(reason)
                    if reason.contains(name.split("-wal").next().unwrap()) || names(&reason, &file) => {}
                Err(reason) => wrong.push(format!("{fate:?} {}: refused: {}", file.display(), reason.trim())),
            }
            fs::remove_dir_all(&folder).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 100, "only {count} cases");
}

/// Whether a reason names what a file belongs to, as "the ledger" names each of its files.
fn names(reason: &str, file: &Path) -> bool {
    let file = file.to_string_lossy();
    ["ledger", "log"].iter().any(|whole| file.starts_with(whole) && reason.contains(whole))
}

#[test]
fn a_file_of_tokens_that_is_lost_is_written_again_and_what_was_put_into_it_lets_nobody_in() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("data");
    let token = lived(&folder);
    let file = folder.join("tokens.json");
    let before = fs::read_to_string(&file).unwrap();
    for lost in ["", "[{\"name\":"] {
        fs::write(&file, lost).unwrap();
        assert_eq!(start(&folder, &token).as_deref(), Ok("40 true"));
        let hash = |text: &str| text.split("\"hash\": ").nth(1).unwrap()[..66].to_owned();
        assert_eq!(hash(&fs::read_to_string(&file).unwrap()), hash(&before));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // Revoked, and put back from an old copy.
    printed(&folder, &["token", "revoke", "ann"]);
    fs::write(&file, before.replace("ann", "eve")).unwrap();
    assert!(printed(&folder, &["token", "list"]).lines().all(|line| !line.contains("eve")));
    fs::write(&file, &before).unwrap();
    assert!(printed(&folder, &["token", "list"]).lines().all(|line| !line.contains("ann")));
}

#[test]
fn another_epoch_key_and_lost_keys_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("data");
    let token = lived(&folder);
    let key = folder.join("epoch-1.key");
    let right = fs::read(&key).unwrap();
    fs::write(&key, [7; 32]).unwrap();
    let reason = start(&folder, &token).unwrap_err();
    assert!(reason.contains("epoch-1.key") && reason.contains("put the right one back"), "{reason}");
    fs::write(&key, right).unwrap();
    assert_eq!(start(&folder, &token).as_deref(), Ok("40 true"));
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    assert_eq!(start(&folder, &token).as_deref(), Ok("40 true"));
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600, "rights are tightened");
}

#[test]
fn a_second_backup_that_breaks_off_leaves_the_first_and_one_that_was_whole_is_put_in_its_place() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let token = lived(&at("data"));
    let (backup, keys) = (at("backup"), at("keys"));
    let back_up = || {
        let arguments = ["backup", backup.to_str().unwrap(), "--keys", keys.to_str().unwrap()];
        printed(&at("data"), &arguments);
    };
    let restored = |to: &str| {
        let arguments = ["restore", backup.to_str().unwrap(), "--keys", keys.to_str().unwrap()];
        printed(&at(to), &arguments);
        start(&at(to), &token)
    };
    back_up();
    // Broken off in the middle: no label says that it is whole.
    fs::create_dir(backup.join("next")).unwrap();
    fs::write(backup.join("next/log.sqlite"), "half").unwrap();
    assert_eq!(restored("one").as_deref(), Ok("40 true"));
    let served = Served::start(&at("data"));
    gifts(&mut Client::connect(served.address, &token).unwrap(), 40..50);
    served.kill();
    back_up();
    assert!(!backup.join("next").exists() && !keys.join("next").exists());
    // Broken off while it was put in the place of the first one.
    let next = backup.join("next");
    fs::create_dir(&next).unwrap();
    for name in ["log.sqlite", "ledger", "backup.json"] {
        fs::rename(backup.join(name), next.join(name)).unwrap();
    }
    assert_eq!(restored("two").as_deref(), Ok("50 true"));
    assert!(!next.exists());
}
