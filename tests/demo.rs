//! The demo, carried out: every command is accepted, and sent again it changes nothing.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use commands::{BatchLine, Command, CommandError, Commands, Sender};
use domain::{Actor, EventStore, Kind, KindSet, Position, Role};
use intake::{Campus, Demo};
use store::EmbeddedStore;

use crate::known::UNTOLD;

/// Sends a whole history in batches of 1,000, as an administrator would; the refusals.
async fn send(commands: &Commands, forgets_key: fn(&str) -> bool) -> Vec<(CommandError, String)> {
    let sender = Sender { by: Actor::Member("demo".to_owned()), role: Role::Admin, system: false };
    let lines: Vec<String> = Demo::new(Campus::new(150, 1)).collect();
    let mut refused = Vec::new();
    for batch in lines.chunks(1_000) {
        let of_line = |line: &String| {
            let BatchLine { kind, id, body, key, if_match } = BatchLine::parse(line.as_bytes()).unwrap();
            let key = key.filter(|_| !forgets_key(&body.name));
            Command { kind, id, body, sender: sender.clone(), key, if_match }
        };
        let answers = commands.execute_all(batch.iter().map(of_line).collect()).await;
        let refusals =
            batch.iter().zip(answers).filter_map(|(line, answer)| Some((answer.err()?, line.clone())));
        refused.extend(refusals);
    }
    refused
}

/// How often each thing has happened.
async fn counts(store: &dyn EventStore) -> BTreeMap<String, usize> {
    let (mut counts, mut after) = (BTreeMap::new(), Position::START);
    while after < store.head() {
        let page = store.read_all(after, 1_000, KindSet::ALL).await.unwrap();
        after = page.through;
        for recorded in page.events {
            let (tag, _) = recorded.unwrap().event.encode().unwrap();
            *counts.entry(tag).or_default() += 1;
        }
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_is_accepted_whole_and_sent_again_it_changes_nothing() {
    let store = EmbeddedStore::in_memory().unwrap();
    let commands = || Commands::new(Arc::clone(&store) as Arc<dyn EventStore>);
    let refused = send(&commands(), |_| false).await;
    assert!(refused.is_empty(), "{} refused, the first: {:#?}", refused.len(), refused[0]);
    insta::assert_json_snapshot!(counts(&*store).await);
    let head = store.head();

    assert!(send(&commands(), |_| false).await.is_empty(), "what was accepted once is accepted again");
    assert_eq!(store.head(), head, "and nothing is recorded");

    // A day later the keys are forgotten. A reply and a refund are still known, by the ids of their events.
    let refused = send(&commands(), |name| !["reply", "refund"].contains(&name)).await;
    assert!(refused.iter().all(|(error, line)| {
        matches!(error, CommandError::Rejected { .. }) && line.contains("\"key\":\"demo-1-")
    }));
    assert_eq!(store.head(), head, "what cannot be known again is refused");
}

#[test]
fn every_kind_of_thing_is_told_of() {
    let lines = Demo::new(Campus::new(200, 1));
    let told: HashSet<Kind> = lines.map(|line| BatchLine::parse(line.as_bytes()).unwrap().kind).collect();
    for kind in Kind::ALL {
        let is_untold = UNTOLD.iter().any(|(untold, _)| untold == kind);
        assert_ne!(
            told.contains(kind),
            is_untold,
            "the demo has to tell of every {kind}, in a chapter of its own (CHAPTERS in intake/src/demo.rs) or with \
             something else; or it stands in UNTOLD (tests/known.rs) with the reason"
        );
    }
}
