//! Every command there is, with fields that are valid and roles that may send it, written down once more: what
//! the registry says must be what is written here. Random lives are made of them.

use domain::{
    Kind,
    Role::{self, Admin, Fundraiser, Intake, Staff},
    setting::SETTINGS,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Dice, id};

/// A command.
pub(crate) struct Known {
    pub(crate) kind: Kind,
    pub(crate) name: &'static str,
    pub(crate) roles: &'static [Role],
    /// Valid fields, varied by a number.
    pub(crate) fields: fn(u64) -> Value,
}

const OFFICE: &[Role] = &[Admin, Staff];
const DOOR: &[Role] = &[Admin, Staff, Intake];
const FUNDS: &[Role] = &[Admin, Staff, Fundraiser];
const ALL_WRITERS: &[Role] = &[Admin, Staff, Fundraiser, Intake];
const ADMIN: &[Role] = &[Admin];
/// Recorded by the system when a token is granted or revoked; nobody sends them.
const SYSTEM: &[Role] = &[];

/// How many things of a kind a random life has.
const THINGS: u64 = 5;

fn some(kind: Kind, number: u64) -> Uuid {
    id(kind, number % THINGS)
}

fn money(number: u64) -> Value {
    json!({ "minor": number % 1_000 * 7, "currency": if number.is_multiple_of(5) { "EUR" } else { "USD" } })
}

fn word<'a>(of: &[&'a str], number: u64) -> &'a str {
    of[usize::try_from(number).unwrap_or_default() % of.len()]
}

fn name(number: u64) -> String {
    format!("{} {}", word(&["Ann", "Bela", "Çağla", "Dmitri"], number), number % 11)
}

fn text(number: u64) -> String {
    format!("What was said the {number}th time.\n„Über“ and so on.")
}

fn day(number: u64) -> String {
    format!("20{:02}-{:02}-{:02}", 10 + number % 9, 1 + number % 12, 1 + number % 28)
}

fn moment(number: u64) -> String {
    format!("{}T{:02}:{:02}:00Z", day(number), number % 24, number % 60)
}

fn stage(number: u64) -> &'static str {
    word(&["Prospecting", "Engaging", "Proposal"], number)
}

/// The first command of a kind is the one that begins it; the last is the one that voids it, where there is one.
pub(crate) fn known() -> Vec<Known> {
    let mut all = Vec::new();
    for kind in Kind::ALL {
        // A kind without its commands here does not compile.
        let commands: &[Row] = match kind {
            Kind::Contact => CONTACT,
            Kind::Lead => LEAD,
            Kind::Deal => DEAL,
            Kind::Conversation => CONVERSATION,
            Kind::Program => PROGRAM,
            Kind::Enrolment => ENROLMENT,
            Kind::Gathering => GATHERING,
            Kind::Gift => GIFT,
            Kind::Fund => FUND,
            Kind::Member => MEMBER,
            Kind::Setting => SETTING,
            Kind::Disclosure => DISCLOSURE,
        };
        let of_kind =
            commands.iter().map(|(name, roles, fields)| Known { kind: *kind, name, roles, fields: *fields });
        all.extend(of_kind);
    }
    all
}

type Row = (&'static str, &'static [Role], fn(u64) -> Value);

