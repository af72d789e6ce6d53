//! The contract of an event log: what every implementation of the port promises, one sentence each.
//!
//! `contract!(make)` runs all of it on one implementation; `make` gives a new, empty store and whatever must
//! live as long as it, or nothing where there is no such store to be had.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    Actor, Answer, Append, AppendError, CommandKey, ContactId, Event, EventId, EventStore, Kind, KindSet,
    Metadata, NewEvent, Personal, Position, Recorded, StreamId, contact::ContactEvent, fund::FundEvent,
};
use futures::future::join_all;
use uuid::Uuid;

pub(crate) type Store = Arc<dyn EventStore>;

/// Makes one test of each sentence.
macro_rules! contract {
    ($make:expr) => {
        contract!(
            $make,
            what_is_appended_is_read_back_in_order,
            a_stream_is_read_from_any_revision_and_in_pages,
            an_unknown_stream_is_empty,
            a_stream_that_has_moved_on_refuses,
            of_many_appends_at_one_revision_exactly_one_wins,
            many_streams_grow_at_the_same_time,
            a_refused_append_harms_no_other_and_leaves_no_trace,
            a_repeated_key_gets_the_same_answer,
            of_two_with_the_same_key_one_is_carried_out,
            a_key_remembers_that_nothing_had_to_be_done,
            a_no_op_is_refused_where_the_stream_has_moved_on,
            an_unknown_key_has_no_answer,
            too_large_an_append_is_refused,
            everything_is_read_in_global_order_page_by_page,
            only_wanted_kinds_are_returned_and_the_page_says_how_far_it_read,
            events_are_read_at_their_positions_and_opened,
            a_moment_has_a_position,
            a_size_has_a_position,
            the_latest_time_of_a_stream_never_decreases,
            personal_values_are_open_for_deciding_and_sealed_for_everybody_else,
            a_change_wakes_whoever_waits,
        );
    };
    ($make:expr, $($sentence:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $sentence() {
                let Some((store, _place)) = $make else { return };
                $crate::contract::$sentence(store).await;
            }
        )+
    };
}
pub(crate) use contract;

/// The n-th stream of a test.
pub(crate) fn fund(number: u128) -> StreamId {
    StreamId::new(Kind::Fund, Uuid::from_u128(number))
}

/// A fact that names itself.
pub(crate) fn renamed(name: &str) -> Event {
    Event::Fund(FundEvent::Renamed { name: name.to_owned() })
}

/// A fact with a personal value.
pub(crate) fn registered(whose: ContactId, name: &str) -> Event {
    let name = Some(Personal::new(whose, name.to_owned()));
    Event::Contact(ContactEvent::Registered { form: domain::contact::ContactForm::Person, name })
}

pub(crate) fn key(number: u8) -> CommandKey {
    CommandKey([number; 16])
}

/// An append of some facts to a stream at a revision.
pub(crate) fn append(stream: StreamId, expected: u64, events: impl IntoIterator<Item = Event>) -> Append {
    let events = events.into_iter().enumerate().map(|(number, event)| NewEvent {
        // Unlike any other event's, and the same each time.
        id: EventId(Uuid::from_u64_pair(stream.id.as_u64_pair().1, expected << 32 | number as u64)),
        event,
        subjects: vec![ContactId(stream.id)],
    });
    Append {
        stream,
        expected,
        events: events.collect(),
        occurred_at: None,
        by: Actor::Member("ann".into()),
        metadata: Metadata::default(),
        key: None,
        kept: Vec::new(),
    }
}

pub(crate) fn keyed(mut append: Append, number: u8) -> Append {
    append.key = Some((key(number), [number; 32]));
    append
}

pub(crate) async fn stream_of(store: &Store, stream: StreamId) -> Vec<Recorded> {
    store.read_stream(stream, 0, usize::MAX).await.unwrap()
}

/// Where the log ends, once everything that is known to be recorded can be read.
pub(crate) async fn end_of(store: &Store) -> Position {
    let latest = store.latest();
    let following = async {
        while store.head() < latest {
            store.changed(store.head()).await;
        }
    };
    let followed = tokio::time::timeout(Duration::from_secs(10), following).await;
    assert!(followed.is_ok(), "the log is not followed to its end, {latest}");
    store.head()
}

