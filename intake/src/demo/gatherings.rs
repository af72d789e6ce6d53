//! What takes place: the meetings of a program's sections, and what the whole campus is invited to.

use chrono::{DateTime, SecondsFormat, Utc};
use domain::Kind;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    calendar::{Week, earlier, later},
    campus::{Campus, Person},
    dice::{Dice, Topic},
    enrolments::{self, Enrolment, SLOTS},
    founding::PROGRAMS,
    lines::Lines,
};

/// How many students of a slot form a section.
const SECTION: u32 = 100;
/// The students among whom there is one section for every slot.
const BLOCK: u32 = SECTION * SLOTS;
/// How many students are invited to one gathering of the campus: the campus of a large university has parts.
const PART: u32 = 8_000;
/// How many presences one gathering may have, far below the limit of a stream.
const PRESENCES_LIMIT: u32 = 3_000;

const PLACES: [&str; 6] =
    ["Alumni House", "Library, Room 204", "Student Union", "Harris Hall", "Garden Pavilion", "Online"];
const METHODS: [&str; 4] = ["check_in", "scan", "list", "online"];
const CAMPUS_WIDE: [(&str, &str); 6] = [
    ("Welcome Dinner", "dinner"),
    ("Day of Service", "volunteering"),
    ("Career Evening", "workshop"),
    ("Open Mentoring Night", "mentoring"),
    ("Harvest Dinner", "dinner"),
    ("Leadership Retreat", "retreat"),
];

/// A gathering that is being told of.
struct Gathering {
    thing: (Kind, Uuid),
    starts_at: DateTime<Utc>,
    /// Whether one is to say beforehand that one comes.
    asks_to_register: bool,
}

pub(super) fn count_sections(campus: &Campus, week: Week) -> u32 {
    if week.is_in_term() { campus.students().div_ceil(BLOCK) * SLOTS } else { 0 }
}

/// A section meets in more than half of the weeks of a term.
pub(super) fn tell_section(campus: &Campus, week: Week, section: u32, lines: &mut Lines) {
    let mut dice = campus.dice(Topic::Section, section, week.number());
    if !dice.chance(630) {
        return;
    }
    let (year, slot) = (week.academic_year(), section % SLOTS);
    let first = section / SLOTS * BLOCK + enrolments::remainder(slot, year);
    let is_member = |student: u32| {
        student < campus.students()
            && Enrolment::of(campus, student, year)
                .is_some_and(|enrolment| enrolment.lasts(week.week_of_year()))
    };
    let mut members =
        (0..SECTION).map(|place| first + place * SLOTS).filter(|student| is_member(*student)).peekable();
    if members.peek().is_none() {
        return;
    }
    let number = enrolments::program_of(slot);
    let program = &PROGRAMS[number as usize];
    let gathering_type = program.types[[0, 0, 1, 2][dice.below(4) as usize]];
    let fields = json!({
        "name": format!("{}: {gathering_type}", program.name), "type": gathering_type,
        "program": campus.id(Kind::Program, number.into()), "cohort": enrolments::cohort(year),
        "place": dice.pick(&PLACES),
    });
    let id = campus.id(Kind::Gathering, (u64::from(section) << 16) + u64::from(week.number()));
    let starts_at = week.moment(section % 5, 1_200 + 30 * (section % 4));
    let Some(gathering) = Gathering::schedule((id, starts_at), fields, &mut dice, lines) else { return };
    let mut attended = 0;
    for student in members {
        let appetite = campus.habit(student).appetite(week);
        let contact = campus.contact(Person::Student(student));
        attended += u32::from(gathering.presence(contact, appetite, &mut dice, lines));
    }
    if dice.chance(150) {
        gathering.headcount(attended + dice.below(6), lines);
    }
}

/// Everybody is invited about ten times a year.
pub(super) fn count_campus_wide(campus: &Campus, week: Week) -> u32 {
    if week.is_in_term() && week.number().is_multiple_of(3) { campus.students().div_ceil(PART) } else { 0 }
}

