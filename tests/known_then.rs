//! What was known at a moment is answered from a kept snapshot and is what was answered then.

use std::{fs, path::PathBuf, sync::Arc};

use commands::{BatchLine, Command, Commands, Sender};
use domain::{Actor, EventStore, Kind, KindSet, Position, Role};
use intake::{Campus, Demo};
use projections::{AskError, KnownAt, Question, ViewError, ViewOptions, Views};
use rusqlite::Connection;
use store::{EmbeddedStore, Log as _};
use tokio::runtime::Handle;
use uuid::Uuid;

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

/// Somebody of whom something is in every snapshot.
async fn erased_contact(store: &EmbeddedStore) -> Uuid {
    let page = store.read_all(Position::START, 100, KindSet::of(&[Kind::Contact])).await.unwrap();
    page.events.into_iter().flatten().next().unwrap().stream.id
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
    let kept = || fs::read_dir(folder.path().join("snapshots")).unwrap().map(|entry| entry.unwrap().path());
    assert!(kept().count() > 0);
    // A check holds them against the log too, also after somebody was erased in them.
    let contact = erased_contact(&store).await;
    let erase = format!(r#"{{"kind":"contact","id":"{contact}","erase":{{"ground":"request"}}}}"#);
    send(&commands, vec![erase]).await;
    views.settle(store.head(), |_| {}).await;
    let checked = views.check(&[], |_, _| ()).await.unwrap();
    let differences: Vec<_> = checked.iter().filter(|view| !view.differences.is_empty()).collect();
    assert!(differences.is_empty(), "{differences:#?}");
    let of_giving = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("giving");
    let alter = |path: PathBuf| {
        Connection::open(path).unwrap().execute("UPDATE gifts SET minor = minor + 1", []).unwrap()
    };
    // Nothing had been given yet where the first ones were taken.
    assert!(kept().filter(of_giving).map(alter).sum::<usize>() > 0);
    let checked = views.check(&["giving".to_owned()], |_, _| ()).await.unwrap();
    let named = checked[0].differences.iter().any(|found| found.table.contains("snapshot at position"));
    assert!(named, "{checked:#?}");
    let views = tokio::task::spawn_blocking(move || views.close());
    views.await.unwrap();
}
