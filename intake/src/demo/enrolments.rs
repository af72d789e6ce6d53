//! Ways through programs: one program a year for most students, and a second one for those who carry it.

use chrono::{DateTime, Utc};
use domain::Kind;
use serde_json::json;

use super::{
    calendar::{FIRST_YEAR, Week, later},
    campus::{Campus, Person},
    dice::Topic,
    founding::PEER_MENTORS,
    lines::Lines,
};

/// In how many slots the students of a year are dealt out: by their number, so that the members of a slot can be
/// named without looking at everybody.
pub(super) const SLOTS: u32 = 16;
/// The program of each slot: programs are of different sizes.
const PROGRAM_OF_SLOT: [u32; SLOTS as usize] = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 6];
/// By how many slots a student moves on with every year.
const STEP: u32 = 5;

/// One student's year in a program.
pub(super) struct Enrolment {
    ending: Ending,
}

enum Ending {
    Completed,
    /// In which week of the academic year they left.
    Withdrawn(u32),
    Open,
}

impl Enrolment {
    /// What somebody does in this academic year; a few take part in nothing.
    pub fn of(campus: &Campus, student: u32, academic_year: u32) -> Option<Self> {
        if !campus.is_present(student, academic_year) {
            return None;
        }
        let mut dice = campus.dice(Topic::Enrolment, student, academic_year);
        if !dice.chance(850) {
            return None;
        }
        let ending = match dice.below(100) {
            0..8 => Ending::Withdrawn(dice.between(6, 32)),
            8..92 => Ending::Completed,
            _ => Ending::Open,
        };
        Some(Self { ending })
    }

    /// Whether they are with it in this week of the academic year.
    pub fn lasts(&self, week_of_year: u32) -> bool {
        !matches!(self.ending, Ending::Withdrawn(left) if left <= week_of_year)
    }
}

/// The program of a slot.
pub(super) const fn program_of(slot: u32) -> u32 {
    PROGRAM_OF_SLOT[(slot % SLOTS) as usize]
}

fn slot(student: u32, academic_year: u32) -> u32 {
    (student + STEP * (academic_year - FIRST_YEAR)) % SLOTS
}

/// What is left when a student's number is divided by the slots, for those in a slot in an academic year.
pub(super) const fn remainder(slot: u32, academic_year: u32) -> u32 {
    (slot + (SLOTS - STEP) * (academic_year - FIRST_YEAR)) % SLOTS
}

/// With whom a year's students start.
pub(super) fn cohort(academic_year: u32) -> String {
    format!("Fall {academic_year}")
}

pub(super) fn count(campus: &Campus, week: Week) -> u32 {
    if week.is_enrolment() { campus.students() } else { 0 }
}

pub(super) fn tell(campus: &Campus, week: Week, student: u32, lines: &mut Lines) {
    let year = week.academic_year();
    let Some(enrolment) = Enrolment::of(campus, student, year) else { return };
    let contact = campus.contact(Person::Student(student));
    let mut dice = campus.dice(Topic::Enrolment, student, year + 10_000);
    let at = week.moment(dice.below(5), dice.between(13 * 60, 21 * 60));
    let number = u64::from(student) * 16 + u64::from(year - FIRST_YEAR) * 2;
    let thing = (Kind::Enrolment, campus.id(Kind::Enrolment, number));
    let program = campus.id(Kind::Program, program_of(slot(student, year)).into());
    let fields = json!({"contact": contact, "program": program, "cohort": cohort(year)});
    lines.say(at, thing, "enrol", &fields);
    let keen = campus.habit(student).appetite(week) > 300;
    let advanced = if keen { 800 } else { 350 };
    let (explores, leads) = (dice.chance(advanced), keen && dice.chance(500));
    let has_completed = enrolment.tell_ending(at, thing, (explores, leads), lines);
    if has_completed && keen && dice.chance(400) {
        let thing = (Kind::Enrolment, campus.id(Kind::Enrolment, number + 1));
        let program = campus.id(Kind::Program, PEER_MENTORS.into());
        let fields =
            json!({"contact": contact, "program": program, "cohort": cohort(year), "role": "volunteer"});
        lines.say(later(at, 20, 0), thing, "enrol", &fields);
    }
}

impl Enrolment {
    /// The stages and the end of it; whether it was completed. A stage that is left again stands only before an
    /// end, where its repetition is refused, and never in what goes on.
    fn tell_ending(
        &self,
        at: DateTime<Utc>,
        thing: (Kind, uuid::Uuid),
        (explores, leads): (bool, bool),
        lines: &mut Lines,
    ) -> bool {
        match self.ending {
            Ending::Withdrawn(week) => {
                lines.say(later(at, week * 7 - 20, 0), thing, "withdraw", &json!({}));
                false
            }
            Ending::Completed => {
                if explores {
                    let fields = json!({"stage": "Practising"});
                    lines.say_or_once(leads, later(at, 70, 0), thing, "advance", &fields);
                }
                if leads {
                    lines.say(later(at, 160, 0), thing, "advance", &json!({"stage": "Leading"}));
                }
                let result = if leads { json!({"result": "with distinction"}) } else { json!({}) };
                lines.say(later(at, 255, 0), thing, "complete", &result);
                true
            }
            Ending::Open => {
                if explores {
                    lines.say(later(at, 90, 0), thing, "advance", &json!({"stage": "Practising"}));
                }
                false
            }
        }
    }
}
