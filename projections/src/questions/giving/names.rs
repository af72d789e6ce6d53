//! What donors are called.

use domain::{Personal, contact::ContactEvent};
use rusqlite::params;
use uuid::Uuid;

use crate::kit::{ApplyError, Tables, ViewError};

/// Keeps what a contact is called; the names of donors stand beside their gifts.
pub(super) fn keep(tables: &Tables, contact: Uuid, event: &ContactEvent) -> Result<(), ApplyError> {
    let write = |name: &Personal<String>| {
        tables.execute(
            "INSERT OR REPLACE INTO names VALUES (?1, ?2, ?3)",
            params![contact, name.subject().0, tables.reveal(name)],
        )
    };
    match event {
        ContactEvent::Registered { form: _, name: Some(name) } | ContactEvent::Renamed { name } => {
            write(name)?;
        }
        ContactEvent::Voided {} => {
            tables.execute("DELETE FROM names WHERE contact = ?1", [contact])?;
        }
        ContactEvent::Registered { form: _, name: None }
        | ContactEvent::DetailChanged { .. }
        | ContactEvent::IdentityLinked { .. }
        | ContactEvent::IdentityUnlinked { .. }
        | ContactEvent::Tagged { .. }
        | ContactEvent::Untagged { .. }
        | ContactEvent::ConsentGiven { .. }
        | ContactEvent::ConsentWithdrawn { .. }
        | ContactEvent::RelationshipStarted { .. }
        | ContactEvent::RelationshipEnded { .. }
        | ContactEvent::Merged { .. }
        | ContactEvent::Unmerged { .. }
        | ContactEvent::MergeDismissed { .. }
        | ContactEvent::Erased { .. }
        | ContactEvent::Readmitted { .. } => {}
    }
    Ok(())
}

/// What a donor is called; empty where the name was forgotten. Of merged contacts the first name counts that can
/// still be read.
pub(super) fn name_of(tables: &Tables, donor: Uuid) -> Result<Option<String>, ViewError> {
    let mut names = Vec::new();
    for contact in tables.parts_of(donor)? {
        let sql = "SELECT name FROM names WHERE contact = ?1";
        names.extend(tables.row(sql, [contact], |row| row.get::<_, String>(0))?);
    }
    names.sort_by_key(String::is_empty);
    Ok(names.into_iter().next())
}