const CONTACT: &[Row] = &[
    (
        "register",
        DOOR,
        |n| json!({ "form": word(&["person", "organization", "household"], n), "name": name(n) }),
    ),
    ("rename", OFFICE, |n| json!({ "name": name(n) })),
    (
        "change_detail",
        OFFICE,
        |n| json!({ "detail": word(&["phone", "country", "note"], n), "value": name(n) }),
    ),
    (
        "link_identity",
        DOOR,
        |n| json!({ "platform": word(&["email", "mastodon"], n), "handle": format!("h{}@example.org", n % 7), "verified": n.is_multiple_of(2) }),
    ),
    (
        "unlink_identity",
        OFFICE,
        |n| json!({ "platform": word(&["email", "mastodon"], n), "handle": format!("h{}@example.org", n % 7) }),
    ),
    ("tag", OFFICE, |n| json!({ "tag": word(&["alumni", "donor", "vip"], n) })),
    ("untag", OFFICE, |n| json!({ "tag": word(&["alumni", "donor", "vip"], n) })),
    ("give_consent", OFFICE, |n| {
        json!({ "purpose": word(&["newsletter", "alerts"], n), "channel": word(&["email", "any"], n),
                "basis": word(&["consent", "contract"], n), "proof": name(n) })
    }),
    (
        "withdraw_consent",
        OFFICE,
        |n| json!({ "purpose": word(&["newsletter", "alerts"], n), "channel": word(&["email", "any"], n) }),
    ),
    (
        "start_relationship",
        OFFICE,
        |n| json!({ "relationship": word(&["member_of", "partner_of"], n), "to": some(Kind::Contact, n), "since": day(n) }),
    ),
    (
        "end_relationship",
        OFFICE,
        |n| json!({ "relationship": word(&["member_of", "partner_of"], n), "to": some(Kind::Contact, n) }),
    ),
    ("merge", OFFICE, |n| {
        json!({ "into": some(Kind::Contact, n), "evidence": [
            { "feature": word(&["email", "name", "birthday"], n), "bearing": word(&["for", "against"], n), "strength": "strong" }] })
    }),
    ("unmerge", OFFICE, |n| json!({ "from": some(Kind::Contact, n) })),
    ("dismiss_merge", OFFICE, |n| json!({ "other": some(Kind::Contact, n) })),
    ("erase", ADMIN, |n| json!({ "ground": word(&["request", "retention"], n) })),
    ("readmit", ADMIN, |n| json!({ "basis": word(&["consent", "contract"], n) })),
    ("void", OFFICE, |_| json!({})),
];

const LEAD: &[Row] = &[
    ("capture", ALL_WRITERS, |n| {
        json!({ "contact": some(Kind::Contact, n), "source": word(&["website", "referral"], n),
                "conversation": some(Kind::Conversation, n), "interest": name(n) })
    }),
    ("assign", FUNDS, |n| json!({ "owner": some(Kind::Member, n) })),
    ("qualify", FUNDS, |n| json!({ "score": n % 101 })),
    ("disqualify", FUNDS, |n| json!({ "because": word(&["junk", "not_interested"], n) })),
    ("convert", FUNDS, |n| json!({ "deal": some(Kind::Deal, n), "value": money(n) })),
    ("correct", FUNDS, |n| json!({ "source": word(&["fair", "letter"], n) })),
    ("void", FUNDS, |_| json!({})),
];

const DEAL: &[Row] = &[
    ("open", FUNDS, |n| {
        json!({ "contact": some(Kind::Contact, n), "owner": some(Kind::Member, n), "product": name(n), "value": money(n),
                "stage": stage(n), "lead": some(Kind::Lead, n) })
    }),
    ("advance", FUNDS, |n| json!({ "stage": stage(n) })),
    ("convert", FUNDS, |n| json!({ "value": money(n) })),
    ("lose", FUNDS, |n| json!({ "because": word(&["price", "timing"], n) })),
    ("reopen", FUNDS, |n| json!({ "stage": stage(n) })),
    ("correct", FUNDS, |n| match n % 3 {
        0 => json!({ "value": money(n) }),
        1 => json!({ "owner": some(Kind::Member, n), "product": name(n) }),
        _ => json!({ "contact": some(Kind::Contact, n), "opened_at": moment(n) }),
    }),
    ("void", FUNDS, |_| json!({})),
];

const CONVERSATION: &[Row] = &[
    ("log", ALL_WRITERS, |n| {
        json!({ "contact": some(Kind::Contact, n), "channel": word(&["email", "phone", "chat"], n), "direction": "incoming",
                "text": text(n), "mentions": [some(Kind::Contact, n + 1)] })
    }),
    ("reply", ALL_WRITERS, |n| match n % 3 {
        0 => json!({ "direction": "incoming", "text": text(n) }),
        1 => json!({ "direction": "outgoing", "text": text(n), "member": some(Kind::Member, n) }),
        _ => json!({ "direction": "note", "text": text(n), "mentions": [some(Kind::Contact, n)] }),
    }),
    ("resolve", FUNDS, |_| json!({})),
    ("reopen", FUNDS, |_| json!({})),
    (
        "redact",
        ADMIN,
        |n| json!({ "message": some(Kind::Conversation, n), "ground": word(&["request", "unlawful"], n) }),
    ),
    ("void", FUNDS, |_| json!({})),
];

