//! What several contacts that are one person look like in every view, told in small stories; among them what other
//! systems are known to get wrong.

use domain::{
    ContactId, LeadId, MemberId, Money, Personal, ProgramId,
    contact::{ConsentChannel, ConsentPurpose, ContactEvent, ContactForm, Detail, LawfulBasis},
    conversation::{Channel, ConversationEvent, Direction, Message},
    deal::DealEvent,
    enrolment::{EnrolmentEvent, EnrolmentRole},
    gathering::GatheringEvent,
    gift::GiftEvent,
    lead::LeadEvent,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    kit::{
        Projection,
        testing::{Story, given},
    },
    questions::{
        contacts::Contacts, conversations::Conversations, engagement::Engagement, giving::Giving,
        history::History, leads::Leads, pipeline::Pipeline,
    },
};

/// Known by name, the stranger who is the same, and somebody else.
const KNOWN: u128 = 1;
const STRANGER: u128 = 2;
const OTHER: u128 = 3;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn contact(number: u128) -> ContactId {
    ContactId(id(number))
}

fn text(of: u128, text: &str) -> Personal<String> {
    Personal::new(contact(of), text.to_owned())
}

fn registered(number: u128, name: Option<&str>) -> ContactEvent {
    ContactEvent::Registered { form: ContactForm::Person, name: name.map(|name| text(number, name)) }
}

fn linked(number: u128, handle: &str) -> ContactEvent {
    ContactEvent::IdentityLinked { platform: "email".into(), handle: text(number, handle), verified: false }
}

fn merged(into: u128) -> ContactEvent {
    ContactEvent::Merged { into: contact(into), evidence: Vec::new(), looked_up: Vec::new() }
}

fn unmerged(from: u128) -> ContactEvent {
    ContactEvent::Unmerged { from: contact(from) }
}

/// Three contacts, each with an address.
fn three<P: Projection>() -> Story {
    given::<P>()
        .happened("2024-01-01", KNOWN, registered(KNOWN, Some("Ann Lee")))
        .happened("2024-01-01", KNOWN, linked(KNOWN, "ann@example.org"))
        .happened("2024-01-02", STRANGER, registered(STRANGER, None))
        .happened("2024-01-02", STRANGER, linked(STRANGER, "a.lee@work.example"))
        .happened("2024-01-03", OTHER, registered(OTHER, Some("Bob Brown")))
}

/// The rows of an answer with only these members.
fn rows(view: &Value, members: &[&str]) -> Value {
    let row = |row: &Value| Value::Array(members.iter().map(|member| row[*member].clone()).collect());
    view["rows"].as_array().unwrap().iter().map(row).collect()
}

#[test]
fn a_merge_never_deletes_the_known_contact_instead_of_the_anonymous_one() {
    for (absorbed, into) in [(KNOWN, STRANGER), (STRANGER, KNOWN)] {
        let mut story = three::<Contacts>().happened("2024-02-01", absorbed, merged(into));
        for asked in [KNOWN, STRANGER] {
            story = story.then(&format!("id={}", id(asked)), |card| {
                assert_eq!(card["name"], "Ann Lee", "{absorbed} into {into}");
                assert_eq!(card["id"], json!(id(into)));
                assert_eq!(card["parts"].as_array().unwrap().len(), 2);
            });
        }
        story.then("name=ann", |found| {
            assert_eq!(rows(&found, &["id", "name"]), json!([[id(into), "Ann Lee"]]));
        });
    }
}

#[test]
fn the_second_email_is_not_lost_and_each_says_whose_it_is() {
    three::<Contacts>().happened("2024-02-01", STRANGER, merged(KNOWN)).then(
        &format!("id={}", id(STRANGER)),
        |card| {
            let identities: Vec<_> = card["identities"].as_array().unwrap().iter().collect();
            let told: Vec<_> = identities.iter().map(|one| json!([one["handle"], one["contact"]])).collect();
            let expected =
                [json!(["ann@example.org", id(KNOWN)]), json!(["a.lee@work.example", id(STRANGER)])];
            assert_eq!(told, expected);
        },
    );
}

