//! Which contacts may be one person? Pairs that share something, with what speaks for it and what against it, feature
//! by feature. Nothing follows by itself from what stands here: somebody merges, or tells the two apart.
//!
//! A fold may not look at what is personal, so that everything is compared when the question is asked, over columns
//! declared personal. The work of a question is bounded: see `candidates`.

mod candidates;
mod comparison;
mod pair;
#[cfg(test)]
mod tests;

use domain::{
    Event, Kind, Personal, Recorded, Role,
    contact::{ContactEvent, ContactForm, Detail},
};
use rusqlite::params;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::kit::{
    ApplyError, Page, Projection, Shows, Tables, ViewError, column::word, search::search_of_names,
};
use pair::Pair;

/// The projection.
pub struct Duplicates;

/// Whose double is looked for: one contact's, or everybody's.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Who may be the same as this contact, the likeliest first; absent: pairs that share a handle, an address or a
    /// number of an account, wherever they are.
    contact: Option<Uuid>,
}

/// Pairs that may be one.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct View {
    /// One row a pair.
    rows: Vec<Pair>,
    /// The cursor of the next page; a page may hold few pairs, or none, where few look alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Projection for Duplicates {
    const NAME: &'static str = "duplicates";
    const QUESTION: &'static str = "Which contacts may be one person, and what speaks for it and against it?";
    const VERSION: u32 = 1;
    const READERS: &'static [Role] = &[Role::Admin, Role::Staff, Role::Auditor];
    const SHOWS: Shows = Shows::People;
    const KINDS: &'static [Kind] = &[Kind::Contact];
    // Links of handles are kept as they came, since which one an unlinking ends is seen by the handle. `apart` has
    // those whom somebody told apart, and those who were unmerged.
    const TABLES: &'static str = "
        CREATE TABLE contacts (
            number INTEGER PRIMARY KEY, contact BLOB NOT NULL UNIQUE, form TEXT NOT NULL, named INTEGER NOT NULL,
            subject BLOB NOT NULL, name PERSONAL TEXT NOT NULL
        );
        CREATE TABLE details (
            contact BLOB, detail TEXT, subject BLOB NOT NULL, value PERSONAL TEXT NOT NULL,
            PRIMARY KEY (contact, detail)
        ) WITHOUT ROWID;
        CREATE TABLE handles (
            position INTEGER PRIMARY KEY, contact BLOB NOT NULL, platform TEXT NOT NULL, linked INTEGER NOT NULL,
            verified INTEGER NOT NULL, subject BLOB NOT NULL, handle PERSONAL TEXT NOT NULL
        );
        CREATE TABLE apart (one BLOB, other BLOB, PRIMARY KEY (one, other)) WITHOUT ROWID;";
    // Emptying a column empties its indexes with it; telephone numbers are compared without their dots and blanks.
    const INDEXES: &'static str = concat!(
        "
        CREATE INDEX handles_by_handle ON handles (handle COLLATE NOCASE, platform);
        CREATE INDEX handles_by_contact ON handles (contact);
        CREATE INDEX contacts_by_subject ON contacts (subject);
        CREATE INDEX details_by_subject ON details (subject);
        CREATE INDEX handles_by_subject ON handles (subject);
        CREATE INDEX details_by_phone ON details (
            replace(replace(replace(replace(replace(replace(value, ' ', ''), '-', ''), '/', ''), '.', ''), '(', ''), ')', '')
        ) WHERE detail = 'phone';",
        search_of_names!("name_words", "")
    );
    type Query = Query;
    type View = View;

    fn apply(tables: &Tables, recorded: &Recorded) -> Result<(), ApplyError> {
        let Event::Contact(event) = &recorded.event else { return Ok(()) };
        let contact = recorded.stream.id;
        match event {
            ContactEvent::Registered { form, name } => {
                register(tables, recorded, *form, name.as_ref())?;
            }
            ContactEvent::Renamed { name } => {
                tables.execute(
                    "UPDATE contacts SET named = 1, subject = ?2, name = ?3 WHERE contact = ?1",
                    params![contact, name.subject().0, tables.reveal(name)],
                )?;
            }
            ContactEvent::DetailChanged { detail, value } => {
                change(tables, contact, *detail, value.as_ref())?;
            }
            ContactEvent::IdentityLinked { platform, handle, verified } => {
                link(tables, recorded, platform, handle, Some(*verified))?;
            }
            ContactEvent::IdentityUnlinked { platform, handle } => {
                link(tables, recorded, platform, handle, None)?;
            }
            ContactEvent::Unmerged { from: other } | ContactEvent::MergeDismissed { other } => {
                tables.execute("INSERT OR IGNORE INTO apart VALUES (?1, ?2)", params![contact, other.0])?;
            }
            // Who is one person already is not suggested; the runtime keeps that.
            ContactEvent::Merged { .. }
            // What was theirs is emptied by the runtime, and an empty value is like no other.
            | ContactEvent::Erased { .. }
            | ContactEvent::Readmitted { .. }
            | ContactEvent::Tagged { .. }
            | ContactEvent::Untagged { .. }
            | ContactEvent::ConsentGiven { .. }
            | ContactEvent::ConsentWithdrawn { .. }
            | ContactEvent::RelationshipStarted { .. }
            | ContactEvent::RelationshipEnded { .. } => {}
            ContactEvent::Voided {} => {
                for table in ["contacts", "details", "handles"] {
                    tables.execute(&format!("DELETE FROM {table} WHERE contact = ?1"), [contact])?;
                }
            }
        }
        Ok(())
    }

    fn view(tables: &Tables, query: Query, page: &Page) -> Result<Option<View>, ViewError> {
        let found = match query.contact {
            Some(contact) => candidates::of_one(tables, contact, page)?,
            None => Some(candidates::of_all(tables, page)?),
        };
        Ok(found.map(|(rows, next)| View { rows, next }))
    }
}

