//! What networks and servers do to a node, and that nothing is lost by it and nothing stands twice.

use std::{sync::Arc, time::Duration};

use domain::{
    AppendError, ContactId, Event, EventStore, Kind, KindSet, Position, Recorded, StreamId,
    contact::ContactEvent,
};
use store::{Cluster, KurrentStore, Log as _, Options};
use tempfile::TempDir;
use tonic::Code;
use uuid::Uuid;

use super::servers::Servers;
use crate::{
    contract::{Store, all_of, append, assert_answered, fund, key, keyed, registered, renamed, stream_of},
    harness::TEST_TIMEOUT,
    kurrent_double::Lost,
};

async fn alone(servers: &Servers) -> (Arc<KurrentStore>, TempDir) {
    let place = tempfile::tempdir().unwrap();
    (servers.node(place.path(), None).await, place)
}

/// Two nodes of one log.
async fn two(servers: &Servers) -> ([Arc<KurrentStore>; 2], [TempDir; 2]) {
    let (one, place) = alone(servers).await;
    let other_place = tempfile::tempdir().unwrap();
    let other = servers.node(other_place.path(), Some(place.path())).await;
    ([one, other], [place, other_place])
}

fn port(store: &Arc<KurrentStore>) -> Store {
    Arc::clone(store) as Store
}

/// Everything in the log, whoever wrote it.
async fn everything(store: &Arc<KurrentStore>) -> Vec<Recorded> {
    store.catch_up(&mut |_| ()).await;
    all_of(&port(store)).await
}

