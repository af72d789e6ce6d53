//! One lead as it stands, and the cell that it is counted in.

use chrono::{DateTime, Utc};
use domain::{
    lead::{DisqualifiedBecause, LeadEvent, LeadStatus},
    member::MemberEvent,
};
use rusqlite::{Row, params};
use uuid::Uuid;

use crate::kit::{
    ApplyError, Month, Tables,
    column::{maybe_moment, maybe_word, read_word, word},
    zone::When,
};

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
    pub(super) status: LeadStatus,
    pub(super) because: Option<DisqualifiedBecause>,
    pub(super) source: String,
    pub(super) owner: Option<Uuid>,
    pub(super) contact: Uuid,
    pub(super) score: Option<u8>,
    pub(super) deal: Option<Uuid>,
    pub(super) captured: When,
    pub(super) converted_at: Option<DateTime<Utc>>,
}

/// The lead after an event; none where it counts nowhere.
pub(super) fn after(lead: Option<Lead>, event: &LeadEvent, when: When) -> Option<Lead> {
    if let LeadEvent::Captured { contact, source, conversation: _, interest: _ } = event {
        return Some(Lead {
            status: LeadStatus::default().after(event),
            because: None,
            source: source.clone(),
            owner: None,
            contact: contact.0,
            score: None,
            deal: None,
            captured: when,
            converted_at: None,
        });
    }
    let before = lead?;
    let lead = Lead { status: before.status.after(event), ..before };
    Some(match event {
        LeadEvent::Captured { .. } => lead,
        LeadEvent::Assigned { owner } => Lead { owner: Some(owner.0), ..lead },
        // What is said of a lead that became a deal already changes nothing.
        LeadEvent::Qualified { .. } | LeadEvent::Disqualified { .. }
            if before.status == LeadStatus::Converted =>
        {
            lead
        }
        LeadEvent::Qualified { score } => Lead { because: None, score: score.or(lead.score), ..lead },
        LeadEvent::Disqualified { because } => Lead { because: Some(*because), ..lead },
        LeadEvent::Converted { deal, value: _ } => {
            Lead { because: None, deal: Some(deal.0), converted_at: Some(when.at), ..lead }
        }
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
    let before = tables.row(&format!("SELECT {COLUMNS} FROM leads WHERE lead = ?1"), [id], read_lead)?;
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
        "INSERT OR REPLACE INTO leads VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            id,
            word(lead.status),
            lead.because.map(word),
            lead.source,
            lead.owner,
            lead.contact,
            lead.score,
            lead.deal,
            lead.captured.micros(),
            lead.converted_at.map(|at| at.timestamp_micros()),
            lead.captured.day_number(),
        ],
    )?;
    Ok(())
}

/// Counts a lead into its cell (`sign` 1) or out of it (−1).
fn count(tables: &Tables, lead: &Lead, sign: i64) -> Result<(), ApplyError> {
    let seconds = lead.converted_at.map_or(0, |at| (at - lead.captured.at).num_seconds());
    // A key without a value is empty, since SQLite holds any two NULLs in a key to be different.
    let owner = lead.owner.map_or(Vec::new(), |owner| owner.as_bytes().to_vec());
    let (status, captured) = (word(lead.status), Month::of(lead.captured.day).0);
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

/// The columns that make a lead, in the order in which [`read_lead`] reads them.
pub(super) const COLUMNS: &str =
    "status, because, source, owner, contact, score, deal, captured_at, converted_at, captured_on";

/// How many those are.
pub(super) const WIDTH: usize = 10;

/// Reads the [`COLUMNS`] of a lead.
pub(super) fn read_lead(row: &Row<'_>) -> rusqlite::Result<Lead> {
    Ok(Lead {
        status: read_word(row, 0)?,
        because: maybe_word(row, 1)?,
        source: row.get(2)?,
        owner: row.get(3)?,
        contact: row.get(4)?,
        score: row.get(5)?,
        deal: row.get(6)?,
        captured: When::read(row, 7, 9)?,
        converted_at: maybe_moment(row, 8)?,
    })
}
