//! Engagement told in small stories, compared with plain sums, and measured.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{NaiveDate, TimeDelta};
use domain::{
    Actor, ContactId, EventId, Keyring, KindEvent as _, Position, ProgramId, Recorded, StreamId,
    enrolment::{EnrolmentEvent, EnrolmentRole},
    gathering::GatheringEvent,
    program::ProgramEvent,
};
use proptest::prelude::*;
use rusqlite::{Connection, types::Value};
use serde_json::json;
use uuid::Uuid;

use super::Engagement;
use crate::{
    kit::{Page, Projection as _, Tables, testing::given, view::AnyView},
    runtime::view_file::{Origin, ViewFile},
};

const PROGRAM: u128 = 0xA0;

fn contact(number: u128) -> ContactId {
    ContactId(Uuid::from_u128(number))
}

fn scheduled(program: u128, cohort: &str, gathering_type: &str) -> GatheringEvent {
    GatheringEvent::Scheduled {
        name: format!("{gathering_type} of {cohort}"),
        gathering_type: gathering_type.to_owned(),
        program: (program > 0).then(|| ProgramId(Uuid::from_u128(program))),
        cohort: (!cohort.is_empty()).then(|| cohort.to_owned()),
        starts_at: None,
        ends_at: None,
        place: None,
    }
}

fn attended(number: u128) -> GatheringEvent {
    GatheringEvent::StudentAttended { contact: contact(number), method: None }
}

fn registered(number: u128) -> GatheringEvent {
    GatheringEvent::StudentRegistered { contact: contact(number) }
}

fn voided(number: u128) -> GatheringEvent {
    GatheringEvent::PresenceVoided { contact: contact(number), fact: crate::kit::testing::event_id(0) }
}

fn enrolled(number: u128) -> EnrolmentEvent {
    EnrolmentEvent::Enrolled {
        contact: contact(number),
        program: ProgramId(Uuid::from_u128(PROGRAM)),
        cohort: Some("2013J".into()),
        role: EnrolmentRole::Participant,
    }
}

#[test]
fn a_donor_sees_who_came_how_often_and_who_came_back() {
    given::<Engagement>()
        .happened(
            "2013-01-01",
            PROGRAM,
            ProgramEvent::Started { name: "Mentoring".into(), starts_on: None, ends_on: None, fund: None },
        )
        .happened("2013-01-01", 10, scheduled(PROGRAM, "2013J", "workshop"))
        .happened("2013-01-01", 11, scheduled(PROGRAM, "2013J", "dinner"))
        // Came in 2013 and 2015: reactivated. In 2014 and 2015: retained. Only in 2014: lapsed.
        .happened("2013-05-01", 10, attended(1))
        .happened("2014-05-01", 10, attended(2))
        .happened("2014-05-01", 10, attended(3))
        .happened("2015-05-01", 11, attended(1))
        .happened("2015-05-01", 11, attended(2))
        .happened("2015-05-01", 11, attended(4))
        .happened("2015-05-01", 12, scheduled(PROGRAM, "2014B", "dinner"))
        .happened("2015-05-01", 12, attended(4))
        .happened("2015-05-02", 12, GatheringEvent::HeadcountRecorded { people: 30 })
        .happened("2015-05-03", 12, GatheringEvent::HeadcountRecorded { people: 40 })
        .then("period=2015&depth=2&by=program", |view| insta::assert_json_snapshot!(view))
        .then("period=2015&by=cohort", |view| {
            assert_eq!(view["totals"]["participants"], 3);
            assert_eq!(view["rows"][0]["group"], "2013J");
            assert_eq!(view["rows"][0]["participants"], 3);
            assert_eq!(view["rows"][1]["participants"], 1);
            assert_eq!(view["rows"][1]["new"], 1, "new to this cohort");
        })
        .then("by=year", |view| {
            let of = |name: &str| -> Vec<_> {
                view["rows"].as_array().unwrap().iter().map(|row| row[name].clone()).collect()
            };
            assert_eq!(of("group"), [json!("2013"), json!("2014"), json!("2015")]);
            assert_eq!(of("new"), [json!(1), json!(2), json!(1)]);
            assert_eq!(of("retained"), [json!(0), json!(0), json!(1)]);
            assert_eq!(of("lapsed"), [json!(0), json!(1), json!(1)]);
        })
        .then("from=2015-05-02&to=2015-05-02", |view| assert_eq!(view["totals"]["lapsed"], 3))
        .then("type=dinner&from=2015-01-01", |view| {
            assert_eq!(view["to"], "2015-05-03");
            assert_eq!(view["totals"]["headcount"], 40);
            assert_eq!(view["totals"]["new"], 3);
        });
}

