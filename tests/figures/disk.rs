//! The limit: a plain file on the same disk, with one `fdatasync` per group.

use std::{
    fs::File,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use crate::report::{Report, millis, per_second, percentile};

const SYNCS: u32 = 200;
const SYNCED_BYTES: usize = 4_096;
/// How long a plain file is written at most.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// How long the disk takes to keep 4 KiB.
pub fn latency(report: &mut Report, place: &Path, when: &str) {
    let path = place.join("plain");
    let mut file = File::create(&path).unwrap();
    let mut times = Vec::new();
    for _ in 0..SYNCS {
        let begun = Instant::now();
        file.write_all(&[b'x'; SYNCED_BYTES]).unwrap();
        file.sync_data().unwrap();
        times.push(begun.elapsed());
    }
    std::fs::remove_file(path).unwrap();
    let mean = millis(times.iter().sum::<Duration>() / SYNCS);
    report.heading(&format!("The disk, {when}"));
    let (p50, p99) = (percentile(&mut times, 50), percentile(&mut times, 99));
    let what = format!("mean of {SYNCS} × write of 4 KiB and fdatasync; p50 {p50:.2} ms, p99 {p99:.2} ms");
    report.figure(&format!("{mean:.2} ms"), &what);
}

/// How many events of so many bytes a plain file takes in a second, in groups with a sync each.
pub fn plain_file(place: &Path, event_bytes: usize, group: u64, events: u64) -> f64 {
    let path = place.join("plain");
    let mut file = File::create(&path).unwrap();
    let bytes = vec![b'x'; event_bytes * usize::try_from(group).unwrap()];
    let (begun, mut written) = (Instant::now(), 0);
    while written < events && begun.elapsed() < PATIENCE {
        file.write_all(&bytes).unwrap();
        file.sync_data().unwrap();
        written += group;
    }
    let rate = per_second(written, begun.elapsed());
    std::fs::remove_file(path).unwrap();
    rate
}
