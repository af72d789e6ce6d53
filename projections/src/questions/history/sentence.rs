//! One plain sentence for every event. Nothing personal is in it: what is personal is handed on beside it.

use std::fmt::Display;

use domain::{
    Event, EventId, Evidence, Personal, Recorded,
    contact::ContactEvent,
    conversation::{ConversationEvent, Direction, Message},
    deal::{DealCorrection, DealEvent},
    enrolment::EnrolmentEvent,
    fund::FundEvent,
    gathering::GatheringEvent,
    gift::{GiftCorrection, GiftEvent},
    lead::LeadEvent,
    member::MemberEvent,
    program::ProgramEvent,
    setting::SettingEvent,
};
use rusqlite::params;
use uuid::Uuid;

use crate::kit::{
    ApplyError, Tables,
    wording::{amount, moment, plain},
};

/// What the fold keeps of what happened.
pub(super) struct Said<'a> {
    pub(super) what: String,
    pub(super) detail: Option<&'a Personal<String>>,
    pub(super) corrects: Option<Uuid>,
}

impl<'a> Said<'a> {
    fn with(mut self, detail: Option<&'a Personal<String>>) -> Self {
        self.detail = detail;
        self
    }

    fn correcting(mut self, fact: EventId) -> Self {
        self.corrects = Some(fact.0);
        self
    }
}

fn say<'a>(what: impl Into<String>) -> Said<'a> {
    Said { what: what.into(), detail: None, corrects: None }
}

/// What happened.
pub(super) fn of<'a>(tables: &Tables, recorded: &'a Recorded) -> Result<Said<'a>, ApplyError> {
    let id = recorded.stream.id;
    Ok(match &recorded.event {
        Event::Contact(event) => contact(event),
        Event::Lead(event) => lead(tables, event)?,
        Event::Deal(event) => deal(tables, event)?,
        Event::Conversation(event) => conversation(event),
        Event::Program(event) => program(tables, id, event)?,
        Event::Enrolment(event) => enrolment(tables, event)?,
        Event::Gathering(event) => gathering(tables, id, event)?,
        Event::Gift(event) => gift(event),
        Event::Fund(event) => fund(tables, id, event)?,
        Event::Member(event) => member(tables, id, event)?,
        Event::Setting(event) => setting(event),
        // The view does not want them; whoever looked is asked of `disclosures`.
        Event::Disclosure(_) => say("People were shown to somebody"),
    })
}

fn contact(event: &ContactEvent) -> Said<'_> {
    match event {
        ContactEvent::Registered { form, name } => {
            say(format!("contact registered: {}", plain(form))).with(name.as_ref())
        }
        ContactEvent::Renamed { name } => say("contact renamed").with(Some(name)),
        ContactEvent::DetailChanged { detail, value: Some(value) } => {
            say(format!("contact's {} is now", plain(detail))).with(Some(value))
        }
        ContactEvent::DetailChanged { detail, value: None } => {
            say(format!("contact's {} removed", plain(detail)))
        }
        ContactEvent::IdentityLinked { platform, handle, verified } => {
            let proven = if *verified { ", verified" } else { "" };
            say(format!("contact linked to an identity on {platform}{proven}")).with(Some(handle))
        }
        ContactEvent::IdentityUnlinked { platform, handle } => {
            say(format!("contact unlinked from an identity on {platform}")).with(Some(handle))
        }
        ContactEvent::Tagged { tag } => say(format!("contact tagged {tag}")),
        ContactEvent::Untagged { tag } => say(format!("contact lost the tag {tag}")),
        ContactEvent::ConsentGiven { purpose, channel, basis, proof } => {
            let (purpose, channel, basis) = (plain(purpose), plain(channel), plain(basis));
            say(format!("consent given for {purpose}, channel {channel}, basis {basis}")).with(proof.as_ref())
        }
        ContactEvent::ConsentWithdrawn { purpose, channel } => {
            say(format!("consent withdrawn for {}, channel {}", plain(purpose), plain(channel)))
        }
        ContactEvent::RelationshipStarted { relationship, to, since } => {
            let since = part(" since ", since.as_ref());
            say(format!("relationship started: {} contact {to}{since}", plain(relationship)))
        }
        ContactEvent::RelationshipEnded { relationship, to } => {
            say(format!("relationship ended: {} contact {to}", plain(relationship)))
        }
        ContactEvent::Merged { into, evidence, looked_up: _ } => {
            let weighs = if evidence.is_empty() { "without evidence" } else { "on evidence" };
            say(format!("contact merged into contact {into}, {weighs}{}", listed(evidence)))
        }
        ContactEvent::Unmerged { from } => say(format!("contact unmerged from contact {from}")),
        ContactEvent::MergeDismissed { other } => say(format!("contact told apart from contact {other}")),
        ContactEvent::Voided {} => say("contact voided: it was registered in error"),
        ContactEvent::Erased { ground } => say(format!("contact erased, on the ground of {}", plain(ground))),
        ContactEvent::Readmitted { basis } => {
            say(format!("contact readmitted: may be known again as somebody new, basis {}", plain(basis)))
        }
    }
}