#[test]
fn presences_are_registered_excused_missed_and_voided_exactly() {
    let missed = |number| GatheringEvent::StudentMissed { contact: contact(number) };
    let excused = |number| GatheringEvent::StudentExcused { contact: contact(number) };
    given::<Engagement>()
        .happened("2015-01-01", 10, scheduled(PROGRAM, "", "workshop"))
        .happened("2015-01-02", 10, registered(1))
        .happened("2015-01-02", 10, registered(2))
        .happened("2015-01-02", 10, registered(3))
        .happened("2015-01-03", 10, excused(3))
        .happened("2015-01-09", 10, attended(1))
        .happened("2015-01-09", 10, missed(2))
        .then("gathering=00000000-0000-0000-0000-00000000000a", |view| insta::assert_json_snapshot!(view))
        .then("", |view| {
            assert_eq!(view["totals"]["registered"], 3);
            assert_eq!(view["totals"]["participations"], 1);
            assert_eq!(view["totals"]["excused"], 1);
            assert_eq!(view["totals"]["missed"], 1);
        })
        .happened("2015-01-10", 10, voided(1))
        .then("", |view| {
            assert_eq!(view["totals"]["participants"], 0);
            assert_eq!(view["totals"]["registered"], 3);
            assert_eq!(view["totals"]["attendance_rate"], 0.0);
        })
        .happened("2015-01-10", 10, voided(1))
        .happened("2015-01-11", 10, registered(3))
        .then("", |view| {
            assert_eq!(view["totals"]["registered"], 2);
            assert_eq!(view["totals"]["excused"], 0);
        })
        .then_not_found("gathering=00000000-0000-0000-0000-00000000000b");
}

#[test]
fn what_was_cancelled_or_voided_counts_nowhere() {
    given::<Engagement>()
        .happened("2015-01-01", 10, scheduled(PROGRAM, "", "workshop"))
        .happened("2015-01-01", 11, scheduled(PROGRAM, "", "workshop"))
        .happened("2015-01-09", 10, attended(1))
        .happened("2015-01-09", 11, attended(1))
        .happened("2015-01-09", 11, attended(2))
        .happened("2015-01-09", 11, GatheringEvent::HeadcountRecorded { people: 9 })
        .then("", |view| assert_eq!(view["totals"]["participants"], 2))
        .then("", |view| assert_eq!(view["totals"]["participations"], 3))
        .then("depth=2", |view| assert_eq!(view["totals"]["depth_share"], 0.5))
        .happened("2015-01-10", 11, GatheringEvent::Cancelled {})
        .happened("2015-01-10", 11, voided(2))
        .then("", |view| assert_eq!(view["totals"]["participations"], 1))
        .then("", |view| assert_eq!(view["totals"]["headcount"], 0))
        .happened("2015-01-11", 11, GatheringEvent::Voided {})
        .happened("2015-01-11", 10, GatheringEvent::Voided {})
        .then("by=program", |view| assert_eq!(view["rows"], json!([])));
}

