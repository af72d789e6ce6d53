//! The store survives `kill -9`: a child appends and says what was acknowledged, is killed at some moment, and
//! everything that it said must be there, and nothing that was refused.

use std::{
    collections::{HashMap, HashSet},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, mpsc},
    time::Duration,
};

use domain::{
    Actor, Append, CommandKey, ContactId, Event, EventId, EventStore, Kind, KindSet, Metadata, NewEvent,
    Personal, Position, Recorded, StreamId,
    contact::{ContactEvent, Detail},
};
use store::{DataFolder, EmbeddedStore, Options};
use uuid::Uuid;

const ROUNDS: u64 = 10;
const WRITERS: u128 = 8;
const FOLDER: &str = "RAPPORT_CRASH_FOLDER";

fn open(folder: &Path) -> Arc<EmbeddedStore> {
    let options = Options { index_batch: 50, ..Options::default() };
    EmbeddedStore::open(&DataFolder::open(folder).unwrap(), options).unwrap()
}

fn stream(number: u128) -> StreamId {
    StreamId::new(Kind::Contact, Uuid::from_u128(number))
}

fn note(stream: StreamId, expected: u64, id: EventId) -> Append {
    let whose = ContactId(stream.id);
    let value = Some(Personal::with_key(whose, id.0, "n".repeat(100)));
    let event = Event::Contact(ContactEvent::DetailChanged { detail: Detail::Note, value });
    Append {
        stream,
        expected,
        events: vec![NewEvent { id, event, subjects: vec![whose] }],
        occurred_at: None,
        by: Actor::Policy("crash".into()),
        metadata: Metadata::default(),
        key: Some((CommandKey(*id.0.as_bytes()), [0; 32])),
        kept: Vec::new(),
    }
}

/// Not a test of its own: what the child process runs until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_child_appends_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let store = open(&folder);
    let writers: Vec<_> =
        (0..WRITERS).map(|number| tokio::spawn(write(Arc::clone(&store), number))).collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

async fn write(store: Arc<EmbeddedStore>, number: u128) {
    let stream = stream(number);
    let mut revision = store.read_stream(stream, 0, usize::MAX).await.unwrap().len() as u64;
    loop {
        // Unique in all rounds, because a stream never shrinks.
        let id = EventId(Uuid::from_u64_pair(revision, u64::try_from(number).unwrap()));
        let wrong = EventId(Uuid::from_u64_pair(revision, u64::MAX - u64::try_from(number).unwrap()));
        let (right, refused) = tokio::join!(
            store.append(note(stream, revision, id)),
            store.append(note(stream, revision + 5, wrong))
        );
        right.unwrap();
        refused.unwrap_err();
        revision += 1;
        say(&format!("acknowledged {stream} {revision} {}\nrefused {}\n", id.0, wrong.0));
    }
}

fn say(lines: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(lines.as_bytes()).and_then(|()| out.flush()).unwrap();
}

/// What the child said.
#[derive(Default)]
struct Told {
    acknowledged: HashMap<Uuid, (StreamId, u64)>,
    refused: HashSet<Uuid>,
}

impl Told {
    fn take(&mut self, line: &str) {
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            ["acknowledged", stream, revision, id] => {
                // The last line may be torn; the id at its end is whole or is none.
                if let Ok(id) = id.parse() {
                    self.acknowledged.insert(id, (stream.parse().unwrap(), revision.parse().unwrap()));
                }
            }
            ["refused", id] => self.refused.extend(id.parse::<Uuid>()),
            _ => {}
        }
    }
}

fn run_child_for(folder: &Path, time: Duration, told: &mut Told) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash_of_the_store::a_child_appends_until_it_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let (begun, has_begun) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let said = out.lines().map_while(Result::ok).inspect(|line| {
            if line.starts_with("refused") {
                let _ = begun.send(());
            }
        });
        said.collect::<Vec<_>>()
    });
    // However long it takes to start: what is to be interrupted is appending.
    has_begun.recv_timeout(Duration::from_secs(30)).unwrap();
    std::thread::sleep(time);
    assert_eq!(child.try_wait().unwrap(), None, "the child was still appending");
    child.kill().unwrap();
    child.wait().unwrap();
    for line in reader.join().unwrap() {
        told.take(&line);
    }
}

async fn everything(store: &EmbeddedStore) -> Vec<Recorded> {
    let page = store.read_all(Position::START, usize::MAX, KindSet::ALL).await.unwrap();
    page.events.into_iter().map(Result::unwrap).collect()
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill_and_what_was_refused_left_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let (mut told, mut random) = (Told::default(), 0x9e37_79b9_7f4a_7c15_u64);
    for round in 0..ROUNDS {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        run_child_for(folder.path(), Duration::from_millis(20 + random % 500), &mut told);
        let store = open(folder.path());
        let found = everything(&store).await;
        assert!(found.iter().map(|event| event.position.0).eq(1..=found.len() as u64), "round {round}");
        let places: HashMap<_, _> =
            found.iter().map(|event| (event.id.0, (event.stream, event.revision))).collect();
        for (id, place) in &told.acknowledged {
            assert_eq!(places.get(id), Some(place), "round {round}: acknowledged and lost");
        }
        assert!(told.refused.iter().all(|id| !places.contains_key(id)), "round {round}: refused and there");
        check_streams(&store, &found).await;
    }
    assert!(told.acknowledged.len() as u64 > ROUNDS, "only {} were acknowledged", told.acknowledged.len());
}

/// Streams are contiguous, the index finds what the log holds, and each value opens.
async fn check_streams(store: &EmbeddedStore, found: &[Recorded]) {
    for number in 0..WRITERS {
        let read = store.read_stream(stream(number), 0, usize::MAX).await.unwrap();
        assert!(read.iter().map(|event| event.revision).eq(1..=read.len() as u64));
        assert_eq!(read.len(), found.iter().filter(|event| event.stream == stream(number)).count());
        for event in &read {
            let Event::Contact(ContactEvent::DetailChanged { value: Some(value), .. }) = &event.event else {
                panic!("only notes were written");
            };
            assert!(value.clear().is_some(), "its key was durable before it");
            let answer = store.answer(CommandKey(*event.id.0.as_bytes())).await.unwrap().unwrap();
            assert_eq!(answer.answer.revision, event.revision);
        }
    }
}