fn ids(events: &[Recorded]) -> Vec<Uuid> {
    events.iter().map(|event| event.id.0).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_whose_answer_was_lost_stands_once() {
    let servers = Servers::double(1);
    let (store, _place) = alone(&servers).await;
    let store = port(&store);
    let mut expected = 0;
    for (number, lost) in [Lost::Before, Lost::After, Lost::After].into_iter().enumerate() {
        for names in [vec!["one"], vec!["two", "three", "four"]] {
            servers.faults().lose_next_appends_to("fund-", number + 1, lost);
            let events = names.iter().map(|name| renamed(name));
            let answer = store.append(append(fund(1), expected, events)).await.unwrap();
            expected += names.len() as u64;
            assert_eq!(answer.revision, expected);
            assert_eq!(stream_of(&store, fund(1)).await.last().unwrap().position, answer.position);
        }
    }
    let all = all_of(&store).await;
    assert_eq!(all.len() as u64, expected);
    assert_eq!(ids(&all), ids(&stream_of(&store, fund(1)).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_says_late_or_not_at_all_is_asked_again_and_stands_once() {
    let servers = Servers::double(1);
    let (store, _place) = alone(&servers).await;
    let store = port(&store);
    for (expected, took_effect) in (0..).zip([true, false]) {
        // One of the two may meet what the node says about itself; either is asked again.
        servers.faults().delay_next_appends(2, Duration::from_millis(20), took_effect);
        store
            .append(keyed(append(fund(1), expected, [renamed("late")]), 1 + u8::from(took_effect)))
            .await
            .unwrap();
    }
    for (expected, code) in (2..).zip([Code::Aborted, Code::Unavailable, Code::Unknown, Code::Internal]) {
        servers.faults().refuse_next_appends_to("fund-", 2, code);
        store.append(append(fund(1), expected, [renamed("refused")])).await.unwrap();
    }
    assert_eq!(all_of(&store).await.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_will_never_do_is_not_asked_again() {
    let servers = Servers::double(1);
    let (store, _place) = alone(&servers).await;
    let store = port(&store);
    for code in [Code::PermissionDenied, Code::InvalidArgument, Code::Unimplemented] {
        servers.faults().refuse_next_appends_to("fund-", 1, code);
        let refused = store.append(append(fund(1), 0, [renamed("a")])).await;
        // A second attempt would have been taken.
        assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{code:?}: {refused:?}");
    }
    assert!(all_of(&store).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_it_stands_is_said_to_be_unknown_only_where_nobody_can_tell() {
    let servers = Servers::double(1);
    let (store, _place) = alone(&servers).await;
    let store = port(&store);
    let unsure = keyed(append(fund(1), 0, [renamed("perhaps")]), 1);
    servers.faults().refuse_next_appends_to("fund-", 100, Code::Aborted);
    assert_eq!(store.append(unsure.clone()).await, Err(AppendError::OutcomeUnknown));
    servers.faults().clear_faults();
    let answer = store.append(unsure.clone()).await.unwrap();
    assert_answered(&store, unsure, &answer).await;
    assert_eq!(all_of(&store).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_another_server_leads_appending_and_reading_go_on() {
    let servers = Servers::double(3);
    let (store, _place) = alone(&servers).await;
    let store = port(&store);
    for (revision, leader) in (0..).zip([0, 2, 1, 1, 0]) {
        servers.faults().lead(leader);
        store.append(append(fund(1), revision, [renamed("a")])).await.unwrap();
        assert_eq!(stream_of(&store, fund(1)).await.len() as u64, revision + 1);
    }
    servers.faults().lead(1);
    servers.faults().node_goes_away(0, true);
    store.append(append(fund(1), 5, [renamed("b")])).await.unwrap();
    assert_eq!(all_of(&store).await.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_no_server_is_there_nothing_is_lost_and_afterwards_all_goes_on() {
    let servers = Servers::double(1);
    let (store, _place) = alone(&servers).await;
    let store = port(&store);
    servers.faults().go_away(true);
    let appending = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.append(keyed(append(fund(1), 0, [renamed("a")]), 1)).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    servers.faults().go_away(false);
    assert_eq!(appending.await.unwrap().unwrap().revision, 1);
    servers.faults().cut_connections();
    assert_eq!(all_of(&store).await.len(), 1);
}

/// Follows a log through pages that come late, twice or not to their end.
async fn follow(servers: &Servers, store: &Store, disturb: impl Fn(u64)) {
    for round in 0..12 {
        disturb(round);
        for stream in 0..5 {
            store.append(append(fund(stream), 2 * round, [renamed("a"), renamed("b")])).await.unwrap();
        }
        if round % 3 == 2 {
            servers.faults().cut_connections();
        }
    }
    let all = all_of(store).await;
    let written: Vec<Uuid> = servers
        .faults()
        .appended()
        .iter()
        .filter(|it| it.stream.starts_with("fund-"))
        .map(|it| it.id)
        .collect();
    assert_eq!(ids(&all), written, "each event once, in the order of the log");
    assert_eq!(store.size_at(store.head()).await.unwrap(), 120);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_cut_at_any_point_delivers_every_event_once() {
    let servers = Servers::double(1);
    let (store, _place) = alone(&servers).await;
    follow(&servers, &port(&store), |round| {
        servers.faults().cut_next_reads_after(usize::try_from(round % 7).unwrap());
        servers.faults().refuse_next_reads(1, Code::Unavailable);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_again_or_late_or_a_few_at_a_time_is_delivered_once() {
    let servers = Servers::double(1);
    let (store, _place) = alone(&servers).await;
    let faults = servers.faults();
    follow(&servers, &port(&store), |round| match round % 4 {
        0 => faults.repeat_in_reads(true),
        1 => faults.stall_next_reads(2, Duration::from_millis(60)),
        2 => faults.cut_every_read_after(Some(5)),
        _ => {
            faults.repeat_in_reads(false);
            faults.cut_every_read_after(None);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_of_which_the_server_says_no_place_is_looked_up() {
    let servers = Servers::double(1);
    let (store, _place) = alone(&servers).await;
    let store = port(&store);
    servers.faults().forgets_positions_of_repeats(true);
    servers.faults().lose_next_appends_to("fund-", 1, Lost::After);
    let answer = store.append(append(fund(1), 0, [renamed("a")])).await.unwrap();
    assert_eq!(all_of(&store).await[0].position, answer.position);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_begins_again_goes_on_where_it_was() {
    let servers = Servers::double(1);
    let (store, place) = alone(&servers).await;
    for revision in 0..600 {
        store.append(append(fund(1), revision, [renamed(&revision.to_string())])).await.unwrap();
    }
    let before = all_of(&port(&store)).await;
    drop(store);
    let again = port(&servers.node(place.path(), None).await);
    again.append(append(fund(1), 600, [renamed("600")])).await.unwrap();
    let after = all_of(&again).await;
    assert_eq!(ids(&after)[..600], ids(&before));
    // What lies between two marks of the index is counted by reading it.
    for (size, event) in (1..).zip(&after) {
        if size % 37 == 0 || size > 595 {
            assert_eq!(again.size_at(event.position).await.unwrap(), size);
            assert_eq!(again.position_of_size(size).await.unwrap(), event.position);
            assert_eq!(again.position_at(event.recorded_at).await.unwrap(), event.position);
        }
    }
    drop(again);
    // The index may be lost, and so may the copy of the keys: they are made again.
    for lost in [&["log-index.sqlite"][..], &["keys.sqlite"], &["log-index.sqlite", "keys.sqlite"]] {
        for file in lost {
            std::fs::remove_file(place.path().join(file)).unwrap();
        }
        let again = port(&servers.node(place.path(), None).await);
        assert_eq!(ids(&all_of(&again).await), ids(&after));
        assert_eq!(again.size_at(again.head()).await.unwrap(), 601);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_nobody_waits_for_any_more_harms_no_other() {
    let servers = Servers::double(1);
    let (store, _place) = alone(&servers).await;
    let store = port(&store);
    for revision in 0..50 {
        store.append(append(fund(1), revision, [renamed("a")])).await.unwrap();
    }
    for _ in 0..20 {
        let reading = tokio::spawn({
            let store = Arc::clone(&store);
            async move { store.read_stream(fund(1), 0, 50).await }
        });
        tokio::task::yield_now().await;
        reading.abort();
    }
    assert_eq!(stream_of(&store, fund(1)).await.len(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_another_node_has_moved_on_refuses_and_says_where_it_is() {
    let servers = Servers::double(1);
    let ([one, other], _places) = two(&servers).await;
    one.append(append(fund(1), 0, [renamed("a")])).await.unwrap();
    other.append(append(fund(1), 1, [renamed("b"), renamed("c")])).await.unwrap();
    // An event of its own: the same one would stand already.
    let mut late = append(fund(1), 1, [renamed("d")]);
    late.events[0].id.0 = Uuid::from_u128(77);
    assert_eq!(one.append(late).await, Err(AppendError::WrongRevision { expected: 1, actual: 3 }));
    // Whoever decides anew reads what has happened meanwhile.
    assert_eq!(one.read_stream(fund(1), 1, 9).await.unwrap().len(), 2);
    assert_eq!(one.append(append(fund(1), 3, [renamed("d")])).await.unwrap().revision, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_of_many_nodes_at_one_revision_are_one() {
    let servers = Servers::double(3);
    let (nodes, _places) = two(&servers).await;
    for revision in 0..10 {
        let racing = (0..16).map(|number| {
            let store = Arc::clone(&nodes[number % 2]);
            let mut append = append(fund(1), revision, [renamed("a")]);
            append.events[0].id.0 = Uuid::from_u64_pair(revision, number as u64);
            tokio::spawn(async move { store.append(append).await })
        });
        let outcomes: Vec<_> =
            futures::future::join_all(racing).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    }
    assert_eq!(ids(&everything(&nodes[0]).await), ids(&everything(&nodes[1]).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_counts_on_whichever_node_the_command_is_sent_again() {
    let servers = Servers::double(1);
    let ([one, other], _places) = two(&servers).await;
    let sent = keyed(append(fund(1), 0, [renamed("a"), renamed("b")]), 1);
    let answer = one.append(sent.clone()).await.unwrap();
    let nothing = keyed(append(fund(1), 2, []), 2);
    let unchanged = one.append(nothing.clone()).await.unwrap();
    everything(&other).await;
    other.append(append(fund(2), 0, [renamed("a later event")])).await.unwrap();
    everything(&other).await;
    assert_answered(&port(&other), sent, &answer).await;
    assert_answered(&port(&other), nothing, &unchanged).await;
    // Also where that one has been started again since.
    assert_eq!(other.answer(key(1)).await.unwrap().unwrap().answer, answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_sent_to_two_nodes_with_different_bodies_is_not_taken_for_one_command() {
    let servers = Servers::double(1);
    let ([one, other], _places) = two(&servers).await;
    // The ids of the events follow from the key, so to the cluster both look alike.
    let refused = |outcome: &Result<domain::Answer, AppendError>| {
        matches!(outcome, Err(AppendError::WrongRevision { .. } | AppendError::Answered(_)))
    };
    for number in 1..=20_u8 {
        let sent = keyed(append(fund(number.into()), 0, [renamed("a")]), number);
        let mut different = sent.clone();
        different.key = different.key.map(|(key, _)| (key, [0; 32]));
        let outcomes = tokio::join!(one.append(sent.clone()), other.append(different));
        assert!(
            outcomes.0.is_ok() && refused(&outcomes.1) || refused(&outcomes.0) && outcomes.1.is_ok(),
            "{outcomes:?}"
        );
        // The same command twice is one, whichever of the nodes was faster.
        let sent = keyed(append(fund(number.into()), 1, [renamed("b")]), 100 + number);
        let outcomes = tokio::join!(one.append(sent.clone()), other.append(sent));
        for outcome in [outcomes.0, outcomes.1] {
            match outcome {
                Ok(answer) => assert_eq!(answer.revision, 2),
                Err(AppendError::Answered(answered)) => assert_eq!(answered.answer.revision, 2),
                // It is decided anew then, and finds the answer.
                Err(AppendError::WrongRevision { actual, .. }) => assert_eq!(actual, 2),
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert_eq!(everything(&one).await.len(), 40);
}

fn named_in(event: &Recorded) -> Option<String> {
    match &event.event {
        Event::Contact(ContactEvent::Registered { name: Some(name), .. }) => name.clear().cloned(),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_two_nodes_draw_the_key_of_one_contact_one_of_them_counts() {
    let servers = Servers::double(1);
    let ([one, other], _places) = two(&servers).await;
    for number in 0..20_u128 {
        let whose = ContactId(Uuid::from_u128(100 + number));
        // Several streams about one person, written by two nodes at the same moment.
        let about = |kind: u128| StreamId::new(Kind::Contact, Uuid::from_u128(number * 10 + kind));
        let writing = (0..8_u128).map(|kind| {
            let store = [&one, &other][usize::try_from(kind % 2).unwrap()];
            store.append(append(about(kind), 0, [registered(whose, &format!("Ann {kind}"))]))
        });
        for written in futures::future::join_all(writing).await {
            written.unwrap();
        }
        for store in [&one, &other] {
            for kind in 0..8 {
                let name = named_in(&stream_of(&port(store), about(kind)).await[0]);
                assert_eq!(name, Some(format!("Ann {kind}")));
            }
        }
    }
    assert_eq!(servers.faults().event_count("key-"), 20, "one key for each");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_node_that_has_ended_in_good_order() {
    let servers = Servers::double(1);
    let ([one, other], _places) = two(&servers).await;
    let until_heard = async |is_living: bool| {
        let heard = async {
            while !one.peers().iter().any(|peer| peer.is_living == is_living) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(TEST_TIMEOUT, heard).await.unwrap();
    };
    until_heard(true).await;
    other.leave().await;
    drop(other);
    until_heard(false).await;
}

fn erased() -> Event {
    Event::Contact(ContactEvent::Erased { ground: domain::ErasureGround::Request })
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_erased_on_one_node_is_forgotten_on_all_before_anybody_sees_it() {
    let servers = Servers::double(1);
    let ([one, other], places) = two(&servers).await;
    let whose = ContactId(Uuid::from_u128(5));
    let stream = StreamId::new(Kind::Contact, whose.0);
    one.append(append(stream, 0, [registered(whose, "Zoë")])).await.unwrap();
    let sealed = everything(&other).await.remove(0);
    let open = |store: &KurrentStore| match &sealed.event {
        Event::Contact(ContactEvent::Registered { name: Some(name), .. }) => name.open(&*store.keyring()),
        _ => None,
    };
    assert_eq!((open(&one), open(&other)), (Some("Zoë".into()), Some("Zoë".into())));
    let erasures = other.erasures();
    let answer = one.append(append(stream, 1, [erased()])).await.unwrap();
    assert_eq!(open(&one), None, "whoever erases is told when it is done");
    while other.head() < answer.position {
        assert!(open(&other).is_none() || other.head() < answer.position);
        other.changed(other.head()).await;
    }
    assert_eq!(open(&other), None);
    assert!(other.erasures() > erasures);
    assert!(named_in(&stream_of(&port(&other), stream).await[0]).is_none());
    // Nobody gets a key for them any more, on whichever node, and no copy of the old one lies anywhere.
    other.append(append(stream, 2, [registered(whose, "Zoë again")])).await.unwrap();
    assert!(named_in(&stream_of(&port(&one), stream).await[2]).is_none());
    let new_place = tempfile::tempdir().unwrap();
    let newcomer = port(&servers.node(new_place.path(), Some(places[0].path())).await);
    assert!(stream_of(&newcomer, stream).await.iter().all(|event| named_in(event).is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_belongs_to_one_log_and_a_node_has_its_secrets() {
    let (servers, others) = (Servers::double(1), Servers::double(1));
    let (store, place) = alone(&servers).await;
    drop(store);
    let open = |folder: std::path::PathBuf, cluster: Cluster, secrets: Option<std::path::PathBuf>| async move {
        KurrentStore::open(&folder, cluster, secrets, Options::default())
            .await
            .err()
            .map(|error| error.to_string())
    };
    let told = |error: Option<String>| error.unwrap();
    let other_log = told(open(place.path().into(), others.cluster(), None).await);
    assert!(other_log.contains("there is no log in it"), "{other_log}");
    let (_other, other_place) = alone(&others).await;
    let other_log = told(open(place.path().into(), others.cluster(), None).await);
    assert!(other_log.contains("belongs to the log"), "{other_log}");
    let fresh = || tempfile::tempdir().unwrap().keep();
    let lacking = told(open(fresh(), servers.cluster(), None).await);
    assert!(lacking.contains("copy installation.secret from another node"), "{lacking}");
    let wrong = told(open(fresh(), servers.cluster(), Some(other_place.path().into())).await);
    assert!(wrong.contains("is not the one of this log"), "{wrong}");
    // A folder that holds a log itself is no node, and a node is no log.
    let embedded = tempfile::tempdir().unwrap();
    drop(store::DataFolder::open(embedded.path()).unwrap());
    let sort = told(open(embedded.path().into(), servers.cluster(), None).await);
    assert!(sort.contains("rapport copy"), "{sort}");
    let sort = store::DataFolder::open(place.path()).unwrap_err().to_string();
    assert!(sort.contains("--store"), "{sort}");
    assert_eq!(open(place.path().into(), servers.cluster(), None).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_write_into_the_cluster_is_passed_over_and_rubbish_is_named() {
    let servers = Servers::double(1);
    let ([one, other], _places) = two(&servers).await;
    // A log of somebody else, in the same cluster, under another prefix.
    let foreign_place = tempfile::tempdir().unwrap();
    let cluster = servers.url.parse::<Cluster>().unwrap().with_prefix("club.").unwrap();
    let foreign = KurrentStore::open(foreign_place.path(), cluster, None, Options::default()).await.unwrap();
    for number in 0..5 {
        one.append(append(fund(number), 0, [renamed("ours")])).await.unwrap();
        foreign.append(append(fund(number), 0, [renamed("theirs")])).await.unwrap();
    }
    for store in [&one, &other, &foreign] {
        assert_eq!(everything(store).await.len(), 5);
    }
    assert_ne!(one.log_id(), foreign.log_id());
    // What is no event stops whoever wants its kind, and nobody else; among what the nodes share it is passed over.
    let rubbish = StreamId::new(Kind::Gift, Uuid::from_u128(9));
    servers.faults().write(&rubbish.to_string(), "gift.received", "{}");
    let key = format!("key-{}", Uuid::from_u128(9));
    for (stream, kind) in [
        (key.as_str(), "key.drawn"),
        ("rapport-tokens", "tokens.kept"),
        ("rapport-epochs", "epoch.begun"),
        // These only look like ours.
        ("key-of-the-office", "key.drawn"),
        ("gift-cards", "gift.received"),
    ] {
        servers.faults().write(stream, kind, r#"{"epoch":"?","wrapped":"?"}"#);
    }
    other.append(append(fund(7), 0, [renamed("ours")])).await.unwrap();
    one.catch_up(&mut |_| ()).await;
    let funds = one.read_all(Position::START, 100, KindSet::of(&[Kind::Fund])).await.unwrap();
    assert!(funds.events.len() == 6 && funds.events.iter().all(Result::is_ok));
    let gifts = one.read_all(Position::START, 100, KindSet::of(&[Kind::Gift])).await.unwrap();
    let bad = gifts.events.into_iter().next().unwrap().unwrap_err();
    assert_eq!(bad.stream, rubbish.to_string());
    assert!(one.read_stored(Position::START, 100, &mut |_| ()).await.is_err());
}