#[test]
fn enrolments_are_counted_on_their_own() {
    given::<Engagement>()
        .happened("2015-01-01", 20, enrolled(1))
        .happened("2015-01-01", 21, enrolled(1))
        .happened("2015-01-01", 22, enrolled(2))
        .happened("2015-06-01", 20, EnrolmentEvent::Withdrawn {})
        .happened("2015-06-01", 21, EnrolmentEvent::Completed { result: None })
        .then("by=cohort", |view| {
            assert_eq!(view["rows"][0]["enrolments"], 3);
            assert_eq!(view["rows"][0]["enrolled_people"], 2);
            assert_eq!(view["rows"][0]["withdrawn"], 1);
            assert_eq!(view["rows"][0]["completed"], 1);
        })
        .happened("2015-07-01", 20, EnrolmentEvent::Reinstated {})
        .happened("2015-07-01", 21, EnrolmentEvent::Voided {})
        .happened(
            "2015-07-01",
            22,
            EnrolmentEvent::Corrected {
                fact: crate::kit::testing::event_id(3),
                cohort: Some("2014B".into()),
                role: None,
            },
        )
        .then("by=cohort", |view| {
            assert_eq!(view["rows"][0]["enrolments"], 1);
            assert_eq!(view["rows"][1]["group"], "2014B");
        })
        .then("cohort=2013J", |view| assert_eq!(view["totals"]["withdrawn"], 0));
}

#[test]
fn nonsense_is_refused() {
    given::<Engagement>()
        .then("", |view| assert_eq!(view["totals"]["participants"], 0))
        .then_refused("depth=0", "depth")
        .then_refused("from=2015-02-01&to=2015-01-01", "to")
        .then_refused("from=yesterday", "from")
        .then_refused("period=2015&to=2015-01-01", "period")
        .then_refused("by=mood", "by");
}

/// A fact of the proptest: at which gathering, on which day, what.
type Fact = (u128, i64, GatheringEvent);

fn day(number: i64) -> NaiveDate {
    NaiveDate::from_ymd_opt(2019, 11, 20).unwrap() + TimeDelta::days(number)
}

fn recorded(position: u64, id: u128, on: NaiveDate, event: GatheringEvent) -> Recorded {
    let at = on.and_hms_opt(23, 59, 59).unwrap().and_utc();
    Recorded {
        position: Position(position),
        stream: StreamId::new(GatheringEvent::KIND, Uuid::from_u128(id)),
        revision: 1,
        id: EventId(Uuid::from_u128(u128::from(position))),
        occurred_at: Some(at),
        effective_at: at,
        recorded_at: at,
        by: Actor::Import("test".to_owned()),
        subjects: Vec::new(),
        metadata: None,
        event: event.into_event(),
    }
}

struct NoKeys;

impl Keyring for NoKeys {
    fn open(&self, _: ContactId, _: Uuid, _: &str) -> Option<Vec<u8>> {
        None
    }
}

/// Programs, cohorts and types of the gatherings of the proptest.
fn parts(gathering: u128) -> (u128, &'static str, &'static str) {
    (
        [0, PROGRAM, PROGRAM + 1][(gathering % 3) as usize],
        ["", "a"][(gathering % 2) as usize],
        ["x", "y"][(gathering / 3) as usize],
    )
}

const GATHERINGS: u128 = 6;

fn folded(facts: &[Fact], batch: usize) -> Tables {
    let connection = Connection::open_in_memory().unwrap();
    AnyView::of::<Engagement>().create_tables(&connection).unwrap();
    let tables = Tables::new(connection, Arc::new(NoKeys));
    let scheduled = (0..GATHERINGS).map(|gathering| {
        let (program, cohort, gathering_type) = parts(gathering);
        (gathering, 0, scheduled(program, cohort, gathering_type))
    });
    for (index, (gathering, on, event)) in scheduled.chain(facts.iter().cloned()).enumerate() {
        Engagement::apply(&tables, &recorded(index as u64 + 1, gathering, day(on), event)).unwrap();
        if index % batch == 0 {
            tables.write_tallies().unwrap();
        }
    }
    tables.write_tallies().unwrap();
    tables
}