/// What spoke for a merge and what against it.
fn listed(evidence: &[Evidence]) -> String {
    let one = |one: &Evidence| {
        format!("{} {} it ({})", plain(one.feature), plain(one.bearing), plain(one.strength))
    };
    let all: Vec<String> = evidence.iter().map(one).collect();
    if all.is_empty() { String::new() } else { format!(": {}", all.join(", ")) }
}

fn lead<'a>(tables: &Tables, event: &'a LeadEvent) -> Result<Said<'a>, ApplyError> {
    Ok(match event {
        LeadEvent::Captured { contact: _, source, conversation, interest } => {
            let from = part(", out of conversation ", conversation.as_ref());
            say(format!("lead captured from {source}{from}")).with(interest.as_ref())
        }
        LeadEvent::Assigned { owner } => say(format!("lead assigned to {}", name(tables, owner.0)?)),
        LeadEvent::Qualified { score } => {
            say(format!("lead qualified{}", part(" with score ", score.as_ref())))
        }
        LeadEvent::Disqualified { because } => say(format!("lead disqualified: {}", plain(because))),
        LeadEvent::Converted { deal, value } => {
            say(format!("lead converted to deal {deal}{}", part(", expected ", value.map(amount).as_ref())))
        }
        LeadEvent::Corrected { fact, source, contact } => {
            let mut changes = Changes::of("lead");
            changes.add("source", source.as_ref());
            changes.add("contact", contact.as_ref());
            say(changes.told()).correcting(*fact)
        }
        LeadEvent::Voided {} => say("lead voided: it was captured in error"),
    })
}

fn deal<'a>(tables: &Tables, event: &DealEvent) -> Result<Said<'a>, ApplyError> {
    Ok(match event {
        DealEvent::Opened { contact: _, owner, product, value, stage, lead } => {
            let (product, value) = (part(" for ", product.as_ref()), value.map(amount));
            let owner = owner.map(|owner| name(tables, owner.0)).transpose()?;
            say(format!(
                "deal opened at {stage}{product}{}{}{}",
                part(", expected ", value.as_ref()),
                part(", owner ", owner.as_ref()),
                part(", out of lead ", lead.as_ref())
            ))
        }
        DealEvent::Advanced { stage } => say(format!("deal advanced to {stage}")),
        DealEvent::Converted { value } => {
            say(format!("deal converted{}", part(" for ", value.map(amount).as_ref())))
        }
        DealEvent::Lost { because } => say(format!("deal lost{}", part(": ", because.as_ref()))),
        DealEvent::Reopened { stage } => say(format!("deal reopened at {stage}")),
        DealEvent::Corrected { fact, correction } => {
            let DealCorrection { contact, owner, product, value, opened_at, closed_at } = correction;
            let mut changes = Changes::of("deal");
            changes.add("contact", contact.as_ref());
            changes.add("owner", owner.map(|owner| name(tables, owner.0)).transpose()?.as_ref());
            changes.add("product", product.as_ref());
            changes.add("value", value.map(amount).as_ref());
            changes.add("opened", opened_at.map(moment).as_ref());
            changes.add("closed", closed_at.map(moment).as_ref());
            say(changes.told()).correcting(*fact)
        }
        DealEvent::Voided {} => say("deal voided: it was opened in error"),
    })
}