/// Everything in the log, read in pages of three.
pub(crate) async fn all_of(store: &Store) -> Vec<Recorded> {
    let (mut all, mut after) = (Vec::new(), Position::START);
    let end = end_of(store).await;
    while after < end {
        let page = store.read_all(after, 3, KindSet::ALL).await.unwrap();
        assert!(page.through > after, "a page goes on");
        after = page.through;
        all.extend(page.events.into_iter().map(Result::unwrap));
    }
    all
}

fn names(events: &[Recorded]) -> Vec<&str> {
    events
        .iter()
        .filter_map(|recorded| match &recorded.event {
            Event::Fund(FundEvent::Renamed { name }) => Some(name.as_str()),
            _ => None,
        })
        .collect()
}

pub(crate) async fn what_is_appended_is_read_back_in_order(store: Store) {
    let occurred_at = DateTime::from_timestamp_micros(1_700_000_000_123_456);
    let mut first = append(fund(1), 0, [renamed("a"), renamed("b")]);
    first.occurred_at = occurred_at;
    first.metadata.correlation = Some(Uuid::from_u128(9));
    let (ids, metadata) =
        (first.events.iter().map(|event| event.id).collect::<Vec<_>>(), first.metadata.clone());
    let answer = store.append(first).await.unwrap();
    assert_eq!((answer.revision, answer.position), (2, end_of(&store).await));
    assert_eq!(answer.events.iter().map(|event| event.id).collect::<Vec<_>>(), ids);
    assert_eq!(answer.events[0].tag, "fund.renamed");
    store.append(append(fund(1), 2, [renamed("c")])).await.unwrap();

    let events = stream_of(&store, fund(1)).await;
    assert_eq!(names(&events), ["a", "b", "c"]);
    assert_eq!(events.iter().map(|event| event.revision).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(events.is_sorted_by(|a, b| a.position < b.position));
    // What an append answers is where its last event stands, in its stream and among all.
    assert_eq!(events[1].position, answer.position);
    let all = all_of(&store).await;
    let places =
        |events: &[Recorded]| events.iter().map(|event| (event.id, event.position)).collect::<Vec<_>>();
    assert_eq!(places(&all), places(&events));
    assert_eq!((events[1].id, events[1].occurred_at, events[2].occurred_at), (ids[1], occurred_at, None));
    assert_eq!(events[1].metadata().unwrap(), metadata);
    assert_eq!(events[2].metadata, None);
    assert_eq!(events[0].subjects, [ContactId(fund(1).id)]);
    assert_eq!(events[0].by, Actor::Member("ann".into()));
}

pub(crate) async fn a_stream_is_read_from_any_revision_and_in_pages(store: Store) {
    for revision in 0..5 {
        store.append(append(fund(1), revision, [renamed(&revision.to_string())])).await.unwrap();
        store.append(append(fund(2), revision, [renamed("other")])).await.unwrap();
    }
    assert_eq!(names(&store.read_stream(fund(1), 2, 2).await.unwrap()), ["2", "3"]);
    assert_eq!(names(&store.read_stream(fund(1), 4, 9).await.unwrap()), ["4"]);
    assert!(store.read_stream(fund(1), 5, 9).await.unwrap().is_empty());
    assert!(store.read_stream(fund(1), 99, 9).await.unwrap().is_empty());
}

pub(crate) async fn an_unknown_stream_is_empty(store: Store) {
    assert!(stream_of(&store, fund(1)).await.is_empty());
    store.append(append(fund(1), 0, [renamed("a")])).await.unwrap();
    let same_id = StreamId::new(Kind::Gift, fund(1).id);
    assert!(stream_of(&store, same_id).await.is_empty());
}

pub(crate) async fn a_stream_that_has_moved_on_refuses(store: Store) {
    let first = store.append(append(fund(1), 0, [renamed("a")])).await.unwrap();
    for expected in [0, 2] {
        let refused = store.append(append(fund(1), expected, [renamed("b")])).await;
        assert_eq!(refused, Err(AppendError::WrongRevision { expected, actual: 1 }));
    }
    assert_eq!(end_of(&store).await, first.position);
}

pub(crate) async fn of_many_appends_at_one_revision_exactly_one_wins(store: Store) {
    for revision in 0..4 {
        let racing = (0..64).map(|number| {
            let store = Arc::clone(&store);
            let append = append(fund(1), revision, [renamed(&number.to_string())]);
            tokio::spawn(async move { store.append(append).await })
        });
        let outcomes: Vec<_> = join_all(racing).await.into_iter().map(Result::unwrap).collect();
        let actual = revision + 1;
        let lost = Err(AppendError::WrongRevision { expected: revision, actual });
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == lost).count(), 63);
        assert_eq!(stream_of(&store, fund(1)).await.len() as u64, actual);
    }
}