pub(super) fn tell_campus_wide(campus: &Campus, week: Week, part: u32, lines: &mut Lines) {
    let mut dice = campus.dice(Topic::CampusWide, part, week.number());
    let year = week.academic_year();
    let students = part * PART..(part * PART + PART).min(campus.students());
    let (name, gathering_type) = CAMPUS_WIDE[(week.number() / 3 + part) as usize % CAMPUS_WIDE.len()];
    let fields = json!({
        "name": format!("{name} {}", week.monday().format("%B %Y")), "type": gathering_type,
        "place": dice.pick(&PLACES),
    });
    let id = campus.id(Kind::Gathering, (1 << 60) + (u64::from(part) << 16) + u64::from(week.number()));
    let starts_at = week.moment(4 + part % 2, 22 * 60);
    let Some(gathering) = Gathering::schedule((id, starts_at), fields, &mut dice, lines) else { return };
    let present = students.filter(|student| campus.is_present(*student, year));
    // At some dinners nobody asks for names; those who come are counted.
    if gathering_type == "dinner" && dice.chance(500) {
        let invited = u32::try_from(present.count()).unwrap_or(0);
        gathering.headcount(invited / 6 + dice.below(20) + 5, lines);
        return;
    }
    let (mut told, mut attended) = (0, 0);
    for student in present {
        let appetite = campus.habit(student).appetite(week) / 2;
        if told < PRESENCES_LIMIT && dice.chance(appetite * 5 / 4) {
            told += 1;
            let contact = campus.contact(Person::Student(student));
            attended += u32::from(gathering.presence(contact, 800, &mut dice, lines));
        }
    }
    if dice.chance(400) {
        gathering.headcount(attended + dice.below(30), lines);
    }
}

impl Gathering {
    /// Plans it. Some take place at another time than planned; of those that do not take place nothing is left
    /// to tell.
    fn schedule(
        (id, starts_at): (Uuid, DateTime<Utc>),
        mut fields: Value,
        dice: &mut Dice,
        lines: &mut Lines,
    ) -> Option<Self> {
        let thing = (Kind::Gathering, id);
        let asks_to_register =
            ["workshop", "retreat", "volunteering"].iter().any(|word| fields["type"] == *word);
        let minutes = if fields["type"] == "retreat" { 26 * 60 } else { dice.pick(&[60, 90, 120]) };
        let (planned, moves) = (earlier(starts_at, dice.between(10, 24), 300), dice.chance(25));
        let announced = if moves { earlier(starts_at, 1, 0) } else { starts_at };
        let span = |starts_at: DateTime<Utc>| [starts_at, later(starts_at, 0, minutes)].map(text);
        let [from, to] = span(announced);
        fields["starts_at"] = from.into();
        fields["ends_at"] = to.into();
        lines.say_or_once(moves, planned, thing, "schedule", &fields);
        if moves {
            let [from, to] = span(starts_at);
            let times = json!({"starts_at": from, "ends_at": to});
            lines.say(later(planned, 2, 15), thing, "reschedule", &times);
        } else if dice.chance(15) {
            lines.say(earlier(starts_at, 1, 200), thing, "cancel", &json!({}));
            return None;
        }
        Some(Self { thing, starts_at, asks_to_register })
    }

    /// What becomes of somebody who is invited; whether they came.
    fn presence(&self, contact: Uuid, appetite: u32, dice: &mut Dice, lines: &mut Lines) -> bool {
        let fields = json!({"contact": contact});
        let registered_at = earlier(self.starts_at, dice.between(1, 8), dice.below(300));
        if dice.chance(appetite) {
            if self.asks_to_register && dice.chance(700) {
                lines.say(registered_at, self.thing, "register", &fields);
            }
            let attended = json!({"contact": contact, "method": dice.pick(&METHODS)});
            lines.say(later(self.starts_at, 0, dice.below(15)), self.thing, "attend", &attended);
            return true;
        }
        if !dice.chance(appetite / 4) {
            return false;
        }
        if dice.chance(350) {
            lines.say(later(registered_at, 0, 60), self.thing, "excuse", &fields);
        } else {
            // Who has missed it cannot register any more, so that this must be known again by its key.
            if self.asks_to_register {
                lines.say_once(registered_at, self.thing, "register", &fields);
            }
            lines.say(later(self.starts_at, 0, 120), self.thing, "miss", &fields);
        }
        false
    }

    fn headcount(&self, people: u32, lines: &mut Lines) {
        let at = later(self.starts_at, 0, 130);
        lines.say(at, self.thing, "record_headcount", &json!({"people": people}));
    }
}

fn text(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}
