//! What is printed: rows with the ratio in front, and at the end every aim with what was measured.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use crate::process;

/// The figures so far.
pub struct Report {
    begun: Instant,
    aims: Vec<Aim>,
}

struct Aim {
    what: String,
    wanted: f64,
    measured: f64,
    unit: &'static str,
    /// Whether less is better.
    is_limit: bool,
}

impl Report {
    pub fn begin(place: &Path) -> Self {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        println!(
            "Rapport in figures: {cores} cores, in {}, load of the machine {}",
            place.display(),
            process::load()
        );
        Self { begun: Instant::now(), aims: Vec::new() }
    }

    pub fn heading(&mut self, title: &str) {
        let passed = self.begun.elapsed().as_secs();
        println!("\n{title} [{passed} s]\n{:>8}  {:>22}", "ratio", "measured");
    }

    /// A figure with its ratio to a limit; the sentence says to which.
    #[expect(clippy::unused_self, reason = "whoever prints holds the report")]
    pub fn row(&mut self, ratio: f64, figure: &str, what: &str) {
        println!("{ratio:>8.2}  {figure:>22}  {what}");
    }

    /// A figure that stands alone.
    #[expect(clippy::unused_self, reason = "whoever prints holds the report")]
    pub fn figure(&mut self, figure: &str, what: &str) {
        println!("{:>8}  {figure:>22}  {what}", "");
    }

    /// At least so much.
    pub fn aim(&mut self, what: &str, wanted: f64, measured: f64, unit: &'static str) {
        self.aims.push(Aim { what: what.to_owned(), wanted, measured, unit, is_limit: false });
    }

    /// At most so much.
    pub fn limit(&mut self, what: &str, wanted: f64, measured: f64, unit: &'static str) {
        self.aims.push(Aim { what: what.to_owned(), wanted, measured, unit, is_limit: true });
    }

    pub fn end(self) {
        println!("\nAims (DESIGN §9); above 1 is better than the aim\n{:>8}  {:>22}", "ratio", "measured");
        for aim in &self.aims {
            let Aim { what, wanted, measured, unit, is_limit } = aim;
            let ratio = if *is_limit { wanted / measured } else { measured / wanted };
            let (verdict, bound) = (
                if ratio >= 1.0 { "met   " } else { "MISSED" },
                if *is_limit { "at most" } else { "at least" },
            );
            let figure = format!("{} {unit}", number(*measured));
            println!("{ratio:>8.2}  {figure:>22}  {verdict}  {what}: {bound} {} {unit}", number(*wanted));
        }
        println!("\n{} s, load of the machine {}", self.begun.elapsed().as_secs(), process::load());
    }
}

/// A number for people: `123`, `12.3`, `0.12`, `123 k`, `1.23 M`.
pub fn number(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{:.2} M", value / 1e6),
        value if value >= 1e4 => format!("{:.0} k", value / 1e3),
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 1.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

/// Things a second.
pub fn per_second(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// Milliseconds.
pub fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

/// How long the fastest `percent` of all took at most, in milliseconds. Sorts.
pub fn percentile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    let place = (times.len() * percent).div_ceil(100).saturating_sub(1);
    times.get(place).map_or(f64::NAN, |took| millis(*took))
}
