//! Whatever is done to the files of a log, `rapport verify` finds it, and says where. Every attack is carried out
//! on a copy of the files, with plain SQL or a hex edit, and found by the real program.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use domain::{
    Actor, Append, Event, EventId, EventStore as _, Kind, Metadata, NewEvent, StreamId, contact::ContactEvent,
};
use futures::{StreamExt as _, stream};
use ledger::{Keeper, Ledger, note::Signer};
use rusqlite::Connection;
use serde_json::{Value, json};
use store::{DataFolder, EmbeddedStore, Options};
use tempfile::TempDir;
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::harness::run;

const EVENTS: u64 = 100_000;
const STREAMS: u64 = 1_000;
/// The sizes at which the original was signed.
const SIGNED: [u64; 3] = [0, 60_000, EVENTS];

/// A log of 100,000 events with its ledger, made once; every test copies it.
static ORIGINAL: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    // A runtime of its own: the test that comes first may be inside one.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let (store, keeper) = open(&path, runtime.handle());
        for (from, to) in [(0, SIGNED[1]), (SIGNED[1], EVENTS)] {
            runtime.block_on(append(&store, from..to));
            assert_eq!(runtime.block_on(keeper.sign()).unwrap().unwrap().checkpoint.size, to);
        }
    })
    .join()
    .unwrap();
    folder
});

fn open(path: &Path, runtime: &Handle) -> (Arc<EmbeddedStore>, Keeper) {
    let folder = DataFolder::open(path).unwrap();
    let store = EmbeddedStore::open(&folder, Options { durable: false, ..Options::default() }).unwrap();
    let signer = Signer::new(&format!("rapport/{}", folder.log_id()), &folder.ledger_key().unwrap());
    let ledger = if folder.has_ledger() {
        Ledger::open(&folder.ledger(), signer).unwrap()
    } else {
        let ledger = Ledger::create(&folder.ledger(), signer).unwrap();
        folder.note_ledger().unwrap();
        ledger
    };
    let keeper = Keeper::start(ledger, Arc::clone(&store) as _, runtime.clone(), |_| Ok(())).unwrap();
    (store, keeper)
}

/// The n-th event, from 0: a tag that says its number.
fn event(number: u64) -> Append {
    let id = Uuid::from_u64_pair(1, number % STREAMS);
    let tagged = ContactEvent::Tagged { tag: format!("tag-{:06}", number + 1) };
    let event = NewEvent {
        id: EventId(Uuid::from_u64_pair(2, number)),
        event: Event::Contact(tagged),
        subjects: vec![domain::ContactId(id)],
    };
    Append {
        stream: StreamId::new(Kind::Contact, id),
        expected: number / STREAMS,
        events: vec![event],
        occurred_at: None,
        by: Actor::Import("tags".into()),
        metadata: Metadata { on_behalf_of: Some(Actor::Member("ann".into())), ..Metadata::default() },
        key: None,
        kept: Vec::new(),
    }
}

async fn append(store: &Arc<EmbeddedStore>, numbers: std::ops::Range<u64>) {
    let appended = stream::iter(numbers).map(|number| store.append(event(number))).buffered(512);
    appended.for_each(|answer| async move { drop(answer.unwrap()) }).await;
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copied(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// A copy of the original to do something to.
fn attacked(attack: impl FnOnce(&Path)) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copied(ORIGINAL.path(), folder.path());
    attack(folder.path());
    folder
}

/// A copy in which some statements were run.
fn with_sql(sql: &str) -> TempDir {
    attacked(|folder| Connection::open(folder.join("log.sqlite")).unwrap().execute_batch(sql).unwrap())
}

fn verified(folder: &Path, arguments: &[&str]) -> (bool, Value) {
    let output = run(folder, &[&["verify", "--json"], arguments].concat());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let answer = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output.status.success(), answer)
}

/// Verifies, and wants this kind of fault at this number.
#[track_caller]
fn found(folder: &TempDir, kind: &str, number: u64) -> Value {
    let (sound, answer) = verified(folder.path(), &[]);
    assert!(!sound, "nothing was found: {answer}");
    assert_eq!(
        (answer["fault"]["kind"].as_str(), answer["fault"]["number"].as_u64()),
        (Some(kind), Some(number))
    );
    answer
}

#[test]
fn a_log_that_nobody_touched_is_proven() {
    let (sound, answer) = verified(ORIGINAL.path(), &[]);
    assert!(sound, "{answer}");
    assert_eq!((answer["events"].as_u64(), answer["younger"].as_u64()), (Some(EVENTS), Some(0)));
    assert_eq!(answer["checkpoints"], SIGNED.len());
}

