//! The reference load: a campus in events, the same every time. Most are attendances of 88,000 students at
//! gatherings; the rest are the people themselves, deals, gifts and enrolments, mingled as a year mingles them.

use std::{
    collections::HashMap,
    path::Path,
    time::{Duration, Instant},
};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use domain::{
    Actor, Append, ContactId, Currency, Event, EventId, EventStore, FundId, Kind, MemberId, Metadata, Money,
    NewEvent, Personal, ProgramId, StreamId,
    contact::{ContactEvent, ContactForm},
    deal::DealEvent,
    enrolment::{EnrolmentEvent, EnrolmentRole},
    fund::FundEvent,
    gathering::{AttendanceMethod, GatheringEvent},
    gift::{Allocation, GiftEvent},
    member::MemberEvent,
    program::ProgramEvent,
};
use futures::{TryStreamExt, stream::FuturesUnordered};
use store::{DataFolder, EmbeddedStore, Options};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::report::{Report, number, per_second};

const STUDENTS: u64 = 88_000;
const MEMBERS: u64 = 30;
const PROGRAMS: u64 = 24;
const FUNDS: u64 = 8;
/// How many gatherings take place at a time, and how many people come to one.
const GATHERINGS_AT_A_TIME: u64 = 64;
const ATTENDANCES: u64 = 500;
/// How many events the contact with the longest history has.
const LONG_HISTORY: u64 = 1_000;
const DEALS_AT_A_TIME: usize = 300;
/// How many events are appended at a time; those of one stream together.
const EVENTS_AT_A_TIME: usize = 4_096;
const YEARS: i64 = 4;

const REGIONS: [&str; 5] = ["North", "South", "East", "West", "Online"];
const PRODUCTS: [&str; 7] = ["Alpha", "Beta", "Gamma", "Delta", "Epsilon", "Zeta", "Eta"];
const TYPES: [&str; 5] = ["workshop", "lecture", "dinner", "assessment", "service"];
const GIVEN: [&str; 16] = [
    "Ann", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gia", "Hugo", "Ida", "Jon", "Kim", "Liv", "Max", "Nora",
    "Oto", "Pia",
];
const FAMILY: [&str; 16] = [
    "Abel", "Bach", "Curie", "Darwin", "Euler", "Fermi", "Gauss", "Hertz", "Ising", "Joule", "Kepler",
    "Lamarr", "Mendel", "Noether", "Ohm", "Planck",
];

