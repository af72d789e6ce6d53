//! Durable appends of single events in groups, beside a plain file that syncs as often.

use std::{
    future::ready,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{
    Actor, Append, Event, EventId, EventStore, Kind, Metadata, NewEvent, StreamId, deal::DealEvent,
};
use futures::{TryStreamExt, future::try_join_all, stream::FuturesUnordered};
use store::{DataFolder, EmbeddedStore, Options};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::{
    disk::PlainFile,
    load::scattered,
    report::{Report, number, per_second},
};

/// As many streams as there are students.
const STREAMS: u64 = 88_000;
/// What a row of these events takes in the file of the log; printed beside what it really took.
const ROW: usize = 300;
const TEXT: usize = 165;
/// Store and plain file take turns of this length, so that both meet the same disk, however it changes.
const TURN: Duration = Duration::from_millis(400);

/// Where appends go.
#[derive(Clone, Copy, PartialEq)]
pub enum Streams {
    /// To streams that hold an event already, each in turn.
    Live,
    /// Each to a stream of its own.
    New,
}

/// Who appends: each caller sends a group, waits for all answers, and sends the next.
pub struct Callers {
    pub group: u64,
    /// How many appends each caller has done.
    pub done: Vec<u64>,
}

pub fn measure(report: &mut Report, runtime: &Runtime, place: &Path, quick: bool) {
    report.heading("Durable appends of one event each, beside a plain file with one fdatasync per group");
    for streams in [Streams::Live, Streams::New] {
        // With two callers one group waits already while the other is written, so that every transaction holds
        // as many events as the group; one caller is heard as soon as the first of its events is there.
        for (callers, group) in [(1, 1), (1, 16), (1, 256), (2, 256)] {
            let callers = Callers { group, done: vec![0; callers] };
            row(report, runtime, place, streams, callers, if quick { 3 } else { 9 });
        }
    }
}

fn row(
    report: &mut Report,
    runtime: &Runtime,
    place: &Path,
    streams: Streams,
    mut callers: Callers,
    turns: u32,
) {
    let folder = place.join("appended");
    let data = DataFolder::open(&folder).unwrap();
    let store = EmbeddedStore::open(&data, Options::default()).unwrap();
    if streams == Streams::Live {
        runtime.block_on(begin_streams(&store));
    }
    let first = store.head();
    let mut plain_file = PlainFile::create(place, ROW * usize::try_from(callers.group).unwrap());
    let (mut plain, mut ours, mut ratios) = (Rate::default(), Rate::default(), Vec::new());
    for _ in 0..turns {
        let (groups, took) = plain_file.write(TURN);
        let plain_now = plain.add(groups * callers.group, took);
        let before = callers.done.iter().sum::<u64>();
        let took = runtime.block_on(drive(&store, streams, first.0, &mut callers));
        let ours_now = ours.add(callers.done.iter().sum::<u64>() - before, took);
        ratios.push(ours_now / plain_now);
    }
    ratios.sort_by(f64::total_cmp);
    let (ratio, head) = (ratios[ratios.len() / 2], store.head().0);
    drop(store);
    let bytes = std::fs::metadata(data.log_file()).unwrap().len() / head;
    drop(data);
    std::fs::remove_dir_all(&folder).unwrap();

    let over = if streams == Streams::Live { "88,000 live streams" } else { "a new stream per event" };
    let (count, group, plain) = (callers.done.len(), callers.group, number(plain.per_second()));
    let what = format!("{count} × {group:<3} at a time, {over}; plain file {plain} /s, {bytes} bytes a row");
    report.row(ratio, &format!("{} /s", number(ours.per_second())), &what);
    if group == 256 && streams == Streams::Live {
        let what = format!("durable append over 88,000 live streams, {count} × 256 / plain file");
        report.aim(&what, 0.4, ratio, "");
    }
}

/// Events in the time of all turns.
#[derive(Default)]
pub struct Rate {
    events: u64,
    time: Duration,
}

impl Rate {
    /// Adds a turn; its own rate.
    pub fn add(&mut self, events: u64, took: Duration) -> f64 {
        self.events += events;
        self.time += took;
        per_second(events, took)
    }

    pub fn per_second(&self) -> f64 {
        per_second(self.events, self.time)
    }
}

pub async fn begin_streams(store: &EmbeddedStore) {
    for group in (0..STREAMS).collect::<Vec<_>>().chunks(1_024) {
        let appends = group.iter().map(|place| store.append(append(Streams::New, 0, *place)));
        appends.collect::<FuturesUnordered<_>>().try_for_each(|_| ready(Ok(()))).await.unwrap();
    }
}

/// Appends for one turn; how long it really took.
pub async fn drive(
    store: &Arc<EmbeddedStore>,
    streams: Streams,
    first: u64,
    callers: &mut Callers,
) -> Duration {
    let (begun, count, group) = (Instant::now(), callers.done.len() as u64, callers.group);
    let each = (0..).zip(&callers.done).map(|(caller, done)| {
        let (store, mut done) = (Arc::clone(store), *done);
        tokio::spawn(async move {
            while begun.elapsed() < TURN {
                let places = (done..done + group).map(|place| place * count + caller);
                let appends = places.map(|place| store.append(append(streams, first, place)));
                appends.collect::<FuturesUnordered<_>>().try_for_each(|_| ready(Ok(()))).await.unwrap();
                done += group;
            }
            done
        })
    });
    callers.done = try_join_all(each).await.unwrap();
    begun.elapsed()
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
