//! Whatever happens to the index, no stream holds a revision twice, nothing is left out of a history, and no command is
//! carried out twice: damage is found where it would matter, and the index is written again beside the work.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{AppendError, EventStore as _};
use proptest::prelude::*;
use rusqlite::Connection;
use store::{DataFolder, EmbeddedStore, Log as _, OpenError, Options};
use tempfile::TempDir;

use crate::{
    contract::{append, fund, key, keyed, renamed},
    harness::Dice,
};

const STREAMS: u8 = 12;
const REVISIONS: u64 = 6;
/// No damage takes longer to mend, however slow the machine.
const MENDED: Duration = Duration::from_secs(20);

fn open(folder: &Path) -> Arc<EmbeddedStore> {
    let options = Options { index_batch: 10, durable: false, ..Options::default() };
    EmbeddedStore::open(&DataFolder::open(folder).unwrap(), options).unwrap()
}

/// Twelve streams of six events, each of the third ones under a key, nearly all of it in the index.
async fn filled() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    for revision in 0..REVISIONS {
        for stream in 0..STREAMS {
            let event = renamed(&format!("{stream}.{revision}"));
            let mut append = append(fund(stream.into()), revision, [event]);
            if revision == 2 {
                append = keyed(append, stream);
            }
            store.append(append).await.unwrap();
        }
    }
    // Beyond what is damaged, so that the last events say nothing of the others.
    for revision in 0..2_000 {
        store.append(append(fund(99), revision, [renamed("on")])).await.unwrap();
    }
    let tail = || store.statistics().tail;
    let began = Instant::now();
    while tail() > 100 && began.elapsed() < MENDED {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(tail() <= 100, "the index does not follow");
    drop(store);
    place
}

/// Asks again until something else than "not at the moment" is answered.
async fn settled<T, E: std::fmt::Display>(mut ask: impl AsyncFnMut() -> Result<T, E>) -> Result<T, E> {
    let began = Instant::now();
    loop {
        match ask().await {
            Err(error) if error.to_string().contains("index") && began.elapsed() < MENDED => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            settled => return settled,
        }
    }
}

/// Whatever was done to the index: histories are whole, repeats are known, and every stream goes on where it is.
async fn check(folder: &Path) {
    let store = open(folder);
    for stream in 0..STREAMS {
        let id = fund(stream.into());
        let history = settled(async || store.read_stream(id, 0, 100).await).await.unwrap();
        assert_eq!(history.len() as u64, REVISIONS, "stream {stream}");
        let answer = settled(async || store.answer(key(stream)).await).await.unwrap();
        assert!(answer.is_some(), "the answer to key {stream}");
    }
    drop(store);
    // Each way of coming upon it from a new start: whoever writes first has nobody's word for anything.
    let store = open(folder);
    for stream in 0..STREAMS {
        let id = fund(stream.into());
        for expected in (0..REVISIONS).rev() {
            let twice =
                settled(async || match store.append(append(id, expected, [renamed("twice")])).await {
                    Err(AppendError::WrongRevision { actual, .. }) => Ok(actual),
                    Err(error) => Err(error),
                    Ok(answer) => panic!("revision {} of stream {stream} twice: {answer:?}", expected + 1),
                });
            assert_eq!(twice.await.unwrap(), REVISIONS);
        }
        let again = keyed(append(id, REVISIONS, [renamed("again")]), stream);
        let again = settled(async || match store.append(again.clone()).await {
            Err(AppendError::Answered(answered)) => Ok(answered.answer.revision),
            Err(error) => Err(error),
            Ok(answer) => panic!("the command of key {stream} is carried out again: {answer:?}"),
        });
        assert_eq!(again.await.unwrap(), 3);
    }
    for stream in 0..STREAMS {
        let id = fund(stream.into());
        settled(async || store.append(append(id, REVISIONS, [renamed("on")])).await).await.unwrap();
    }
    assert!(store.troubles().is_empty(), "{:?}", store.troubles());
}

