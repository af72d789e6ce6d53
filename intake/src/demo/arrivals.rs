//! Who becomes known: alumni, households and organizations at the beginning, students with their class, and the
//! same students as alumni when they graduate.

use chrono::{DateTime, Utc};
use domain::Kind;
use serde_json::json;

use super::{
    calendar::{Week, later},
    campus::{Campus, Person},
    dice::{Dice, Topic},
    lines::Lines,
    words::{
        FAMILY_NAMES, GIVEN_NAMES, JOB_TITLES, MAJORS, ORGANIZATION_NAMES, ORGANIZATION_SORTS, STUDENT_TAGS,
    },
};

/// Whoever is no student: organizations, then alumni, then the households to which some of these belong.
pub(super) fn count_friends(campus: &Campus, week: Week) -> u32 {
    if week == Week::FIRST { campus.organizations() + campus.alumni() + campus.households() } else { 0 }
}

pub(super) fn tell_friend(campus: &Campus, week: Week, index: u32, lines: &mut Lines) {
    let (organizations, alumni) = (campus.organizations(), campus.alumni());
    let at = week.moment(1 + index % 4, 14 * 60 + index % 300);
    if index < organizations {
        organization(campus, index, at, lines);
    } else if index < organizations + alumni {
        alumnus(campus, index - organizations, at, lines);
    } else {
        household(campus, index - organizations - alumni, at, lines);
    }
}

fn organization(campus: &Campus, number: u32, at: DateTime<Utc>, lines: &mut Lines) {
    let person = Person::Organization(number);
    let mut dice = campus.dice(Topic::Person, person.number(), 0_u64);
    let contact = (Kind::Contact, campus.contact(person));
    let word = ORGANIZATION_NAMES[number as usize % ORGANIZATION_NAMES.len()];
    let (sort, sector) = dice.pick(&ORGANIZATION_SORTS);
    let name = format!("{word} {sort}");
    lines.say(at, contact, "register", &json!({"form": "organization", "name": name}));
    lines.say(at, contact, "change_detail", &json!({"detail": "sector", "value": sector}));
    let handle = format!("office.{number}@example.org");
    lines.say(at, contact, "link_identity", &json!({"platform": "email", "handle": handle}));
    if number > 0 && dice.chance(120) {
        let owner = campus.contact(Person::Organization(dice.below(number)));
        let relationship = json!({"relationship": "subsidiary_of", "to": owner});
        lines.say(at, contact, "start_relationship", &relationship);
    }
}

fn alumnus(campus: &Campus, number: u32, at: DateTime<Utc>, lines: &mut Lines) {
    let person = Person::Alumnus(number);
    let mut dice = campus.dice(Topic::Person, person.number(), 0_u64);
    let contact = (Kind::Contact, campus.contact(person));
    human(contact, (&mut dice, number, "alum", "example.org"), at, lines);
    lines.say(at, contact, "tag", &json!({"tag": "alumni"}));
    let class = format!("class of {}", dice.between(1978, 2021));
    lines.say(at, contact, "tag", &json!({"tag": class}));
    consent(contact, &mut dice, at, lines);
    if dice.chance(250) {
        let title = dice.pick(&JOB_TITLES);
        lines.say(at, contact, "change_detail", &json!({"detail": "job_title", "value": title}));
        let employer = campus.contact(Person::Organization(dice.below(campus.organizations())));
        let since = format!("{}-07-01", dice.between(2010, 2020));
        let job = json!({"relationship": "employee_of", "to": employer, "since": since});
        lines.say(at, contact, "start_relationship", &job);
    }
}

fn household(campus: &Campus, number: u32, at: DateTime<Utc>, lines: &mut Lines) {
    let person = Person::Household(number);
    let mut dice = campus.dice(Topic::Person, person.number(), 0_u64);
    let contact = (Kind::Contact, campus.contact(person));
    let name = format!("The {} household", dice.pick(&FAMILY_NAMES));
    lines.say(at, contact, "register", &json!({"form": "household", "name": name}));
    let partners = household_members(campus, number);
    for partner in partners {
        let partner = (Kind::Contact, campus.contact(partner));
        lines.say(at, partner, "start_relationship", &json!({"relationship": "member_of", "to": contact.1}));
    }
    if partners[0] != partners[1] {
        let other = json!({"relationship": "partner_of", "to": campus.contact(partners[1])});
        lines.say(at, (Kind::Contact, campus.contact(partners[0])), "start_relationship", &other);
    }
}

