//! The campus: who is there, when, and with which habits. All of it is computed, nothing is kept.

use std::ops::Range;

use domain::Kind;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{
    calendar::{FIRST_YEAR, Week},
    dice::{Dice, Topic},
};

/// The largest campus that is told of.
const STUDENTS_LIMIT: u32 = 1_000_000;
/// How many years a student stays.
const YEARS: u32 = 4;

/// A campus: how many students pass through it in the four years, and the seed from which all else follows.
///
/// The same seed gives the same things the same ids, so one log takes one campus of a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Campus {
    students: u32,
    seed: u64,
}

/// Somebody with a contact of their own, by the number that they have among their like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Person {
    Student(u32),
    /// Graduated before the history begins.
    Alumnus(u32),
    Household(u32),
    Organization(u32),
}

/// How keen a student is.
#[derive(Debug)]
pub(super) struct Habit {
    appetite: u32,
    quiet: Range<u32>,
}

impl Habit {
    /// How many times in a thousand they come to what they could come to.
    pub fn appetite(&self, week: Week) -> u32 {
        if self.quiet.contains(&week.number()) { 0 } else { self.appetite }
    }
}

impl Campus {
    /// A campus of 1 to 1,000,000 students; other numbers are taken for the nearest of these.
    pub fn new(students: u32, seed: u64) -> Self {
        Self { students: students.clamp(1, STUDENTS_LIMIT), seed }
    }

    /// How many students there are, those included who have left by the end or arrive late.
    pub const fn students(&self) -> u32 {
        self.students
    }

    /// The seed.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    pub(super) const fn alumni(&self) -> u32 {
        self.students / 10 + 10
    }

    pub(super) const fn households(&self) -> u32 {
        self.students / 50 + 4
    }

    pub(super) const fn organizations(&self) -> u32 {
        self.students / 100 + 8
    }

    pub(super) fn members(&self) -> u32 {
        (12 + self.students / 1_000).min(80)
    }

    /// The id of the thing of a kind that has this number.
    pub(super) fn id(&self, kind: Kind, number: u64) -> Uuid {
        let mut hash = Sha256::new();
        hash.update(b"rapport demo\0");
        hash.update(self.seed.to_be_bytes());
        hash.update(kind.word().as_bytes());
        hash.update(number.to_be_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Uuid::new_v8(bytes)
    }

    pub(super) fn contact(&self, person: Person) -> Uuid {
        self.id(Kind::Contact, person.number())
    }

    pub(super) fn member(&self, number: u32) -> Uuid {
        self.id(Kind::Member, number.into())
    }

    pub(super) fn any_member(&self, dice: &mut Dice) -> Uuid {
        self.member(dice.below(self.members()))
    }

    pub(super) fn dice(&self, topic: Topic, first: impl Into<u64>, second: impl Into<u64>) -> Dice {
        Dice::new(self.seed, topic, [first.into(), second.into()])
    }

    /// The year in which a student began. Of ten students four are there when the history begins, one for each
    /// class, and two come with each of the three years after.
    pub(super) fn entry(&self, student: u32) -> u32 {
        match u64::from(student) * 10 / u64::from(self.students) {
            0 => FIRST_YEAR - 3,
            1 => FIRST_YEAR - 2,
            2 => FIRST_YEAR - 1,
            3 => FIRST_YEAR,
            4 | 5 => FIRST_YEAR + 1,
            6 | 7 => FIRST_YEAR + 2,
            _ => FIRST_YEAR + 3,
        }
    }

    /// The year in whose spring they graduate.
    pub(super) fn graduation(&self, student: u32) -> u32 {
        self.entry(student) + YEARS
    }

    pub(super) fn is_present(&self, student: u32, academic_year: u32) -> bool {
        (self.entry(student)..self.graduation(student)).contains(&academic_year)
    }

    /// The students who arrive with an academic year; with the first one all who are there already.
    pub(super) fn arriving(&self, academic_year: u32) -> Range<u32> {
        let tenths = |tenths: u64| {
            u32::try_from((tenths * u64::from(self.students)).div_ceil(10)).unwrap_or(self.students)
        };
        match academic_year - FIRST_YEAR {
            0 => 0..tenths(4),
            1 => tenths(4)..tenths(6),
            2 => tenths(6)..tenths(8),
            3 => tenths(8)..self.students,
            _ => 0..0,
        }
    }

    /// A student who is there in this week, or somebody who once was.
    pub(super) fn any_student(&self, week: Week, dice: &mut Dice) -> Person {
        for _ in 0..8 {
            let student = dice.below(self.students);
            if self.is_present(student, week.academic_year()) {
                return Person::Student(student);
            }
        }
        Person::Alumnus(dice.below(self.alumni()))
    }

    /// Few are keen, most come a few times, some hardly ever. Some lapse for a while, some for good.
    pub(super) fn habit(&self, student: u32) -> Habit {
        let mut dice = self.dice(Topic::Habit, student, 0_u64);
        let appetite = match dice.below(100) {
            0..8 => dice.between(750, 950),
            8..33 => dice.between(350, 650),
            33..83 => dice.between(80, 240),
            _ => dice.between(0, 50),
        };
        let begin = dice.below(Week::COUNT);
        let quiet = match dice.below(100) {
            0..25 => begin..begin + dice.between(12, 36),
            25..35 => begin..Week::COUNT,
            _ => 0..0,
        };
        Habit { appetite, quiet }
    }
}

impl Person {
    /// A number that no other person has.
    pub const fn number(self) -> u64 {
        let (like, number) = match self {
            Self::Student(number) => (0_u64, number),
            Self::Alumnus(number) => (1, number),
            Self::Household(number) => (2, number),
            Self::Organization(number) => (3, number),
        };
        (like << 32) + number as u64
    }
}
