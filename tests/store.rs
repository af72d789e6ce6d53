//! The embedded store: the contract, and what only shows in its files.

use std::{fs, path::Path, sync::Arc};

use domain::{
    AppendError, BadEvent, CommandKey, ContactId, Event, EventStore, Keyring, Kind, KindSet, Personal,
    Position, StreamId, contact::ContactEvent,
};
use proptest::prelude::*;
use store::{DataFolder, EmbeddedStore, Faults, Log as _, OpenError, Options};
use tempfile::TempDir;
use uuid::Uuid;

use crate::contract::{
    Store, all_of, append, assert_answered, contract, fund, key, keyed, registered, renamed, stream_of,
};

mod in_a_folder {
    use super::*;

    contract!(Some(empty()));

    fn empty() -> (Store, TempDir) {
        let place = tempfile::tempdir().unwrap();
        (open(place.path()), place)
    }
}

mod with_an_index_of_small_batches {
    use super::*;

    contract!(Some(empty()));

    fn empty() -> (Store, TempDir) {
        let place = tempfile::tempdir().unwrap();
        (open_with(place.path(), small_batches()), place)
    }
}

mod in_memory {
    use super::*;

    contract!(Some((EmbeddedStore::in_memory().unwrap() as Store, ())));
}

fn small_batches() -> Options {
    Options { index_batch: 3, ..Options::default() }
}

fn open(place: &Path) -> Store {
    open_with(place, Options::default())
}

fn open_with(place: &Path, options: Options) -> Store {
    embedded(place, options)
}

fn embedded(place: &Path, options: Options) -> Arc<EmbeddedStore> {
    EmbeddedStore::open(&DataFolder::open(place).unwrap(), options).unwrap()
}

/// Everything that can be asked, as text.
async fn everything(store: &Store) -> String {
    let mut told = format!("{:?}\n{:#?}\n", store.head(), all_of(store).await);
    for number in 0..10 {
        told += &format!("{:#?}\n", stream_of(store, fund(number)).await);
        told += &format!("{:?}\n", store.answer(key(u8::try_from(number).unwrap())).await.unwrap());
    }
    told
}

/// Ten streams, some keys.
async fn fill(store: &Store) {
    for revision in 0..5 {
        for stream in 0..10_u8 {
            let mut append =
                append(fund(stream.into()), revision, [renamed(&format!("{stream}.{revision}"))]);
            if revision == 3 {
                append = keyed(append, stream);
            }
            store.append(append).await.unwrap();
        }
    }
}

#[tokio::test]
async fn everything_is_kept_when_the_store_is_opened_again() {
    for options in [Options::default(), small_batches()] {
        let place = tempfile::tempdir().unwrap();
        let store = open_with(place.path(), options.clone());
        fill(&store).await;
        let before = everything(&store).await;
        drop(store);
        let store = open_with(place.path(), options);
        assert_eq!(everything(&store).await, before);
        let repeated = keyed(append(fund(4), 9, [renamed("again")]), 4);
        let answer = store.answer(key(4)).await.unwrap().unwrap().answer;
        assert_answered(&store, repeated, &answer).await;
        store.append(append(fund(4), 5, [renamed("more")])).await.unwrap();
    }
}

#[tokio::test]
async fn a_deleted_or_damaged_index_is_written_again() {
    let place = tempfile::tempdir().unwrap();
    let store = open_with(place.path(), small_batches());
    fill(&store).await;
    let before = everything(&store).await;
    drop(store);
    let index = place.path().join("log-index.sqlite");
    for damage in
        [|index: &Path| fs::remove_file(index).unwrap(), |index: &Path| fs::write(index, "no").unwrap()]
    {
        damage(&index);
        let store = open_with(place.path(), small_batches());
        assert_eq!(everything(&store).await, before);
    }
}