fn dump(tables: &Tables) -> Vec<Vec<Value>> {
    ["people", "cells", "gatherings", "presences", "attended", "sums"]
        .iter()
        .flat_map(|table| {
            let read = |row: &rusqlite::Row<'_>| {
                (0..row.as_ref().column_count()).map(|column| row.get(column)).collect()
            };
            tables.rows(&format!("SELECT * FROM {table} ORDER BY 1, 2"), [], read).unwrap()
        })
        .collect()
}

/// What came of each person at each gathering that counts, read off the facts without folding them: the
/// attendances as (person, day), and the days of registrations and of the other outcomes.
#[derive(Default)]
struct Oracle {
    attendances: Vec<(ContactId, i64)>,
    sums: BTreeMap<&'static str, Vec<(i64, u64)>>,
}

fn oracle(facts: &[Fact], counts: impl Fn(u128) -> bool) -> Oracle {
    let mut oracle = Oracle::default();
    for gathering in (0..GATHERINGS).filter(|gathering| counts(*gathering)) {
        let here: Vec<_> = facts.iter().filter(|(id, ..)| *id == gathering).collect();
        let off = |event: &GatheringEvent| {
            matches!(event, GatheringEvent::Cancelled {} | GatheringEvent::Voided {})
        };
        if here.iter().any(|(_, _, event)| off(event)) {
            continue;
        }
        for person in (1..=PEOPLE).map(contact) {
            let of_person: Vec<_> = here
                .iter()
                .filter(|(_, _, event)| event.clone().into_event().contacts() == [person])
                .collect();
            let mut stack: Vec<(&str, i64)> = Vec::new();
            for (_, on, event) in of_person {
                let registration = stack.iter().find(|(what, _)| *what == "registered").copied();
                let what = match event {
                    GatheringEvent::StudentRegistered { .. } => {
                        stack = vec![registration.unwrap_or(("registered", *on))];
                        continue;
                    }
                    GatheringEvent::StudentAttended { .. } => "participations",
                    GatheringEvent::StudentExcused { .. } => "excused",
                    GatheringEvent::StudentMissed { .. } => "missed",
                    _ => {
                        stack.pop();
                        continue;
                    }
                };
                stack = registration.into_iter().chain([(what, *on)]).collect();
            }
            for (what, on) in stack {
                if what == "participations" {
                    oracle.attendances.push((person, on));
                }
                oracle.sums.entry(what).or_default().push((on, 1));
            }
        }
        let headcount = here.iter().rev().find_map(|(_, on, event)| match event {
            GatheringEvent::HeadcountRecorded { people } => Some((*on, u64::from(*people))),
            _ => None,
        });
        oracle.sums.entry("headcount").or_default().extend(headcount);
    }
    oracle
}

impl Oracle {
    fn people(&self, from: i64, to: i64) -> BTreeSet<ContactId> {
        let within = self.attendances.iter().filter(|(_, on)| (from..=to).contains(on));
        within.map(|(person, _)| *person).collect()
    }

    fn check(
        &self,
        (from, to): (i64, i64),
        (before_from, before_to): (i64, i64),
        depth: usize,
        cell: &serde_json::Value,
    ) {
        for name in ["participations", "registered", "excused", "missed", "headcount"] {
            let all = self.sums.get(name).into_iter().flatten();
            let sum: u64 = all.filter(|(on, _)| (from..=to).contains(on)).map(|(_, count)| count).sum();
            assert_eq!(cell[name], sum, "{name}");
        }
        let (now, before) = (self.people(from, to), self.people(before_from, before_to));
        let earlier = self.people(i64::MIN, before_from - 1);
        let known: BTreeSet<_> = before.union(&earlier).copied().collect();
        let times = |person| {
            self.attendances.iter().filter(|(other, on)| *other == person && (from..=to).contains(on)).count()
        };
        let retained = now.intersection(&before).count();
        let new = now.difference(&known).count();
        assert_eq!(cell["participants"], now.len(), "participants");
        assert_eq!(cell["deep"], now.iter().filter(|person| times(**person) >= depth).count(), "deep");
        assert_eq!(cell["retained"], retained, "retained");
        assert_eq!(cell["new"], new, "new");
        assert_eq!(cell["reactivated"], now.len() - retained - new, "reactivated");
        assert_eq!(cell["lapsed"], before.difference(&now).count(), "lapsed");
        assert_eq!(cell["previous_participants"], before.len(), "previous");
    }
}