const PROGRAM: &[Row] = &[
    ("start", OFFICE, |n| json!({ "name": name(n), "starts_on": day(n), "fund": some(Kind::Fund, n) })),
    ("rename", OFFICE, |n| json!({ "name": name(n) })),
    ("reschedule", OFFICE, |n| json!({ "starts_on": day(n) })),
    ("fund", OFFICE, |n| json!({ "fund": some(Kind::Fund, n) })),
    ("end", OFFICE, |_| json!({})),
    ("void", OFFICE, |_| json!({})),
];

const ENROLMENT: &[Row] = &[
    ("enrol", OFFICE, |n| {
        json!({ "contact": some(Kind::Contact, n), "program": some(Kind::Program, n), "cohort": word(&["2013J", "2014B"], n),
                "role": word(&["participant", "volunteer"], n) })
    }),
    ("advance", OFFICE, |n| json!({ "stage": stage(n) })),
    ("complete", OFFICE, |n| json!({ "result": word(&["Pass", "Distinction"], n) })),
    ("withdraw", OFFICE, |_| json!({})),
    ("reinstate", OFFICE, |_| json!({})),
    ("correct", OFFICE, |n| json!({ "cohort": word(&["2015A", "2015B"], n) })),
    ("void", OFFICE, |_| json!({})),
];

const GATHERING: &[Row] = &[
    ("schedule", OFFICE, |n| {
        json!({ "name": name(n), "type": word(&["workshop", "dinner"], n), "program": some(Kind::Program, n),
                "cohort": word(&["2013J", "2014B"], n), "starts_at": moment(n), "place": "Hall 1" })
    }),
    ("reschedule", OFFICE, |n| json!({ "starts_at": moment(n) })),
    ("cancel", OFFICE, |_| json!({})),
    ("register", DOOR, |n| json!({ "contact": some(Kind::Contact, n) })),
    (
        "attend",
        DOOR,
        |n| json!({ "contact": some(Kind::Contact, n), "method": word(&["scan", "online"], n) }),
    ),
    ("excuse", OFFICE, |n| json!({ "contact": some(Kind::Contact, n) })),
    ("miss", OFFICE, |n| json!({ "contact": some(Kind::Contact, n) })),
    ("void_presence", OFFICE, |n| json!({ "contact": some(Kind::Contact, n) })),
    ("record_headcount", OFFICE, |n| json!({ "people": n % 50 })),
    ("void", OFFICE, |_| json!({})),
];

const GIFT: &[Row] = &[
    ("receive", FUNDS, |n| {
        json!({ "donor": some(Kind::Contact, n), "amount": money(n), "campaign": word(&["Spring", "Autumn"], n),
                "method": word(&["card", "check"], n) })
    }),
    ("refund", FUNDS, |n| json!({ "amount": money(n) })),
    ("allocate", FUNDS, |n| json!({ "allocations": [{ "fund": some(Kind::Fund, n), "amount": money(n) }] })),
    ("acknowledge", FUNDS, |_| json!({})),
    ("correct", FUNDS, |n| match n % 3 {
        0 => json!({ "amount": money(n) }),
        1 => json!({ "donor": some(Kind::Contact, n), "campaign": "Winter" }),
        _ => json!({ "received_at": moment(n) }),
    }),
    ("void", FUNDS, |_| json!({})),
];

const FUND: &[Row] = &[
    ("open", FUNDS, |n| json!({ "name": name(n), "restriction": "books" })),
    ("rename", FUNDS, |n| json!({ "name": name(n) })),
    ("restrict", FUNDS, |n| json!({ "restriction": name(n) })),
    ("close", FUNDS, |_| json!({})),
    ("void", FUNDS, |_| json!({})),
];

