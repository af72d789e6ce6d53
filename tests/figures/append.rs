//! Durable appends of single events in groups, beside a plain file that syncs as often.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{
    Actor, Append, Event, EventId, EventStore, Kind, Metadata, NewEvent, StreamId, deal::DealEvent,
};
use futures::{TryStreamExt, stream::FuturesUnordered};
use store::{DataFolder, EmbeddedStore, Options};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::{
    disk::plain_file,
    load::scattered,
    report::{Report, number, per_second},
};

/// As many streams as there are students.
const STREAMS: u64 = 88_000;
/// What a row of these events takes in the file of the log; printed beside what it really took.
const ROW: usize = 300;
const TEXT: usize = 165;
/// How long one row of the table is measured at most.
const PATIENCE: Duration = Duration::from_secs(12);

/// Where appends go.
#[derive(Clone, Copy, PartialEq)]
enum Streams {
    /// To streams that hold an event already, each in turn.
    Live,
    /// Each to a stream of its own.
    New,
}

/// Who appends: each caller sends a group, waits for all answers, and sends the next.
#[derive(Clone, Copy)]
struct Callers {
    count: u64,
    group: u64,
    events: u64,
}

pub fn measure(report: &mut Report, runtime: &Runtime, place: &Path, quick: bool) {
    report.heading("Durable appends of one event each, beside a plain file with one fdatasync per group");
    let events = |full: u64| if quick { full / 5 } else { full };
    let rows = [
        Callers { count: 1, group: 1, events: events(4_000) },
        Callers { count: 1, group: 16, events: events(48_000) },
        Callers { count: 1, group: 256, events: events(512_000) },
        // While one group is written the next waits already, so that every transaction holds 256 events.
        Callers { count: 2, group: 256, events: events(768_000) },
    ];
    for streams in [Streams::Live, Streams::New] {
        for callers in rows {
            row(report, runtime, place, streams, callers);
        }
    }
}

fn row(report: &mut Report, runtime: &Runtime, place: &Path, streams: Streams, callers: Callers) {
    let folder = place.join("appended");
    let data = DataFolder::open(&folder).unwrap();
    let store = EmbeddedStore::open(&data, Options::default()).unwrap();
    if streams == Streams::Live {
        let begin = Callers { count: 1, group: 1_024, events: STREAMS };
        runtime.block_on(drive(&store, Streams::New, begin, 0));
    }
    let plain = || plain_file(place, ROW, callers.group, callers.events);
    let before = plain();
    let (done, took) = runtime.block_on(drive(&store, streams, callers, STREAMS));
    let limit = f64::midpoint(before, plain());
    let (rate, head) = (per_second(done, took), store.head().0);
    drop(store);
    let bytes = std::fs::metadata(data.log_file()).unwrap().len() / head;
    drop(data);
    std::fs::remove_dir_all(&folder).unwrap();

    let over = if streams == Streams::Live { "88,000 live streams" } else { "a new stream per event" };
    let Callers { count, group, .. } = callers;
    let what =
        format!("{count} × {group:<3} at a time, {over}; plain {} /s, {bytes} bytes a row", number(limit));
    report.row(rate / limit, &format!("{} /s", number(rate)), &what);
    if group == 256 && streams == Streams::Live {
        let what = format!("durable append over 88,000 live streams, {count} × 256 / plain file");
        report.aim(&what, 0.4, rate / limit, "");
    }
}

/// Appends until all is done or time is up; how many there were, and how long they took.
async fn drive(
    store: &Arc<EmbeddedStore>,
    streams: Streams,
    callers: Callers,
    first: u64,
) -> (u64, Duration) {
    let begun = Instant::now();
    let each = (0..callers.count).map(|caller| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            let own = callers.events / callers.count;
            let mut done = 0;
            while done < own && begun.elapsed() < PATIENCE {
                let places =
                    (done..own.min(done + callers.group)).map(|place| place * callers.count + caller);
                let waiting: FuturesUnordered<_> =
                    places.map(|place| store.append(append(streams, first, place))).collect();
                done += waiting.len() as u64;
                waiting.try_for_each(|_| std::future::ready(Ok(()))).await.unwrap();
            }
            done
        })
    });
    let mut done = 0;
    for caller in each.collect::<Vec<_>>() {
        done += caller.await.unwrap();
    }
    (done, begun.elapsed())
}

fn append(streams: Streams, first: u64, place: u64) -> Append {
    let (stream, expected) = match streams {
        Streams::Live => (place % STREAMS, 1 + place / STREAMS),
        Streams::New => (first + place, 0),
    };
    let event = Event::Deal(DealEvent::Lost { because: Some("n".repeat(TEXT)) });
    let id = EventId(Uuid::from_u64_pair(scattered(1, place), expected << 32 | stream));
    Append {
        stream: StreamId::new(Kind::Deal, Uuid::from_u64_pair(scattered(0, stream), stream)),
        expected,
        events: vec![NewEvent { id, event, subjects: Vec::new() }],
        occurred_at: None,
        by: Actor::Import("figures".into()),
        metadata: Metadata::default(),
        key: None,
        kept: Vec::new(),
    }
}
