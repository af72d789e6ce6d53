//! What events say and change, told in small stories and asked of every tag ever written.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::{
    Actor, ContactId, Currency, EventId, FundId, Kind, KindEvent, Money, Personal, Position, StreamId,
    contact::{ContactEvent, ContactForm},
    deal::{DealCorrection, DealEvent},
    gathering::GatheringEvent,
    gift::{Allocation, GiftEvent},
};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const ANN: ContactId = ContactId(Uuid::from_u128(1));

fn personal(text: &str) -> Personal<String> {
    Personal::new(ANN, text.to_owned())
}

/// A value whose key has been destroyed.
fn forgotten() -> Personal<String> {
    serde_json::from_str(&format!(r#"{{"$sealed":{{"subject":"{ANN}","text":"AAAA"}}}}"#)).unwrap()
}

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

/// The n-th event of a thing.
fn recorded(number: u64, event: impl KindEvent) -> Recorded {
    let at: DateTime<Utc> = DateTime::from_timestamp(86_400 * i64::try_from(number).unwrap(), 0).unwrap();
    let event = event.into_event();
    Recorded {
        position: Position(number),
        stream: StreamId::new(event.kind(), Uuid::from_u128(7)),
        revision: number,
        id: EventId(Uuid::from_u128(number.into())),
        occurred_at: Some(at),
        effective_at: at,
        recorded_at: at,
        by: Actor::Member("ann".into()),
        subjects: Vec::new(),
        metadata: None,
        event,
    }
}

fn words(values: &[Value]) -> String {
    let word = |value: &Value| match &value.content {
        Content::Forgotten => "(erased)".to_owned(),
        Content::Lost => "(lost)".to_owned(),
        Content::Thing(thing) => thing.to_string(),
        _ => {
            value.text().unwrap() + &value.note.as_ref().map_or_else(String::new, |note| format!(" ({note})"))
        }
    };
    if values.is_empty() { "—".to_owned() } else { values.iter().map(word).collect::<Vec<_>>().join(", ") }
}

/// What the last of some events changed, in words.
fn told<E: KindEvent>(events: Vec<E>) -> String {
    let mut thing = Thing::default();
    let mut last = Changed::default();
    for (event, number) in events.into_iter().zip(1..) {
        last = thing.apply(&recorded(number, event));
    }
    let corrects = last.corrects.map(|fact| format!("corrects {}", fact.revision));
    let changes = last.changes.iter().map(|change| {
        let unchanged = if change.is_repetition() { ", as before" } else { "" };
        format!("{}: {} → {}{unchanged}", change.field, words(&change.before), words(&change.after))
    });
    corrects.into_iter().chain(changes).collect::<Vec<_>>().join("; ")
}

fn registered() -> ContactEvent {
    ContactEvent::Registered { form: ContactForm::Person, name: Some(personal("Ada")) }
}

fn linked(handle: Personal<String>, verified: bool) -> ContactEvent {
    ContactEvent::IdentityLinked { platform: "email".into(), handle, verified }
}

#[test]
fn a_change_says_what_was_and_what_is() {
    assert_eq!(told(vec![registered()]), "name: — → Ada; form: — → person");
    let renamed = |name| ContactEvent::Renamed { name: personal(name) };
    assert_eq!(told(vec![registered(), renamed("Ada L.")]), "name: Ada → Ada L.");
    assert_eq!(told(vec![registered(), renamed("Ada")]), "name: Ada → Ada, as before");
    let tagged = |tag: &str| ContactEvent::Tagged { tag: tag.into() };
    assert_eq!(told(vec![registered(), tagged("a"), tagged("b")]), "tag b: — → yes");
    let untagged = ContactEvent::Untagged { tag: "a".into() };
    assert_eq!(told(vec![registered(), tagged("a"), untagged]), "tag a: yes → —");
}

#[test]
fn a_second_email_stands_beside_the_first() {
    let (first, second) = (linked(personal("a@x.org"), false), linked(personal("b@x.org"), true));
    assert_eq!(
        told(vec![registered(), first.clone(), second.clone()]),
        "identity on email: a@x.org → a@x.org, b@x.org (verified)"
    );
    let proven = linked(personal("a@x.org"), true);
    assert_eq!(told(vec![first.clone(), proven]), "identity on email: a@x.org → a@x.org (verified)");
    let gone = ContactEvent::IdentityUnlinked { platform: "email".into(), handle: personal("a@x.org") };
    assert_eq!(
        told(vec![first, second, gone]),
        "identity on email: a@x.org, b@x.org (verified) → b@x.org (verified)"
    );
}

#[test]
fn what_was_forgotten_is_shown_as_forgotten_and_never_as_absent_or_unchanged() {
    let erased = || ContactEvent::Renamed { name: forgotten() };
    assert_eq!(told(vec![erased(), erased()]), "name: (erased) → (erased)");
    assert_eq!(
        told(vec![linked(forgotten(), false), linked(forgotten(), false)]),
        "identity on email: (erased) → (erased), (erased)"
    );
    let gone = ContactEvent::IdentityUnlinked { platform: "email".into(), handle: forgotten() };
    assert_eq!(
        told(vec![linked(forgotten(), true), linked(forgotten(), false), gone]),
        "identity on email: (erased), (erased) → (erased)"
    );
}

#[test]
fn a_correction_names_what_it_corrects() {
    let opened = DealEvent::Opened {
        contact: Some(ANN),
        owner: None,
        product: None,
        value: Some(usd(100_000)),
        stage: "Proposal".into(),
        lead: None,
    };
    let correction = DealCorrection { value: Some(usd(90_000)), ..DealCorrection::default() };
    let corrected = DealEvent::Corrected { fact: EventId(Uuid::from_u128(1)), correction };
    assert_eq!(told(vec![opened.clone(), corrected]), "corrects 1; value: 1,000.00 USD → 900.00 USD");
    let won = DealEvent::Converted { value: None };
    assert_eq!(told(vec![opened.clone(), won]), "stage: Proposal → Won; closed: — → 1970-01-03");
    assert_eq!(told(vec![opened, DealEvent::Voided {}]), "voided: — → yes: it was opened in error");
}

#[test]
fn a_presence_is_a_field_of_the_one_who_was_there() {
    let contact = ANN;
    let registered = GatheringEvent::StudentRegistered { contact };
    let attended = GatheringEvent::StudentAttended { contact, method: None };
    let voided = || GatheringEvent::PresenceVoided { contact, fact: EventId(Uuid::from_u128(2)) };
    let presence = format!("presence of contact-{ANN}");
    assert_eq!(told(vec![registered.clone(), attended.clone()]), format!("{presence}: — → attended"));
    assert_eq!(
        told(vec![registered.clone(), attended.clone(), voided()]),
        format!("corrects 2; {presence}: attended → —")
    );
    assert_eq!(
        told(vec![registered, attended, voided(), voided()]),
        format!("corrects 2; registration of contact-{ANN}: yes → —")
    );
}

#[test]
fn new_allocations_replace_the_old_ones_and_refunds_add_up() {
    let part = |fund: u128, minor| Allocation { fund: FundId(Uuid::from_u128(fund)), amount: usd(minor) };
    let received = GiftEvent::Received {
        donor: None,
        amount: usd(1_000),
        campaign: None,
        method: None,
        stage: None,
        allocations: vec![part(1, 400), part(2, 600)],
        soft_credits: Vec::new(),
    };
    let again = GiftEvent::Allocated { allocations: vec![part(2, 600), part(3, 400)] };
    let fund = |number| format!("allocation to fund-{}", Uuid::from_u128(number));
    assert_eq!(
        told(vec![received.clone(), again]),
        format!(
            "{}: 4.00 USD → —; {}: 6.00 USD → 6.00 USD, as before; {}: — → 4.00 USD",
            fund(1),
            fund(2),
            fund(3)
        )
    );
    let refunded = |minor| GiftEvent::Refunded { amount: usd(minor) };
    assert_eq!(told(vec![received, refunded(100), refunded(250)]), "refunded in all: 1.00 USD → 3.50 USD");
}

/// Every tag ever written, as its golden file keeps it.
fn golden(kind: Kind, tag: &str) -> Event {
    let path = format!("{}/../tests/golden/{tag}.json", env!("CARGO_MANIFEST_DIR"));
    Event::decode(kind, tag, &std::fs::read_to_string(path).unwrap()).unwrap()
}

fn as_recorded(number: u64, event: Event) -> Recorded {
    let mut recorded = recorded(number, ContactEvent::Voided {});
    recorded.event = event;
    recorded
}

/// Nothing has a name.
struct NoNames;

impl Names for NoNames {
    fn of(&self, _: Uuid) -> Result<Option<String>, ApplyError> {
        Ok(None)
    }

    fn call(&self, _: Uuid, _: &str) -> Result<(), ApplyError> {
        Ok(())
    }
}

#[test]
fn every_tag_ever_written_has_a_sentence() {
    for kind in Kind::ALL {
        for tag in kind.tags() {
            let recorded = as_recorded(1, golden(*kind, tag));
            let what = sentence(&NoNames, &recorded).unwrap().what;
            assert!(!what.is_empty() && what.trim() == what && !what.ends_with(':'), "{tag}: {what:?}");
        }
    }
}

#[test]
fn every_tag_ever_written_says_what_it_changes() {
    for kind in Kind::ALL {
        for tag in kind.tags() {
            let mut thing = Thing::default();
            let changed = thing.apply(&as_recorded(1, golden(*kind, tag)));
            assert!(!changed.changes.is_empty(), "{tag} says nothing of what it changes");
            for standing in thing.standing() {
                assert_eq!(standing.because, Position(1), "{tag}");
            }
        }
    }
}

proptest! {
    /// Whatever happens in whatever order: the before of a change is the last after of its field, a change
    /// that is none says so, and a field stands because of the last event that changed it.
    #[test]
    fn before_is_what_was_and_never_the_same_as_after(
        which in proptest::collection::vec((0..Kind::ALL.len(), 0..100_usize), 1..40)
    ) {
        let kind = Kind::ALL[which[0].0];
        let mut thing = Thing::default();
        let mut known: HashMap<Field, (Vec<Value>, Position)> = HashMap::new();
        for ((_, tag), number) in which.iter().zip(1..) {
            let tag = kind.tags()[tag % kind.tags().len()];
            let changed = thing.apply(&as_recorded(number, golden(kind, tag)));
            for change in changed.changes {
                let before = known.get(&change.field).map(|(values, _)| values.clone()).unwrap_or_default();
                prop_assert_eq!(&change.before, &before, "{}", tag);
                let hidden = change.before.iter().any(Value::is_unreadable);
                prop_assert!(change.before != change.after || change.is_repetition() || hidden, "{}", tag);
                let because = known.get(&change.field).filter(|_| change.is_repetition()).map(|(_, at)| *at);
                known.insert(change.field, (change.after, because.unwrap_or(Position(number))));
            }
        }
        for standing in thing.standing() {
            let (values, because) = &known[standing.field];
            prop_assert_eq!((standing.values, standing.because), (&values[..], *because));
        }
    }
}
