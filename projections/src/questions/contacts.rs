//! Who is it, and how can they be reached? One contact with everything known of them, or a search by name,
//! email, identity, tag and form.

mod card;
mod consents;
mod query;
mod search;
#[cfg(test)]
mod tests;

use domain::{
    Event, Kind, Personal, Recorded, Role,
    contact::{ConsentChannel, ConsentPurpose, ContactEvent, ContactForm, LawfulBasis},
};
use rusqlite::params;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::kit::{
    ApplyError, Page, Projection, Shape, Shows, Tables, ViewError, column::word, search::search_of_names,
};
pub use card::Card;
pub use query::Query;
use search::Found;

/// The projection.
pub struct Contacts;

/// One contact, or a page of those found, in the order in which they were registered.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum View {
    /// Everything known of one person.
    Card(Box<Card>),
    /// Those found.
    Found(Found),
}

impl Projection for Contacts {
    const NAME: &'static str = "contacts";
    const QUESTION: &'static str = "Who is it, how can they be reached, and may they be written to?";
    const VERSION: u32 = 3;
    const READERS: &'static [Role] = &[Role::Admin, Role::Staff, Role::Auditor];
    const SHOWS: Shows = Shows::People;
    const PERSONAL_PARAMETERS: &'static [&'static str] = &["name", "email", "platform", "identity"];
    const KINDS: &'static [Kind] = &[Kind::Contact];
    // A personal column is never NULL, so that emptying it cannot turn what is absent into what is forgotten:
    // `named` and `proven` say whether something was given. Links of identities are kept as they came, because
    // which link an unlinking ends is seen by the handle, and only the question may look at that.
    const TABLES: &'static str = "
        CREATE TABLE contacts (
            number INTEGER PRIMARY KEY, contact BLOB NOT NULL UNIQUE, form TEXT NOT NULL,
            registered_at INTEGER NOT NULL, named INTEGER NOT NULL, subject BLOB NOT NULL,
            name PERSONAL TEXT NOT NULL, erased INTEGER NOT NULL
        );
        CREATE TABLE details (
            contact BLOB, detail TEXT, subject BLOB NOT NULL, value PERSONAL TEXT NOT NULL,
            PRIMARY KEY (contact, detail)
        ) WITHOUT ROWID;
        CREATE TABLE identities (
            contact BLOB, position INTEGER, platform TEXT NOT NULL, linked INTEGER NOT NULL,
            verified INTEGER NOT NULL, linked_at INTEGER NOT NULL, subject BLOB NOT NULL,
            handle PERSONAL TEXT NOT NULL, PRIMARY KEY (contact, position)
        ) WITHOUT ROWID;
        CREATE TABLE tags (contact BLOB, tag TEXT, PRIMARY KEY (contact, tag)) WITHOUT ROWID;
        CREATE TABLE consents (
            contact BLOB, purpose TEXT, channel TEXT, basis TEXT, given_at INTEGER, withdrawn_at INTEGER,
            proven INTEGER NOT NULL, subject BLOB NOT NULL, proof PERSONAL TEXT NOT NULL,
            PRIMARY KEY (contact, purpose, channel)
        ) WITHOUT ROWID;
        CREATE TABLE relationships (
            contact BLOB, relationship TEXT, other BLOB, since TEXT, PRIMARY KEY (contact, relationship, other)
        ) WITHOUT ROWID;";
    // People are looked up by what is theirs, so the handles and the words of the names are indexed. Both follow
    // their column by themselves (an index always does, the search through its triggers): emptying the column
    // empties them, and with secure-delete nothing stays behind in the pages.
    const INDEXES: &'static str = concat!(
        "
        CREATE INDEX contacts_by_form ON contacts (form);
        CREATE INDEX identities_by_handle ON identities (handle COLLATE NOCASE, platform);
        CREATE INDEX tags_by_tag ON tags (tag);
        CREATE INDEX relationships_by_other ON relationships (other);
        CREATE INDEX contacts_by_subject ON contacts (subject);
        CREATE INDEX details_by_subject ON details (subject);
        CREATE INDEX identities_by_subject ON identities (subject);
        CREATE INDEX consents_by_subject ON consents (subject);",
        search_of_names!("name_search", ",\n            prefix = '1 2 3'")
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
            ContactEvent::DetailChanged { detail, value: Some(value) } => {
                tables.execute(
                    "INSERT OR REPLACE INTO details VALUES (?1, ?2, ?3, ?4)",
                    params![contact, word(detail), value.subject().0, tables.reveal(value)],
                )?;
            }
            ContactEvent::DetailChanged { detail, value: None } => {
                let sql = "DELETE FROM details WHERE contact = ?1 AND detail = ?2";
                tables.execute(sql, params![contact, word(detail)])?;
            }
            ContactEvent::IdentityLinked { platform, handle, verified } => {
                link(tables, recorded, platform, handle, Some(*verified))?;
            }
            ContactEvent::IdentityUnlinked { platform, handle } => {
                link(tables, recorded, platform, handle, None)?;
            }
            ContactEvent::Tagged { tag } => {
                tables.execute("INSERT OR IGNORE INTO tags VALUES (?1, ?2)", params![contact, tag])?;
            }
            ContactEvent::Untagged { tag } => {
                tables.execute("DELETE FROM tags WHERE contact = ?1 AND tag = ?2", params![contact, tag])?;
            }
            ContactEvent::ConsentGiven { purpose, channel, basis, proof } => {
                consent(tables, recorded, (*purpose, *channel), *basis, proof.as_ref())?;
            }
            ContactEvent::ConsentWithdrawn { purpose, channel } => {
                withdraw(tables, recorded, (*purpose, *channel))?;
            }
            ContactEvent::RelationshipStarted { relationship, to, since } => {
                tables.execute(
                    "INSERT OR REPLACE INTO relationships VALUES (?1, ?2, ?3, ?4)",
                    params![contact, word(relationship), to.0, since.map(|day| day.to_string())],
                )?;
            }
            ContactEvent::RelationshipEnded { relationship, to } => {
                tables.execute(
                    "DELETE FROM relationships WHERE contact = ?1 AND relationship = ?2 AND other = ?3",
                    params![contact, word(relationship), to.0],
                )?;
            }
            // The runtime keeps who is one person; the question joins them.
            ContactEvent::Merged { .. }
            | ContactEvent::Unmerged { .. }
            | ContactEvent::MergeDismissed { .. } => {}
            ContactEvent::Voided {} => forget(tables, contact)?,
            // What was theirs is emptied by the runtime; that they were there stays, and nothing that places them.
            ContactEvent::Erased { .. } => erase(tables, contact)?,
            ContactEvent::Readmitted { .. } => mark_erased(tables, contact, false)?,
        }
        Ok(())
    }

    fn view(tables: &Tables, query: Query, page: &Page) -> Result<Option<View>, ViewError> {
        let Query { id, name, email, platform, identity, tag, form } = &query;
        match id {
            None => {
                let (rows, next) = search::find(tables, &query, page)?;
                Ok(Some(View::Found(Found { rows, next })))
            }
            Some(id) => {
                let texts = [name, email, platform, identity, tag];
                if texts.into_iter().any(Option::is_some) || form.is_some() {
                    return Err(ViewError::query("id", "names one contact: leave the other conditions out"));
                }
                Ok(card::card(tables, *id)?.map(|card| View::Card(Box::new(card))))
            }
        }
    }

    fn shape(view: &View) -> Shape {
        match view {
            View::Card(_) => Shape::of::<Card>(),
            View::Found(_) => Shape::of::<Found>(),
        }
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
    // The position makes a number that grows, is the same after a rebuild, and is small where it is repeated.
    tables.execute(
        "INSERT INTO contacts VALUES (?1, ?2, ?3, ?4, ?5, ?6, coalesce(?7, ''), 0)",
        params![
            recorded.position.0,
            contact,
            word(form),
            recorded.happened_at().timestamp_micros(),
            name.is_some(),
            subject,
            name
        ],
    )?;
    Ok(())
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
        "INSERT INTO identities VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            recorded.stream.id,
            recorded.position.0,
            platform,
            linked.is_some(),
            linked.unwrap_or_default(),
            recorded.happened_at().timestamp_micros(),
            handle.subject().0,
            tables.reveal(handle)
        ],
    )?;
    Ok(())
}