pub(crate) async fn many_streams_grow_at_the_same_time(store: Store) {
    let writers = (0..50).map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for revision in 0..20 {
                let name = format!("{number}/{revision}");
                store.append(append(fund(number), revision, [renamed(&name)])).await.unwrap();
                // What was acknowledged is there.
                let last = store.read_stream(fund(number), revision, 9).await.unwrap();
                assert_eq!(names(&last), [name]);
            }
        })
    });
    for writer in join_all(writers).await {
        writer.unwrap();
    }
    let all = all_of(&store).await;
    assert_eq!(all.len(), 1_000);
    assert!(all.is_sorted_by(|a, b| a.position < b.position));
    let seventh = stream_of(&store, fund(7)).await;
    assert!(seventh.len() == 20 && seventh.is_sorted_by_key(|event| event.recorded_at));
}

pub(crate) async fn a_refused_append_harms_no_other_and_leaves_no_trace(store: Store) {
    store.append(append(fund(0), 0, [renamed("first")])).await.unwrap();
    let appends = (0..100).map(|number| {
        let (store, is_wrong) = (Arc::clone(&store), number % 3 == 0);
        let name = if is_wrong { "wrong" } else { "right" };
        let append = append(fund(number), if is_wrong { 7 } else { 0 }, [renamed(name), renamed(name)]);
        tokio::spawn(async move { (number, store.append(append).await) })
    });
    for outcome in join_all(appends).await {
        let (number, outcome) = outcome.unwrap();
        assert_eq!(outcome.is_err(), number % 3 == 0);
    }
    let all = all_of(&store).await;
    assert_eq!(all.len(), 1 + 66 * 2);
    assert!(!names(&all).contains(&"wrong"));
}

pub(crate) async fn a_repeated_key_gets_the_same_answer(store: Store) {
    let mut first = keyed(append(fund(1), 0, [renamed("a")]), 1);
    first.kept = vec!["name".into()];
    let answer = store.append(first.clone()).await.unwrap();
    assert_eq!(answer.kept, ["name"]);
    let second = store.append(append(fund(1), 1, [renamed("b")])).await.unwrap();
    assert_answered(&store, first, &answer).await;
    // Decided anew on what is there now: the key still counts.
    assert_answered(&store, keyed(append(fund(1), 2, [renamed("c")]), 1), &answer).await;
    assert_eq!(end_of(&store).await, second.position);
    assert_answered(&store, keyed(append(fund(1), 2, [renamed("c")]), 1), &answer).await;
}

pub(crate) async fn assert_answered(store: &Store, append: Append, answer: &Answer) {
    let (key, body) = append.key.unwrap();
    let Err(AppendError::Answered(repeated)) = store.append(append).await else {
        panic!("the key has been answered");
    };
    assert_eq!((&repeated.answer, repeated.body), (answer, body));
    assert_eq!(store.answer(key).await.unwrap(), Some(*repeated));
}

pub(crate) async fn of_two_with_the_same_key_one_is_carried_out(store: Store) {
    for round in 0..20 {
        let racing = [2 * u128::from(round), 2 * u128::from(round) + 1].map(|stream| {
            let store = Arc::clone(&store);
            let append = keyed(append(fund(stream), 0, [renamed("once")]), round);
            tokio::spawn(async move { store.append(append).await })
        });
        let [one, other] = racing;
        let (answer, repeated) = match (one.await.unwrap(), other.await.unwrap()) {
            (Ok(answer), Err(AppendError::Answered(repeated)))
            | (Err(AppendError::Answered(repeated)), Ok(answer)) => (answer, repeated),
            outcomes => panic!("one of the two, not {outcomes:?}"),
        };
        assert_eq!(repeated.answer, answer);
    }
    assert_eq!(all_of(&store).await.len(), 20);
}

