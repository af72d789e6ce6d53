//! What is said: questions of students, invitations by staff, answers, and what is still open.

use chrono::{DateTime, Utc};
use domain::Kind;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    calendar::{Week, later},
    campus::{Campus, Person},
    dice::{Dice, Topic},
    lines::Lines,
    words::{ANSWERS, INVITATIONS, NOTES, QUESTIONS, THANKS},
};

/// How many conversations begin in a week for every ten thousand students.
const IN_TERM: u32 = 55;
const BETWEEN_TERMS: u32 = 15;

pub(super) const CHANNELS: [&str; 7] = ["email", "email", "chat", "phone", "sms", "meeting", "social"];

/// So many for every ten thousand students; what is left over is drawn for.
pub(super) fn share(campus: &Campus, per_ten_thousand: u32, dice: &mut Dice) -> u32 {
    let parts = u64::from(campus.students()) * u64::from(per_ten_thousand) + u64::from(dice.below(10_000));
    u32::try_from(parts / 10_000).unwrap_or(u32::MAX)
}

pub(super) fn count(campus: &Campus, week: Week) -> u32 {
    let mut dice = campus.dice(Topic::Conversation, week.number(), u64::MAX);
    share(campus, if week.is_in_term() { IN_TERM } else { BETWEEN_TERMS }, &mut dice)
}

pub(super) fn tell(campus: &Campus, week: Week, index: u32, lines: &mut Lines) {
    let mut dice = campus.dice(Topic::Conversation, week.number(), index);
    let contact = campus.contact(campus.any_student(week, &mut dice));
    let member = campus.any_member(&mut dice);
    let number = (u64::from(week.number()) << 32) + u64::from(index);
    let thing = (Kind::Conversation, campus.id(Kind::Conversation, number));
    let mut at = week.moment(dice.below(6), dice.between(13 * 60, 23 * 60));
    let channel = dice.pick(&CHANNELS);
    let asked = dice.chance(700);
    let mut first = if asked {
        json!({"contact": contact, "channel": channel, "direction": "incoming", "text": dice.pick(&QUESTIONS)})
    } else {
        json!({
            "contact": contact, "channel": channel, "direction": "outgoing", "member": member,
            "text": dice.pick(&INVITATIONS),
        })
    };
    mention(campus, week, &mut first, &mut dice);
    lines.say(at, thing, "log", &first);
    // Nobody has answered yet.
    if dice.chance(60) {
        return;
    }
    let mut theirs = asked;
    for _ in 0..dice.pick(&[0, 1, 1, 2, 2, 3]) {
        theirs = !theirs;
        at = later(at, dice.below(3), dice.between(10, 300));
        let reply = reply(theirs, member, &mut dice);
        lines.say_once(at, thing, "reply", &reply);
    }
    if dice.chance(80) {
        let note = json!({"direction": "note", "member": member, "text": dice.pick(&NOTES)});
        lines.say_once(later(at, 0, 9), thing, "reply", &note);
    }
    close(thing, at, &mut dice, lines);
}

/// Most are resolved; a few of these come back once and are resolved again.
fn close(thing: (Kind, Uuid), at: DateTime<Utc>, dice: &mut Dice, lines: &mut Lines) {
    let resolved_at = later(at, dice.between(0, 4), 30);
    if dice.chance(70) {
        return;
    }
    lines.say(resolved_at, thing, "resolve", &json!({}));
    let comes_back = later(resolved_at, dice.between(1, 9), 15);
    let resolved_again = later(comes_back, 2, 0);
    // What comes back at the very end would stay open, and its first resolution would then be repeatable.
    if dice.chance(60) && lines.reach(resolved_again) {
        let reply = json!({"direction": "incoming", "text": dice.pick(&THANKS)});
        lines.say_once(comes_back, thing, "reply", &reply);
        lines.say(resolved_again, thing, "resolve", &json!({}));
    }
}

fn reply(theirs: bool, member: Uuid, dice: &mut Dice) -> Value {
    if theirs {
        json!({"direction": "incoming", "text": dice.pick(&THANKS)})
    } else {
        json!({"direction": "outgoing", "member": member, "text": dice.pick(&ANSWERS)})
    }
}

/// Some speak of somebody else.
fn mention(campus: &Campus, week: Week, message: &mut Value, dice: &mut Dice) {
    let other = match dice.below(100) {
        0..6 => campus.any_student(week, dice),
        6..9 => Person::Organization(dice.below(campus.organizations())),
        _ => return,
    };
    message["mentions"] = json!([campus.contact(other)]);
}
