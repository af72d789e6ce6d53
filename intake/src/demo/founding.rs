//! What is there before anybody comes: settings, funds, programs and the staff.

use chrono::NaiveDate;
use domain::{Kind, setting::SETTINGS};
use serde_json::json;

use super::{
    calendar::Week,
    campus::Campus,
    dice::Topic,
    lines::Lines,
    words::{FAMILY_NAMES, GIVEN_NAMES},
};

/// The funds: a name, and what the money may be spent on.
pub(super) const FUNDS: [(&str, Option<&str>); 6] = [
    ("Annual Fund", None),
    ("Scholarships", Some("Tuition and fees of students in need")),
    ("Mentoring", Some("Mentoring and peer support")),
    ("Community Engagement", Some("Volunteering in the city")),
    ("Emergency Grants", Some("Unforeseen hardship of students")),
    ("Leadership Institute", Some("Retreats and training of student leaders")),
];

/// A program with its fund and with the types of its gatherings, the first of which is the most frequent.
pub(super) struct Program {
    pub name: &'static str,
    pub fund: u32,
    pub types: [&'static str; 3],
}

/// The programs. The last one is carried by volunteers.
pub(super) const PROGRAMS: [Program; 8] = [
    Program { name: "First-Year Compass", fund: 0, types: ["workshop", "dinner", "mentoring"] },
    Program { name: "Career Paths", fund: 5, types: ["workshop", "mentoring", "dinner"] },
    Program { name: "Community Action", fund: 3, types: ["volunteering", "workshop", "dinner"] },
    Program { name: "Scholars Circle", fund: 1, types: ["dinner", "workshop", "retreat"] },
    Program { name: "Leadership Lab", fund: 5, types: ["workshop", "retreat", "volunteering"] },
    Program { name: "Research Starters", fund: 0, types: ["workshop", "mentoring", "mentoring"] },
    Program { name: "Global Table", fund: 3, types: ["dinner", "volunteering", "retreat"] },
    Program { name: "Peer Mentors", fund: 2, types: ["mentoring", "mentoring", "workshop"] },
];

/// The program that volunteers carry.
pub(super) const PEER_MENTORS: u32 = 7;

const TEAMS: [&str; 4] = ["Student Success", "Advancement", "Alumni Relations", "Outreach"];
const REGIONS: [&str; 5] = ["Northeast", "Midwest", "South", "West", "International"];

/// The parts of the founding, each told at a time.
pub(super) fn count(_: &Campus, week: Week) -> u32 {
    if week == Week::FIRST { 4 } else { 0 }
}

pub(super) fn tell(campus: &Campus, _: Week, part: u32, lines: &mut Lines) {
    match part {
        0 => settings(lines),
        1 => funds(campus, lines),
        2 => programs(campus, lines),
        _ => staff(campus, lines),
    }
}

fn settings(lines: &mut Lines) {
    let at = Week::FIRST.moment(0, 13 * 60);
    let settings = (Kind::Setting, SETTINGS);
    lines.say(at, settings, "choose_zone", &json!({"zone": "America/New_York"}));
    lines.say(at, settings, "choose_fiscal_year", &json!({"first_month": 7}));
}

fn funds(campus: &Campus, lines: &mut Lines) {
    let at = Week::FIRST.moment(0, 13 * 60 + 10);
    for (number, (name, restriction)) in (0_u64..).zip(FUNDS) {
        let fund = (Kind::Fund, campus.id(Kind::Fund, number));
        let fields = match restriction {
            Some(restriction) => json!({"name": name, "restriction": restriction}),
            None => json!({"name": name}),
        };
        lines.say(at, fund, "open", &fields);
    }
}

fn programs(campus: &Campus, lines: &mut Lines) {
    let at = Week::FIRST.moment(0, 13 * 60 + 20);
    for (number, program) in (0_u64..).zip(PROGRAMS) {
        let fund = campus.id(Kind::Fund, program.fund.into());
        let fields = json!({"name": program.name, "starts_on": "2021-09-01", "fund": fund});
        lines.say(at, (Kind::Program, campus.id(Kind::Program, number)), "start", &fields);
    }
    // One was tried for a year, and nobody came.
    let pilot = (Kind::Program, campus.id(Kind::Program, PROGRAMS.len() as u64));
    let days = json!({"name": "Study Hall (pilot)", "starts_on": "2021-09-01", "ends_on": "2022-05-31"});
    lines.say(at, pilot, "start", &days);
    if let Some(day) = NaiveDate::from_ymd_opt(2022, 5, 31) {
        lines.say(super::calendar::at(day, 20 * 60), pilot, "end", &json!({}));
    }
}

fn staff(campus: &Campus, lines: &mut Lines) {
    for number in 0..campus.members() {
        let mut dice = campus.dice(Topic::Person, u64::from(number) + (7 << 32), 0_u64);
        let name = format!("{} {}", dice.pick(&GIVEN_NAMES), dice.pick(&FAMILY_NAMES));
        let team = TEAMS[number as usize % TEAMS.len()];
        let region = REGIONS[number as usize % REGIONS.len()];
        let member = (Kind::Member, campus.member(number));
        let at = Week::FIRST.moment(1, 13 * 60 + number);
        let moves = dice.chance(150);
        lines.say_or_once(moves, at, member, "join", &json!({"name": name, "team": team, "region": region}));
        if moves {
            let at = super::calendar::later(at, dice.between(200, 1_300), 30);
            let region = dice.pick(&REGIONS);
            lines.say(at, member, "move", &json!({"team": "Advancement", "region": region}));
        }
    }
}
