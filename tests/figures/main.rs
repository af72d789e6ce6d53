//! THE FIGURES: what Rapport does in a second and how long it keeps people waiting, beside the limits of the
//! machine, measured in one run: `cargo bench -p tests --bench figures`.
//!
//! | after `--` | means |
//! |---|---|
//! | `--quick` | about a minute, with smaller logs |
//! | `--events N` | how many events the larger log holds; the reference load is 10,000,000 |
//! | `--only WORD,WORD` | only these parts: `append`, `ledger`, `folding`, `questions`, `commands`, `cluster` |
//! | `--double` | nothing is measured: a double of a cluster is served to try things on, until the program is ended |
//!
//! Everything is written to a folder of its own, under `RAPPORT_BENCH_DIR` or else under the target folder, and
//! removed at the end. Nothing fails because it is slow: figures of a busy machine are noisy, therefore ratios
//! come first and the load of the machine stands above and below.

#![allow(clippy::print_stdout, reason = "printing figures is all that this program is for")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot go on has nothing to say")]
#![allow(clippy::cast_precision_loss, reason = "figures are rounded for people in any case")]

use std::path::{Path, PathBuf};

mod append;
mod client;
#[cfg(feature = "kurrentdb")]
mod cluster;
mod commands;
mod disk;
mod folding;
#[cfg(feature = "kurrentdb")]
#[path = "../kurrent_double/mod.rs"]
mod kurrent_double;
mod ledger;
mod load;
mod process;
mod questions;
mod report;
mod server;

use report::Report;

/// What was asked for on the command line.
struct Arguments {
    quick: bool,
    events: Option<u64>,
    only: Option<String>,
}

impl Arguments {
    fn read(arguments: &[String]) -> Self {
        let after = |flag: &str| {
            let place = arguments.iter().position(|argument| argument == flag)?;
            arguments.get(place + 1).cloned()
        };
        Self {
            quick: arguments.iter().any(|argument| argument == "--quick"),
            events: after("--events").map(|number| number.replace('_', "").parse().expect("--events N")),
            only: after("--only"),
        }
    }

    fn wants(&self, part: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.split(',').any(|word| word == part))
    }

    /// How many events the smaller and the larger log hold.
    fn sizes(&self) -> [u64; 2] {
        let [small, large] = if self.quick { [20_000, 100_000] } else { [100_000, 2_000_000] };
        [small, self.events.unwrap_or(large)]
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(place) = arguments.iter().position(|argument| argument == server::FLAG) {
        server::serve(Path::new(&arguments[place + 1]), arguments[place + 2] == server::FOLLOWING);
        return;
    }
    #[cfg(feature = "kurrentdb")]
    if arguments.iter().any(|argument| argument == "--double") {
        let double = kurrent_double::Double::cluster(3);
        double.stream_reads_have_positions(true);
        println!("--store '{}'", double.url());
        loop {
            std::thread::park();
        }
    }
    // `cargo test --all-targets` starts benches too, without this word.
    if !arguments.iter().any(|argument| argument == "--bench") {
        println!("figures are measured by `cargo bench -p tests --bench figures`");
        return;
    }
    measure(&Arguments::read(&arguments));
}

fn measure(wishes: &Arguments) {
    let parent = std::env::var_os("RAPPORT_BENCH_DIR")
        .map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from);
    std::fs::create_dir_all(&parent).unwrap();
    let place = tempfile::Builder::new().prefix("figures-").tempdir_in(&parent).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut report = Report::begin(&parent);
    disk::latency(&mut report, place.path(), "before");
    if wishes.wants("append") {
        append::measure(&mut report, &runtime, place.path(), wishes.quick);
    }
    if wishes.wants("ledger") {
        ledger::cost(&mut report, &runtime, place.path(), wishes.quick);
    }
    #[cfg(feature = "kurrentdb")]
    if wishes.wants("cluster") {
        cluster::measure(&mut report, &runtime, place.path(), wishes.quick);
    }
    let mut sizes = Vec::new();
    // Filling a log takes longest, and one part needs none.
    let sizes_wanted = if wishes.only.as_deref() == Some("cluster") { &[][..] } else { &wishes.sizes()[..] };
    for &events in sizes_wanted {
        let folder = place.path().join(events.to_string());
        let ends = load::fill(&mut report, &runtime, &folder, events);
        let is_large = events == wishes.sizes()[1];
        if wishes.wants("ledger") {
            ledger::verify(&mut report, &runtime, &folder, is_large);
        }
        let replay = folding::measure(&mut report, &runtime, &folder, wishes.wants("folding"), is_large);
        if wishes.wants("ledger") {
            ledger::history(&mut report, &runtime, &folder, is_large, wishes.quick);
        }
        let mut answers = Vec::new();
        if wishes.wants("questions") {
            answers = questions::measure(&mut report, &runtime, &folder, &ends, is_large, wishes.quick);
        }
        let mut rate = None;
        if wishes.wants("commands") {
            rate = commands::measure(&mut report, &runtime, &folder, &ends, is_large, wishes.quick);
        }
        sizes.push((events, replay, answers, rate));
        std::fs::remove_dir_all(&folder).unwrap();
    }
    compare(&mut report, &sizes);
    disk::latency(&mut report, place.path(), "after");
    report.end();
}

/// One size of the log: events; events replayed in a second of one core; medians of the questions; commands in a
/// second of one core.
type Size = (u64, Option<f64>, Vec<(String, f64)>, Option<f64>);

/// Whether anything grows slower with the log.
fn compare(report: &mut Report, sizes: &[Size]) {
    let [(few, slow_replay, asked_few, rate_few), (many, replay, asked_many, rate_many)] = sizes else {
        return;
    };
    report.heading(&format!("{many} events beside {few}"));
    if let (Some(few), Some(many)) = (slow_replay, replay) {
        report.row(many / few, "", "replay: events a second, 1 is linear");
        report.aim("replay, larger log / smaller log", 0.9, many / few, "");
    }
    if let (Some(few), Some(many)) = (rate_few, rate_many) {
        report.row(
            many / few,
            "",
            "commands in a second of one core of the server, 32 clients, 1 is no slower",
        );
        report.aim("commands in a second of one core, larger log / smaller log", 0.9, many / few, "");
    }
    let ratios: Vec<_> = asked_few
        .iter()
        .filter_map(|(what, few)| {
            let (_, many) = asked_many.iter().find(|(other, _)| other == what)?;
            Some((few / many, what, *few, *many))
        })
        .collect();
    for (ratio, what, few, many) in &ratios {
        report.row(*ratio, &format!("{few:.1} → {many:.1} ms"), &format!("{what}: medians, 1 is no slower"));
    }
    // What takes less than a millisecond is mostly the way there and back.
    let long = ratios.iter().filter(|(_, _, _, many)| *many >= 1.0);
    let worst = long.min_by(|one, other| one.0.total_cmp(&other.0));
    if let Some((ratio, what, ..)) = worst {
        report.aim(&format!("{what}, which grows most: smaller log / larger log"), 0.9, *ratio, "");
    }
}