/// A number that looks drawn and is the same every time (the finalizer of `SplitMix64`).
pub fn scattered(what: u64, number: u64) -> u64 {
    let mut mixed = number.wrapping_add(what << 56).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The id of the n-th thing of a kind.
pub fn id(kind: Kind, number: u64) -> Uuid {
    Uuid::from_u64_pair(scattered(kind as u64 + 1, number), number)
}

/// The name of the n-th student.
pub fn name(number: u64) -> String {
    let drawn = usize::try_from(scattered(50, number) % 256).unwrap_or_default();
    format!("{} {} {number}", GIVEN[drawn % 16], FAMILY[drawn / 16])
}

fn email(number: u64) -> String {
    format!("student{number}@example.edu")
}

/// How far the load went: what may be asked about.
pub struct Ends {
    pub contacts: u64,
    pub gatherings: u64,
}

impl Ends {
    /// One of the last gatherings.
    pub fn late_gathering(&self, number: u64) -> Uuid {
        id(Kind::Gathering, self.gatherings - 1 - number % self.gatherings)
    }
}

/// Makes a data folder with so many events.
pub fn fill(report: &mut Report, runtime: &Runtime, folder: &Path, events: u64) -> Ends {
    report.heading(&format!("A log of {events} events"));
    let data = DataFolder::open(folder).unwrap();
    let store = EmbeddedStore::open(&data, Options::default()).unwrap();
    let mut load = Load::new(events);
    let (begun, mut making) = (Instant::now(), Duration::ZERO);
    loop {
        let made = Instant::now();
        let appends = load.appends();
        making += made.elapsed();
        if appends.is_empty() {
            break;
        }
        let waiting: FuturesUnordered<_> = appends.into_iter().map(|append| store.append(append)).collect();
        runtime.block_on(waiting.try_for_each(|_| std::future::ready(Ok(())))).unwrap();
    }
    let rate = per_second(store.head().0, begun.elapsed().saturating_sub(making));
    drop(store);
    let size = std::fs::metadata(data.log_file()).unwrap().len();
    let what = format!(
        "filled, durably: {} contacts, {} gatherings, {} bytes an event",
        load.contacts,
        load.gatherings,
        size / load.made
    );
    report.figure(&format!("{} /s", number(rate)), &what);
    Ends { contacts: load.contacts, gatherings: load.gatherings }
}

/// One event on its way.
struct Step {
    stream: StreamId,
    expected: u64,
    event: Event,
    subjects: Vec<ContactId>,
    at: DateTime<Utc>,
}

struct OpenGathering {
    number: u64,
    attended: u64,
    first: u64,
    among: u64,
}

struct OpenDeal {
    number: u64,
    contact: ContactId,
    revision: u64,
}

struct Load {
    wanted: u64,
    made: u64,
    contacts: u64,
    contacts_wanted: u64,
    long_history: u64,
    gatherings: u64,
    open_gatherings: Vec<OpenGathering>,
    deals: u64,
    open_deals: Vec<OpenDeal>,
    gifts: u64,
    enrolments: u64,
    steps: Vec<Step>,
}

impl Load {
    fn new(wanted: u64) -> Self {
        let mut load = Self {
            wanted,
            made: 0,
            contacts: 0,
            contacts_wanted: STUDENTS.min(wanted / 4),
            long_history: 0,
            gatherings: 0,
            open_gatherings: Vec::new(),
            deals: 0,
            open_deals: Vec::new(),
            gifts: 0,
            enrolments: 0,
            steps: Vec::new(),
        };
        load.set_up();
        load
    }

    /// The appends of the next events; none when there are enough.
    fn appends(&mut self) -> Vec<Append> {
        while self.steps.len() < EVENTS_AT_A_TIME && self.made < self.wanted {
            self.step();
        }
        let mut places = HashMap::new();
        let mut appends: Vec<Append> = Vec::new();
        for step in self.steps.drain(..) {
            let Step { stream, expected, event, subjects, at } = step;
            let place = *places.entry(stream).or_insert_with(|| {
                appends.push(Append {
                    stream,
                    expected,
                    events: Vec::new(),
                    occurred_at: Some(at),
                    by: Actor::Import("figures".into()),
                    metadata: Metadata::default(),
                    key: None,
                    kept: Vec::new(),
                });
                appends.len() - 1
            });
            let revision = expected + 1;
            let id = EventId(Uuid::from_u64_pair(scattered(99, stream.id.as_u64_pair().0), revision));
            appends[place].events.push(NewEvent { id, event, subjects });
        }
        appends
    }

    fn put(&mut self, kind: Kind, number: u64, expected: u64, event: Event, subjects: Vec<ContactId>) {
        let begin = NaiveDate::from_ymd_opt(2022, 1, 1).unwrap_or_default().and_time(chrono::NaiveTime::MIN);
        let seconds = u64::try_from(TimeDelta::days(YEARS * 365).num_seconds()).unwrap_or_default();
        let passed = seconds * self.made / self.wanted;
        let at = begin.and_utc() + Duration::from_secs(passed);
        self.made += 1;
        self.steps.push(Step {
            stream: StreamId::new(kind, id(kind, number)),
            expected,
            event,
            subjects,
            at,
        });
    }

    /// A number below a bound, drawn anew for every event.
    fn drawn(&self, what: u64, below: u64) -> u64 {
        scattered(60 + what, self.made) % below
    }

    fn some_contact(&self, what: u64) -> ContactId {
        ContactId(id(Kind::Contact, self.drawn(what, self.contacts.max(1))))
    }

    fn set_up(&mut self) {
        for number in 0..MEMBERS {
            let region = REGIONS[place(number, REGIONS.len())].to_owned();
            let team = Some(format!("Team {}", number % 6));
            let joined = MemberEvent::Joined { name: name(number), team, region: Some(region) };
            self.put(Kind::Member, number, 0, Event::Member(joined), Vec::new());
        }
        for number in 0..PROGRAMS {
            let started = ProgramEvent::Started {
                name: format!("Program {number}"),
                starts_on: None,
                ends_on: None,
                fund: None,
            };
            self.put(Kind::Program, number, 0, Event::Program(started), Vec::new());
        }
        for number in 0..FUNDS {
            let opened = FundEvent::Opened { name: format!("Fund {number}"), restriction: None };
            self.put(Kind::Fund, number, 0, Event::Fund(opened), Vec::new());
        }
        self.register();
    }

    fn step(&mut self) {
        // Everybody has come by the middle of the time.
        if self.contacts < self.contacts_wanted
            && self.contacts * self.wanted < self.contacts_wanted * self.made * 2
        {
            return self.register();
        }
        match self.drawn(0, 1_000) {
            0..60 => self.deal(),
            60..100 => self.gift(),
            100..130 => self.enrol(),
            130..200 if self.long_history < LONG_HISTORY - 2 => self.remember(),
            _ => self.attend(),
        }
    }

    fn register(&mut self) {
        let number = self.contacts;
        self.contacts += 1;
        let contact = ContactId(id(Kind::Contact, number));
        let name = Some(Personal::new(contact, name(number)));
        let registered = ContactEvent::Registered { form: ContactForm::Person, name };
        self.put(Kind::Contact, number, 0, Event::Contact(registered), vec![contact]);
        if number.is_multiple_of(2) {
            let handle = Personal::new(contact, email(number));
            let linked = ContactEvent::IdentityLinked { platform: "email".into(), handle, verified: false };
            self.put(Kind::Contact, number, 1, Event::Contact(linked), vec![contact]);
        }
    }

    /// The first contact has a long history: it is given tags and loses them again.
    fn remember(&mut self) {
        let (contact, tag) = (ContactId(id(Kind::Contact, 0)), format!("week-{}", self.long_history / 2));
        let event = if self.long_history.is_multiple_of(2) {
            ContactEvent::Tagged { tag }
        } else {
            ContactEvent::Untagged { tag }
        };
        self.long_history += 1;
        self.put(Kind::Contact, 0, self.long_history + 1, Event::Contact(event), vec![contact]);
    }

    fn deal(&mut self) {
        if self.open_deals.len() < DEALS_AT_A_TIME {
            let (number, contact) = (self.deals, self.some_contact(1));
            self.deals += 1;
            let opened = DealEvent::Opened {
                contact: Some(contact),
                owner: Some(MemberId(id(Kind::Member, self.drawn(2, MEMBERS)))),
                product: Some(PRODUCTS[place(self.drawn(3, 7), PRODUCTS.len())].to_owned()),
                value: Some(self.money(4, 500_000)),
                stage: "Prospecting".into(),
                lead: None,
            };
            self.put(Kind::Deal, number, 0, Event::Deal(opened), vec![contact]);
            self.open_deals.push(OpenDeal { number, contact, revision: 1 });
            return;
        }
        let chosen = place(self.drawn(5, DEALS_AT_A_TIME as u64), self.open_deals.len());
        let mut deal = self.open_deals.swap_remove(chosen);
        let (contact, number, revision) = (deal.contact, deal.number, deal.revision);
        let event = match self.drawn(6, 3) {
            _ if revision == 1 => DealEvent::Advanced { stage: "Engaging".into() },
            0 => DealEvent::Lost { because: None },
            _ => DealEvent::Converted { value: Some(self.money(7, 500_000)) },
        };
        self.put(Kind::Deal, number, revision, Event::Deal(event), vec![contact]);
        if revision == 1 {
            deal.revision += 1;
            self.open_deals.push(deal);
        }
    }

    /// One contact in ten gives.
    fn gift(&mut self) {
        let donor = ContactId(id(Kind::Contact, self.drawn(8, self.contacts.div_ceil(10))));
        let amount = self.money(9, 50_000);
        let fund = FundId(id(Kind::Fund, self.drawn(10, FUNDS)));
        let received = GiftEvent::Received {
            donor: Some(donor),
            amount,
            campaign: Some(format!("appeal-{}", self.made * 8 / self.wanted)),
            method: Some("card".into()),
            stage: None,
            allocations: if amount.minor % 2 == 0 { vec![Allocation { fund, amount }] } else { Vec::new() },
            soft_credits: Vec::new(),
        };
        self.gifts += 1;
        self.put(Kind::Gift, self.gifts, 0, Event::Gift(received), vec![donor]);
    }

    fn enrol(&mut self) {
        let contact = self.some_contact(11);
        let enrolled = EnrolmentEvent::Enrolled {
            contact,
            program: ProgramId(id(Kind::Program, self.drawn(12, PROGRAMS))),
            cohort: Some(self.cohort()),
            role: EnrolmentRole::Participant,
        };
        self.enrolments += 1;
        self.put(Kind::Enrolment, self.enrolments, 0, Event::Enrolment(enrolled), vec![contact]);
    }

    fn attend(&mut self) {
        if (self.open_gatherings.len() as u64) < GATHERINGS_AT_A_TIME {
            return self.schedule();
        }
        let chosen = place(self.drawn(13, GATHERINGS_AT_A_TIME), self.open_gatherings.len());
        let gathering = &mut self.open_gatherings[chosen];
        gathering.attended += 1;
        let OpenGathering { number, attended, first, among } = *gathering;
        // A prime number of students apart: nobody comes twice.
        let contact = ContactId(id(Kind::Contact, (first + attended * 7_919) % among));
        if attended == ATTENDANCES.min(among) {
            self.open_gatherings.swap_remove(chosen);
        }
        let event = GatheringEvent::StudentAttended { contact, method: Some(AttendanceMethod::Scan) };
        self.put(Kind::Gathering, number, attended, Event::Gathering(event), vec![contact]);
    }

    fn schedule(&mut self) {
        let number = self.gatherings;
        self.gatherings += 1;
        let scheduled = GatheringEvent::Scheduled {
            name: format!("Gathering {number}"),
            gathering_type: TYPES[place(number, TYPES.len())].to_owned(),
            program: Some(ProgramId(id(Kind::Program, self.drawn(14, PROGRAMS)))),
            cohort: Some(self.cohort()),
            starts_at: None,
            ends_at: None,
            place: Some("Campus".into()),
        };
        let first = self.drawn(15, self.contacts);
        self.open_gatherings.push(OpenGathering { number, attended: 0, first, among: self.contacts });
        self.put(Kind::Gathering, number, 0, Event::Gathering(scheduled), Vec::new());
    }

    /// The half year.
    fn cohort(&self) -> String {
        format!("cohort {}", self.made * 8 / self.wanted)
    }

    fn money(&self, what: u64, most: u64) -> Money {
        let minor = 100 + i64::try_from(self.drawn(what, most)).unwrap_or_default();
        Money::new(minor, Currency::USD)
    }
}

fn place(number: u64, length: usize) -> usize {
    usize::try_from(number).unwrap_or_default() % length
}