#[test]
fn a_changed_byte_of_a_payload_is_found() {
    let connection = Connection::open(ORIGINAL.path().join("log.sqlite")).unwrap();
    let sql = "SELECT substr(data, 9, 10) FROM events WHERE position = 70001";
    let tag: String = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    let folder = attacked(|folder| {
        let file = folder.join("log.sqlite");
        let mut bytes = fs::read(&file).unwrap();
        let place = bytes.windows(10).position(|window| window == tag.as_bytes()).unwrap();
        bytes[place + 9] ^= 1;
        fs::write(&file, bytes).unwrap();
    });
    found(&folder, "altered", 70_001);
}

#[test]
fn a_changed_actor_is_found() {
    found(&with_sql("UPDATE events SET actor = 'member:bob' WHERE position = 3"), "altered", 3);
}

#[test]
fn a_changed_actor_in_the_metadata_is_found() {
    let sql =
        "UPDATE events SET metadata = replace(metadata, 'member:ann', 'member:bob') WHERE position = 99999";
    found(&with_sql(sql), "altered", 99_999);
}

#[test]
fn a_changed_time_is_found() {
    found(
        &with_sql("UPDATE events SET effective_at = effective_at - 1 WHERE position = 512"),
        "altered",
        512,
    );
}

#[test]
fn a_removed_event_is_found() {
    found(&with_sql("DELETE FROM events WHERE position = 40000"), "removed", 40_000);
    let closing_the_gap = "DELETE FROM events WHERE position = 40000;
        UPDATE events SET position = 1 - position WHERE position > 40000;
        UPDATE events SET position = -position WHERE position < 0;";
    found(&with_sql(closing_the_gap), "removed", 40_000);
}

#[test]
fn two_swapped_events_are_found() {
    let swap = |one: u64, other: u64| {
        format!(
            "UPDATE events SET position = -1 WHERE position = {one};
             UPDATE events SET position = {one} WHERE position = {other};
             UPDATE events SET position = {other} WHERE position = -1;"
        )
    };
    assert_eq!(found(&with_sql(&swap(777, 778)), "moved", 777)["fault"]["instead"], 778);
    assert_eq!(found(&with_sql(&swap(777, 90_000)), "moved", 777)["fault"]["instead"], 90_000);
}

#[test]
fn an_inserted_event_is_found() {
    let insert = |position: i64| {
        format!(
            "INSERT INTO events SELECT {position}, stream, revision, zeroblob(16), tag, occurred_at, effective_at,
                 recorded_at, actor, subjects, metadata, data FROM events WHERE position = 500"
        )
    };
    let between = format!(
        "UPDATE events SET position = -1 - position WHERE position > 500;
         UPDATE events SET position = -position WHERE position < 0; {}",
        insert(501)
    );
    found(&with_sql(&between), "inserted", 501);
    // Before the first there is room as well.
    found(&with_sql(&insert(0)), "inserted", 1);
    found(&with_sql(&insert(-5)), "unreadable", 1);
}

#[test]
fn a_tail_cut_below_the_last_checkpoint_is_found_and_is_not_served() {
    let folder = with_sql("DELETE FROM events WHERE position > 99998");
    let (sound, answer) = verified(folder.path(), &[]);
    assert!(!sound);
    assert_eq!(answer["fault"]["kind"], "cut_off");
    assert_eq!((&answer["fault"]["held"], &answer["fault"]["signed"]), (&99_998.into(), &EVENTS.into()));
    refuses_to_serve(&folder, "it holds 99998 events, and 100000 were signed");
}

#[test]
fn a_ledger_that_is_gone_is_found_and_is_not_served() {
    let folder = attacked(|folder| fs::remove_dir_all(folder.join("ledger")).unwrap());
    let (sound, answer) = verified(folder.path(), &[]);
    assert!(!sound);
    assert_eq!(answer["fault"]["kind"], "ledger_missing");
    refuses_to_serve(&folder, "the ledger is missing");
    assert!(!folder.path().join("ledger").exists(), "it was made anew");
}

#[test]
fn a_ledger_that_is_shorter_than_what_was_signed_is_found_and_is_not_served() {
    let folder = attacked(|folder| {
        let file = fs::OpenOptions::new().write(true).open(folder.join("ledger/hashes-00")).unwrap();
        file.set_len(32 * 70_000).unwrap();
    });
    let (sound, answer) = verified(folder.path(), &[]);
    assert!(!sound);
    assert_eq!(answer["fault"]["kind"], "ledger_cut_off");
    refuses_to_serve(&folder, "holds the hashes of 70000 events and has signed 100000");
}

#[track_caller]
fn refuses_to_serve(folder: &TempDir, why: &str) {
    let output = run(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && errors.contains(why) && errors.contains("rapport verify"),
        "{errors}"
    );
}