#[test]
fn details_of_every_contact_stay_and_none_overwrites_another() {
    let phone = |number, value: &str| ContactEvent::DetailChanged {
        detail: Detail::Phone,
        value: Some(text(number, value)),
    };
    three::<Contacts>()
        .happened("2024-01-04", KNOWN, phone(KNOWN, "1"))
        .happened("2024-01-04", STRANGER, phone(STRANGER, "2"))
        .happened("2024-02-01", KNOWN, merged(STRANGER))
        .then(&format!("id={}", id(KNOWN)), |card| {
            assert_eq!(card["details"]["phone"], "1");
            assert_eq!(card["parts"][0]["details"]["phone"], "1");
            assert_eq!(card["parts"][0]["merged_into"], json!(id(STRANGER)));
            assert_eq!(card["parts"][1]["details"]["phone"], "2");
        })
        .happened("2024-02-02", KNOWN, unmerged(STRANGER))
        .then(&format!("id={}", id(STRANGER)), |card| {
            assert_eq!((&card["details"]["phone"], &card["name"]), (&json!("2"), &json!(null)));
            assert_eq!(card["parts"], json!(null));
        });
}

#[test]
fn a_search_finds_a_person_once_whichever_contact_meets_the_conditions() {
    let tag = |tag: &str| ContactEvent::Tagged { tag: tag.into() };
    let mut story = three::<Contacts>()
        .happened("2024-01-04", KNOWN, tag("alumni"))
        .happened("2024-01-04", STRANGER, tag("alumni"))
        .happened("2024-01-04", OTHER, tag("alumni"))
        .happened("2024-02-01", STRANGER, merged(KNOWN));
    for (query, expected) in [
        ("", vec![KNOWN, OTHER]),
        ("tag=alumni", vec![KNOWN, OTHER]),
        ("tag=alumni&form=person", vec![KNOWN, OTHER]),
        ("email=a.lee%40work.example", vec![KNOWN]),
        ("email=a.lee%40work.example&name=ann", vec![KNOWN]),
        ("email=a.lee%40work.example&name=bob", vec![]),
        ("name=bob", vec![OTHER]),
    ] {
        let expected: Vec<_> = expected.into_iter().map(id).collect();
        story = story.then(query, |found| {
            let found: Vec<_> =
                found["rows"].as_array().unwrap().iter().map(|row| row["id"].clone()).collect();
            assert_eq!(json!(found), json!(expected), "{query}");
        });
    }
}

#[test]
fn who_said_no_under_one_contact_has_said_no() {
    let given_by = |channel| ContactEvent::ConsentGiven {
        purpose: ConsentPurpose::Newsletter,
        channel,
        basis: LawfulBasis::Consent,
        proof: None,
    };
    let withdrawn = |channel| ContactEvent::ConsentWithdrawn { purpose: ConsentPurpose::Newsletter, channel };
    let by_email = |card: &Value| {
        let consents = card["consents"].as_array().unwrap();
        consents.iter().find(|consent| consent["channel"] == "email").unwrap()["in_force"] == true
    };
    let card = format!("id={}", id(KNOWN));
    for channel in [ConsentChannel::Email, ConsentChannel::Any] {
        three::<Contacts>()
            .happened("2024-01-04", KNOWN, given_by(ConsentChannel::Email))
            .happened("2024-01-05", STRANGER, withdrawn(channel))
            .then(&card, |card| assert!(by_email(&card)))
            .happened("2024-02-01", STRANGER, merged(KNOWN))
            .then(&card, |card| assert!(!by_email(&card)))
            // Saying yes again under the other contact does not outweigh the no.
            .happened("2024-02-02", KNOWN, given_by(ConsentChannel::Email))
            .then(&card, |card| assert!(!by_email(&card)))
            .happened("2024-02-03", STRANGER, given_by(ConsentChannel::Email))
            .then(&card, |card| assert!(by_email(&card)))
            .happened("2024-02-04", KNOWN, withdrawn(ConsentChannel::Email))
            .happened("2024-02-05", STRANGER, unmerged(KNOWN))
            .then(&card, |card| assert!(!by_email(&card)))
            .then(&format!("id={}", id(STRANGER)), |card| assert!(by_email(&card)));
    }
}