fn consent(
    tables: &Tables,
    recorded: &Recorded,
    (purpose, channel): (ConsentPurpose, ConsentChannel),
    basis: LawfulBasis,
    proof: Option<&Personal<String>>,
) -> Result<(), ApplyError> {
    let contact = recorded.stream.id;
    let subject = proof.map_or(contact, |proof| proof.subject().0);
    let proof = proof.map(|proof| tables.reveal(proof));
    tables.execute(
        "INSERT OR REPLACE INTO consents VALUES (?1, ?2, ?3, ?4, ?5, NULL, ?6, ?7, coalesce(?8, ''))",
        params![
            contact,
            word(purpose),
            word(channel),
            word(basis),
            recorded.happened_at().timestamp_micros(),
            proof.is_some(),
            subject,
            proof
        ],
    )?;
    Ok(())
}

/// Who says no before ever having said yes has said no all the same.
fn withdraw(
    tables: &Tables,
    recorded: &Recorded,
    (purpose, channel): (ConsentPurpose, ConsentChannel),
) -> Result<(), ApplyError> {
    let at = recorded.happened_at().timestamp_micros();
    tables.execute(
        "INSERT INTO consents VALUES (?1, ?2, ?3, NULL, NULL, ?4, 0, ?1, '')
         ON CONFLICT DO UPDATE SET withdrawn_at = excluded.withdrawn_at",
        params![recorded.stream.id, word(purpose), word(channel), at],
    )?;
    Ok(())
}

/// Takes out what still says something of somebody who is erased. Their consents stay for the sake of the no in them: where
/// another contact of the same person is written to, it goes on to count.
fn erase(tables: &Tables, contact: Uuid) -> Result<(), ApplyError> {
    mark_erased(tables, contact, true)?;
    for sql in [
        "DELETE FROM details WHERE contact = ?1",
        "DELETE FROM identities WHERE contact = ?1",
        "DELETE FROM tags WHERE contact = ?1",
        "DELETE FROM relationships WHERE contact = ?1 OR other = ?1",
    ] {
        tables.execute(sql, [contact])?;
    }
    Ok(())
}

fn mark_erased(tables: &Tables, contact: Uuid, is_erased: bool) -> Result<(), ApplyError> {
    tables.execute("UPDATE contacts SET erased = ?2 WHERE contact = ?1", params![contact, is_erased])?;
    Ok(())
}

/// Takes out all that is known of a contact. What others say of it stays, and is not shown.
fn forget(tables: &Tables, contact: Uuid) -> Result<(), ApplyError> {
    for sql in [
        "DELETE FROM contacts WHERE contact = ?1",
        "DELETE FROM details WHERE contact = ?1",
        "DELETE FROM identities WHERE contact = ?1",
        "DELETE FROM tags WHERE contact = ?1",
        "DELETE FROM consents WHERE contact = ?1",
        "DELETE FROM relationships WHERE contact = ?1",
    ] {
        tables.execute(sql, [contact])?;
    }
    Ok(())
}