#[test]
fn a_whole_older_copy_is_found_by_a_checkpoint_that_was_kept_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    copied(ORIGINAL.path(), folder.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (store, keeper) = open(folder.path(), runtime.handle());
    runtime.block_on(append(&store, EVENTS..EVENTS + 10));
    let newer = runtime.block_on(keeper.sign()).unwrap().unwrap();
    let kept = folder.path().join("kept.txt");
    fs::write(&kept, &newer.note).unwrap();
    let (sound, answer) = verified(ORIGINAL.path(), &[]);
    assert!(sound, "the copy agrees with itself: {answer}");
    let (sound, answer) = verified(ORIGINAL.path(), &["--checkpoint", kept.to_str().unwrap()]);
    assert!(!sound);
    assert_eq!(answer["fault"]["kind"], "cut_off");
    assert_eq!(
        (&answer["fault"]["held"], &answer["fault"]["signed"]),
        (&EVENTS.into(), &(EVENTS + 10).into())
    );
    drop((keeper, store));
    let (sound, answer) = verified(folder.path(), &["--checkpoint", kept.to_str().unwrap()]);
    assert!(sound, "{answer}");

    // Another history that was signed with the same key does not pass for the one that was kept.
    let forged = tempfile::tempdir().unwrap();
    copied(ORIGINAL.path(), forged.path());
    let store = EmbeddedStore::open(&DataFolder::open(forged.path()).unwrap(), Options::default()).unwrap();
    runtime.block_on(append(&store, EVENTS..EVENTS + 10));
    drop(store);
    let sql = "UPDATE events SET actor = 'member:bob' WHERE position = 100003";
    Connection::open(forged.path().join("log.sqlite")).unwrap().execute_batch(sql).unwrap();
    let (store, keeper) = open(forged.path(), runtime.handle());
    runtime.block_on(keeper.sign()).unwrap().unwrap();
    drop((keeper, store));
    assert!(verified(forged.path(), &[]).0);
    let (older, kept) = (kept.with_extension("older"), kept.to_str().unwrap());
    let checkpoints = fs::read_to_string(ORIGINAL.path().join("ledger/checkpoints")).unwrap();
    let last = checkpoints.rfind("rapport/").and_then(|name| checkpoints[..name].rfind("rapport/")).unwrap();
    fs::write(&older, checkpoints[last..].trim_end_matches('\n').to_owned() + "\n").unwrap();
    for (arguments, agreed) in [
        (vec!["--checkpoint", kept], 0),
        (vec!["--checkpoint", kept, "--checkpoint", older.to_str().unwrap()], EVENTS),
    ] {
        let (sound, answer) = verified(forged.path(), &arguments);
        assert!(!sound);
        let fault = &answer["fault"];
        assert_eq!((&fault["kind"], &fault["agreed"]), (&"another_root".into(), &agreed.into()), "{answer}");
    }
}

#[test]
fn a_ledger_altered_together_with_the_log_is_found_by_the_checkpoints() {
    let forged = attacked(|folder| {
        let sql = "UPDATE events SET actor = 'member:bob' WHERE position = 70000";
        let connection = Connection::open(folder.join("log.sqlite")).unwrap();
        connection.execute_batch(sql).unwrap();
        drop(connection);
        let mut leaves = Vec::new();
        let mut hasher = ledger::leaf::LeafHasher::default();
        store::StoredLog::open(folder).unwrap().each(|event| {
            leaves.extend_from_slice(&hasher.hash(event.as_ref().unwrap()));
            true
        });
        fs::write(folder.join("ledger/hashes-00"), leaves).unwrap();
    });
    let (sound, answer) = verified(forged.path(), &[]);
    assert!(!sound);
    assert_eq!(
        (&answer["fault"]["kind"], &answer["fault"]["agreed"]),
        (&"another_root".into(), &60_000.into())
    );
}

#[test]
fn an_altered_hash_of_the_ledger_is_told_from_an_altered_event() {
    let flip = |name: &'static str, place: usize| {
        attacked(move |folder| {
            let file: PathBuf = folder.join("ledger").join(name);
            let mut bytes = fs::read(&file).unwrap();
            bytes[place * 32] ^= 1;
            fs::write(&file, bytes).unwrap();
        })
    };
    found(&flip("hashes-00", 69_999), "ledger_altered", 70_000);
    // The hash over the events 161 to 176.
    found(&flip("hashes-04", 10), "ledger_altered", 161);
}

#[test]
fn an_altered_checkpoint_is_found() {
    for (from, to) in [("\n60000\n", "\n60001\n"), ("rapport/", "rapporT/")] {
        let folder = attacked(|folder| {
            let file = folder.join("ledger/checkpoints");
            let text = fs::read_to_string(&file).unwrap();
            let place = text.rfind(from).unwrap();
            let altered = text[..place].to_owned() + &text[place..].replacen(from, to, 1);
            fs::write(&file, altered).unwrap();
        });
        let (sound, answer) = verified(folder.path(), &[]);
        assert!(!sound);
        assert_eq!(answer["fault"]["kind"], "checkpoint", "{answer}");
    }
}