#[test]
fn who_withdrew_any_channel_is_written_to_again_only_where_they_gave_it_again() {
    let email = ContactEvent::ConsentGiven {
        purpose: ConsentPurpose::Alerts,
        channel: ConsentChannel::Email,
        basis: LawfulBasis::Consent,
        proof: None,
    };
    let any =
        ContactEvent::ConsentWithdrawn { purpose: ConsentPurpose::Alerts, channel: ConsentChannel::Any };
    three::<Contacts>()
        .happened("2024-01-04", KNOWN, email.clone())
        .happened("2024-01-05", KNOWN, any)
        .then(&format!("id={}", id(KNOWN)), |card| {
            assert_eq!(card["consents"][1]["channel"], "email");
            assert_eq!(card["consents"][1]["in_force"], false);
            assert_eq!(card["consents"][1]["withdrawn_at"], "2024-01-05T00:00:00Z");
        })
        .happened("2024-01-06", KNOWN, email)
        .then(&format!("id={}", id(KNOWN)), |card| assert_eq!(card["consents"][1]["in_force"], true));
}

#[test]
fn the_history_of_either_contact_tells_both_and_the_merge_itself() {
    let tags = |contact: u128, expected: &'static [&'static str]| {
        move |story: Story| {
            story.then(&format!("contact={}", id(contact)), move |view| {
                let told: Vec<_> =
                    view["rows"].as_array().unwrap().iter().map(|row| row["tag"].clone()).collect();
                assert_eq!(json!(told), json!(expected));
            })
        }
    };
    let lost = LeadEvent::Captured {
        contact: contact(STRANGER),
        source: "website".into(),
        conversation: None,
        interest: None,
    };
    let story =
        three::<History>().happened("2024-02-01", STRANGER, merged(KNOWN)).happened("2024-02-02", 20, lost);
    let both = [
        "contact.registered",
        "contact.identity_linked",
        "contact.registered",
        "contact.identity_linked",
        "contact.merged",
        "lead.captured",
    ];
    let story = [KNOWN, STRANGER].into_iter().fold(story, |story, asked| {
        story.then(&format!("contact={}", id(asked)), |view| {
            let told: Vec<_> =
                view["rows"].as_array().unwrap().iter().map(|row| row["tag"].clone()).collect();
            assert_eq!(json!(told), json!(both));
        })
    });
    // What is on the stranger's record is found under the known one's, page by page and from either end.
    let story = story.then(&format!("contact={}&order=newest", id(KNOWN)), |view| {
        assert_eq!(view["rows"][0]["tag"], "lead.captured");
        assert_eq!(
            view["rows"][1]["what"],
            json!(format!("contact merged into contact {}, without evidence", id(KNOWN)))
        );
    });
    let story = story.happened("2024-03-01", STRANGER, unmerged(KNOWN));
    let story = tags(
        KNOWN,
        &["contact.registered", "contact.identity_linked", "contact.merged", "contact.unmerged"],
    )(story);
    tags(
        STRANGER,
        &[
            "contact.registered",
            "contact.identity_linked",
            "contact.merged",
            "lead.captured",
            "contact.unmerged",
        ],
    )(story);
}

fn attended(number: u128) -> GatheringEvent {
    GatheringEvent::StudentAttended { contact: contact(number), method: None }
}

fn evening(program: u128) -> GatheringEvent {
    GatheringEvent::Scheduled {
        name: "Evening".into(),
        gathering_type: "class".into(),
        program: Some(ProgramId(id(program))),
        cohort: None,
        starts_at: None,
        ends_at: None,
        place: None,
    }
}