fn register(
    tables: &Tables,
    recorded: &Recorded,
    form: ContactForm,
    name: Option<&Personal<String>>,
) -> Result<(), ApplyError> {
    let contact = recorded.stream.id;
    let subject = name.map_or(contact, |name| name.subject().0);
    let name = name.map(|name| tables.reveal(name));
    tables.execute(
        "INSERT INTO contacts VALUES (?1, ?2, ?3, ?4, ?5, coalesce(?6, ''))",
        params![recorded.position.0, contact, word(form), name.is_some(), subject, name],
    )?;
    Ok(())
}

/// Keeps the details that tell people apart.
fn change(
    tables: &Tables,
    contact: Uuid,
    detail: Detail,
    value: Option<&Personal<String>>,
) -> Result<(), ApplyError> {
    let Some(detail) = detail_word(detail) else { return Ok(()) };
    match value {
        Some(value) => tables.execute(
            "INSERT OR REPLACE INTO details VALUES (?1, ?2, ?3, ?4)",
            params![contact, detail, value.subject().0, tables.reveal(value)],
        )?,
        None => tables
            .execute("DELETE FROM details WHERE contact = ?1 AND detail = ?2", params![contact, detail])?,
    };
    Ok(())
}

const fn detail_word(detail: Detail) -> Option<&'static str> {
    match detail {
        Detail::Phone => Some("phone"),
        Detail::Address => Some("address"),
        Detail::Birthday => Some("birthday"),
        // Parts of a name stand in the name as well; the rest many people share.
        Detail::GivenName
        | Detail::FamilyName
        | Detail::Salutation
        | Detail::JobTitle
        | Detail::Country
        | Detail::Sector
        | Detail::Note => None,
    }
}

/// Notes that a handle was linked, verified or not, or unlinked.
fn link(
    tables: &Tables,
    recorded: &Recorded,
    platform: &str,
    handle: &Personal<String>,
    linked: Option<bool>,
) -> Result<(), ApplyError> {
    tables.execute(
        "INSERT INTO handles VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            recorded.position.0,
            recorded.stream.id,
            platform,
            linked.is_some(),
            linked.unwrap_or_default(),
            handle.subject().0,
            tables.reveal(handle)
        ],
    )?;
    Ok(())
}
