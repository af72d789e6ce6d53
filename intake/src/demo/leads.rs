//! Interest and what comes of it: leads, many of them out of a conversation, and deals.

use chrono::{DateTime, Utc};
use domain::Kind;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    calendar::{Week, later},
    campus::{Campus, Person},
    conversations::{CHANNELS, share},
    dice::{Dice, Topic},
    lines::Lines,
    words::INTERESTS,
};

/// How many leads come in during a week for every ten thousand students.
const PER_TEN_THOUSAND: u32 = 6;

const SOURCES: [&str; 4] = ["website", "referral", "gala", "newsletter"];
const PRODUCTS: [&str; 4] =
    ["Corporate partnership", "Named scholarship", "Event sponsorship", "Workshop series"];
const STAGES: [&str; 3] = ["Qualification", "Proposal", "Negotiation"];
const NO_DEAL: [&str; 4] = ["budget", "timing", "another cause", "no answer"];
const NO_LEAD: [&str; 5] = ["unqualified", "junk", "duplicate", "unreachable", "not_interested"];

pub(super) fn count(campus: &Campus, week: Week) -> u32 {
    share(campus, PER_TEN_THOUSAND, &mut campus.dice(Topic::Lead, week.number(), u64::MAX))
}

/// One lead, or a deal that nobody had to look for.
pub(super) fn tell(campus: &Campus, week: Week, index: u32, lines: &mut Lines) {
    let mut dice = campus.dice(Topic::Lead, week.number(), index);
    let number = (1 << 48) + (u64::from(week.number()) << 32) + u64::from(index);
    let person = match dice.below(100) {
        0..45 => Person::Alumnus(dice.below(campus.alumni())),
        45..75 => Person::Organization(dice.below(campus.organizations())),
        _ => campus.any_student(week, &mut dice),
    };
    let at = week.moment(dice.below(5), dice.between(13 * 60, 21 * 60));
    let story = Story {
        contact: campus.contact(person),
        owner: campus.any_member(&mut dice),
        lead: campus.id(Kind::Lead, number),
        deal: campus.id(Kind::Deal, number),
        conversation: campus.id(Kind::Conversation, number),
    };
    if dice.chance(120) {
        let fields = story.opening(&mut dice);
        story.deal(at, &fields, &mut dice, lines);
    } else {
        story.lead(at, &mut dice, lines);
    }
}

/// Who and what one lead is about.
struct Story {
    contact: Uuid,
    owner: Uuid,
    lead: Uuid,
    deal: Uuid,
    conversation: Uuid,
}

impl Story {
    fn lead(&self, at: DateTime<Utc>, dice: &mut Dice, lines: &mut Lines) {
        let lead = (Kind::Lead, self.lead);
        let interest = dice.pick(&INTERESTS);
        if dice.chance(600) {
            let conversation = (Kind::Conversation, self.conversation);
            let message = json!({
                "contact": self.contact, "channel": dice.pick(&CHANNELS), "direction": "incoming", "text": interest,
            });
            lines.say(at, conversation, "log", &message);
            lines.say(later(at, 1, 0), conversation, "resolve", &json!({}));
            let fields = json!({
                "contact": self.contact, "source": "conversation", "conversation": self.conversation,
                "interest": interest,
            });
            lines.say(later(at, 0, 10), lead, "capture", &fields);
        } else {
            let fields =
                json!({"contact": self.contact, "source": dice.pick(&SOURCES), "interest": interest});
            lines.say(later(at, 0, 10), lead, "capture", &fields);
        }
        if dice.chance(100) {
            return;
        }
        let assigned_at = later(at, dice.between(0, 3), 45);
        lines.say(assigned_at, lead, "assign", &json!({"owner": self.owner}));
        let judged_at = later(assigned_at, dice.between(2, 15), 20);
        match dice.below(100) {
            0..65 => self.qualified(judged_at, dice, lines),
            65..88 => {
                lines.say(judged_at, lead, "disqualify", &json!({"because": dice.pick(&NO_LEAD)}));
            }
            _ => {}
        }
    }

    fn qualified(&self, at: DateTime<Utc>, dice: &mut Dice, lines: &mut Lines) {
        let lead = (Kind::Lead, self.lead);
        lines.say(at, lead, "qualify", &json!({"score": dice.between(40, 98)}));
        if dice.chance(650) {
            let at = later(at, dice.between(3, 30), 5);
            let mut fields = self.opening(dice);
            fields["lead"] = json!(self.lead);
            let conversion = json!({"deal": self.deal, "value": fields["value"]});
            self.deal(at, &fields, dice, lines);
            lines.say(at, lead, "convert", &conversion);
        }
    }

    /// With what a deal is opened.
    fn opening(&self, dice: &mut Dice) -> Value {
        let thousands = dice.between(1, 25) * dice.pick(&[1, 1, 1, 4]);
        json!({
            "contact": self.contact, "owner": self.owner, "product": dice.pick(&PRODUCTS), "stage": "Prospecting",
            "value": {"minor": u64::from(thousands) * 50_000, "currency": "USD"},
        })
    }

    /// A deal and its way through the stages. One that is still open is told with its last stage only: a stage
    /// that it has left could be reached again by repeating the line.
    fn deal(&self, opened_at: DateTime<Utc>, fields: &Value, dice: &mut Dice, lines: &mut Lines) {
        let deal = (Kind::Deal, self.deal);
        lines.say(opened_at, deal, "open", fields);
        let mut at = opened_at;
        let mut stages = Vec::new();
        for stage in STAGES.iter().take(dice.below(4) as usize) {
            at = later(at, dice.between(7, 35), 25);
            if lines.reach(at) {
                stages.push((at, stage));
            }
        }
        let closed_at = later(at, dice.between(7, 50), 40);
        let fate = dice.below(100);
        let is_closed = fate < 82 && lines.reach(closed_at);
        let told = if is_closed { 0 } else { stages.len().saturating_sub(1) };
        for (at, stage) in &stages[told..] {
            lines.say_or_once(is_closed, *at, deal, "advance", &json!({"stage": stage}));
        }
        match fate {
            0..35 => lines.say(closed_at, deal, "convert", &json!({})),
            35..47 => lines.say(closed_at, deal, "convert", &json!({"value": haggled(fields)})),
            47..82 => lines.say(closed_at, deal, "lose", &json!({"because": dice.pick(&NO_DEAL)})),
            _ => {}
        }
    }
}

/// A tenth less than was expected.
fn haggled(fields: &Value) -> Value {
    let expected = fields["value"]["minor"].as_u64().unwrap_or(0);
    json!({"minor": expected / 10 * 9, "currency": "USD"})
}