#[test]
fn what_is_younger_than_the_last_checkpoint_is_counted_and_not_claimed() {
    let folder = tempfile::tempdir().unwrap();
    copied(ORIGINAL.path(), folder.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // Without the keeper nobody signs.
    let store = EmbeddedStore::open(&DataFolder::open(folder.path()).unwrap(), Options::default()).unwrap();
    runtime.block_on(append(&store, EVENTS..EVENTS + 7));
    let (sound, answer) = verified(folder.path(), &[]);
    assert!(sound, "also while the log is in use: {answer}");
    assert_eq!((&answer["covered"], &answer["younger"]), (&EVENTS.into(), &7.into()));
}

#[test]
fn checkpoints_that_were_taken_away_do_not_make_an_altered_log_good() {
    let folder = attacked(|folder| {
        let file = folder.join("ledger/checkpoints");
        let text = fs::read_to_string(&file).unwrap();
        // The first checkpoint signs an empty log: six lines.
        let first: String = text.split_inclusive('\n').take(6).collect();
        fs::write(&file, first).unwrap();
        let sql = "UPDATE events SET actor = 'member:bob' WHERE position = 1164";
        Connection::open(folder.join("log.sqlite")).unwrap().execute_batch(sql).unwrap();
    });
    found(&folder, "not_hashed", 1_164);
    // Nor does it become good by being opened: nothing more is signed.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (store, keeper) = open(folder.path(), runtime.handle());
    assert!(runtime.block_on(keeper.sign()).unwrap().is_none());
    assert!(keeper.state().trouble.unwrap().contains("event 1164"));
    drop((keeper, store));
    found(&folder, "not_hashed", 1_164);
}

#[test]
fn events_cut_off_that_were_hashed_and_not_signed_are_missed() {
    let folder = attacked(|folder| {
        let file = folder.join("ledger/checkpoints");
        let text = fs::read_to_string(&file).unwrap();
        let two: String = text.split_inclusive('\n').take(12).collect();
        fs::write(&file, two).unwrap();
        let sql = "DELETE FROM events WHERE position > 99990";
        Connection::open(folder.join("log.sqlite")).unwrap().execute_batch(sql).unwrap();
    });
    let (sound, answer) = verified(folder.path(), &[]);
    assert!(!sound);
    assert_eq!((&answer["fault"]["kind"], &answer["fault"]["held"]), (&"cut_off".into(), &99_990.into()));
}

#[test]
fn shifted_positions_are_found() {
    let down = "UPDATE events SET position = position - 1 WHERE position <= 4000";
    assert_eq!(found(&with_sql(down), "shifted", 1)["fault"]["position"], 0);
    let up = "UPDATE events SET position = -position - 100000 WHERE position > 4000;
        UPDATE events SET position = -position WHERE position < 0;";
    assert_eq!(found(&with_sql(up), "shifted", 4_001)["fault"]["position"], 104_001);
}

#[test]
fn a_log_with_other_tables_proves_nothing_and_is_not_served() {
    for sql in [
        "ALTER TABLE events RENAME TO kept; CREATE VIEW events AS SELECT * FROM kept;",
        "CREATE TRIGGER late AFTER INSERT ON events BEGIN DELETE FROM events WHERE position = 1; END;",
        "ALTER TABLE events ADD COLUMN remark TEXT;",
    ] {
        let folder = with_sql(sql);
        let output = run(folder.path(), &["verify"]);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && errors.contains("its tables are not those of a log"), "{errors}");
        let output = run(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
        assert!(!output.status.success(), "{sql}");
    }
    let folder = with_sql("UPDATE log SET id = zeroblob(16)");
    let output = run(folder.path(), &["verify"]);
    assert!(!output.status.success());
}

#[test]
fn a_revision_that_was_recorded_twice_is_named_although_it_was_signed_like_that() {
    // As a program would that had lost its place.
    let folder = with_sql(&format!(
        "INSERT INTO events SELECT {EVENTS} + 1, stream, revision, randomblob(16), tag, occurred_at, effective_at, recorded_at, \
         actor, subjects, metadata, data FROM events WHERE position = {EVENTS} - 5"
    ));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (store, keeper) = open(folder.path(), runtime.handle());
    assert_eq!(runtime.block_on(keeper.sign()).unwrap().unwrap().checkpoint.size, EVENTS + 1);
    drop((keeper, store));
    let fault = found(&folder, "sequence", EVENTS + 1);
    assert_eq!((&fault["fault"]["revision"], &fault["fault"]["expected"]), (&json!(100), &json!(101)));
}