const PEOPLE: u128 = 5;

fn fact() -> impl Strategy<Value = Fact> {
    let event = (0..30_u32, 1..=PEOPLE).prop_map(|(what, person)| match what {
        0..=13 => attended(person),
        14..=17 => registered(person),
        18..=20 => GatheringEvent::StudentExcused { contact: contact(person) },
        21..=23 => GatheringEvent::StudentMissed { contact: contact(person) },
        24..=26 => voided(person),
        27..=28 => GatheringEvent::HeadcountRecorded { people: what },
        _ => GatheringEvent::Cancelled {},
    });
    (0..GATHERINGS, 0..200_i64, event)
}

fn ask(tables: &Tables, query: &str) -> serde_json::Value {
    let query = crate::kit::view::read_query(query).unwrap();
    let view = Engagement::view(tables, query, &Page::default()).unwrap().unwrap();
    serde_json::to_value(view).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_report_is_what_plain_sums_over_the_facts_say(
        facts in prop::collection::vec(fact(), 0..80),
        from in 0_i64..200,
        days in 0_i64..120,
        depth in 1_usize..4,
        batch in 2_usize..50,
        only in 0_u32..8,
        of in 0..GATHERINGS,
    ) {
        let tables = folded(&facts, 1);
        prop_assert_eq!(dump(&tables), dump(&folded(&facts, batch)));

        let to = from + days;
        let (program, cohort, gathering_type) = parts(of);
        let (by_program, by_cohort, by_type) = (only & 1 != 0 && program > 0, only & 2 != 0, only & 4 != 0);
        let mut query = format!("from={}&to={}&depth={depth}", day(from), day(to));
        if by_program {
            write!(query, "&program={}", Uuid::from_u128(program)).unwrap();
        }
        if by_cohort {
            write!(query, "&cohort={cohort}").unwrap();
        }
        if by_type {
            write!(query, "&type={gathering_type}").unwrap();
        }
        let counts = |gathering| {
            let other = parts(gathering);
            (!by_program || other.0 == program)
                && (!by_cohort || other.1 == cohort)
                && (!by_type || other.2 == gathering_type)
        };
        let previous = (from - days - 1, from - 1);
        let answer = ask(&tables, &query);
        oracle(&facts, counts).check((from, to), previous, depth, &answer["totals"]);

        let answer = ask(&tables, &(query.clone() + "&by=type"));
        for row in answer["rows"].as_array().unwrap() {
            let counts = |gathering| counts(gathering) && parts(gathering).2 == row["group"];
            oracle(&facts, counts).check((from, to), previous, depth, row);
        }

        let answer = ask(&tables, &(query + "&by=month"));
        for row in answer["rows"].as_array().unwrap() {
            let first: NaiveDate = format!("{}-01", row["group"].as_str().unwrap()).parse().unwrap();
            let number = |date: NaiveDate| (date - day(0)).num_days();
            let (begins, ends) = (number(first), number(first + chrono::Months::new(1)) - 1);
            let span = (begins.max(from), ends.min(to));
            let previous = if span == (begins, ends) {
                (number(first - chrono::Months::new(1)), begins - 1)
            } else {
                (span.0 - (span.1 - span.0 + 1), span.0 - 1)
            };
            oracle(&facts, counts).check(span, previous, depth, row);
        }
    }
}

/// `cargo test --release -p projections engagement -- --ignored --nocapture`
#[test]
#[ignore = "measures; takes half a minute"]
fn how_fast_it_folds_and_answers() {
    for ordered in [true, false] {
        measure(ordered);
    }
}

/// How long this thread has been on a core, whatever else the machine does.
fn on_core() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