const MEMBER: &[Row] = &[
    (
        "join",
        OFFICE,
        |n| json!({ "name": name(n), "team": word(&["A", "B"], n), "region": word(&["East", "West"], n) }),
    ),
    ("move", OFFICE, |n| json!({ "team": word(&["A", "B"], n), "region": word(&["East", "West"], n) })),
    ("rename", OFFICE, |n| json!({ "name": name(n) })),
    ("leave", OFFICE, |_| json!({})),
    ("grant_token", SYSTEM, |n| json!({ "role": word(&["staff", "auditor"], n) })),
    ("revoke_token", SYSTEM, |_| json!({})),
];

const DISCLOSURE: &[Row] = &[("record", SYSTEM, |n| {
    json!({ "role": "auditor", "purpose": "audit", "manner": word(&["read", "export"], n), "view": "contacts",
            "query": format!("limit={}", n % 100), "size": n, "rows": n % 7 })
})];

const SETTING: &[Row] = &[
    ("choose_zone", ADMIN, |n| json!({ "zone": word(&["America/New_York", "Europe/Rome"], n) })),
    ("choose_fiscal_year", ADMIN, |n| json!({ "first_month": 1 + n % 12 })),
    (
        "accept_loss",
        SYSTEM,
        |n| json!({ "lost": ["ledger"], "held": n, "known": n + 1, "because": "the disk broke" }),
    ),
];

/// The kinds of which the demo has nothing to tell.
pub(crate) const UNTOLD: &[(Kind, &str)] =
    &[(Kind::Disclosure, "it is recorded when somebody is shown, and no line of a batch shows anybody")];

/// The id of one of the few things of a kind that a random life has.
pub(crate) fn thing(kind: Kind, number: u64) -> Uuid {
    if kind == Kind::Setting { SETTINGS } else { some(kind, number) }
}

/// One step of a random life: a command to one of a few things, most of which can be carried out.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) kind: u8,
    pub(crate) what: u8,
    pub(crate) number: u64,
}

/// The kinds of which anybody may ask something.
pub(crate) fn writable_kinds() -> Vec<Kind> {
    let writable = known().into_iter().filter(|known| !known.roles.is_empty());
    let mut kinds: Vec<Kind> = writable.map(|known| known.kind).collect();
    kinds.dedup();
    kinds
}

impl Step {
    pub(crate) fn rolled(dice: &mut Dice) -> Self {
        let mut byte = || u8::try_from(dice.below(256)).unwrap();
        Self { kind: byte(), what: byte(), number: dice.roll() % 1_000_000 }
    }

    /// A step in the life of the things of one kind, whatever other kinds there are.
    pub(crate) fn rolled_for(kind: Kind, dice: &mut Dice) -> Self {
        let kind = writable_kinds().iter().position(|known| *known == kind).unwrap();
        Self { kind: u8::try_from(kind).unwrap(), ..Self::rolled(dice) }
    }

    /// The command: of what, which one, its name and fields.
    pub(crate) fn command(&self) -> (Kind, Uuid, &'static str, Value) {
        let mut commands: Vec<Known> = known().into_iter().filter(|known| !known.roles.is_empty()).collect();
        let kinds = writable_kinds();
        let kind = kinds[usize::from(self.kind) % kinds.len()];
        commands.retain(|known| known.kind == kind);
        // Most things begin, few are voided.
        let index = match self.what {
            0..90 => 0,
            250.. => commands.len() - 1,
            what => usize::from(what) % (commands.len() - 1).max(1),
        };
        let command = &commands[index];
        (kind, thing(kind, self.number / 7), command.name, (command.fields)(self.number))
    }

    /// The body of the command.
    pub(crate) fn body(&self, occurred_at: Option<String>) -> (Kind, Uuid, Value) {
        let (kind, id, name, fields) = self.command();
        let mut body = json!({ name: fields });
        if let Some(moment) = occurred_at {
            body["occurred_at"] = moment.into();
        }
        (kind, id, body)
    }
}

/// A question to each view that needs no more than what is always there, or that asks for one thing.
pub(crate) fn default_query(view: &str) -> String {
    match view {
        "contacts" | "pipeline" | "giving" | "engagement" | "leads" | "conversations" | "duplicates" => {
            String::new()
        }
        "history" => format!("contact={}", id(Kind::Contact, 1)),
        // A view that needs a parameter is asked without it, and says so.
        _ => String::new(),
    }
}
