//! That people were shown to somebody is recorded before they are shown: when an auditor reads, when rows about people
//! are taken away as a file, while a feed is followed. If it cannot be recorded, nothing is shown.

use commands::{
    Malformed, Request, Sender,
    disclosure::{Command, Disclosure},
    text::Line,
};
use domain::{
    ContactId, Kind, Position, Role, StreamId,
    disclosure::{Manner, Purpose},
};
use projections::{Answer, Description, Shows};
use uuid::Uuid;

use super::{caller::Caller, error::Error, rapport::Rapport};

/// How many contacts one disclosure names.
const NAMED: usize = 1_000;
/// How many events of one thing are looked through for those whom it concerns: as many as a stream holds.
const EVENTS_OF_ONE: usize = 10_000;

/// What is about to be shown.
#[derive(Debug)]
pub struct Showing<'a> {
    /// Which view, or `events`.
    pub view: &'a str,
    /// The question without personal parameters.
    pub query: String,
    /// Up to where the log was seen.
    pub position: Position,
    /// How many rows.
    pub rows: u64,
    /// Who, where the question cannot be asked again.
    pub shown: Vec<ContactId>,
}

/// The manner and purpose of a reader, as they have said.
#[derive(Clone, Copy, Debug)]
pub struct Intent {
    manner: Manner,
    purpose: Purpose,
}

impl Intent {
    /// What was said; where nothing was, an auditor reads for an audit, and everybody else for another purpose.
    pub fn new(caller: &Caller, manner: Option<Manner>, purpose: Option<Purpose>) -> Self {
        let usual = if caller.role == Role::Auditor { Purpose::Audit } else { Purpose::Other };
        Self { manner: manner.unwrap_or(Manner::Read), purpose: purpose.unwrap_or(usual) }
    }

    /// The intent of somebody who follows the log.
    #[must_use]
    pub fn following(self) -> Self {
        Self { manner: Manner::Feed, ..self }
    }

    /// Whether showing people to this caller in this way is recorded.
    pub fn is_recorded(self, caller: &Caller) -> bool {
        caller.role == Role::Auditor || matches!(self.manner, Manner::Export | Manner::Report)
    }
}

/// What a view is about to show, where that is people or donors.
pub fn of_view<'a>(
    view: &'a Description,
    query: &str,
    position: Position,
    answer: &Answer,
) -> Result<Option<Showing<'a>>, Error> {
    if view.shows == Shows::Cells {
        return Ok(None);
    }
    // Parsed as the view parses it: however a name is written, it is the same parameter.
    let pairs: Vec<(String, String)> = serde_html_form::from_str(query).unwrap_or_default();
    let (open, personal): (Vec<_>, Vec<_>) = pairs
        .into_iter()
        .filter(|(name, _)| name != "after")
        .partition(|(name, _)| !view.personal_parameters.contains(&name.as_str()));
    let query = serde_html_form::to_string(&open).unwrap_or_default();
    let mut shown = if personal.is_empty() { Vec::new() } else { answer.contacts()? };
    shown.truncate(NAMED);
    Ok(Some(Showing { view: view.name, query, position, rows: answer.count()?, shown }))
}

/// The contacts whom one thing concerns, where a question is about one that is no contact itself: its answer tells
/// of them without their ids.
async fn concerned(rapport: &Rapport, query: &str) -> Result<Vec<ContactId>, Error> {
    let pairs: Vec<(String, String)> = serde_html_form::from_str(query).unwrap_or_default();
    let about = pairs.iter().find(|(name, _)| name == "stream");
    let about = about.and_then(|(_, stream)| stream.parse::<StreamId>().ok());
    let Some(stream) = about.filter(|stream| stream.kind != Kind::Contact) else { return Ok(Vec::new()) };
    let events = rapport.store.read_stream(stream, 0, EVENTS_OF_ONE).await;
    let mut shown: Vec<ContactId> = events?.into_iter().flat_map(|event| event.subjects).collect();
    shown.sort_unstable();
    shown.dedup();
    shown.truncate(NAMED);
    Ok(shown)
}

/// Each disclosure is a thing of its own.
#[expect(clippy::disallowed_methods, reason = "it is named here, at the door, where it comes into being")]
fn draw() -> Uuid {
    Uuid::now_v7()
}

/// Records that people are shown, durably.
pub async fn record(
    rapport: &Rapport,
    caller: &Caller,
    intent: Intent,
    showing: Showing<'_>,
) -> Result<(), Error> {
    let size = rapport.store.size_at(showing.position).await?;
    let Intent { manner, purpose } = intent;
    let Showing { view, query, rows, mut shown, .. } = showing;
    if shown.is_empty() {
        shown = concerned(rapport, &query).await?;
    }
    let query = Some(query.as_str()).filter(|query| !query.is_empty());
    let command = Command::Record {
        role: caller.role,
        purpose,
        manner,
        view: Line::try_from(view).map_err(Malformed::at("record.view"))?,
        query: query.map(Line::try_from).transpose().map_err(Malformed::at("record.query"))?,
        size,
        rows,
        shown,
    };
    let sender = Sender { by: caller.actor(), role: caller.role, system: true };
    rapport.commands.carry_out::<Disclosure>(Request::new(draw(), command, sender)).await?;
    Ok(())
}