fn measure(ordered: bool) {
    const PEOPLE: u64 = 88_000;
    const ATTENDANCES: u64 = 2_000_000;
    const GATHERINGS: u64 = 4_000;
    const BATCH: u64 = 16_384;
    let path = std::env::temp_dir().join(format!("rapport-engagement-{}.sqlite", std::process::id()));
    let view = Arc::new(AnyView::of::<Engagement>());
    let mut file = ViewFile::create(&path, &view, Arc::new(NoKeys), Origin::default()).unwrap();
    // A small generator: the same events every time.
    let mut state = 1_u64;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut folding = (Duration::ZERO, Duration::ZERO);
    let mut position = 0;
    while position < GATHERINGS + ATTENDANCES {
        let events: Vec<_> = (0..BATCH.min(GATHERINGS + ATTENDANCES - position))
            .map(|_| {
                position += 1;
                if position <= GATHERINGS {
                    let program = PROGRAM + u128::from(position % 22);
                    let event = scheduled(
                        program,
                        ["a", "b", "c", "d"][(position % 4) as usize],
                        ["x", "y", "z"][(position % 3) as usize],
                    );
                    return Ok(recorded(position, u128::from(position), day(0), event));
                }
                let at = if ordered { position - GATHERINGS } else { draw(ATTENDANCES) };
                let gathering = 1 + (at * GATHERINGS / ATTENDANCES + draw(40)) % GATHERINGS;
                let on = day((at * 1_095 / ATTENDANCES).cast_signed());
                Ok(recorded(position, u128::from(gathering), on, attended(u128::from(draw(PEOPLE)) + 1)))
            })
            .collect();
        let begun = (Instant::now(), on_core());
        file.apply(&events, Position(position), None).unwrap();
        folding = (folding.0 + begun.0.elapsed(), folding.1 + on_core().saturating_sub(begun.1));
    }
    let begun = (Instant::now(), on_core());
    file.finish().unwrap();
    folding = (folding.0 + begun.0.elapsed(), folding.1 + on_core().saturating_sub(begun.1));
    let rate = |time: Duration| u128::from(position) * 1_000_000 / time.as_micros();
    let size = std::fs::metadata(&path).unwrap().len() >> 20;
    let (by_clock, by_core) = (rate(folding.0), rate(folding.1));
    println!("in order: {ordered}: folded {by_core} events/s of core ({by_clock} by the clock), {size} MiB");
    drop(file);
    let tables = ViewFile::open_to_ask(&path, Arc::new(NoKeys)).unwrap();
    let program = Uuid::from_u128(PROGRAM + 3);
    for query in [
        String::new(),
        "period=2021".to_owned(),
        "from=2021-01-02&to=2021-12-30".to_owned(),
        "from=2021-03-05&to=2022-03-04&type=x&cohort=b".to_owned(),
        format!("period=2021&program={program}"),
        "period=2021&by=program".to_owned(),
        "by=month".to_owned(),
        "by=year".to_owned(),
    ] {
        let mut times: Vec<_> = (0..9)
            .map(|_| {
                let begun = Instant::now();
                let answer = ask(&tables, &query);
                assert!(answer["totals"]["participants"].as_u64().unwrap() > 0);
                begun.elapsed()
            })
            .collect();
        times.sort_unstable();
        println!("  {:>8.2?} median, {:>8.2?} most: {query}", times[4], times[8]);
    }
    drop(tables);
    let mut file = ViewFile::open(&path, &view, Arc::new(NoKeys)).unwrap();
    let begun = Instant::now();
    for _ in 0..200 {
        position += 1;
        let gathering = 1 + draw(GATHERINGS);
        let event =
            recorded(position, u128::from(gathering), day(1_095), attended(u128::from(draw(PEOPLE)) + 1));
        file.apply(&[Ok(event)], Position(position), None).unwrap();
    }
    println!("  following, one event a batch: {:.2?} each", begun.elapsed() / 200);
    drop(file);
    crate::runtime::view_file::remove(&path).unwrap();
}
