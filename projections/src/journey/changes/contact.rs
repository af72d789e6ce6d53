//! What the events of a contact change.

use domain::{
    Kind,
    contact::{ConsentChannel, ConsentPurpose, ContactEvent},
};

use super::{
    thing::NAME,
    told::Told,
    value::{Field, Value},
};
use crate::kit::wording::plain;

pub(super) fn tell(told: &mut Told<'_>, event: &ContactEvent) {
    match event {
        ContactEvent::Registered { form, name } => {
            told.may_be(NAME, name.as_ref());
            told.is("form", Value::word(form));
        }
        ContactEvent::Renamed { name } => told.is(NAME, name),
        ContactEvent::DetailChanged { detail, value: Some(value) } => told.is(plain(detail), value),
        ContactEvent::DetailChanged { detail, value: None } => told.is_gone(plain(detail)),
        ContactEvent::IdentityLinked { platform, handle, verified } => {
            let handle = Value::from(handle);
            told.gains(identity(platform), if *verified { handle.noting("verified") } else { handle });
        }
        ContactEvent::IdentityUnlinked { platform, handle } => {
            told.loses(identity(platform), &handle.into());
        }
        ContactEvent::Tagged { tag } => told.is(format!("tag {tag}"), "yes"),
        ContactEvent::Untagged { tag } => told.is_gone(format!("tag {tag}")),
        ContactEvent::ConsentGiven { purpose, channel, basis, proof } => {
            let consent = consent(*purpose, *channel);
            told.is(consent.as_str(), Value::from("given").noting(format!("basis {}", plain(basis))));
            told.is_or_is_not(format!("proof of {consent}"), proof.as_ref());
        }
        ContactEvent::ConsentWithdrawn { purpose, channel } => {
            told.is(consent(*purpose, *channel), "withdrawn");
        }
        ContactEvent::RelationshipStarted { relationship, to, since } => {
            let since = since.map_or_else(|| "yes".to_owned(), |day| format!("since {day}"));
            told.is(Field::of(&plain(relationship), Kind::Contact, to.0), since);
        }
        ContactEvent::RelationshipEnded { relationship, to } => {
            told.is_gone(Field::of(&plain(relationship), Kind::Contact, to.0));
        }
        ContactEvent::Merged { into, evidence: _, looked_up: _ } => {
            told.is("merged into", Value::thing(Kind::Contact, into.0));
        }
        ContactEvent::Unmerged { from: _ } => told.is_gone("merged into"),
        ContactEvent::MergeDismissed { other } => {
            told.is(Field::of("told apart from", Kind::Contact, other.0), "yes");
        }
        ContactEvent::Voided {} => told.is("voided", "yes: it was registered in error"),
        ContactEvent::Erased { ground } => told.is("erased", format!("yes: {}", plain(ground))),
        ContactEvent::Readmitted { basis } => told.is("readmitted", format!("yes, basis {}", plain(basis))),
    }
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