fn conversation(event: &ConversationEvent) -> Said<'_> {
    match event {
        ConversationEvent::Logged { contact: _, channel, message } => {
            message_said(message, &format!("conversation logged, channel {}: ", plain(channel)))
        }
        ConversationEvent::Replied { message } => message_said(message, "conversation: "),
        ConversationEvent::Resolved {} => say("conversation resolved"),
        ConversationEvent::Reopened {} => say("conversation reopened"),
        ConversationEvent::Voided {} => say("conversation voided: it was logged in error"),
        ConversationEvent::MessageRedacted { message, owner: _, ground } => Said {
            corrects: Some(message.0),
            ..say(format!(
                "conversation: the text of a message was erased, on the ground of {}",
                plain(ground)
            ))
        },
    }
}

fn message_said<'a>(message: &'a Message, before: &str) -> Said<'a> {
    let Message { direction, author: _, to: _, member: _, text, reply_to: _, mentions } = message;
    let what = match direction {
        Direction::Incoming => "the contact wrote",
        Direction::Outgoing => "staff wrote to the contact",
        Direction::Note => "staff noted among themselves",
    };
    let mentions = match mentions.len() {
        0 => String::new(),
        1 => ", mentioning 1 contact".to_owned(),
        count => format!(", mentioning {count} contacts"),
    };
    say(format!("{before}{what}{mentions}")).with(text.as_ref())
}

fn program<'a>(tables: &Tables, id: Uuid, event: &ProgramEvent) -> Result<Said<'a>, ApplyError> {
    Ok(match event {
        ProgramEvent::Started { name: called, starts_on, ends_on, fund } => {
            call(tables, id, called)?;
            let fund = fund.map(|fund| name(tables, fund.0)).transpose()?;
            say(format!(
                "program {called} started{}{}{}",
                part(", first day ", starts_on.as_ref()),
                part(", last day ", ends_on.as_ref()),
                part(", paid for by ", fund.as_ref())
            ))
        }
        ProgramEvent::Renamed { name } => {
            call(tables, id, name)?;
            say(format!("program renamed {name}"))
        }
        ProgramEvent::Rescheduled { starts_on, ends_on } => say(format!(
            "program rescheduled{}{}",
            part(", first day ", starts_on.as_ref()),
            part(", last day ", ends_on.as_ref())
        )),
        ProgramEvent::Funded { fund } => say(format!("program paid for by {}", name(tables, fund.0)?)),
        ProgramEvent::Ended {} => say("program ended"),
        ProgramEvent::Voided {} => say("program voided: it was set up in error"),
    })
}

fn enrolment<'a>(tables: &Tables, event: &EnrolmentEvent) -> Result<Said<'a>, ApplyError> {
    Ok(match event {
        EnrolmentEvent::Enrolled { contact: _, program, cohort, role } => say(format!(
            "enrolled in {} as {}{}",
            name(tables, program.0)?,
            plain(role),
            part(", cohort ", cohort.as_ref())
        )),
        EnrolmentEvent::Advanced { stage } => say(format!("enrolment advanced to {stage}")),
        EnrolmentEvent::Completed { result } => {
            say(format!("enrolment completed{}", part(": ", result.as_ref())))
        }
        EnrolmentEvent::Withdrawn {} => say("enrolment withdrawn"),
        EnrolmentEvent::Reinstated {} => say("enrolment reinstated"),
        EnrolmentEvent::Corrected { fact, cohort, role } => {
            let mut changes = Changes::of("enrolment");
            changes.add("cohort", cohort.as_ref());
            changes.add("role", role.map(plain).as_ref());
            say(changes.told()).correcting(*fact)
        }
        EnrolmentEvent::Voided {} => say("enrolment voided: it was recorded in error"),
    })
}

