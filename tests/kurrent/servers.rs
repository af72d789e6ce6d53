//! Where the tests of the cluster run: on the double, and on a real server where one is named.

use std::{
    io::Write as _,
    path::Path,
    sync::{Arc, Once},
};

use store::{Cluster, KurrentStore, Log as _, Options};
use uuid::Uuid;

use crate::kurrent_double::Double;

/// Names a real server, as `--store` takes it.
const REAL: &str = "RAPPORT_TEST_KURRENTDB";

/// The servers of one test.
pub(super) struct Servers {
    pub(super) url: String,
    pub(super) prefix: String,
    /// Stops when it is dropped.
    double: Option<Double>,
}

impl Servers {
    /// A double of so many servers.
    pub(super) fn double(servers: usize) -> Self {
        let double = Double::cluster(servers);
        double.stream_reads_have_positions(true);
        Self { url: double.url(), prefix: String::new(), double: Some(double) }
    }

    /// The real server, where one is named. Everything is written under a prefix of its own.
    pub(super) fn real() -> Option<Self> {
        let Ok(url) = std::env::var(REAL) else {
            say_once();
            return None;
        };
        Some(Self { url, prefix: format!("rapport-test-{}.", draw().simple()), double: None })
    }

    /// What goes wrong on demand.
    pub(super) fn faults(&self) -> &Double {
        self.double.as_ref().unwrap()
    }

    pub(super) fn cluster(&self) -> Cluster {
        self.url.parse::<Cluster>().unwrap().with_prefix(&self.prefix).unwrap()
    }

    /// A node with a folder of its own that shares the secrets of another folder.
    pub(super) async fn node(&self, folder: &Path, secrets: Option<&Path>) -> Arc<KurrentStore> {
        let opened =
            KurrentStore::open(folder, self.cluster(), secrets.map(Path::to_owned), Options::default());
        let store = opened.await.unwrap();
        store.catch_up(&mut |_| ()).await;
        store
    }

    /// What the program is told about them.
    pub(super) fn arguments(&self) -> [&str; 4] {
        ["--store", &self.url, "--store-prefix", &self.prefix]
    }
}

/// Said past whoever catches what tests print, so that nobody takes what was left out for tested.
fn say_once() {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        let _ = writeln!(std::io::stderr(), "skipped: no server ({REAL} names none)");
    });
}

#[expect(clippy::disallowed_methods, reason = "nobody else on a real server may have the same")]
fn draw() -> Uuid {
    Uuid::new_v4()
}