#[test]
fn students_are_counted_once_and_are_the_same_ones_who_came_before() {
    let enrolled = |number| EnrolmentEvent::Enrolled {
        contact: contact(number),
        program: ProgramId(id(9)),
        cohort: None,
        role: EnrolmentRole::Participant,
    };
    let check = |participants: u64, retained: u64, new: u64, deep: u64, enrolled: u64| {
        move |view: Value| {
            let totals = &view["totals"];
            assert_eq!(totals["participants"], participants);
            assert_eq!(totals["participations"], 3);
            assert_eq!(totals["retained"], retained);
            assert_eq!(totals["new"], new);
            assert_eq!(totals["deep"], deep);
            assert_eq!(totals["enrolled_people"], enrolled);
            assert_eq!(totals["enrolments"], 2);
        }
    };
    let query = "period=2024&depth=2";
    three::<Engagement>()
        .happened("2023-01-10", 50, evening(9))
        .happened("2023-03-10", 50, attended(STRANGER))
        .happened("2024-01-10", 51, evening(9))
        .happened("2024-01-10", 52, evening(9))
        .happened("2024-01-10", 60, enrolled(KNOWN))
        .happened("2024-01-10", 61, enrolled(STRANGER))
        .happened("2024-03-10", 51, attended(KNOWN))
        .happened("2024-03-11", 52, attended(STRANGER))
        .happened("2024-03-11", 52, attended(OTHER))
        .then(query, check(3, 1, 2, 0, 2))
        .happened("2024-04-01", KNOWN, merged(STRANGER))
        .then(query, check(2, 1, 1, 1, 1))
        .then("period=2024&by=month&depth=2", |view| {
            assert_eq!(rows(&view, &["group", "participants"]), json!([["2024-01", 0], ["2024-03", 2]]));
        })
        .happened("2024-05-01", KNOWN, unmerged(STRANGER))
        .then(query, check(3, 1, 2, 0, 2));
}

#[test]
fn who_came_to_one_gathering_under_two_contacts_came_once() {
    let one = format!("gathering={}", id(51));
    three::<Engagement>()
        .happened("2024-01-10", 51, evening(9))
        .happened("2024-01-11", 51, GatheringEvent::StudentRegistered { contact: contact(KNOWN) })
        .happened("2024-03-10", 51, GatheringEvent::StudentMissed { contact: contact(KNOWN) })
        .happened("2024-03-10", 51, attended(STRANGER))
        .then(&one, |view| assert_eq!((&view["attended"], &view["missed"]), (&json!(1), &json!(1))))
        .happened("2024-04-01", KNOWN, merged(STRANGER))
        .then(&one, |view| {
            assert_eq!((&view["attended"], &view["missed"]), (&json!(1), &json!(0)));
            assert_eq!(view["registered"], 1);
        });
}

fn gift(donor: u128, minor: i64) -> GiftEvent {
    GiftEvent::Received {
        donor: Some(contact(donor)),
        amount: Money::new(minor, domain::Currency::USD),
        campaign: None,
        method: None,
        stage: None,
        allocations: Vec::new(),
        soft_credits: Vec::new(),
    }
}

