//! What is given: by alumni, by households and organizations, and later by students who have graduated.

use chrono::{DateTime, Datelike as _, Days, Utc};
use domain::Kind;
use serde_json::{Value, json};

use super::{
    arrivals,
    calendar::{FIRST_YEAR, Week, later},
    campus::{Campus, Person},
    dice::{Dice, Topic},
    founding::FUNDS,
    lines::Lines,
};

const METHODS: [&str; 4] = ["card", "check", "bank_transfer", "card"];

/// How somebody gives.
enum Pattern {
    Never,
    /// On the same day of every month, for some weeks.
    Monthly {
        day: u32,
        from: u32,
        until: u32,
    },
    /// In the same week of every academic year of these, the first year being the lowest bit. Who leaves out the
    /// last one gave last year, but unfortunately not this.
    Yearly {
        week: u32,
        years: u32,
    },
    Once {
        week: u32,
    },
}

/// Everybody who might give.
pub(super) fn count(campus: &Campus, _: Week) -> u32 {
    campus.alumni() + campus.households() + campus.organizations() + campus.students()
}

pub(super) fn tell(campus: &Campus, week: Week, index: u32, lines: &mut Lines) {
    let Some(donor) = donor(campus, week, index) else { return };
    let Some((day, regular)) = pattern(campus, donor).gives(week) else { return };
    let mut dice = campus.dice(Topic::Gift, donor.number(), week.number());
    let at = week.moment(day, dice.between(13 * 60, 22 * 60));
    let minor = amount(donor, regular, campus, &mut dice);
    Gift::new(campus, (donor, week), minor, &mut dice).tell(campus, at, &mut dice, lines);
}

/// Who stands in this place of the list; a student only after graduation.
fn donor(campus: &Campus, week: Week, index: u32) -> Option<Person> {
    let (alumni, households) = (campus.alumni(), campus.households());
    let friends = alumni + households + campus.organizations();
    if index < alumni {
        Some(Person::Alumnus(index))
    } else if index < alumni + households {
        Some(Person::Household(index - alumni))
    } else if index < friends {
        Some(Person::Organization(index - alumni - households))
    } else {
        let student = index - friends;
        (campus.graduation(student) <= week.academic_year()).then_some(Person::Student(student))
    }
}

fn pattern(campus: &Campus, donor: Person) -> Pattern {
    let mut dice = campus.dice(Topic::Donor, donor.number(), 0_u64);
    // Never, monthly, yearly, in a hundred; the rest gives once.
    let (never, monthly, yearly) = match donor {
        Person::Student(_) => (78, 6, 10),
        Person::Alumnus(_) => (45, 9, 26),
        Person::Household(_) => (10, 20, 50),
        Person::Organization(_) => (20, 0, 60),
    };
    let roll = dice.below(100);
    if roll < never {
        Pattern::Never
    } else if roll < never + monthly {
        let from = dice.below(150);
        Pattern::Monthly { day: dice.between(1, 28), from, until: from + dice.between(20, 160) }
    } else if roll < never + monthly + yearly {
        let week = if dice.chance(400) { dice.between(16, 19) } else { dice.between(3, 40) };
        let years = match dice.below(100) {
            0..40 => 0b1111,
            40..62 => 0b0111,
            62..75 => 0b0011,
            75..88 => 0b1101,
            _ => 0b1010,
        };
        Pattern::Yearly { week, years }
    } else {
        Pattern::Once { week: dice.below(Week::COUNT) }
    }
}

impl Pattern {
    /// On which day of the week something comes in, and whether as a matter of course.
    fn gives(&self, week: Week) -> Option<(u32, bool)> {
        match *self {
            Self::Never => None,
            Self::Monthly { day, from, until } => {
                let falls = |offset: &u32| (week.monday() + Days::new((*offset).into())).day() == day;
                let is_time = (from..until).contains(&week.number());
                let offset = is_time.then(|| (0..7).find(falls)).flatten()?;
                Some((offset, true))
            }
            Self::Yearly { week: of_year, years } => {
                let year = week.academic_year() - FIRST_YEAR;
                (week.week_of_year() == of_year && years >> year & 1 == 1).then_some((of_year % 5, false))
            }
            Self::Once { week: once } => (week.number() == once).then_some((once % 6, false)),
        }
    }
}

