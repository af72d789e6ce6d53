//! What a person may be written to for: where several contacts are one, the most restrictive of them counts.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use domain::{
    ContactId,
    contact::{ConsentChannel, ConsentPurpose, LawfulBasis},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::kit::{
    Tables,
    column::{given, maybe_moment, maybe_word, read_word},
};

/// Whether somebody may be written to for a purpose.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Consent {
    pub purpose: ConsentPurpose,
    pub channel: ConsentChannel,
    /// Whether it holds now. Who has withdrawn a purpose on any channel is not written to on this one either,
    /// unless they gave it again since; and where one of several merged contacts has said no, it is no.
    pub in_force: bool,
    /// On what ground it was given last.
    pub basis: Option<LawfulBasis>,
    pub given_at: Option<DateTime<Utc>>,
    /// Where the proof lies.
    pub proof: Option<String>,
    pub withdrawn_at: Option<DateTime<Utc>>,
    /// The contact who said so.
    pub contact: ContactId,
}

/// What one contact has to say about one purpose and channel.
enum Stance {
    Yes,
    No { since: DateTime<Utc> },
    Nothing,
}

/// The consents of the contacts of one person taken together.
pub(super) fn of(tables: &Tables, parts: &[Uuid]) -> rusqlite::Result<Vec<Consent>> {
    let mut said = Vec::with_capacity(parts.len());
    for contact in parts {
        said.push(said_by(tables, *contact)?);
    }
    let about: BTreeSet<_> =
        said.iter().flatten().map(|consent| (consent.purpose, consent.channel)).collect();
    Ok(about.into_iter().filter_map(|about| together(&said, about)).collect())
}

fn said_by(tables: &Tables, contact: Uuid) -> rusqlite::Result<Vec<Consent>> {
    let sql = "SELECT purpose, channel, basis, given_at, proven, proof, withdrawn_at FROM consents
         WHERE contact = ?1 ORDER BY purpose, channel";
    tables.rows(sql, [contact], |row| {
        Ok(Consent {
            purpose: read_word(row, 0)?,
            channel: read_word(row, 1)?,
            in_force: false,
            basis: maybe_word(row, 2)?,
            given_at: maybe_moment(row, 3)?,
            proof: given(row, 4, 5)?,
            withdrawn_at: maybe_moment(row, 6)?,
            contact: ContactId(contact),
        })
    })
}

fn together(said: &[Vec<Consent>], about: (ConsentPurpose, ConsentChannel)) -> Option<Consent> {
    let stances: Vec<Stance> = said.iter().map(|by_one| stance(by_one, about)).collect();
    let no = stances.iter().find_map(|stance| match stance {
        Stance::No { since } => Some(*since),
        Stance::Yes | Stance::Nothing => None,
    });
    let mut rows =
        said.iter().zip(&stances).filter_map(|(by_one, stance)| Some((find(by_one, about)?, stance)));
    let decides = rows.clone().find(|(_, stance)| matches!(stance, Stance::No { .. }));
    let (row, _) = decides.or_else(|| rows.next())?;
    let in_force = no.is_none() && stances.iter().any(|stance| matches!(stance, Stance::Yes));
    Some(Consent { in_force, withdrawn_at: row.withdrawn_at.or(no), ..row.clone() })
}

fn find(by_one: &[Consent], (purpose, channel): (ConsentPurpose, ConsentChannel)) -> Option<&Consent> {
    by_one.iter().find(|consent| consent.purpose == purpose && consent.channel == channel)
}

fn stance(by_one: &[Consent], about: (ConsentPurpose, ConsentChannel)) -> Stance {
    let here = find(by_one, about);
    if let Some(since) = here.and_then(|consent| consent.withdrawn_at) {
        return Stance::No { since };
    }
    let given_at = here.and_then(|consent| consent.given_at);
    let everywhere = find(by_one, (about.0, ConsentChannel::Any)).and_then(|consent| consent.withdrawn_at);
    match (given_at, everywhere) {
        (Some(given_at), Some(since)) if given_at > since => Stance::Yes,
        (_, Some(since)) => Stance::No { since },
        (Some(_), None) => Stance::Yes,
        (None, None) => Stance::Nothing,
    }
}