pub(crate) async fn a_key_remembers_that_nothing_had_to_be_done(store: Store) {
    let first = store.append(append(fund(1), 0, [renamed("a")])).await.unwrap();
    let nothing = keyed(append(fund(1), 1, []), 1);
    let answer = store.append(nothing.clone()).await.unwrap();
    assert_eq!((answer.revision, answer.position, answer.events.len()), (1, first.position, 0));
    assert_answered(&store, nothing, &answer).await;
    assert_eq!(end_of(&store).await, first.position);
}

pub(crate) async fn a_no_op_is_refused_where_the_stream_has_moved_on(store: Store) {
    store.append(append(fund(1), 0, [renamed("a")])).await.unwrap();
    let refused = store.append(keyed(append(fund(1), 0, []), 1)).await;
    assert_eq!(refused, Err(AppendError::WrongRevision { expected: 0, actual: 1 }));
    assert_eq!(store.answer(key(1)).await.unwrap(), None);
}

pub(crate) async fn an_unknown_key_has_no_answer(store: Store) {
    assert_eq!(store.answer(key(1)).await.unwrap(), None);
}

pub(crate) async fn too_large_an_append_is_refused(store: Store) {
    let refused = store.append(append(fund(1), 0, [renamed(&"x".repeat(2 << 20))])).await;
    assert!(matches!(refused, Err(AppendError::TooLarge { limit, size }) if size > limit));
    assert_eq!(store.head(), Position::START);
}

pub(crate) async fn everything_is_read_in_global_order_page_by_page(store: Store) {
    for revision in 0..5 {
        for stream in 0..2 {
            let name = format!("{revision}.{stream}");
            store.append(append(fund(stream), revision, [renamed(&name)])).await.unwrap();
        }
    }
    let expected = ["0.0", "0.1", "1.0", "1.1", "2.0", "2.1", "3.0", "3.1", "4.0", "4.1"];
    let all = all_of(&store).await;
    assert_eq!(names(&all), expected);
    let rest = store.read_all(all[7].position, 100, KindSet::ALL).await.unwrap();
    assert_eq!((rest.events.len(), rest.through), (2, store.head()));
    // Any number is a place, also one at which nothing stands.
    let rest = store.read_all(Position(all[7].position.0 - 1), 100, KindSet::ALL).await.unwrap();
    assert_eq!(rest.events[0].as_ref().unwrap().id, all[7].id);
    let far = Position(1 << 40);
    let beyond = store.read_all(far, 100, KindSet::ALL).await.unwrap();
    assert_eq!((beyond.events.len(), beyond.through), (0, far));
}

pub(crate) async fn only_wanted_kinds_are_returned_and_the_page_says_how_far_it_read(store: Store) {
    let whose = ContactId(Uuid::from_u128(5));
    for revision in 0..4 {
        store.append(append(fund(1), revision, [renamed("a")])).await.unwrap();
    }
    store.append(append(StreamId::new(Kind::Contact, whose.0), 0, [registered(whose, "Zoë")])).await.unwrap();
    let all = all_of(&store).await;
    let contacts = KindSet::of(&[Kind::Contact]);
    let page = store.read_all(Position::START, 3, contacts).await.unwrap();
    assert_eq!((page.events.len(), page.through), (0, all[2].position));
    let page = store.read_all(page.through, 3, contacts).await.unwrap();
    assert_eq!((page.events.len(), page.through), (1, all[4].position));
    let page = store.read_all(Position::START, 9, KindSet::NONE).await.unwrap();
    assert_eq!((page.events.len(), page.through), (0, all[4].position));
}