/// How much, in cents.
fn amount(donor: Person, regular: bool, campus: &Campus, dice: &mut Dice) -> u64 {
    let dollars: u32 = match donor {
        // Who gives every month gives the same every month.
        _ if regular => campus.dice(Topic::Donor, donor.number(), 1_u64).pick(&[10, 15, 20, 25, 50, 100]),
        Person::Student(_) => dice.pick(&[5, 10, 20, 25, 50]),
        Person::Alumnus(_) => dice.pick(&[25, 50, 50, 100, 100, 250, 500, 1_000]),
        Person::Household(_) => dice.pick(&[100, 250, 500, 1_000, 2_500]),
        Person::Organization(_) => dice.pick(&[1_000, 2_500, 5_000, 10_000, 25_000]),
    };
    // Some round their sum up by whatever it was.
    u64::from(dollars) * 100 + if !regular && dice.chance(100) { u64::from(dice.below(100)) } else { 0 }
}

struct Gift {
    thing: (Kind, uuid::Uuid),
    minor: u64,
    currency: &'static str,
    fields: Value,
}

impl Gift {
    fn new(campus: &Campus, (donor, week): (Person, Week), minor: u64, dice: &mut Dice) -> Self {
        let thing = (Kind::Gift, campus.id(Kind::Gift, (donor.number() << 8) + u64::from(week.number())));
        let currency =
            if campus.dice(Topic::Donor, donor.number(), 2_u64).chance(20) { "GBP" } else { "USD" };
        let mut gift = Self { thing, minor, currency, fields: Value::Null };
        gift.fields = json!({
            "donor": campus.contact(donor), "amount": gift.money(minor), "method": dice.pick(&METHODS),
        });
        if let Some(campaign) = campaign(week, dice) {
            gift.fields["campaign"] = campaign.into();
        }
        if dice.chance(450) {
            gift.fields["allocations"] = gift.allocations(campus, dice);
        }
        let thanked = match donor {
            Person::Household(number) => {
                let [first, _] = arrivals::household_members(campus, number);
                Some((first, "household"))
            }
            Person::Organization(_) if dice.chance(200) => {
                Some((Person::Alumnus(dice.below(campus.alumni())), "solicited"))
            }
            _ => None,
        };
        if let Some((person, role)) = thanked {
            let credit =
                json!({"contact": campus.contact(person), "amount": gift.money(minor), "role": role});
            gift.fields["soft_credits"] = json!([credit]);
        }
        gift
    }

    fn money(&self, minor: u64) -> Value {
        json!({"minor": minor, "currency": self.currency})
    }

    /// All of it to one fund, or parts of it to two.
    fn allocations(&self, campus: &Campus, dice: &mut Dice) -> Value {
        let count = FUNDS.len() as u64;
        let first = u64::from(dice.below(6));
        let fund = |number: u64| campus.id(Kind::Fund, number % count);
        if dice.chance(750) {
            return json!([{"fund": fund(first), "amount": self.money(self.minor)}]);
        }
        let half = self.minor / 2;
        json!([
            {"fund": fund(first), "amount": self.money(half)},
            {"fund": fund(first + 1), "amount": self.money(self.minor - half)},
        ])
    }

    /// A gift and what becomes of it. One that is corrected or voided later could not be received again.
    fn tell(&self, campus: &Campus, at: DateTime<Utc>, dice: &mut Dice, lines: &mut Lines) {
        let fate = dice.below(1_000);
        lines.say_or_once(fate < 10, at, self.thing, "receive", &self.fields);
        match fate {
            0..3 => {
                lines.say(later(at, 1, 30), self.thing, "void", &json!({}));
                return;
            }
            3..10 => {
                // A digit too few was typed; what was allocated stays within.
                let real = json!({"amount": self.money(self.minor * 10)});
                lines.say(later(at, 2, 30), self.thing, "correct", &real);
            }
            10..25 => {
                let part = if dice.chance(600) { self.minor } else { self.minor / 2 };
                let refund = json!({"amount": self.money(part)});
                lines.say_once(later(at, dice.between(3, 30), 0), self.thing, "refund", &refund);
            }
            25..80 if self.fields.get("allocations").is_none() => {
                let allocations = json!({"allocations": self.allocations(campus, dice)});
                lines.say(later(at, 5, 0), self.thing, "allocate", &allocations);
            }
            _ => {}
        }
        if dice.chance(880) {
            lines.say(later(at, dice.between(1, 12), 60), self.thing, "acknowledge", &json!({}));
        }
    }
}

/// The campaign of the season, which not everybody answers.
fn campaign(week: Week, dice: &mut Dice) -> Option<String> {
    let year = week.monday().year();
    let name = match week.monday().month() {
        11 | 12 => format!("Year-End {year}"),
        3 | 4 => format!("Giving Day {year}"),
        5 | 6 => format!("Reunion {year}"),
        _ => return None,
    };
    dice.chance(650).then_some(name)
}
