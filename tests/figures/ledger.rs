//! What proofs cost: appending with the ledger behind the writer and without, verifying a whole log, and the whole
//! history of one contact with the proof of every event.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::Kind;
use ledger::{Keeper, Ledger, note::Signer, verification::Verification};
use serde_json::{Value, json};
use store::{DataFolder, EmbeddedStore, Options, StoredLog};
use tokio::runtime::Runtime;

use crate::{
    append::{Callers, Rate, Streams, begin_streams, drive},
    client::Client,
    load::id,
    process::core_seconds,
    report::{Report, millis, number, per_second, percentile},
    server::Served,
};

/// Appends with and without a ledger, in turns, so that both meet the same disk.
pub fn cost(report: &mut Report, runtime: &Runtime, place: &Path, quick: bool) {
    report
        .heading("Durable appends, 2 × 256 at a time over 88,000 live streams, with the ledger and without");
    let mut sides: Vec<Side> = ["with", "without"]
        .iter()
        .map(|name| Side::open(runtime, &place.join(name), *name == "with"))
        .collect();
    let mut ratios = Vec::new();
    for turn in 0..if quick { 4 } else { 12 } {
        // Who goes first changes, so that what one leaves to be written falls on both alike.
        if turn % 2 == 1 {
            sides.reverse();
        }
        let rates: Vec<(bool, f64)> = sides.iter_mut().map(|side| side.turn(runtime)).collect();
        let of =
            |with: bool| rates.iter().find(|(side, _)| *side == with).map_or(f64::NAN, |(_, rate)| *rate);
        ratios.push(of(true) / of(false));
    }
    ratios.sort_by(f64::total_cmp);
    let ratio = ratios[ratios.len() / 2];
    for side in &sides {
        let what = if side.keeper.is_some() { "with the ledger" } else { "without" };
        report.figure(&format!("{} /s", number(side.rate.per_second())), what);
    }
    report.row(ratio, "", "with / without, the median of the turns");
    report.aim("durable append with the ledger / without", 0.85, ratio, "");
    drop(sides);
    for name in ["with", "without"] {
        std::fs::remove_dir_all(place.join(name)).unwrap();
    }
}

struct Side {
    keeper: Option<Keeper>,
    store: Arc<EmbeddedStore>,
    callers: Callers,
    rate: Rate,
}

impl Side {
    fn open(runtime: &Runtime, folder: &Path, with_ledger: bool) -> Self {
        let data = DataFolder::open(folder).unwrap();
        let store = EmbeddedStore::open(&data, Options::default()).unwrap();
        let keeper = with_ledger.then(|| keeper(runtime, &data, &store));
        runtime.block_on(begin_streams(&store));
        Self { keeper, store, callers: Callers { group: 256, done: vec![0; 2] }, rate: Rate::default() }
    }

    fn turn(&mut self, runtime: &Runtime) -> (bool, f64) {
        let before = self.callers.done.iter().sum::<u64>();
        let took = runtime.block_on(drive(&self.store, Streams::Live, 0, &mut self.callers));
        let rate = self.rate.add(self.callers.done.iter().sum::<u64>() - before, took);
        if let Some(keeper) = &self.keeper {
            // What it is behind must not fall on the other side's turn.
            runtime.block_on(keeper.sign()).unwrap();
        }
        (self.keeper.is_some(), rate)
    }
}

fn keeper(runtime: &Runtime, data: &DataFolder, store: &Arc<EmbeddedStore>) -> Keeper {
    let signer = Signer::new(&format!("rapport/{}", data.log_id()), &data.ledger_key().unwrap());
    let ledger = Ledger::create(&data.ledger(), signer).unwrap();
    data.note_ledger().unwrap();
    Keeper::start(ledger, Arc::clone(store) as _, runtime.handle().clone(), |_| Ok(())).unwrap()
}

/// Hashes a whole log into a new ledger, and verifies it; leaves the ledger there.
pub fn verify(report: &mut Report, runtime: &Runtime, folder: &Path, is_large: bool) {
    report.heading("The ledger of this log");
    let data = DataFolder::open(folder).unwrap();
    let store = EmbeddedStore::open(&data, Options::default()).unwrap();
    let (begun, core) = (Instant::now(), core_seconds());
    let keeper = keeper(runtime, &data, &store);
    runtime.block_on(keeper.sign()).unwrap().unwrap();
    rate(report, domain::EventStore::head(&*store).0, "made from the whole log and signed", begun, core);
    drop((keeper, store, data));
    let (begun, core) = (Instant::now(), core_seconds());
    let mut verification = Verification::begin(&folder.join("ledger"), None, &[]).unwrap();
    StoredLog::open(folder).unwrap().each(|event| verification.event(event));
    let found = verification.end();
    assert_eq!(found.fault, None);
    let of_core = rate(report, found.events, "verified by reading every event", begun, core);
    if is_large {
        report.aim("verify, events a second and core", 3e5, of_core, "/s");
    }
}

fn rate(report: &mut Report, events: u64, what: &str, begun: Instant, core: f64) -> f64 {
    let (took, core) = (begun.elapsed(), core_seconds() - core);
    let of_core = events as f64 / core.max(0.01);
    let what = format!("{what}; {} in a second of one core", number(of_core));
    report.figure(&format!("{} /s", number(per_second(events, took))), &what);
    of_core
}

/// The whole history of one contact, each event as it is stored and with its proof, over HTTP.
pub fn history(report: &mut Report, runtime: &Runtime, folder: &Path, is_large: bool, quick: bool) {
    let served = Served::start(folder, true);
    report.heading("One contact's history with proofs");
    let mut took: Vec<Duration> = runtime.block_on(async {
        let mut client = Client::connect(served.address, &served.token).await;
        let (status, _) = client.post("/admin/checkpoint", String::new(), None).await;
        assert!(status.is_success());
        let mut took = Vec::new();
        for _ in 0..if quick { 20 } else { 100 } {
            let begun = Instant::now();
            let path = format!("/views/history?contact={}&limit=1000", id(Kind::Contact, 0));
            let (_, page) = client.get(&path).await;
            let page: Value = serde_json::from_slice(&page).unwrap();
            let rows = page["rows"].as_array().unwrap();
            assert!(rows.len() >= 900, "{} rows", rows.len());
            let positions: Vec<_> = rows.iter().map(|row| &row["position"]).collect();
            let wanted = json!({ "positions": positions }).to_string();
            let (status, proofs) = client.post("/ledger/proofs", wanted, None).await;
            assert!(status.is_success() && proofs.len() > 100_000);
            took.push(begun.elapsed());
        }
        took
    });
    served.end();
    let first = millis(took[0]);
    let (p50, p99) = (percentile(&mut took, 50), percentile(&mut took, 99));
    report.figure(
        &format!("{p50:.1} / {p99:.1} ms"),
        &format!("1,000 events: p50 / p99; the first {first:.1} ms"),
    );
    if is_large {
        report.limit("a history of 1,000 events with proofs, p99", 50.0, p99, "ms");
    }
}