pub(crate) async fn a_moment_has_a_position(store: Store) {
    let long_ago = DateTime::<Utc>::UNIX_EPOCH;
    assert_eq!(store.position_at(long_ago).await.unwrap(), Position::START);
    for revision in 0..7 {
        store.append(append(fund(1), revision, [renamed("a")])).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    end_of(&store).await;
    assert_eq!(store.position_at(long_ago).await.unwrap(), Position::START);
    let mut one_before = Position::START;
    for event in stream_of(&store, fund(1)).await {
        assert_eq!(store.position_at(event.recorded_at).await.unwrap(), event.position);
        let before = event.recorded_at - TimeDelta::microseconds(1);
        assert_eq!(store.position_at(before).await.unwrap(), one_before);
        one_before = event.position;
    }
    assert_eq!(store.position_at(DateTime::<Utc>::MAX_UTC).await.unwrap(), store.head());
}

pub(crate) async fn a_size_has_a_position(store: Store) {
    store.append(append(fund(1), 0, [renamed("a"), renamed("b"), renamed("c")])).await.unwrap();
    end_of(&store).await;
    for event in stream_of(&store, fund(1)).await {
        assert_eq!(store.position_of_size(event.revision).await.unwrap(), event.position);
        assert_eq!(store.size_at(event.position).await.unwrap(), event.revision);
        assert_eq!(store.size_at(Position(event.position.0 - 1)).await.unwrap(), event.revision - 1);
    }
    assert_eq!(store.position_of_size(0).await.unwrap(), Position::START);
    assert_eq!(store.position_of_size(99).await.unwrap(), store.head());
}

pub(crate) async fn the_latest_time_of_a_stream_never_decreases(store: Store) {
    let times = [Some(3_000_000), Some(1_000_000), Some(4_000_000), None, Some(2_000_000)];
    for (revision, time) in (0..).zip(times) {
        let mut append = append(fund(1), revision, [renamed("a")]);
        append.occurred_at = time.and_then(DateTime::from_timestamp_micros);
        store.append(append).await.unwrap();
    }
    let events = stream_of(&store, fund(1)).await;
    assert!(events.is_sorted_by_key(|event| event.effective_at));
    let seconds: Vec<_> = events[..3].iter().map(|event| event.effective_at.timestamp()).collect();
    assert_eq!(seconds, [3, 3, 4]);
    assert_eq!(events[3].effective_at, events[3].recorded_at);
    assert_eq!(events[4].effective_at, events[3].recorded_at);
}

pub(crate) async fn personal_values_are_open_for_deciding_and_sealed_for_everybody_else(store: Store) {
    let whose = ContactId(Uuid::from_u128(5));
    let stream = StreamId::new(Kind::Contact, whose.0);
    let mut append = append(stream, 0, [registered(whose, "Zoë \"Z\" Ω")]);
    append.metadata.reason = Some(Personal::new(whose, "because".into()));
    store.append(append).await.unwrap();
    let name = |recorded: &Recorded| match &recorded.event {
        Event::Contact(ContactEvent::Registered { name: Some(name), .. }) => name.clear().cloned(),
        _ => None,
    };
    let reason = |recorded: &Recorded| recorded.metadata().unwrap().reason.unwrap().clear().cloned();
    let open = &stream_of(&store, stream).await[0];
    assert_eq!((name(open), reason(open)), (Some("Zoë \"Z\" Ω".into()), Some("because".into())));
    let sealed = &all_of(&store).await[0];
    assert_eq!((name(sealed), reason(sealed)), (None, None));
}

pub(crate) async fn a_change_wakes_whoever_waits(store: Store) {
    let waiting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.changed(Position::START).await }
    });
    tokio::time::sleep(Duration::from_millis(5)).await;
    store.append(append(fund(1), 0, [renamed("a")])).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
}

pub(crate) async fn events_are_read_at_their_positions_and_opened(store: Store) {
    let contact = StreamId::new(Kind::Contact, Uuid::from_u128(5));
    store.append(append(fund(1), 0, [renamed("a"), renamed("b")])).await.unwrap();
    store.append(append(contact, 0, [registered(ContactId(contact.id), "Zoë")])).await.unwrap();
    let all = all_of(&store).await;
    let nowhere = Position(all[2].position.0 + 1);
    let wanted = [all[2].position, nowhere, all[0].position, Position::START];
    let read = store.read_at(&wanted).await.unwrap();
    assert_eq!(read.iter().map(|event| event.id).collect::<Vec<_>>(), [all[2].id, all[0].id]);
    assert_eq!(read[0].event, registered(ContactId(contact.id), "Zoë"), "opened, as for deciding");
    assert!(store.read_at(&[]).await.unwrap().is_empty());
}