fn with_sql(folder: &Path, sql: &str) {
    let index = Connection::open(folder.join("log-index.sqlite")).unwrap();
    index.execute_batch(sql).unwrap();
    assert!(index.changes() > 0, "`{sql}` does nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_is_lost_or_altered_is_found_and_the_index_written_again() {
    let of = "id = x'00000000000000000000000000000005'";
    let original = filled().await;
    for sql in [
        format!("DELETE FROM places WHERE {of}"),
        format!("DELETE FROM places WHERE {of} AND revision = 6"),
        format!("DELETE FROM places WHERE {of} AND revision = 1"),
        format!("DELETE FROM places WHERE {of} AND revision = 4"),
        format!("UPDATE places SET position = position + 1 WHERE {of} AND revision = 6"),
        format!("UPDATE places SET position = 100000 WHERE {of} AND revision = 2"),
        format!("UPDATE places SET revision = 16 WHERE {of} AND revision = 6"),
        format!("UPDATE places SET id = randomblob(16) WHERE {of} AND revision = 6"),
        format!("UPDATE places SET kind = 'deal' WHERE {of}"),
        format!("DELETE FROM reaches WHERE {of}"),
        format!("UPDATE reaches SET revision = 5 WHERE {of}"),
        "DELETE FROM answers WHERE key = x'05050505050505050505050505050505'".to_owned(),
        "UPDATE answers SET key = x'05050505050505050505050505050504'
         WHERE key = x'05050505050505050505050505050505'"
            .to_owned(),
        "UPDATE answers SET number = number + 1 WHERE key = x'05050505050505050505050505050505'".to_owned(),
        "DELETE FROM answer_sums".to_owned(),
        "DELETE FROM answers; DELETE FROM places".to_owned(),
        "UPDATE state SET indexed_through = indexed_through - 50".to_owned(),
    ] {
        let place = tempfile::tempdir().unwrap();
        copied(original.path(), place.path());
        with_sql(place.path(), &sql);
        check(place.path()).await;
    }
}

fn copied(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bits_of_the_index_that_flip_change_no_answer() {
    let original = filled().await;
    let mut dice = Dice(11);
    for _ in 0..40 {
        let place = tempfile::tempdir().unwrap();
        copied(original.path(), place.path());
        let file = place.path().join("log-index.sqlite");
        let mut bytes = fs::read(&file).unwrap();
        for _ in 0..=dice.below(20) {
            let place = usize::try_from(dice.below(bytes.len() as u64)).unwrap();
            bytes[place] ^= 1 << dice.below(8);
        }
        fs::write(&file, bytes).unwrap();
        check_where_it_opens(place.path()).await;
    }
}

/// Damage that takes even the emptying of the index with it ends the thread, and a new start begins a new index.
async fn check_where_it_opens(folder: &Path) {
    let store = open(folder);
    let all = async {
        for stream in 0..STREAMS {
            let _ = settled(async || store.read_stream(fund(stream.into()), 0, 100).await).await;
            if store.troubles().iter().any(|trouble| trouble.is_final) {
                break;
            }
        }
    };
    all.await;
    drop(store);
    check(folder).await;
}

#[tokio::test]
async fn a_log_that_ends_before_what_its_index_holds_is_refused_until_the_index_is_taken_away() {
    let place = filled().await;
    let log = Connection::open(place.path().join("log.sqlite")).unwrap();
    log.execute("DELETE FROM events WHERE position > 2000", []).unwrap();
    drop(log);
    let options = Options::default();
    let refused = EmbeddedStore::open(&DataFolder::open(place.path()).unwrap(), options).err().unwrap();
    let OpenError::Shorter { witness, held, .. } = &refused else { panic!("{refused}") };
    assert!(witness.ends_with("log-index.sqlite") && *held == 2_000, "{refused}");
    assert!(refused.to_string().contains("rapport restore"), "{refused}");
    fs::remove_file(witness).unwrap();
    assert_eq!(open(place.path()).head().0, 2_000);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_index_with_rows_lost_at_random_says_nothing_wrong(rows in prop::collection::vec(0_u16..72, 1..6)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let place = filled().await;
            for row in rows {
                let index = Connection::open(place.path().join("log-index.sqlite")).unwrap();
                let sql = "DELETE FROM places WHERE position = ?1";
                index.execute(sql, [row + 1]).unwrap();
            }
            check(place.path()).await;
        });
    }
}
