//! How fast the store is, beside a plain file with one sync per group. Measured on demand:
//! `cargo test --release -p store --test speed -- --ignored --nocapture --test-threads=1`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of a test are test code as well")]

use std::{
    fs::File,
    io::Write,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{
    Actor, Append, Event, EventId, EventStore, Kind, KindSet, Metadata, NewEvent, Position, StreamId,
    fund::FundEvent,
};
use futures::{TryStreamExt, stream::FuturesUnordered};
use store::{DataFolder, EmbeddedStore, Log as _, Options};
use uuid::Uuid;

const STREAMS: u64 = 88_000;
const EVENTS: u64 = 1_000_000;
const GROUP: u64 = 256;
/// What a row of these events takes in the file of the log.
const ROW: usize = 245;

fn stream(number: u64) -> StreamId {
    // Scattered over all ids, as random ids are.
    StreamId::new(Kind::Fund, Uuid::from_u64_pair(number.wrapping_mul(0x9e37_79b9_7f4a_7c15), number))
}

fn append(number: u64, expected: u64) -> Append {
    let event = Event::Fund(FundEvent::Renamed { name: "n".repeat(130) });
    let id = EventId(Uuid::from_u64_pair(expected, number));
    Append {
        stream: stream(number),
        expected,
        events: vec![NewEvent { id, event, subjects: Vec::new() }],
        occurred_at: None,
        by: Actor::Import("speed".into()),
        metadata: Metadata::default(),
        key: None,
        kept: Vec::new(),
    }
}

/// So many clients, each with streams of its own; each sends a group, waits for all its answers, and goes on.
async fn fill(store: &Arc<EmbeddedStore>, clients: u64, group: u64) -> Duration {
    let begun = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|client| {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                let own: Vec<_> = (client..STREAMS).step_by(usize::try_from(clients).unwrap()).collect();
                let mut appends = (0..EVENTS / clients).map(|place| {
                    let number = own[usize::try_from(place).unwrap() % own.len()];
                    append(number, place / own.len() as u64)
                });
                loop {
                    let group = appends.by_ref().take(usize::try_from(group).unwrap());
                    let waiting: FuturesUnordered<_> = group.map(|append| store.append(append)).collect();
                    if waiting.is_empty() {
                        break;
                    }
                    waiting.try_for_each(|_| std::future::ready(Ok(()))).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    begun.elapsed()
}

fn plain_file(place: &Path) -> Duration {
    let mut file = File::create(place.join("plain")).unwrap();
    let group = vec![b'x'; ROW * usize::try_from(GROUP).unwrap()];
    let begun = Instant::now();
    for _ in 0..EVENTS / GROUP {
        file.write_all(&group).unwrap();
        file.sync_data().unwrap();
    }
    begun.elapsed()
}

fn rate(what: &str, count: u64, took: Duration) {
    #[expect(clippy::cast_precision_loss, reason = "a rate is rounded in any case")]
    let rate = count as f64 / took.as_secs_f64();
    println!("{what:<50} {rate:>12.0} /s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn the_store_beside_a_plain_file() {
    for (clients, group) in [(1, 256), (2, 256), (4, 256), (1_024, 1)] {
        let place = tempfile::tempdir().unwrap();
        rate("plain file, groups of 256", EVENTS, plain_file(place.path()));
        let folder = DataFolder::open(place.path().join("data")).unwrap();
        let store = EmbeddedStore::open(&folder, Options::default()).unwrap();
        let what = format!("{clients} clients, {group} appends at a time");
        rate(&what, EVENTS, fill(&store, clients, group).await);
        println!("{:?}", store.statistics());
        rate("plain file again", EVENTS, plain_file(place.path()));
        let head = store.head();
        drop(store);
        let size = std::fs::metadata(folder.log_file()).unwrap().len();
        println!("{} bytes a row", size / head.0);
        let begun = Instant::now();
        let store = EmbeddedStore::open(&folder, Options::default()).unwrap();
        println!("opened in {:?}", begun.elapsed());
        read(&store).await;
    }
}

async fn read(store: &EmbeddedStore) {
    for (what, kinds) in [("read and decoded", KindSet::ALL), ("read and skipped", KindSet::NONE)] {
        let (begun, mut after) = (Instant::now(), Position::START);
        while after < store.head() {
            after = store.read_all(after, 10_000, kinds).await.unwrap().through;
        }
        rate(what, store.head().0, begun.elapsed());
    }
    for (what, first) in [("streams read whole", 0), ("unknown streams", STREAMS)] {
        let begun = Instant::now();
        for number in 0..20_000 {
            store.read_stream(stream(first + number * 4), 0, 1_000).await.unwrap();
        }
        rate(what, 20_000, begun.elapsed());
    }
}