fn gathering<'a>(tables: &Tables, id: Uuid, event: &GatheringEvent) -> Result<Said<'a>, ApplyError> {
    if let GatheringEvent::Scheduled { name, .. } = event {
        call(tables, id, name)?;
    }
    let called = name(tables, id)?;
    Ok(match event {
        GatheringEvent::Scheduled { name: _, gathering_type, program, cohort, starts_at, ends_at, place } => {
            let program = program.map(|program| name(tables, program.0)).transpose()?;
            say(format!(
                "{gathering_type} {called} scheduled{}{}{}{}{}",
                part(" from ", starts_at.map(moment).as_ref()),
                part(" to ", ends_at.map(moment).as_ref()),
                part(" at ", place.as_ref()),
                part(", program ", program.as_ref()),
                part(", cohort ", cohort.as_ref())
            ))
        }
        GatheringEvent::Rescheduled { starts_at, ends_at } => say(format!(
            "{called} rescheduled to {}{}",
            moment(*starts_at),
            part(", until ", ends_at.map(moment).as_ref())
        )),
        GatheringEvent::Cancelled {} => say(format!("{called} cancelled")),
        GatheringEvent::StudentRegistered { contact: _ } => say(format!("registered for {called}")),
        GatheringEvent::StudentAttended { contact: _, method } => {
            say(format!("attended {called}{}", part(", noticed by ", method.map(plain).as_ref())))
        }
        GatheringEvent::StudentExcused { contact: _ } => say(format!("excused from {called}")),
        GatheringEvent::StudentMissed { contact: _ } => say(format!("missed {called}")),
        GatheringEvent::PresenceVoided { contact: _, fact } => {
            say(format!("presence at {called} voided: it was recorded in error")).correcting(*fact)
        }
        GatheringEvent::HeadcountRecorded { people } => say(format!("{people} people counted at {called}")),
        GatheringEvent::Voided {} => say(format!("{called} voided: it was planned in error")),
    })
}

fn gift<'a>(event: &GiftEvent) -> Said<'a> {
    match event {
        GiftEvent::Received {
            donor: _,
            amount: received,
            campaign,
            method,
            stage,
            allocations,
            soft_credits,
        } => {
            let count = |count: usize| Some(count).filter(|count| *count > 0);
            say(format!(
                "gift of {} received{}{}{}{}{}",
                amount(*received),
                part(", campaign ", campaign.as_ref()),
                part(", by ", method.as_ref()),
                part(", stage ", stage.as_ref()),
                part(", funds named: ", count(allocations.len()).as_ref()),
                part(", soft credits: ", count(soft_credits.len()).as_ref())
            ))
        }
        GiftEvent::Refunded { amount: refunded } => say(format!("gift refunded by {}", amount(*refunded))),
        GiftEvent::Allocated { allocations } if allocations.is_empty() => say("gift made unrestricted"),
        GiftEvent::Allocated { allocations } => {
            let funds =
                allocations.iter().map(|part| format!("{} to fund {}", amount(part.amount), part.fund));
            say(format!("gift allocated: {}", funds.collect::<Vec<_>>().join(", ")))
        }
        GiftEvent::Acknowledged {} => say("donor thanked for the gift"),
        GiftEvent::Corrected { fact, correction } => {
            let GiftCorrection { donor, amount: received, stage, campaign, received_at } = correction;
            let mut changes = Changes::of("gift");
            changes.add("donor", donor.as_ref());
            changes.add("amount", received.map(amount).as_ref());
            changes.add("stage", stage.as_ref());
            changes.add("campaign", campaign.as_ref());
            changes.add("received", received_at.map(moment).as_ref());
            say(changes.told()).correcting(*fact)
        }
        GiftEvent::Voided {} => say("gift voided: it was recorded in error"),
    }
}

