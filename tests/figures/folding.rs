//! Reading the whole log, and folding it into all views.

use std::{path::Path, sync::Arc, time::Instant};

use domain::{EventStore, KindSet, Position};
use projections::{Phase, ViewOptions, Views};
use store::{DataFolder, EmbeddedStore, Log as _, Options};
use tokio::runtime::Runtime;

use crate::{
    process::{core_seconds, memory},
    report::{Report, number, per_second},
};

const EVENTS_PER_PAGE: usize = 16_384;

/// Measures a folder, and leaves its views current. Events replayed in a second of one core.
pub fn measure(
    report: &mut Report,
    runtime: &Runtime,
    folder: &Path,
    is_wanted: bool,
    is_large: bool,
) -> Option<f64> {
    let data = DataFolder::open(folder).unwrap();
    let store = EmbeddedStore::open(&data, Options::default()).unwrap();
    let replayed = is_wanted.then(|| {
        replay(report, runtime, &store, "read and skipped", KindSet::NONE);
        let rate = replay(report, runtime, &store, "read and decoded, all kinds, sealed", KindSet::ALL);
        if is_large {
            report.aim("replay, events a second and core", 1e6, rate, "/s");
        }
        rate
    });
    let folder = data.views().unwrap();
    let (begun, core) = (Instant::now(), core_seconds());
    let log: Arc<dyn EventStore> = Arc::clone(&store) as _;
    let views =
        Views::open(log, store.keyring(), &folder, runtime.handle().clone(), ViewOptions::default()).unwrap();
    runtime.block_on(views.settle(store.head(), |_| {}));
    folded(report, &store, "all views built for the first time", begun, core);
    if is_wanted {
        for (view, _) in views.statuses() {
            let (begun, core) = (Instant::now(), core_seconds());
            runtime.block_on(views.rebuild(&[view.name.to_owned()], |_| {})).unwrap();
            folded(report, &store, &format!("{} rebuilt", view.name), begun, core);
        }
        let (begun, core) = (Instant::now(), core_seconds());
        runtime.block_on(views.rebuild(&[], |_| {})).unwrap();
        let rate = folded(report, &store, "all views rebuilt", begun, core);
        if is_large {
            report.aim("rebuild of all views, events a second and core", 2e5, rate, "/s");
        }
        let (_, peak) = memory();
        report.figure(&format!("{peak:.0} MiB"), "most resident memory so far, filling and rebuilding");
    }
    for (view, status) in views.statuses() {
        if let Phase::Stopped { at, reason } = status.phase {
            report.figure("STOPPED", &format!("{} at {at}: {reason}", view.name));
        }
    }
    views.close();
    replayed
}

fn replay(report: &mut Report, runtime: &Runtime, store: &EmbeddedStore, what: &str, kinds: KindSet) -> f64 {
    let (begun, core, mut after) = (Instant::now(), core_seconds(), Position::START);
    while after < store.head() {
        let page = runtime.block_on(store.read_all(after, EVENTS_PER_PAGE, kinds)).unwrap();
        assert!(page.events.iter().all(Result::is_ok), "an event of the load cannot be read");
        after = page.through;
    }
    let (rate, core) = (per_second(store.head().0, begun.elapsed()), core_seconds() - core);
    // One thread reads, so both rates are of one core; the second does not count waiting for others.
    let of_core = store.head().0 as f64 / core.max(0.01);
    report.figure(
        &format!("{} /s", number(rate)),
        &format!("{what}; {} in a second of one core", number(of_core)),
    );
    rate.max(of_core)
}

fn folded(report: &mut Report, store: &EmbeddedStore, what: &str, begun: Instant, core: f64) -> f64 {
    let (took, core) = (begun.elapsed(), core_seconds() - core);
    let (rate, of_core) = (per_second(store.head().0, took), store.head().0 as f64 / core.max(0.01));
    let what = format!("{what}, in {:.1} s; {} in a second of one core", took.as_secs_f64(), number(of_core));
    report.figure(&format!("{} /s", number(rate)), &what);
    of_core
}
