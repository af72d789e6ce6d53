//! What was known at a moment is answered from a kept snapshot and is what was answered then.

use std::{fs, sync::Arc};

use commands::{BatchLine, Command, Commands, Sender};
use domain::{Actor, EventStore, Role};
use intake::{Campus, Demo};
use projections::{AskError, KnownAt, Question, ViewError, ViewOptions, Views};
use store::{EmbeddedStore, Log as _};
use tokio::runtime::Handle;

/// A small number, so that a small log has several snapshots.
const SNAPSHOT_EVERY: u64 = 150;

async fn send(commands: &Commands, lines: Vec<String>) {
    let sender = Sender { by: Actor::Member("demo".to_owned()), role: Role::Admin, system: false };
    let command = |line: String| {
        let BatchLine { kind, id, body, key, if_match } = BatchLine::parse(line.as_bytes()).unwrap();
        Command { kind, id, body, sender: sender.clone(), key, if_match }
    };
    for answer in commands.execute_all(lines.into_iter().map(command).collect()).await {
        answer.unwrap();
    }
}

/// The answer of a view to a question without parameters; none where it wants some.
async fn answer(views: &Views, view: &str, known_at: Option<KnownAt>) -> Option<String> {
    let question = Question { view: view.to_owned(), known_at, ..Question::default() };
    match views.ask(question).await {
        Ok(answered) => Some(answered.answer.to_json().unwrap()),
        Err(AskError::View(ViewError::Query { .. })) => None,
        Err(error) => panic!("{view}: {error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_known_then_is_answered_as_it_was_then_from_snapshots_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::in_memory().unwrap();
    let (log, path, runtime) =
        (Arc::clone(&store) as Arc<dyn EventStore>, folder.path().to_owned(), Handle::current());
    let keyring = store.keyring();
    let options = ViewOptions { snapshot_every: SNAPSHOT_EVERY, ..ViewOptions::default() };
    let open = move || Views::open(log, keyring, &path, runtime, options).unwrap();
    let views = tokio::task::spawn_blocking(open).await.unwrap();
    let commands = Commands::new(Arc::clone(&store) as Arc<dyn EventStore>);

    let mut told = Demo::new(Campus::new(12, 1));
    let mut answers = Vec::new();
    loop {
        let lines: Vec<String> = told.by_ref().take(100).collect();
        if lines.is_empty() {
            break;
        }
        send(&commands, lines).await;
        views.settle(store.head(), |_| {}).await;
        for view in projections::descriptions() {
            answers.push((view.name, store.head().0, answer(&views, view.name, None).await));
        }
    }
    assert!(store.head().0 > 2 * SNAPSHOT_EVERY);
    for (view, size, then) in answers {
        assert_eq!(answer(&views, view, Some(KnownAt::Size(size))).await, then, "{view} at {size}");
    }
    assert!(fs::read_dir(folder.path().join("snapshots")).unwrap().count() > 0);
    let views = tokio::task::spawn_blocking(move || views.close());
    views.await.unwrap();
}