fn fund<'a>(tables: &Tables, id: Uuid, event: &FundEvent) -> Result<Said<'a>, ApplyError> {
    Ok(match event {
        FundEvent::Opened { name, restriction } => {
            call(tables, id, name)?;
            say(format!("fund {name} opened{}", part(", for ", restriction.as_ref())))
        }
        FundEvent::Renamed { name } => {
            call(tables, id, name)?;
            say(format!("fund renamed {name}"))
        }
        FundEvent::Restricted { restriction: Some(restriction) } => {
            say(format!("fund restricted to {restriction}"))
        }
        FundEvent::Restricted { restriction: None } => say("fund made unrestricted"),
        FundEvent::Closed {} => say("fund closed"),
        FundEvent::Voided {} => say("fund voided: it was set up in error"),
    })
}

fn member<'a>(tables: &Tables, id: Uuid, event: &MemberEvent) -> Result<Said<'a>, ApplyError> {
    Ok(match event {
        MemberEvent::Joined { name, team, region } => {
            call(tables, id, name)?;
            let (team, region) = (part(", team ", team.as_ref()), part(", region ", region.as_ref()));
            say(format!("{name} joined the staff{team}{region}"))
        }
        MemberEvent::Moved { team, region } => say(format!(
            "{} moved{}{}",
            name(tables, id)?,
            part(", team ", team.as_ref()),
            part(", region ", region.as_ref())
        )),
        MemberEvent::Renamed { name: called } => {
            let before = name(tables, id)?;
            call(tables, id, called)?;
            say(format!("{before} renamed {called}"))
        }
        MemberEvent::Left {} => say(format!("{} left the staff", name(tables, id)?)),
        MemberEvent::TokenGranted { role } => {
            say(format!("{} given a token with the role {role}", name(tables, id)?))
        }
        MemberEvent::TokenRevoked {} => say(format!("{} lost their token", name(tables, id)?)),
    })
}

fn setting<'a>(event: &SettingEvent) -> Said<'a> {
    match event {
        SettingEvent::ZoneChosen { zone } => say(format!("zone {zone} chosen")),
        SettingEvent::FiscalYearChosen { first_month } => {
            say(format!("fiscal year chosen to begin with month {first_month}"))
        }
    }
}

/// Keeps what a thing is called from now on.
fn call(tables: &Tables, id: Uuid, name: &str) -> Result<(), ApplyError> {
    tables.execute("INSERT OR REPLACE INTO names VALUES (?1, ?2)", params![id, name])?;
    Ok(())
}

/// What a thing is called at this point of the log; its id where that was never said.
fn name(tables: &Tables, id: Uuid) -> Result<String, ApplyError> {
    let known = tables.row("SELECT name FROM names WHERE id = ?1", [id], |row| row.get(0))?;
    Ok(known.unwrap_or_else(|| id.to_string()))
}

/// The corrections of one event, told one after the other.
struct Changes(String);

impl Changes {
    fn of(kind: &str) -> Self {
        Self(format!("{kind} corrected:"))
    }

    fn add(&mut self, what: &str, now: Option<&impl Display>) {
        if let Some(now) = now {
            let separator = if self.0.ends_with(':') { " " } else { ", " };
            self.0 += &[separator, what, " is ", &now.to_string()].concat();
        }
    }

    fn told(self) -> String {
        self.0
    }
}

fn part(before: &str, value: Option<&impl Display>) -> String {
    value.map_or_else(String::new, |value| format!("{before}{value}"))
}