/// The two alumni who live in a household.
pub(super) fn household_members(campus: &Campus, number: u32) -> [Person; 2] {
    let alumni = campus.alumni();
    [Person::Alumnus(number * 2 % alumni), Person::Alumnus((number * 2 + 1) % alumni)]
}

/// The students of a class, in the week in which it arrives.
pub(super) fn count_students(campus: &Campus, week: Week) -> u32 {
    let arriving = campus.arriving(week.academic_year());
    if week.is_arrival() { arriving.end - arriving.start } else { 0 }
}

pub(super) fn tell_student(campus: &Campus, week: Week, index: u32, lines: &mut Lines) {
    let number = campus.arriving(week.academic_year()).start + index;
    let person = Person::Student(number);
    let mut dice = campus.dice(Topic::Person, person.number(), 0_u64);
    let contact = (Kind::Contact, campus.contact(person));
    let at = week.moment(dice.below(6), dice.between(13 * 60, 22 * 60));
    human(contact, (&mut dice, number, "s", "example.edu"), at, lines);
    let class = format!("class of {}", campus.graduation(number));
    lines.say(at, contact, "tag", &json!({"tag": class}));
    lines.say(later(at, 1, 0), contact, "tag", &json!({"tag": dice.pick(&MAJORS)}));
    if dice.chance(300) {
        lines.say(at, contact, "tag", &json!({"tag": dice.pick(&STUDENT_TAGS)}));
    }
    consent(contact, &mut dice, later(at, 0, 5), lines);
    if number > 0 && dice.chance(25) {
        let sibling = campus.contact(Person::Student(number - 1));
        lines.say(at, contact, "start_relationship", &json!({"relationship": "relative_of", "to": sibling}));
    }
    if dice.chance(60) {
        let referrer = campus.contact(Person::Alumnus(dice.below(campus.alumni())));
        let brought = json!({"relationship": "referrer_of", "to": contact.1});
        lines.say(at, (Kind::Contact, referrer), "start_relationship", &brought);
    }
}

/// A person with a name and an address. No two have the same address, because it holds their number.
fn human(
    contact: (Kind, uuid::Uuid),
    (dice, number, prefix, domain): (&mut Dice, u32, &str, &str),
    at: DateTime<Utc>,
    lines: &mut Lines,
) {
    let (given, family) = (dice.pick(&GIVEN_NAMES), dice.pick(&FAMILY_NAMES));
    lines.say(at, contact, "register", &json!({"form": "person", "name": format!("{given} {family}")}));
    let handle = format!("{}.{}.{prefix}{number}@{domain}", given.to_lowercase(), family.to_lowercase());
    let verified = dice.chance(800);
    let identity = json!({"platform": "email", "handle": handle, "verified": verified});
    lines.say(at, contact, "link_identity", &identity);
}

fn consent(contact: (Kind, uuid::Uuid), dice: &mut Dice, at: DateTime<Utc>, lines: &mut Lines) {
    if dice.chance(850) {
        let fields = json!({"purpose": "newsletter", "channel": "email", "basis": "consent"});
        lines.say(at, contact, "give_consent", &fields);
    }
    if dice.chance(350) {
        let fields = json!({"purpose": "alerts", "channel": "sms", "basis": "consent"});
        lines.say(at, contact, "give_consent", &fields);
    }
    match dice.below(100) {
        0..20 => {
            let fields = json!({"purpose": "fundraising", "channel": "any", "basis": "legitimate_interest"});
            lines.say(at, contact, "give_consent", &fields);
        }
        20..26 => {
            let fields = json!({"purpose": "fundraising", "channel": "any"});
            lines.say(later(at, dice.between(20, 900), 0), contact, "withdraw_consent", &fields);
        }
        _ => {}
    }
}

/// All students, in the week in which one class of them graduates.
pub(super) fn count_graduations(campus: &Campus, week: Week) -> u32 {
    if week.is_graduation() { campus.students() } else { 0 }
}

pub(super) fn tell_graduation(campus: &Campus, week: Week, number: u32, lines: &mut Lines) {
    if campus.graduation(number) != week.academic_year() + 1 {
        return;
    }
    let person = Person::Student(number);
    let mut dice = campus.dice(Topic::Person, person.number(), 1_u64);
    let contact = (Kind::Contact, campus.contact(person));
    let at = week.moment(4, 18 * 60);
    lines.say(at, contact, "tag", &json!({"tag": "alumni"}));
    if dice.chance(150) {
        let employer = campus.contact(Person::Organization(dice.below(campus.organizations())));
        let fields = json!({"relationship": "employee_of", "to": employer});
        lines.say(later(at, dice.between(30, 120), 0), contact, "start_relationship", &fields);
    }
}