#[test]
fn donors_are_persons_in_cells_retention_lists_and_rollups() {
    let minor = |amounts: &Value| amounts[0]["minor"].clone();
    let story = three::<Giving>()
        .happened("2022-03-01", 70, gift(STRANGER, 100))
        .happened("2023-03-01", 71, gift(KNOWN, 200))
        .happened("2024-03-01", 72, gift(STRANGER, 400))
        .happened("2024-03-02", 73, gift(OTHER, 800))
        .then("show=retention&year=2024", |view| {
            assert_eq!(rows(&view, &["retained", "new", "reactivated", "lapsed"]), json!([[0, 1, 1, 1]]));
        })
        .happened("2024-04-01", STRANGER, merged(KNOWN));
    story
        .then("show=retention&year=2024", |view| {
            assert_eq!(rows(&view, &["retained", "new", "reactivated", "lapsed"]), json!([[1, 1, 0, 0]]));
            let revenue = &view["rows"][0]["revenue"][0];
            assert_eq!(revenue["retained_this_year"]["minor"], 400);
            assert_eq!(revenue["retained_last_year"]["minor"], 200);
            assert_eq!(view["rows"][0]["repeat_donors"], 1);
        })
        .then("by=donor", |view| {
            assert_eq!(
                rows(&view, &["group", "name", "gifts"]),
                json!([[id(KNOWN), "Ann Lee", 3], [id(OTHER), "Bob Brown", 1]])
            );
            assert_eq!(minor(&view["rows"][0]["net"]), 700);
        })
        .then(&format!("donor={}&by=year", id(STRANGER)), |view| assert_eq!(view["totals"]["gifts"], 3))
        .then(&format!("show=rollups&donor={}", id(STRANGER)), |view| {
            assert_eq!(
                rows(&view, &["donor", "name", "count", "donor_streak", "years_donated"]),
                json!([[id(KNOWN), "Ann Lee", 3, 3, [2022, 2023, 2024]]])
            );
        })
        .then("show=rollups", |view| {
            assert_eq!(rows(&view, &["donor", "count"]), json!([[id(KNOWN), 3], [id(OTHER), 1]]));
        })
        .then("show=lybunt&year=2025", |view| {
            assert_eq!((&view["donors"], view["rows"].as_array().unwrap().len()), (&json!(2), 2));
            assert_eq!(minor(&view["rows"][0]["amount"]), 400);
        })
        .then("show=lybunt&year=2024", |view| assert_eq!(view["donors"], 0))
        .then("show=sybunt&year=2024", |view| assert_eq!(view["donors"], 0))
        .happened("2024-05-01", STRANGER, unmerged(KNOWN))
        .then("show=lybunt&year=2024", |view| assert_eq!(view["donors"], 1));
}

#[test]
fn donors_come_in_pages_also_where_the_one_merged_into_never_gave() {
    let mut story = given::<Giving>();
    for number in 1..=120_u128 {
        story = story.happened("2024-03-01", 1_000 + number, gift(number, 100));
    }
    // The even ones are merged into contacts that gave nothing.
    for number in (2..=120).step_by(2) {
        story = story.happened("2024-04-01", number, merged(500 + number % 4));
    }
    story
        .then("by=donor", |view| {
            let donors = view["rows"].as_array().unwrap();
            assert_eq!(donors.len(), 62);
            assert_eq!(donors[60]["group"], json!(id(500)));
            assert_eq!(donors[60]["gifts"], 30);
        })
        .then("show=retention&year=2024", |view| assert_eq!(view["rows"][0]["active"], 62));
}

#[test]
fn a_reply_goes_to_the_contact_that_wrote_and_never_to_the_merged_face() {
    let message = |direction, author: Option<u128>, to: Option<u128>| Message {
        direction,
        author: author.map(contact),
        to: to.map(contact),
        member: None,
        text: None,
        reply_to: None,
        mentions: Vec::new(),
    };
    let logged = ConversationEvent::Logged {
        contact: contact(STRANGER),
        channel: Channel::Email,
        message: message(Direction::Incoming, Some(STRANGER), None),
    };
    let replied = ConversationEvent::Replied { message: message(Direction::Outgoing, None, Some(STRANGER)) };
    let theirs = |asked: u128| format!("state=all&contact={}", id(asked));
    three::<Conversations>()
        .happened("2024-01-04", 30, logged)
        .happened("2024-02-01", STRANGER, merged(KNOWN))
        .happened("2024-02-02", 30, replied)
        .then(&theirs(KNOWN), |view| {
            assert_eq!(rows(&view, &["contact", "person"]), json!([[id(STRANGER), id(KNOWN)]]));
            assert_eq!(view["totals"]["conversations"], 1);
        })
        .then(&format!("conversation={}", id(30)), |thread| {
            assert_eq!(thread["contact"], json!(id(STRANGER)));
            assert_eq!(thread["tree"][0]["author"], json!(id(STRANGER)));
            assert_eq!(thread["tree"][1]["to"], json!(id(STRANGER)));
        })
        .happened("2024-03-01", STRANGER, unmerged(KNOWN))
        .then(&theirs(KNOWN), |view| assert_eq!(view["rows"], json!([])))
        .then(&theirs(STRANGER), |view| assert_eq!(view["totals"]["conversations"], 1));
}

