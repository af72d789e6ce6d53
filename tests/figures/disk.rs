//! The limit: a plain file on the same disk, with one `fdatasync` per group.

use std::{
    fs::File,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use crate::report::{Report, millis, percentile};

const SYNCS: u32 = 200;
const FEW_SYNCS: u32 = 50;
const SYNCED_BYTES: usize = 4_096;

/// How long the disk takes to keep 4 KiB.
pub fn latency(report: &mut Report, place: &Path, when: &str) {
    let mut times = syncs(place, SYNCS);
    let mean = millis(times.iter().sum::<Duration>() / SYNCS);
    report.heading(&format!("The disk, {when}"));
    let (p50, p99) = (percentile(&mut times, 50), percentile(&mut times, 99));
    let what = format!("mean of {SYNCS} × write of 4 KiB and fdatasync; p50 {p50:.2} ms, p99 {p99:.2} ms");
    report.figure(&format!("{mean:.2} ms"), &what);
}

/// The mean of a few syncs, in milliseconds: how the disk is just now.
pub fn sync_now(place: &Path) -> f64 {
    millis(syncs(place, FEW_SYNCS).iter().sum::<Duration>() / FEW_SYNCS)
}

fn syncs(place: &Path, count: u32) -> Vec<Duration> {
    let path = place.join("plain");
    let mut file = File::create(&path).unwrap();
    let sync = |_| {
        let begun = Instant::now();
        file.write_all(&[b'x'; SYNCED_BYTES]).unwrap();
        file.sync_data().unwrap();
        begun.elapsed()
    };
    let times = (0..count).map(sync).collect();
    std::fs::remove_file(path).unwrap();
    times
}

/// A plain file that takes groups with a sync each.
pub struct PlainFile {
    file: File,
    group: Vec<u8>,
}

impl PlainFile {
    pub fn create(place: &Path, group_bytes: usize) -> Self {
        Self { file: File::create(place.join("plain")).unwrap(), group: vec![b'x'; group_bytes] }
    }

    /// How many groups it took, and in how long.
    pub fn write(&mut self, lasting: Duration) -> (u64, Duration) {
        let (begun, mut groups) = (Instant::now(), 0);
        while begun.elapsed() < lasting {
            self.file.write_all(&self.group).unwrap();
            self.file.sync_data().unwrap();
            groups += 1;
        }
        (groups, begun.elapsed())
    }
}