#[tokio::test]
async fn the_index_of_another_log_is_not_believed() {
    let (place, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (place, name) in [(&place, "mine"), (&other, "theirs")] {
        let store = open_with(place.path(), small_batches());
        for revision in 0..20 {
            store.append(append(fund(1), revision, [renamed(name)])).await.unwrap();
            store.append(append(fund(name.len() as u128), revision, [renamed(name)])).await.unwrap();
        }
    }
    let store = open(place.path());
    let before = everything(&store).await;
    drop(store);
    fs::copy(other.path().join("log-index.sqlite"), place.path().join("log-index.sqlite")).unwrap();
    assert_eq!(everything(&open(place.path())).await, before);
}

#[test]
fn a_folder_that_cannot_be_used_says_what_to_do() {
    let told = |place: &Path| {
        let error = DataFolder::open(place).unwrap_err().to_string();
        error.replace(&place.display().to_string(), "DIR")
    };
    let place = tempfile::tempdir().unwrap();
    let held = DataFolder::open(place.path()).unwrap();
    insta::assert_snapshot!(told(place.path()), @"the data folder DIR is in use by another process: stop that process, or send commands through it");
    drop(held);
    fs::write(place.path().join("format.json"), r#"{"format":4,"log":17}"#).unwrap();
    insta::assert_snapshot!(told(place.path()), @"the data folder DIR has format 4, and this program knows formats up to 3: use the newer program that wrote it");
    fs::write(place.path().join("format.json"), "{").unwrap();
    insta::assert_snapshot!(told(place.path()), @"DIR/format.json cannot be understood (EOF while parsing an object at line 1 column 1): put it back, or restore the data folder from a backup; where no backup has it, `rapport restore --what-is-left` goes on without it");
    let foreign = tempfile::tempdir().unwrap();
    fs::write(foreign.path().join("thesis.txt"), "").unwrap();
    insta::assert_snapshot!(told(foreign.path()), @"DIR is not empty and not a data folder of Rapport: name an empty folder or a new one");
    assert_eq!(fs::read_dir(foreign.path()).unwrap().count(), 1, "nothing was put into it");
}

#[tokio::test]
async fn a_lost_or_exchanged_log_is_not_replaced_by_an_empty_one() {
    let (place, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fill(&open(place.path())).await;
    fill(&open(other.path())).await;
    let log = place.path().join("log.sqlite");
    fs::remove_file(&log).unwrap();
    let reopen = || EmbeddedStore::open(&DataFolder::open(place.path()).unwrap(), Options::default()).err();
    assert!(matches!(reopen(), Some(OpenError::Missing(file)) if file == log));
    fs::copy(other.path().join("log.sqlite"), &log).unwrap();
    assert!(matches!(reopen(), Some(OpenError::AnotherLog(file)) if file == log));
}

#[test]
fn the_folder_stays_held_while_the_store_lives() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    assert!(matches!(DataFolder::open(place.path()), Err(OpenError::Locked(_))));
    drop(store);
    DataFolder::open(place.path()).unwrap();
}

#[tokio::test]
async fn an_event_that_cannot_be_read_stops_nobody_else() {
    let place = tempfile::tempdir().unwrap();
    fill(&open(place.path())).await;
    let log = rusqlite::Connection::open(place.path().join("log.sqlite")).unwrap();
    log.execute("UPDATE events SET data = '{\"name\": [\"Zoë\"]}' WHERE position = 2", []).unwrap();
    log.execute("UPDATE events SET tag = 'fund.exploded' WHERE position = 3", []).unwrap();
    log.execute("UPDATE events SET stream = 'spaceship-1' WHERE position = 4", []).unwrap();
    drop(log);
    let store = open(place.path());
    let page = store.read_all(Position::START, 5, KindSet::ALL).await.unwrap();
    assert_eq!((page.through, page.events.len()), (Position(5), 5));
    let bad: Vec<BadEvent> = page.events.into_iter().filter_map(Result::err).collect();
    let told: Vec<_> = bad.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(told.join("\n"), @"
    event 2 of fund-00000000-0000-0000-0000-000000000001 (fund.renamed) cannot be read: its fields do not fit its tag, at column 9
    event 3 of fund-00000000-0000-0000-0000-000000000002 (fund.exploded) cannot be read: this program knows no such fact about a fund
    event 4 of spaceship-1 (fund.renamed) cannot be read: its stream has no known kind
    ");
    assert!(store.read_stream(fund(1), 0, 9).await.is_err());
    assert_eq!(store.read_stream(fund(1), 1, 9).await.unwrap().len(), 4);
    assert_eq!(store.read_stream(fund(5), 0, 9).await.unwrap().len(), 5);
    let unwanted = store.read_all(Position::START, 3, KindSet::of(&[Kind::Gift])).await.unwrap();
    assert!(unwanted.events.is_empty());
}

const SECRET: &str = "Zoë Ångström";

fn named_in(event: &Event) -> Option<&Personal<String>> {
    match event {
        Event::Contact(ContactEvent::Registered { name, .. }) => name.as_ref(),
        _ => None,
    }
}

#[tokio::test]
async fn a_personal_value_is_in_no_file_in_the_clear() {
    let place = tempfile::tempdir().unwrap();
    let store = open_with(place.path(), small_batches());
    let whose = ContactId(Uuid::from_u128(5));
    let mut append = append(StreamId::new(Kind::Contact, whose.0), 0, vec![registered(whose, SECRET); 9]);
    append.metadata.reason = Some(Personal::new(whose, SECRET.into()));
    append.key = Some((CommandKey([1; 16]), [1; 32]));
    store.append(append).await.unwrap();
    let files_hold_secret = || {
        let files = fs::read_dir(place.path()).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
        let mut read = 0;
        let found = files
            .inspect(|_| read += 1)
            .any(|bytes| bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()));
        assert!(read >= 7, "the files of three databases");
        found
    };
    assert!(!files_hold_secret());
    drop(store);
    assert!(!files_hold_secret());
}

#[tokio::test]
async fn a_destroyed_key_closes_its_values_for_ever() {
    let place = tempfile::tempdir().unwrap();
    let whose = ContactId(Uuid::from_u128(5));
    let stream = StreamId::new(Kind::Contact, whose.0);
    let store = embedded(place.path(), Options::default());
    store.append(append(stream, 0, [registered(whose, SECRET)])).await.unwrap();
    let sealed = || async {
        let store: Store = store.clone();
        all_of(&store).await.remove(0).event
    };
    let keyring = store.keyring();
    let open = |event: &Event, keyring: &dyn Keyring| named_in(event).unwrap().open(keyring);
    assert_eq!(open(&sealed().await, &*keyring), Some(SECRET.into()));
    store.keys().destroy_owned_by(whose).unwrap();
    assert_eq!(open(&sealed().await, &*keyring), None);
    drop((store, keyring));
    let store = embedded(place.path(), Options::default());
    let event = store.read_stream(stream, 0, 9).await.unwrap().remove(0).event;
    assert_eq!(named_in(&event).unwrap().clear(), None);
    assert_eq!(open(&event, &*store.keyring()), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_whole_commands_until_there_is_room() {
    let (place, faults) = (tempfile::tempdir().unwrap(), Faults::default());
    let store = open_with(place.path(), Options { faults: faults.clone(), ..Options::default() });
    store.append(append(fund(1), 0, [renamed("before")])).await.unwrap();
    faults.limit_pages(Some(40));
    let large = |stream, expected| append(fund(stream), expected, vec![renamed(&"x".repeat(10_000)); 20]);
    let refused = store.append(keyed(large(2, 0), 2)).await;
    assert_eq!(refused, Err(AppendError::DiskFull));
    assert_eq!(store.head(), Position(1));
    store.append(append(fund(1), 1, [renamed("small")])).await.unwrap();
    assert!(stream_of(&store, fund(2)).await.is_empty());
    assert_eq!(store.answer(key(2)).await.unwrap(), None);
    faults.limit_pages(None);
    assert_eq!(store.append(keyed(large(2, 0), 2)).await.unwrap().revision, 20);
    drop(store);
    assert_eq!(all_of(&open(place.path())).await.len(), 22);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_sync_the_key_tells_what_became_of_it() {
    for written in [false, true] {
        let (place, faults) = (tempfile::tempdir().unwrap(), Faults::default());
        let store = open_with(place.path(), Options { faults: faults.clone(), ..Options::default() });
        store.append(append(fund(1), 0, [renamed("before")])).await.unwrap();
        faults.fail_next_sync(written);
        let unsure = keyed(append(fund(1), 1, [renamed("perhaps")]), 1);
        assert_eq!(store.append(unsure.clone()).await, Err(AppendError::OutcomeUnknown));
        assert_eq!(store.answer(key(1)).await.unwrap().is_some(), written);
        assert_eq!(store.head(), Position(if written { 2 } else { 1 }));
        let repeated = store.append(unsure).await;
        assert_eq!(matches!(repeated, Err(AppendError::Answered(_))), written);
        assert_eq!(repeated.is_ok(), !written);
        store.append(append(fund(1), 2, [renamed("after")])).await.unwrap();
        drop(store);
        assert_eq!(stream_of(&open(place.path()), fund(1)).await.len(), 3);
    }
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let (place, faults) = (tempfile::tempdir().unwrap(), Faults::default());
    let options = Options { faults: faults.clone(), ..small_batches() };
    let store = open_with(place.path(), options.clone());
    let hour = 3_600_000_000;
    fill(&store).await;
    faults.shift_clock(23 * hour);
    assert!(store.answer(key(1)).await.unwrap().is_some());
    faults.shift_clock(25 * hour);
    assert!(store.answer(key(1)).await.unwrap().is_none());
    drop(store);
    // Opening looks for what is to be forgotten; the next transaction deletes it.
    let store = open_with(place.path(), options);
    let again = store.append(keyed(append(fund(1), 5, [renamed("again")]), 1)).await.unwrap();
    assert_eq!(store.answer(key(1)).await.unwrap().unwrap().answer, again);
}

#[tokio::test]
async fn recording_never_goes_back_in_time() {
    let (place, faults) = (tempfile::tempdir().unwrap(), Faults::default());
    let store = open_with(place.path(), Options { faults: faults.clone(), ..Options::default() });
    for (revision, shift) in (0..).zip([0, -5_000_000, 1_000, -5_000_000]) {
        faults.shift_clock(shift);
        store.append(append(fund(1), revision, [renamed("a")])).await.unwrap();
    }
    drop(store);
    faults.shift_clock(-9_000_000);
    let store = open_with(place.path(), Options { faults, ..Options::default() });
    store.append(append(fund(1), 4, [renamed("a")])).await.unwrap();
    assert!(all_of(&store).await.is_sorted_by_key(|event| event.recorded_at));
}

/// One step of a random history.
#[derive(Clone, Debug)]
enum Step {
    Append { stream: u8, behind: u64, events: usize, key: Option<u8> },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let append = (0..4_u8, 0..8_u64, 0..4_usize, proptest::option::of(0..6_u8)).prop_map(
        // Most of them at the right revision.
        |(stream, behind, events, key)| Step::Append {
            stream,
            behind: behind.saturating_sub(6),
            events,
            key,
        },
    );
    prop_oneof![12 => append, 1 => Just(Step::Reopen)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_is_a_list_of_events_and_a_map_of_answers(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(compare(steps));
    }
}

async fn compare(steps: Vec<Step>) {
    let place = tempfile::tempdir().unwrap();
    let mut store = open_with(place.path(), small_batches());
    let (mut log, mut answers) = (Vec::<(StreamId, u64)>::new(), std::collections::HashMap::new());
    for step in steps {
        let Step::Append { stream, behind, events, key } = step else {
            drop(store);
            store = open_with(place.path(), small_batches());
            continue;
        };
        let stream = fund(stream.into());
        let actual = log.iter().filter(|(of, _)| *of == stream).count() as u64;
        let expected = actual.saturating_sub(behind);
        let mut append = append(stream, expected, (0..events).map(|number| renamed(&number.to_string())));
        append.key = key.map(|key| (CommandKey([key; 16]), [key; 32]));
        match (store.append(append).await, key.and_then(|key| answers.get(&key))) {
            (Err(AppendError::Answered(repeated)), Some(answer)) => assert_eq!(repeated.answer, *answer),
            (outcome, None) if expected != actual => {
                assert_eq!(outcome, Err(AppendError::WrongRevision { expected, actual }));
            }
            (Ok(answer), None) => {
                log.extend((0..events as u64).map(|number| (stream, expected + 1 + number)));
                assert_eq!((answer.revision, answer.position.0), (actual + events as u64, log.len() as u64));
                key.map(|key| answers.insert(key, answer));
            }
            unexpected => panic!("{unexpected:?}"),
        }
        let read = stream_of(&store, stream).await;
        let revisions: Vec<_> = read.iter().map(|event| (event.stream, event.revision)).collect();
        let kept: Vec<_> = log.iter().copied().filter(|(of, _)| *of == stream).collect();
        assert_eq!(revisions, kept);
    }
    let read: Vec<_> = all_of(&store).await.iter().map(|event| (event.stream, event.revision)).collect();
    assert_eq!(read, log);
}
