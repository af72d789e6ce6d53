//! Who was erased, when, by whom and on what ground? What is left to say of them: the list that auditors read, and
//! that an import asks before it takes anybody in again.

use chrono::{DateTime, Utc};
use domain::{
    ContactId, ErasureGround, Event, Kind, Recorded, Role,
    contact::{ContactEvent, LawfulBasis},
    conversation::ConversationEvent,
};
use rusqlite::params;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::kit::{
    ApplyError, Page, Projection, Shows, Tables, ViewError,
    column::{maybe_moment, maybe_word, moment, read_word, word},
};

/// The projection.
pub struct Erasures;

/// Which erasures are asked for.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Of a contact, or of the text of one message.
    of: Option<Of>,
    /// Only of this contact.
    contact: Option<Uuid>,
}

/// What was erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// Everything personal of a contact.
    Contact,
    /// The text of one message.
    Message,
}

/// Erasures, in the order in which they were recorded.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct View {
    /// One row an erasure.
    pub rows: Vec<ErasureRow>,
    /// The cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One erasure.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ErasureRow {
    /// Its place in the log.
    pub position: i64,
    /// Its event.
    pub event: Uuid,
    /// What was erased.
    pub of: Of,
    /// Of whom.
    pub contact: ContactId,
    /// The message whose text it was.
    pub message: Option<Uuid>,
    /// Why.
    pub ground: ErasureGround,
    /// Who erased it.
    pub by: String,
    /// When.
    pub erased_at: DateTime<Utc>,
    /// When they were readmitted, to be known as somebody new.
    pub readmitted_at: Option<DateTime<Utc>>,
    /// On what ground.
    pub readmitted_on: Option<LawfulBasis>,
}

impl Projection for Erasures {
    const NAME: &'static str = "erasures";
    const QUESTION: &'static str = "Who was erased, when, by whom and on what ground?";
    const VERSION: u32 = 1;
    const READERS: &'static [Role] = &[Role::Admin, Role::Staff, Role::Auditor];
    const SHOWS: Shows = Shows::People;
    const KINDS: &'static [Kind] = &[Kind::Contact, Kind::Conversation];
    const TABLES: &'static str = "
        CREATE TABLE erasures (
            position INTEGER PRIMARY KEY, event BLOB NOT NULL, of_what TEXT NOT NULL, contact BLOB NOT NULL,
            message BLOB, ground TEXT NOT NULL, by TEXT NOT NULL, erased_at INTEGER NOT NULL,
            readmitted_at INTEGER, readmitted_on TEXT
        );";
    const INDEXES: &'static str = "CREATE INDEX erasures_by_contact ON erasures (contact);";
    type Query = Query;
    type View = View;

    fn apply(tables: &Tables, recorded: &Recorded) -> Result<(), ApplyError> {
        match &recorded.event {
            Event::Contact(event) => apply_contact(tables, recorded, event),
            Event::Conversation(event) => apply_conversation(tables, recorded, event),
            _ => Ok(()),
        }
    }

    fn view(tables: &Tables, query: Query, page: &Page) -> Result<Option<View>, ViewError> {
        let sql = "SELECT position, event, of_what, contact, message, ground, by, erased_at, readmitted_at, readmitted_on
             FROM erasures WHERE position > ?1 AND (?2 IS NULL OR of_what = ?2) AND (?3 IS NULL OR contact = ?3)
             ORDER BY position LIMIT ?4";
        let after = page.after::<i64>()?.unwrap_or_default();
        let params = params![after, query.of.map(word), query.contact, page.fetch() as u64];
        let mut rows = tables.rows(sql, params, |row| {
            Ok(ErasureRow {
                position: row.get(0)?,
                event: row.get(1)?,
                of: read_word(row, 2)?,
                contact: ContactId(row.get(3)?),
                message: row.get(4)?,
                ground: read_word(row, 5)?,
                by: row.get(6)?,
                erased_at: moment(row, 7)?,
                readmitted_at: maybe_moment(row, 8)?,
                readmitted_on: maybe_word(row, 9)?,
            })
        })?;
        let next = page.cut(&mut rows, |row| row.position);
        Ok(Some(View { rows, next }))
    }
}

fn apply_contact(tables: &Tables, recorded: &Recorded, event: &ContactEvent) -> Result<(), ApplyError> {
    match event {
        ContactEvent::Erased { ground } => {
            erased(tables, recorded, (Of::Contact, recorded.stream.id, None), *ground)
        }
        ContactEvent::Readmitted { basis } => {
            let at = recorded.happened_at().timestamp_micros();
            let sql = "UPDATE erasures SET readmitted_at = ?2, readmitted_on = ?3
                       WHERE contact = ?1 AND of_what = 'contact'";
            tables.execute(sql, params![recorded.stream.id, at, word(basis)])?;
            Ok(())
        }
        ContactEvent::Registered { .. }
        | ContactEvent::Renamed { .. }
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
        | ContactEvent::Voided {} => Ok(()),
    }
}

fn apply_conversation(
    tables: &Tables,
    recorded: &Recorded,
    event: &ConversationEvent,
) -> Result<(), ApplyError> {
    match event {
        ConversationEvent::MessageRedacted { message, owner, ground } => {
            erased(tables, recorded, (Of::Message, owner.0, Some(message.0)), *ground)
        }
        ConversationEvent::Logged { .. }
        | ConversationEvent::Replied { .. }
        | ConversationEvent::Resolved {}
        | ConversationEvent::Reopened {}
        | ConversationEvent::Voided {} => Ok(()),
    }
}

fn erased(
    tables: &Tables,
    recorded: &Recorded,
    (of, contact, message): (Of, Uuid, Option<Uuid>),
    ground: ErasureGround,
) -> Result<(), ApplyError> {
    tables.execute(
        "INSERT INTO erasures VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, NULL, NULL)",
        params![
            recorded.position.0,
            recorded.id.0,
            word(of),
            contact,
            message,
            word(ground),
            recorded.by.to_string(),
            recorded.happened_at().timestamp_micros(),
        ],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use domain::{ContactId, EventId};

    use super::*;
    use crate::kit::testing::{event_id, given};

    #[test]
    fn an_erasure_says_who_why_and_whether_they_may_come_back() {
        let message = EventId(Uuid::from_u128(9));
        given::<Erasures>()
            .happened("2024-01-01", 1, ContactEvent::Erased { ground: ErasureGround::Request })
            .happened("2024-01-02", 2, ContactEvent::Erased { ground: ErasureGround::Retention })
            .happened(
                "2024-01-03",
                3,
                ConversationEvent::MessageRedacted {
                    message,
                    owner: ContactId(Uuid::from_u128(4)),
                    ground: ErasureGround::Unlawful,
                },
            )
            .happened("2024-01-04", 1, ContactEvent::Readmitted { basis: LawfulBasis::Consent })
            .then("of=contact", |view| {
                assert_eq!(view["rows"].as_array().unwrap().len(), 2);
                let first = &view["rows"][0];
                assert_eq!(first["event"], event_id(1).0.to_string());
                assert_eq!((&first["ground"], &first["by"]), (&"request".into(), &"member:ann".into()));
                assert_eq!(first["readmitted_on"], "consent");
                assert!(view["rows"][1]["readmitted_at"].is_null());
            })
            .then(&format!("contact={}", Uuid::from_u128(4)), |view| {
                assert_eq!(view["rows"][0]["message"], message.0.to_string());
                assert_eq!(view["rows"][0]["of"], "message");
            });
    }
}