#[test]
fn leads_and_deals_keep_their_contact_and_say_whose_they_are() {
    let captured = LeadEvent::Captured {
        contact: contact(STRANGER),
        source: "website".into(),
        conversation: None,
        interest: None,
    };
    three::<Leads>()
        .happened("2024-01-04", 20, captured)
        .then("show=leads", |view| {
            assert_eq!(rows(&view, &["contact", "person"]), json!([[id(STRANGER), null]]));
        })
        .happened("2024-02-01", STRANGER, merged(KNOWN))
        .then("show=leads", |view| {
            assert_eq!(rows(&view, &["contact", "person"]), json!([[id(STRANGER), id(KNOWN)]]));
        });
    let opened = DealEvent::Opened {
        contact: Some(contact(STRANGER)),
        owner: Some(MemberId(id(80))),
        product: None,
        value: None,
        stage: "Proposal".into(),
        lead: Some(LeadId(id(20))),
    };
    three::<Pipeline>()
        .happened("2024-01-04", 40, opened)
        .happened("2024-02-01", STRANGER, merged(KNOWN))
        .then("show=deals", |view| {
            assert_eq!(rows(&view, &["contact", "person"]), json!([[id(STRANGER), id(KNOWN)]]));
        });
}

/// `cargo test --release -p projections merged_contacts_are_joined -- --ignored --nocapture`
#[test]
#[ignore = "measures; takes a minute"]
fn how_fast_merged_contacts_are_joined() {
    const CONTACTS: u128 = 88_000;
    const MERGES: u128 = 5_000;
    fn told<P: Projection>(each: impl Fn(Story, u128) -> Story) -> Story {
        (1..=CONTACTS).fold(given::<P>(), each)
    }
    fn merge(story: Story) -> Story {
        (1..=MERGES)
            .fold(story, |story, number| story.happened("2024-12-01", number * 17, merged(number * 17 - 1)))
    }
    fn ask(name: &str, story: Story, queries: &[&str]) -> Story {
        queries.iter().fold(story, |story, query| {
            let mut story = story;
            let mut times = Vec::new();
            for _ in 0..7 {
                let began = std::time::Instant::now();
                story = story.then(query, |_| ());
                times.push(began.elapsed());
            }
            times.sort_unstable();
            println!("  {name}?{query}: {:.2?}", times[3]);
            story
        })
    }
    // Everybody registers, which numbers them; few attend, since a story writes every tally at once.
    let engagement = told::<Engagement>(|story, number| {
        let story = if number == 1 { story.happened("2024-01-01", 200_000, evening(9)) } else { story };
        let registers = GatheringEvent::StudentRegistered { contact: contact(number) };
        let story = story.happened("2024-03-10", 200_000, registers);
        if number % 50 == 0 { story.happened("2024-03-10", 200_000, attended(number)) } else { story }
    });
    let giving =
        told::<Giving>(|story, number| story.happened("2024-03-10", 300_000 + number, gift(number, 100)));
    let contacts = told::<Contacts>(|story, number| {
        let tag = ContactEvent::Tagged { tag: "all".into() };
        story.happened("2024-01-01", number, registered(number, Some("Ann Lee"))).happened(
            "2024-01-01",
            number,
            tag,
        )
    });
    let engaged = ["period=2024", "period=2024&by=month"];
    let given = ["show=retention&year=2024", "show=lybunt&year=2025", "by=donor", "show=rollups"];
    let found = ["name=ann", "tag=all", "tag=all&form=person"];
    println!("nobody merged:");
    let engagement = ask("engagement", engagement, &engaged);
    let giving = ask("giving", giving, &given);
    let contacts = ask("contacts", contacts, &found);
    println!("{MERGES} merged:");
    ask("engagement", merge(engagement), &engaged);
    ask("giving", merge(giving), &given);
    ask("contacts", merge(contacts), &found);
}
