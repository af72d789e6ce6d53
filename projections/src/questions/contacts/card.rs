//! Everything known of one person.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    ContactId,
    contact::{ContactForm, Detail, RelationshipKind},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::consents::{self, Consent};
use crate::kit::{
    Tables, ViewError,
    column::{given, moment, read_word},
    handles::{Handle, held},
};

/// Everything known of one person: of one contact, or of several that are merged.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Card {
    /// The contact, or the one that all are merged into.
    pub id: ContactId,
    /// Person, organization or household.
    pub form: ContactForm,
    /// What they are called: the name of the first contact of theirs that has one. Absent where none was ever
    /// given, empty where it was forgotten.
    pub name: Option<String>,
    /// Whether all that was known of them was forgotten on purpose.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
    /// When the first of their contacts was registered.
    pub registered_at: DateTime<Utc>,
    /// Of every detail the value of the first contact that has one; all of them stand with the `parts`.
    pub details: BTreeMap<Detail, String>,
    /// Every handle of every contact of theirs.
    pub identities: Vec<Identity>,
    /// The tags of every contact of theirs.
    pub tags: Vec<String>,
    /// What they may be written to for.
    pub consents: Vec<Consent>,
    /// With whom they are related.
    pub relationships: Vec<Relationship>,
    /// The contacts that are merged, each with its own; those with a name come first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// One of several contacts that are one person.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    pub contact: ContactId,
    /// The contact that it is merged into.
    pub merged_into: Option<ContactId>,
    pub form: ContactForm,
    pub name: Option<String>,
    /// Whether what was known of this contact was forgotten on purpose.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
    pub registered_at: DateTime<Utc>,
    pub details: BTreeMap<Detail, String>,
    pub tags: Vec<String>,
    /// What this contact itself has said.
    pub consents: Vec<Consent>,
}

/// A handle under which the contact can be found now.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    pub platform: String,
    pub handle: String,
    pub verified: bool,
    pub linked_at: DateTime<Utc>,
    /// Which contact it belongs to.
    pub contact: ContactId,
}

/// A relationship that lasts, told by either side.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Relationship {
    #[serde(rename = "relationship")]
    pub kind: RelationshipKind,
    /// `to` where this contact is it of the other (a member of the other household), `from` where the other is
    /// it of this one.
    pub direction: Direction,
    pub contact: ContactId,
    pub form: ContactForm,
    pub name: Option<String>,
    pub since: Option<NaiveDate>,
    /// Which contact of the person it is that is related.
    pub of: ContactId,
}

/// On which side of a relationship a contact stands.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RelationshipDirection")]
pub enum Direction {
    /// This contact is it of the other.
    To,
    /// The other is it of this contact.
    From,
}

/// Everything known of the person of a contact, by the id of any contact of theirs.
pub(super) fn card(tables: &Tables, contact: Uuid) -> Result<Option<Card>, ViewError> {
    let parts = parts(tables, contact)?;
    let Some(face) = parts.first() else { return Ok(None) };
    let ids: Vec<Uuid> = parts.iter().map(|part| part.contact.0).collect();
    let erased = parts.iter().all(|part| part.erased);
    let mut card = Card {
        id: ContactId(tables.person_of(contact)?),
        form: face.form,
        name: face.name.clone(),
        erased,
        registered_at: parts.iter().map(|part| part.registered_at).min().unwrap_or(face.registered_at),
        details: BTreeMap::new(),
        identities: Vec::new(),
        tags: Vec::new(),
        consents: if erased { Vec::new() } else { consents::of(tables, &ids)? },
        relationships: Vec::new(),
        parts: Vec::new(),
    };
    for part in &parts {
        for (detail, value) in &part.details {
            card.details.entry(*detail).or_insert_with(|| value.clone());
        }
        card.identities.extend(identities(tables, part.contact.0)?);
        card.tags.extend(part.tags.clone());
        card.relationships.extend(relationships(tables, part.contact.0)?);
    }
    card.tags.sort_unstable();
    card.tags.dedup();
    if parts.len() > 1 {
        card.parts = parts;
    }
    Ok(Some(card))
}

