//! New epochs over several nodes: what lives stays open everywhere, what was erased stays gone, and old keys go.

use std::{path::Path, sync::Arc};

use domain::{
    ContactId, Event, EventStore, Kind, KindSet, Position, Recorded, StreamId, contact::ContactEvent,
};
use store::{KurrentStore, Log as _, Rotated};
use tempfile::TempDir;
use uuid::Uuid;

use super::servers::Servers;
use crate::contract::{append, registered};

const PEOPLE: u128 = 40;

fn stream(number: u128) -> StreamId {
    StreamId::new(Kind::Contact, Uuid::from_u128(number))
}

async fn register(store: &KurrentStore, number: u128) {
    let whose = ContactId(stream(number).id);
    store.append(append(stream(number), 0, [registered(whose, &format!("Ann {number}"))])).await.unwrap();
}

async fn name_of(store: &KurrentStore, number: u128) -> Option<String> {
    let events: Vec<Recorded> = store.read_stream(stream(number), 0, 9).await.unwrap();
    match &events.first()?.event {
        Event::Contact(ContactEvent::Registered { name: Some(name), .. }) => name.clear().cloned(),
        _ => None,
    }
}

async fn rotate(store: &Arc<KurrentStore>) -> Result<Rotated, String> {
    let store = Arc::clone(store);
    let rotating =
        tokio::task::spawn_blocking(move || store.rotate(&mut |_, _| ()).map_err(|error| error.to_string()));
    rotating.await.unwrap()
}

fn has_key(folder: &Path, epoch: u32) -> bool {
    folder.join(format!("epoch-{epoch}.key")).exists()
}

/// Nodes that find their secrets in one place.
async fn nodes(servers: &Servers, count: usize) -> (Vec<Arc<KurrentStore>>, Vec<TempDir>, TempDir) {
    let secrets = tempfile::tempdir().unwrap();
    let (mut stores, mut places) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let place = tempfile::tempdir().unwrap();
        stores.push(servers.node(place.path(), Some(secrets.path())).await);
        places.push(place);
    }
    (stores, places, secrets)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_new_epoch_reaches_every_node_and_makes_old_copies_useless() {
    let servers = Servers::double(3);
    let (stores, places, secrets) = nodes(&servers, 3).await;
    for number in 1..=PEOPLE {
        register(&stores[number as usize % 3], number).await;
    }
    let erased = Event::Contact(ContactEvent::Erased { ground: domain::ErasureGround::Request });
    stores[0].append(append(stream(3), 1, [erased])).await.unwrap();
    // While the epoch changes, all nodes go on writing.
    let writing = tokio::spawn({
        let stores = stores.clone();
        async move {
            for number in PEOPLE + 1..=3 * PEOPLE {
                register(&stores[number as usize % 3], number).await;
            }
        }
    });
    let mut rotated = rotate(&stores[1]).await;
    // A key that was on its way with the old epoch is named, and the next attempt takes it along.
    for _ in 0..5 {
        if rotated.is_err() {
            rotated = rotate(&stores[1]).await;
        }
    }
    assert_eq!(rotated.unwrap().epoch, 2);
    writing.await.unwrap();
    for (store, place) in stores.iter().zip(&places) {
        store.catch_up(&mut |_| ()).await;
        for number in 1..=3 * PEOPLE {
            let name = name_of(store, number).await;
            assert_eq!(name.is_some(), number != 3, "{number}");
        }
        assert!(has_key(place.path(), 2) && !has_key(place.path(), 1));
    }
    assert!(has_key(secrets.path(), 2) && !has_key(secrets.path(), 1));
    // Whoever comes later needs the new key only, though the old wrapped keys still stand in the cluster.
    let place = tempfile::tempdir().unwrap();
    let newcomer = servers.node(place.path(), Some(secrets.path())).await;
    assert_all_can_be_opened_as_they_come(&newcomer).await;
    assert_eq!(name_of(&newcomer, 1).await.as_deref(), Some("Ann 1"));
    assert_eq!(name_of(&newcomer, 3).await, None);
    assert_eq!(rotate(&newcomer).await.unwrap().epoch, 3);
}

/// Whoever folds while the node still follows must not take a name for a forgotten one.
async fn assert_all_can_be_opened_as_they_come(store: &Arc<KurrentStore>) {
    let mut seen = Position::START;
    for _ in 0..=3 * PEOPLE {
        store.changed(seen).await;
        let page = store.read_all(seen, 1, KindSet::ALL).await.unwrap();
        seen = page.through;
        let opened = store.read_at(&[seen]).await.unwrap();
        let number = opened[0].stream.id.as_u128();
        if let Event::Contact(ContactEvent::Registered { name: Some(name), .. }) = &opened[0].event {
            assert_eq!(name.clear().is_some(), number != 3, "{number}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_epoch_does_not_begin_before_every_living_node_has_its_key() {
    let servers = Servers::double(1);
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = servers.node(one.path(), None).await;
    // The secrets were copied by hand; nobody puts the next ones anywhere.
    for file in ["installation.secret", "ledger-signing.key", "epoch-1.key"] {
        std::fs::copy(one.path().join(file), other.path().join(file)).unwrap();
    }
    let second = servers.node(other.path(), None).await;
    register(&first, 1).await;
    let refused = rotate(&first).await.unwrap_err();
    assert!(refused.contains("epoch 2") && refused.contains("copy it into the folders of"), "{refused}");
    assert!(name_of(&second, 1).await.is_some(), "nothing has begun");
    std::fs::copy(one.path().join("epoch-2.key"), other.path().join("epoch-2.key")).unwrap();
    assert_eq!(rotate(&first).await.unwrap().epoch, 2);
    register(&second, 2).await;
    first.catch_up(&mut |_| ()).await;
    assert_eq!(name_of(&first, 2).await.as_deref(), Some("Ann 2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_was_away_when_an_epoch_began_says_what_it_lacks() {
    let servers = Servers::double(1);
    let (stores, places, secrets) = nodes(&servers, 1).await;
    let away = tempfile::tempdir().unwrap();
    for file in ["installation.secret", "ledger-signing.key", "epoch-1.key"] {
        std::fs::copy(places[0].path().join(file), away.path().join(file)).unwrap();
    }
    register(&stores[0], 1).await;
    assert_eq!(rotate(&stores[0]).await.unwrap().rewrapped, 1);
    let open = |secrets: Option<std::path::PathBuf>| {
        KurrentStore::open(away.path(), servers.cluster(), secrets, store::Options::default())
    };
    let refused = open(None).await.err().unwrap().to_string();
    assert!(refused.contains("copy epoch-2.key from another node"), "{refused}");
    let back = open(Some(secrets.path().to_owned())).await.unwrap();
    back.catch_up(&mut |_| ()).await;
    assert_eq!(name_of(&back, 1).await.as_deref(), Some("Ann 1"));
    assert!(!has_key(away.path(), 1));
}
