//! One lead as it stands, and the cell that it is counted in.

use chrono::{DateTime, Utc};
use domain::{
    lead::{DisqualifiedBecause, LeadEvent},
    member::MemberEvent,
};
use rusqlite::{Row, params};
use uuid::Uuid;

use super::status::Status;
use crate::kit::{ApplyError, Month, Tables};

pub(super) fn apply_member(tables: &Tables, id: Uuid, event: &MemberEvent) -> Result<(), ApplyError> {
    match event {
        MemberEvent::Joined { name, .. } | MemberEvent::Renamed { name } => {
            tables.execute("INSERT OR REPLACE INTO members VALUES (?1, ?2)", params![id, name])?;
        }
        // Leads stay with those who have left; teams and tokens change nothing here.
        MemberEvent::Moved { .. }
        | MemberEvent::Left {}
        | MemberEvent::TokenGranted { .. }
        | MemberEvent::TokenRevoked {} => {}
    }
    Ok(())
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lead {
    pub(super) status: Status,
    pub(super) because: Option<DisqualifiedBecause>,
    pub(super) source: String,
    pub(super) owner: Option<Uuid>,
    pub(super) contact: Uuid,
    pub(super) score: Option<u8>,
    pub(super) deal: Option<Uuid>,
    pub(super) captured_at: DateTime<Utc>,
    pub(super) converted_at: Option<DateTime<Utc>>,
}

/// The lead after an event; none where it counts nowhere.
pub(super) fn after(lead: Option<Lead>, event: &LeadEvent, at: DateTime<Utc>) -> Option<Lead> {
    if let LeadEvent::Captured { contact, source, conversation: _, interest: _ } = event {
        return Some(Lead {
            status: Status::New,
            because: None,
            source: source.clone(),
            owner: None,
            contact: contact.0,
            score: None,
            deal: None,
            captured_at: at,
            converted_at: None,
        });
    }
    let lead = lead?;
    Some(match event {
        LeadEvent::Captured { .. } => lead,
        LeadEvent::Assigned { owner } => {
            let status = if lead.status == Status::New { Status::Contacted } else { lead.status };
            Lead { owner: Some(owner.0), status, ..lead }
        }
        // What has become a deal stays converted, whatever is said about the lead afterwards.
        LeadEvent::Qualified { .. } | LeadEvent::Disqualified { .. } if lead.deal.is_some() => lead,
        LeadEvent::Qualified { score } => {
            Lead { status: Status::Qualified, because: None, score: score.or(lead.score), ..lead }
        }
        LeadEvent::Disqualified { because } => {
            let status = match because {
                DisqualifiedBecause::Junk | DisqualifiedBecause::Duplicate => Status::Junk,
                DisqualifiedBecause::Unqualified
                | DisqualifiedBecause::Unreachable
                | DisqualifiedBecause::NotInterested => Status::Unqualified,
            };
            Lead { status, because: Some(*because), ..lead }
        }
        LeadEvent::Converted { deal, value: _ } => Lead {
            status: Status::Converted,
            because: None,
            deal: Some(deal.0),
            converted_at: Some(at),
            ..lead
        },
        LeadEvent::Corrected { fact: _, source, contact } => Lead {
            source: source.clone().unwrap_or(lead.source),
            contact: contact.map_or(lead.contact, |contact| contact.0),
            ..lead
        },
        LeadEvent::Voided {} => return None,
    })
}

/// Replaces one lead, and moves it from its old cell to its new one.
pub(super) fn change(
    tables: &Tables,
    id: Uuid,
    after: impl FnOnce(Option<Lead>) -> Option<Lead>,
) -> Result<(), ApplyError> {
    let before = tables.row(
        "SELECT status, because, source, owner, contact, score, deal, captured_at, converted_at
         FROM leads WHERE lead = ?1",
        [id],
        read_lead,
    )?;
    let now = after(before.clone());
    if let Some(before) = &before {
        count(tables, before, -1)?;
    }
    let Some(lead) = now else {
        tables.execute("DELETE FROM leads WHERE lead = ?1", [id])?;
        return Ok(());
    };
    count(tables, &lead, 1)?;
    tables.execute(
        "INSERT OR REPLACE INTO leads VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            id,
            lead.status.word(),
            lead.because.map(because_word),
            lead.source,
            lead.owner,
            lead.contact,
            lead.score,
            lead.deal,
            lead.captured_at.timestamp_micros(),
            lead.converted_at.map(|at| at.timestamp_micros()),
        ],
    )?;
    Ok(())
}

/// Counts a lead into its cell (`sign` 1) or out of it (−1).
fn count(tables: &Tables, lead: &Lead, sign: i64) -> Result<(), ApplyError> {
    let seconds = lead.converted_at.map_or(0, |at| (at - lead.captured_at).num_seconds());
    // A key without a value is empty, since SQLite holds any two NULLs in a key to be different.
    let owner = lead.owner.map_or(Vec::new(), |owner| owner.as_bytes().to_vec());
    let (status, captured) = (lead.status.word(), Month::of(lead.captured_at).0);
    tables.execute(
        "INSERT INTO cells VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET leads = leads + excluded.leads, seconds = seconds + excluded.seconds",
        params![lead.source, owner, status, captured, sign, sign * seconds],
    )?;
    if sign < 0 {
        tables.execute(
            "DELETE FROM cells
             WHERE source = ?1 AND owner = ?2 AND status = ?3 AND captured = ?4 AND leads = 0",
            params![lead.source, owner, status, captured],
        )?;
    }
    Ok(())
}

const REASONS: [(DisqualifiedBecause, &str); 5] = [
    (DisqualifiedBecause::Unqualified, "unqualified"),
    (DisqualifiedBecause::Junk, "junk"),
    (DisqualifiedBecause::Duplicate, "duplicate"),
    (DisqualifiedBecause::Unreachable, "unreachable"),
    (DisqualifiedBecause::NotInterested, "not_interested"),
];

fn because_word(because: DisqualifiedBecause) -> &'static str {
    REASONS.into_iter().find(|(known, _)| *known == because).map_or("", |(_, word)| word)
}

pub(super) fn read_lead(row: &Row<'_>) -> rusqlite::Result<Lead> {
    let because: Option<String> = row.get(1)?;
    let because = because
        .and_then(|because| REASONS.into_iter().find(|(_, word)| *word == because))
        .map(|(because, _)| because);
    let moment = |micros: i64| DateTime::from_timestamp_micros(micros).unwrap_or_default();
    Ok(Lead {
        status: Status::of(row.get_ref(0)?.as_str()?),
        because,
        source: row.get(2)?,
        owner: row.get(3)?,
        contact: row.get(4)?,
        score: row.get(5)?,
        deal: row.get(6)?,
        captured_at: moment(row.get(7)?),
        converted_at: row.get::<_, Option<i64>>(8)?.map(moment),
    })
}