/// The contacts of a person that are registered and not voided: those with a name first, so that nobody is shown
/// as a stranger who is known under another contact of theirs.
fn parts(tables: &Tables, contact: Uuid) -> Result<Vec<Part>, ViewError> {
    let mut parts = Vec::new();
    for contact in tables.parts_of(contact)? {
        let sql =
            "SELECT form, named, name, registered_at, (SELECT other FROM merges WHERE contact = ?1), erased
             FROM contacts WHERE contact = ?1";
        let part = tables.row(sql, [contact], |row| {
            Ok(Part {
                contact: ContactId(contact),
                merged_into: row.get::<_, Option<_>>(4)?.map(ContactId),
                form: read_word(row, 0)?,
                name: given(row, 1, 2)?,
                erased: row.get(5)?,
                registered_at: moment(row, 3)?,
                details: BTreeMap::new(),
                tags: Vec::new(),
                consents: Vec::new(),
            })
        })?;
        parts.extend(part);
    }
    for part in &mut parts {
        let sql = "SELECT detail, value FROM details WHERE contact = ?1";
        let details = tables.rows(sql, [part.contact.0], |row| Ok((read_word(row, 0)?, row.get(1)?)))?;
        part.details = details.into_iter().collect();
        part.tags = tags(tables, part.contact.0)?;
        if !part.erased {
            part.consents = consents::of(tables, &[part.contact.0])?;
        }
    }
    parts.sort_by_key(|part| face_rank(part.name.as_deref()));
    Ok(parts)
}

/// Whom a person is called after: a name is better than one that was forgotten, and that better than none.
fn face_rank(name: Option<&str>) -> u8 {
    match name {
        Some("") => 1,
        Some(_) => 0,
        None => 2,
    }
}

/// What the person of a contact is called, by the same rule as on the card.
pub(super) fn face_name(tables: &Tables, parts: &[Uuid]) -> rusqlite::Result<Option<String>> {
    let mut names = Vec::with_capacity(parts.len());
    for contact in parts {
        let sql = "SELECT named, name FROM contacts WHERE contact = ?1";
        names.extend(tables.row(sql, [contact], |row| given(row, 0, 1))?);
    }
    names.sort_by_key(|name| face_rank(name.as_deref()));
    Ok(names.into_iter().next().flatten())
}

/// Whether all contacts of a person are erased.
pub(super) fn are_erased(tables: &Tables, parts: &[Uuid]) -> rusqlite::Result<bool> {
    for contact in parts {
        let sql = "SELECT 1 FROM contacts WHERE contact = ?1 AND NOT erased";
        if tables.row(sql, [contact], |_| Ok(()))?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The handles that hold now, the one linked first in front.
pub(super) fn identities(tables: &Tables, contact: Uuid) -> rusqlite::Result<Vec<Identity>> {
    let sql = "SELECT platform, handle, verified, linked_at, linked FROM identities WHERE contact = ?1
         ORDER BY position";
    let links = tables.rows(sql, [contact], |row| {
        let handle =
            Handle { platform: row.get(0)?, text: row.get(1)?, verified: row.get(2)?, with: moment(row, 3)? };
        Ok((handle, row.get::<_, bool>(4)?))
    })?;
    let identity = |Handle { platform, text: handle, verified, with: linked_at }| Identity {
        platform,
        handle,
        verified,
        linked_at,
        contact: ContactId(contact),
    };
    Ok(held(links).into_iter().map(identity).collect())
}

pub(super) fn tags(tables: &Tables, contact: Uuid) -> rusqlite::Result<Vec<String>> {
    tables.rows("SELECT tag FROM tags WHERE contact = ?1 ORDER BY tag", [contact], |row| row.get(0))
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
                contact: ContactId(row.get(1)?),
                form: read_word(row, 2)?,
                name: given(row, 3, 4)?,
                since: since.and_then(|day| day.parse().ok()),
                of: ContactId(contact),
            })
        })?);
    }
    Ok(all)
}
