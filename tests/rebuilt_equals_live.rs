//! A rebuilt view equals the live one, whatever happened and however the events came in.

use std::sync::atomic::{AtomicU64, Ordering};

use commands::{Body, Command, Sender};
use domain::{Actor, Role};
use proptest::{
    prelude::*,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};

use crate::{harness::System, known::Step};

const CASES: u32 = 32;

/// Commands that come in together, and whether the views may catch up before the next ones come.
type Batch = (Vec<Step>, bool);

fn step() -> impl Strategy<Value = Step> {
    (any::<u8>(), any::<u8>(), 0..1_000_000_u64).prop_map(|(kind, what, number)| Step { kind, what, number })
}

fn batches() -> impl Strategy<Value = Vec<Batch>> {
    prop::collection::vec((prop::collection::vec(step(), 1..40), any::<bool>()), 1..8)
}

#[test]
fn a_rebuilt_view_equals_the_live_one_after_any_life() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
    // The same lives in every run.
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let events = AtomicU64::new(0);
    let outcome = runner
        .run(&batches(), |batches| runtime.block_on(live(&batches, &events)).map_err(TestCaseError::fail));
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let events = events.into_inner();
    assert!(events > u64::from(CASES) * 20, "lives in which only {events} things happen show little");
}

/// Lives, and compares every view with one that is folded anew.
async fn live(batches: &[Batch], events: &AtomicU64) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let system = System::open(folder.path()).await;
    let rapport = &system.rapport;
    for (steps, catch_up) in batches {
        let commands: Vec<Command> = steps.iter().map(command).collect();
        // Some are refused, as in life.
        rapport.commands.execute_all(commands).await;
        if *catch_up {
            rapport.views.settle(system.head(), |_| ()).await;
        }
    }
    rapport.views.settle(system.head(), |_| ()).await;
    events.fetch_add(system.head().0, Ordering::Relaxed);
    for when in ["live", "rebuilt"] {
        let checked = rapport.views.check(&[], |_, _| ()).await.map_err(|error| error.to_string())?;
        for view in checked {
            if !view.differences.is_empty() || view.stopped.is_some() {
                return Err(format!("{when}: {view:?}"));
            }
        }
        rapport.views.rebuild(&[], |_| ()).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn command(step: &Step) -> Command {
    // Some say when it was so, before or after what came before them.
    let day = step.number % 28 + 1;
    let occurred_at =
        step.number.is_multiple_of(3).then(|| format!("2020-{:02}-{day:02}T08:00:00Z", day % 12 + 1));
    let (kind, id, body) = step.body(occurred_at);
    let body = Body::parse(body.to_string().as_bytes()).unwrap();
    let sender = Sender { by: Actor::Member("ann".to_owned()), role: Role::Admin, system: false };
    Command { kind, id, body, sender, key: None, if_match: None }
}
