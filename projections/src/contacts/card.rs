//! Everything known of one contact.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use domain::contact::{ConsentChannel, ConsentPurpose, ContactForm, Detail, LawfulBasis, RelationshipKind};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::{given, moment, read_word};
use crate::{projection::ViewError, tables::Tables};

/// Everything known of one contact.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Card {
    id: Uuid,
    form: ContactForm,
    /// Absent where none was ever given, empty where it was forgotten.
    name: Option<String>,
    registered_at: DateTime<Utc>,
    details: BTreeMap<Detail, String>,
    identities: Vec<Identity>,
    tags: Vec<String>,
    consents: Vec<Consent>,
    relationships: Vec<Relationship>,
}

/// A handle under which the contact can be found now.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Identity {
    pub(super) platform: String,
    pub(super) handle: String,
    verified: bool,
    linked_at: DateTime<Utc>,
}

/// Whether the contact may be written to for a purpose.
#[derive(Debug, Serialize, JsonSchema)]
struct Consent {
    purpose: ConsentPurpose,
    channel: ConsentChannel,
    /// Whether it holds now.
    in_force: bool,
    /// On what ground it was given last.
    basis: Option<LawfulBasis>,
    given_at: Option<DateTime<Utc>>,
    /// Where the proof lies.
    proof: Option<String>,
    withdrawn_at: Option<DateTime<Utc>>,
}

/// A relationship that lasts, told by either side.
#[derive(Debug, Serialize, JsonSchema)]
struct Relationship {
    #[serde(rename = "relationship")]
    kind: RelationshipKind,
    /// `to` where this contact is it of the other (a member of the other household), `from` where the other is
    /// it of this one.
    direction: Direction,
    contact: Uuid,
    form: ContactForm,
    name: Option<String>,
    since: Option<NaiveDate>,
}

#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Direction {
    To,
    From,
}

/// Everything known of one contact.
pub(super) fn card(tables: &Tables, contact: Uuid) -> Result<Option<Card>, ViewError> {
    let sql = "SELECT form, named, name, registered_at FROM contacts WHERE contact = ?1";
    let card = tables.row(sql, [contact], |row| {
        Ok(Card {
            id: contact,
            form: read_word(row, 0)?,
            name: given(row, 1, 2)?,
            registered_at: moment(row.get(3)?),
            details: BTreeMap::new(),
            identities: Vec::new(),
            tags: Vec::new(),
            consents: Vec::new(),
            relationships: Vec::new(),
        })
    })?;
    let Some(card) = card else { return Ok(None) };
    let sql = "SELECT detail, value FROM details WHERE contact = ?1";
    let details = tables.rows(sql, [contact], |row| Ok((read_word(row, 0)?, row.get(1)?)))?;
    Ok(Some(Card {
        details: details.into_iter().collect(),
        identities: identities(tables, contact)?,
        tags: tags(tables, contact)?,
        consents: consents(tables, contact)?,
        relationships: relationships(tables, contact)?,
        ..card
    }))
}

/// The handles that hold now, the one linked first in front.
pub(super) fn identities(tables: &Tables, contact: Uuid) -> rusqlite::Result<Vec<Identity>> {
    let sql = "SELECT platform, handle, verified, linked_at, linked FROM identities WHERE contact = ?1
         ORDER BY position";
    let links = tables.rows(sql, [contact], |row| {
        let identity = Identity {
            platform: row.get(0)?,
            handle: row.get(1)?,
            verified: row.get(2)?,
            linked_at: moment(row.get(3)?),
        };
        Ok((identity, row.get::<_, bool>(4)?))
    })?;
    let mut held = Vec::<Identity>::new();
    for (link, linked) in links {
        let known = held.iter().position(|held| held.platform == link.platform && held.handle == link.handle);
        match (known, linked) {
            // Linking again proves what was not proven before, and never takes a proof away.
            (Some(known), true) => held[known].verified |= link.verified,
            (Some(known), false) => drop(held.remove(known)),
            (None, true) => held.push(link),
            (None, false) => {}
        }
    }
    Ok(held)
}

pub(super) fn tags(tables: &Tables, contact: Uuid) -> rusqlite::Result<Vec<String>> {
    tables.rows("SELECT tag FROM tags WHERE contact = ?1 ORDER BY tag", [contact], |row| row.get(0))
}

fn consents(tables: &Tables, contact: Uuid) -> rusqlite::Result<Vec<Consent>> {
    let sql =
        "SELECT purpose, channel, basis IS NOT NULL AND withdrawn_at IS NULL, basis, given_at, proven, proof,
             withdrawn_at
         FROM consents WHERE contact = ?1 ORDER BY purpose, channel";
    tables.rows(sql, [contact], |row| {
        let basis: Option<String> = row.get(3)?;
        Ok(Consent {
            purpose: read_word(row, 0)?,
            channel: read_word(row, 1)?,
            in_force: row.get(2)?,
            basis: basis.map(|_| read_word(row, 3)).transpose()?,
            given_at: row.get::<_, Option<i64>>(4)?.map(moment),
            proof: given(row, 5, 6)?,
            withdrawn_at: row.get::<_, Option<i64>>(7)?.map(moment),
        })
    })
}

/// Relationships both ways; those with a contact that was voided, or is not registered yet, are not shown.
fn relationships(tables: &Tables, contact: Uuid) -> rusqlite::Result<Vec<Relationship>> {
    let mut all = Vec::new();
    for (direction, sql) in [
        (
            Direction::To,
            "SELECT relationship, c.contact, form, named, name, since
             FROM relationships AS r JOIN contacts AS c ON c.contact = r.other
             WHERE r.contact = ?1 ORDER BY relationship, c.contact",
        ),
        (
            Direction::From,
            "SELECT relationship, c.contact, form, named, name, since
             FROM relationships AS r JOIN contacts AS c ON c.contact = r.contact
             WHERE r.other = ?1 ORDER BY relationship, c.contact",
        ),
    ] {
        all.extend(tables.rows(sql, [contact], |row| {
            let since: Option<String> = row.get(5)?;
            Ok(Relationship {
                kind: read_word(row, 0)?,
                direction,
                contact: row.get(1)?,
                form: read_word(row, 2)?,
                name: given(row, 3, 4)?,
                since: since.and_then(|day| day.parse().ok()),
            })
        })?);
    }
    Ok(all)
}
