//! No thread dies alone: each that panics is named by whether the process is ready, within a second, and goes on.

use std::time::{Duration, Instant};

use domain::Kind;
use serde_json::{Value, json};
use store::{Faults, Options};

use crate::harness::{Ask, Reply, System, TEST_TIMEOUT, id};

/// Which views share a thread with which depends on the number of cores.
const ANY: &str = "any";
/// How soon it must be told that a part does not work.
const TOLD: Duration = Duration::from_secs(1);

async fn ready(system: &System) -> (u16, Value) {
    let reply = system.ask(Ask::get("/health/ready")).await;
    (reply.status, reply.json())
}

/// Waits until the process is ready, or is not for a reason of this part.
async fn until(system: &System, part: Option<&str>, timeout: Duration) -> Value {
    let begun = Instant::now();
    loop {
        let (status, readiness) = ready(system).await;
        let troubles = readiness["troubles"].as_array().unwrap();
        let is_told =
            part.is_none_or(|part| troubles.iter().any(|trouble| part == ANY || trouble["part"] == part));
        if (status == 200) == part.is_none() && is_told {
            return readiness;
        }
        assert!(begun.elapsed() < timeout, "{part:?} is not told: {readiness}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn receive(system: &System, number: u64) -> Reply {
    let gift = json!({ "receive": { "amount": { "minor": 100, "currency": "EUR" } } });
    let ask = Ask::command(Kind::Gift, id(Kind::Gift, number), &gift).key(&number.to_string());
    system.ask(ask).await
}

/// A system with a small index, and what may go wrong in it.
async fn system(folder: &std::path::Path) -> (System, Faults) {
    let faults = Faults::default();
    let options = Options { index_batch: 4, faults: faults.clone(), ..Options::default() };
    (System::open_with(folder, options).await, faults)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_panics_is_named_within_a_second_and_goes_on() {
    let threads = [
        ("log writer", "the log"),
        ("log indexer", "the index"),
        ("ledger", "the ledger"),
        ("follower", ANY),
    ];
    for (thread, part) in threads {
        let folder = tempfile::tempdir().unwrap();
        let (system, faults) = system(folder.path()).await;
        for number in 0..20 {
            receive(&system, number).await.good();
        }
        until(&system, None, TEST_TIMEOUT).await;
        faults.panic_on(thread);
        // Enough for each of them to have work.
        let (sent, told) = tokio::join!(
            async {
                let mut refused = Vec::new();
                for number in 20..40 {
                    let reply = receive(&system, number).await;
                    if reply.status >= 300 {
                        refused.push(reply);
                    }
                }
                refused
            },
            until(&system, Some(part), TOLD)
        );
        let reason = told["troubles"][0]["reason"].as_str().unwrap();
        assert!(reason.contains("panicked") || reason.contains("opened again"), "{thread}: {reason}");
        assert!(sent.len() <= usize::from(thread == "log writer"), "{thread}: {sent:?}");
        until(&system, None, TEST_TIMEOUT).await;
        // Whoever was not answered asks again under the same key, and everything is there once.
        for number in 20..50 {
            receive(&system, number).await.good();
        }
        assert_eq!(system.view("giving", "").await["totals"]["gifts"], 50, "{thread}");
        system.ask(Ask::post("/admin/checkpoint", &json!({}))).await.good();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_disk_is_full_it_is_not_ready_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let (system, faults) = system(folder.path()).await;
    receive(&system, 0).await.good();
    faults.limit_pages(Some(1));
    let mut number = 1;
    while receive(&system, number).await.status != 503 {
        number += 1;
        assert!(number < 10_000, "the disk is never full");
    }
    let readiness = until(&system, Some("the log"), TOLD).await;
    assert!(readiness["troubles"][0]["reason"].as_str().unwrap().contains("the disk is full"), "{readiness}");
    faults.limit_pages(None);
    until(&system, None, TEST_TIMEOUT).await;
    receive(&system, number).await.good();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_clock_is_wrong_nothing_is_recorded_and_everything_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let (system, faults) = system(folder.path()).await;
    receive(&system, 0).await.good();
    let ten_years = 10 * 365 * 24 * 60 * 60 * 1_000_000;
    for jump in [ten_years, -ten_years, -60 * ten_years] {
        faults.jump_clock(jump);
        let readiness = until(&system, Some("the clock"), TOLD).await;
        let reason = readiness["troubles"][0]["reason"].as_str().unwrap().to_owned();
        let refused = receive(&system, 1).await;
        assert_eq!(refused.status, 503, "{}", refused.text());
        assert!(refused.json()["detail"].as_str().unwrap().contains(&reason), "{}", refused.text());
        assert_eq!(system.view("giving", "").await["totals"]["gifts"], 1);
        let metrics = system.ask(Ask::get("/metrics")).await.good().text();
        let offset = metrics.lines().find_map(|line| line.strip_prefix("rapport_clock_offset_seconds "));
        let offset: f64 = offset.unwrap().parse().unwrap();
        assert!(offset.abs() > 1e8 && (offset > 0.0) == (jump > 0), "{offset}");
        faults.jump_clock(0);
        until(&system, None, TOLD).await;
    }
    let recorded = receive(&system, 1).await.good().json()["position"].clone();
    let events = system.ask(Ask::get("/events?kind=gift")).await.good().json();
    let event = events.as_array().unwrap().last().unwrap();
    assert_eq!(event["position"], recorded);
    assert!(event["recordedtime"].as_str().unwrap() < "2036", "{event}");
}
