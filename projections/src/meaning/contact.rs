//! What the events of a contact mean.

use domain::{
    Evidence, Kind,
    contact::{ConsentChannel, ConsentPurpose, ContactEvent},
};

use super::{
    said::part,
    thing::NAME,
    told::Told,
    value::{Field, Value},
};
use crate::kit::wording::plain;

pub(super) fn tell<'a>(told: &mut Told<'a>, event: &'a ContactEvent) {
    match event {
        ContactEvent::Registered { form, name } => {
            told.say(format_args!("contact registered: {}", plain(form)));
            told.quote(name.as_ref());
            told.may_be(NAME, name.as_ref());
            told.is("form", Value::word(form));
        }
        ContactEvent::Renamed { name } => {
            told.say("contact renamed");
            told.quote(Some(name));
            told.is(NAME, name);
        }
        ContactEvent::DetailChanged { detail, value: Some(value) } => {
            told.say(format_args!("contact's {} is now", plain(detail)));
            told.quote(Some(value));
            told.is(plain(detail), value);
        }
        ContactEvent::DetailChanged { detail, value: None } => {
            told.say(format_args!("contact's {} removed", plain(detail)));
            told.is_gone(plain(detail));
        }
        ContactEvent::IdentityLinked { platform, handle, verified } => {
            let proven = if *verified { ", verified" } else { "" };
            told.say(format_args!("contact linked to an identity on {platform}{proven}"));
            told.quote(Some(handle));
            let handle = Value::from(handle);
            told.gains(identity(platform), if *verified { handle.noting("verified") } else { handle });
        }
        ContactEvent::IdentityUnlinked { platform, handle } => {
            told.say(format_args!("contact unlinked from an identity on {platform}"));
            told.quote(Some(handle));
            told.loses(identity(platform), &handle.into());
        }
        ContactEvent::Tagged { tag } => {
            told.say(format_args!("contact tagged {tag}"));
            told.is(format!("tag {tag}"), "yes");
        }
        ContactEvent::Untagged { tag } => {
            told.say(format_args!("contact lost the tag {tag}"));
            told.is_gone(format!("tag {tag}"));
        }
        ContactEvent::ConsentGiven { purpose, channel, basis, proof } => {
            let (consent, basis) = (consent(*purpose, *channel), plain(basis));
            say_consent(told, "given", *purpose, *channel, &format!(", basis {basis}"));
            told.quote(proof.as_ref());
            told.is(consent.as_str(), Value::from("given").noting(format!("basis {basis}")));
            told.is_or_is_not(format!("proof of {consent}"), proof.as_ref());
        }
        ContactEvent::ConsentWithdrawn { purpose, channel } => {
            say_consent(told, "withdrawn", *purpose, *channel, "");
            told.is(consent(*purpose, *channel), "withdrawn");
        }
        ContactEvent::RelationshipStarted { relationship, to, since } => {
            let (related, since) = (plain(relationship), since.as_ref());
            told.say(format_args!("relationship started: {related} contact {to}{}", part(" since ", since)));
            let since = since.map_or_else(|| "yes".to_owned(), |day| format!("since {day}"));
            told.is(Field::of(&related, Kind::Contact, to.0), since);
        }
        ContactEvent::RelationshipEnded { relationship, to } => {
            told.say(format_args!("relationship ended: {} contact {to}", plain(relationship)));
            told.is_gone(Field::of(&plain(relationship), Kind::Contact, to.0));
        }
        ContactEvent::Merged { into, evidence, looked_up: _ } => {
            let weighs = if evidence.is_empty() { "without evidence" } else { "on evidence" };
            told.say(format_args!("contact merged into contact {into}, {weighs}{}", listed(evidence)));
            told.is("merged into", Value::thing(Kind::Contact, into.0));
        }
        ContactEvent::Unmerged { from } => {
            told.say(format_args!("contact unmerged from contact {from}"));
            told.is_gone("merged into");
        }
        ContactEvent::MergeDismissed { other } => {
            told.say(format_args!("contact told apart from contact {other}"));
            told.is(Field::of("told apart from", Kind::Contact, other.0), "yes");
        }
        ContactEvent::Voided {} => told.is_voided("contact", "registered"),
        ContactEvent::Erased { ground } => {
            told.say(format_args!("contact erased, on the ground of {}", plain(ground)));
            told.is("erased", format!("yes: {}", plain(ground)));
        }
        ContactEvent::Readmitted { basis } => {
            let basis = plain(basis);
            told.say(format_args!("contact readmitted: may be known again as somebody new, basis {basis}"));
            told.is("readmitted", format!("yes, basis {basis}"));
        }
    }
}

fn say_consent(
    told: &mut Told<'_>,
    what: &str,
    purpose: ConsentPurpose,
    channel: ConsentChannel,
    rest: &str,
) {
    let (purpose, channel) = (plain(purpose), plain(channel));
    told.say(format_args!("consent {what} for {purpose}, channel {channel}{rest}"));
}

/// What spoke for a merge and what against it.
fn listed(evidence: &[Evidence]) -> String {
    let one = |one: &Evidence| {
        format!("{} {} it ({})", plain(one.feature), plain(one.bearing), plain(one.strength))
    };
    let all: Vec<String> = evidence.iter().map(one).collect();
    if all.is_empty() { String::new() } else { format!(": {}", all.join(", ")) }
}

fn identity(platform: &str) -> String {
    format!("identity on {platform}")
}

fn consent(purpose: ConsentPurpose, channel: ConsentChannel) -> String {
    let (purpose, channel) = (plain(purpose), plain(channel));
    if channel == "any" {
        format!("consent to {purpose} by any channel")
    } else {
        format!("consent to {purpose} by {channel}")
    }
}
