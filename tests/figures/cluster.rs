//! What a node of a cluster costs: appending, following and moving in, against the double of the protocol in this very
//! process. The double keeps everything in memory and waits for no disk and no other server, and works on the same
//! cores; so these are the limits of a node and its client, not those of a cluster.

use std::{path::Path, sync::Arc, time::Instant};

use domain::{
    Actor, Append, ContactId, Event, EventId, EventStore, Kind, Metadata, NewEvent, Personal, StreamId,
};
use futures::{StreamExt as _, stream};
use store::{Cluster, DataFolder, EmbeddedStore, KurrentStore, Log as _, Options, Side};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::{
    kurrent_double::Double,
    process::core_seconds,
    report::{Report, millis, number, per_second, percentile},
};

/// How many streams are appended to at a time.
const WRITERS: u64 = 256;
/// How many appends are timed alone.
const ALONE: u64 = 300;

/// Appends, follows and copies.
pub fn measure(report: &mut Report, runtime: &Runtime, place: &Path, quick: bool) {
    report.heading("A node of a cluster, against a double of the cluster on the same cores");
    let events = if quick { 20_000 } else { 100_000 };
    let double = Double::start();
    double.stream_reads_have_positions(true);
    let cluster: Cluster = double.url().parse().unwrap();
    let folder = place.join("node");
    let store = runtime.block_on(node(&folder, &cluster, None));
    runtime.block_on(append(report, &store, events));
    drop(store);
    runtime.block_on(follow(report, &folder, &place.join("second"), &cluster));
    drop(double);
    runtime.block_on(copy(report, place, events));
    for name in ["node", "second", "moving"] {
        std::fs::remove_dir_all(place.join(name)).unwrap();
    }
}

async fn node(folder: &Path, cluster: &Cluster, secrets: Option<&Path>) -> Arc<KurrentStore> {
    let secrets = secrets.map(Path::to_owned);
    let store = KurrentStore::open(folder, cluster.clone(), secrets, Options::default()).await.unwrap();
    store.catch_up(&mut |_| ()).await;
    store
}

/// A note about somebody: some 300 bytes, a value of them sealed.
fn note(number: u64, revision: u64, is_personal: bool) -> Append {
    let stream = StreamId::new(Kind::Contact, Uuid::from_u64_pair(7, number));
    let whose = ContactId(stream.id);
    let value = is_personal.then(|| Personal::new(whose, "n".repeat(60)));
    let detail = domain::contact::Detail::Note;
    let event = Event::Contact(domain::contact::ContactEvent::DetailChanged { detail, value });
    let id = EventId(Uuid::from_u64_pair(number, revision));
    Append {
        stream,
        expected: revision,
        events: vec![NewEvent { id, event, subjects: vec![whose] }],
        occurred_at: None,
        by: Actor::Policy("figures".into()),
        metadata: Metadata::default(),
        key: None,
        kept: Vec::new(),
    }
}

async fn append(report: &mut Report, store: &Arc<KurrentStore>, events: u64) {
    let (began, cores) = (Instant::now(), core_seconds());
    let each = events / WRITERS;
    let writers = (0..WRITERS).map(|number| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            for revision in 0..each {
                store.append(note(number, revision, true)).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let (took, cores) = (began.elapsed(), core_seconds() - cores);
    let rate = per_second(each * WRITERS, took);
    let figure = format!("{} /s", number(rate));
    report.figure(&figure, &format!("appends of one event to {WRITERS} streams at a time, double included"));
    report.figure(
        &format!("{:.0} µs", cores * 1e6 / (each * WRITERS) as f64),
        "of one core an append, node and double",
    );
    let mut times = Vec::new();
    for number in 0..ALONE {
        let began = Instant::now();
        store.append(note(1_000_000 + number, 0, false)).await.unwrap();
        times.push(began.elapsed());
    }
    report.figure(&format!("{:.2} ms", percentile(&mut times, 50)), "an append alone, median");
    let began = Instant::now();
    let new = stream::iter(0..5_000).map(|number| store.append(note(2_000_000 + number, 0, true)));
    new.buffer_unordered(256).for_each(|appended| async move { drop(appended.unwrap()) }).await;
    let figure = format!("{} /s", number(per_second(5_000, began.elapsed())));
    report.figure(&figure, "contacts begun: a key and an event each, 256 at a time");
    store.catch_up(&mut |_| ()).await;
}

async fn follow(report: &mut Report, first: &Path, second: &Path, cluster: &Cluster) {
    let (began, cores) = (Instant::now(), core_seconds());
    let store = node(second, cluster, Some(first)).await;
    let (took, cores) = (began.elapsed(), core_seconds() - cores);
    let events = store.size_at(store.head()).await.unwrap();
    report.figure(
        &format!("{} /s", number(per_second(events, took))),
        "events followed by a new node: keys taken over, counted, kept at hand",
    );
    report.figure(
        &format!("{:.1} µs", cores * 1e6 / events as f64),
        "of one core an event followed, node and double",
    );
    drop(store);
    let size = |name: &str| std::fs::metadata(second.join(name)).map_or(0, |file| file.len());
    report.figure(
        &format!("{:.1} bytes", size("log-index.sqlite") as f64 / events as f64),
        "of index an event",
    );
    report.figure(&format!("{:.0} bytes", size("keys.sqlite") as f64 / 5_256.0), "of keys a contact");
    let began = Instant::now();
    drop(node(second, cluster, None).await);
    report.figure(
        &format!("{:.0} ms", millis(began.elapsed())),
        "until a node that was stopped is current again",
    );
}

/// A log in a folder moves into an empty cluster.
async fn copy(report: &mut Report, place: &Path, events: u64) {
    let folder = place.join("moving");
    let store = EmbeddedStore::open(&DataFolder::open(&folder).unwrap(), Options::default()).unwrap();
    let _ = store.folder().ledger_key().unwrap();
    for number in 0..events / 2_000 {
        let appends = (0..500).map(|within| {
            let store = Arc::clone(&store);
            async move {
                let number = 500 * number + within;
                // Two neighbours, and two that follow later.
                store.append(note(number, 0, true)).await.unwrap();
                for revision in 1..4 {
                    store.append(note(number, revision, true)).await.unwrap();
                }
            }
        });
        futures::future::join_all(appends).await;
    }
    let count = store.head().0;
    drop(store);
    let double = Double::start();
    let to = Side::Cluster(double.url().parse().unwrap());
    let began = Instant::now();
    store::copy(&Side::Folder(folder), &to, None, &mut |_| ()).await.unwrap();
    let figure = format!("{} /s", number(per_second(count, began.elapsed())));
    report
        .figure(&figure, "events copied from a folder into a cluster, one append in flight, its keys before");
}
