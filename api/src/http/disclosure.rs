//! That people were shown to somebody is recorded before they are shown: when an auditor reads, when rows about people
//! are taken away as a file, while a feed is followed. If it cannot be recorded, nothing is shown.

use axum::http::HeaderMap;
use commands::{
    Malformed, Request, Sender,
    disclosure::{Command, Disclosure},
    text::Line,
};
use domain::{
    ContactId, Kind, Position, Role, StreamId,
    disclosure::{Manner, Purpose},
};
use projections::{Description, Shows};
use serde_json::Value;
use uuid::Uuid;

use super::{App, Caller, Problem};

/// What the reader looks for; one of the words of [`Purpose`].
pub(super) const PURPOSE: &str = "rapport-purpose";
/// In which way the reader will use the answer: `read` or `export`.
pub(super) const MANNER: &str = "rapport-manner";
/// How many contacts one disclosure names.
const NAMED: usize = 1_000;
/// How many events of one thing are looked through for those whom it concerns: as many as a stream holds.
const EVENTS_OF_ONE: usize = 10_000;

/// What is about to be shown.
pub(super) struct Showing<'a> {
    /// Which view, or `events`.
    pub(super) view: &'a str,
    /// The question without personal parameters.
    pub(super) query: String,
    /// Up to where the log was seen.
    pub(super) position: Position,
    /// How many rows.
    pub(super) rows: u64,
    /// Who, where the question cannot be asked again.
    pub(super) shown: Vec<Uuid>,
}

/// The manner and purpose of a reader, as their request says.
#[derive(Clone, Copy)]
pub(super) struct Intent {
    manner: Manner,
    purpose: Purpose,
}

impl Intent {
    /// Reads the headers; a file is always an export.
    pub(super) fn of(caller: &Caller, headers: &HeaderMap, is_file: bool) -> Result<Self, Problem> {
        let usual = if caller.role == Role::Auditor { Purpose::Audit } else { Purpose::Other };
        let purpose = header(headers, PURPOSE)?.unwrap_or(usual);
        let manner = if is_file { Some(Manner::Export) } else { header(headers, MANNER)? };
        Ok(Self { manner: manner.unwrap_or(Manner::Read), purpose })
    }

    /// The intent of somebody who follows the log.
    pub(super) fn following(self) -> Self {
        Self { manner: Manner::Feed, ..self }
    }

    /// Whether showing people to this caller in this way is recorded.
    pub(super) fn is_recorded(self, caller: &Caller) -> bool {
        caller.role == Role::Auditor || matches!(self.manner, Manner::Export | Manner::Report)
    }
}

fn header<T: serde::de::DeserializeOwned>(headers: &HeaderMap, name: &str) -> Result<Option<T>, Problem> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let word = Value::String(value.to_str().unwrap_or_default().to_owned());
    serde_json::from_value(word)
        .map(Some)
        .map_err(|error| Problem::malformed(error.to_string()).at(Some(name.to_owned())))
}

/// What a view is about to show, where that is people or donors.
pub(super) fn of_view<'a>(
    view: &'a Description,
    query: &str,
    position: Position,
    answer: &str,
) -> Option<Showing<'a>> {
    if view.shows == Shows::Cells {
        return None;
    }
    let answer: Value = serde_json::from_str(answer).unwrap_or_default();
    let rows = answer["rows"].as_array();
    // Parsed as the view parses it: however a name is written, it is the same parameter.
    let pairs: Vec<(String, String)> = serde_html_form::from_str(query).unwrap_or_default();
    let (open, personal): (Vec<_>, Vec<_>) = pairs
        .into_iter()
        .filter(|(name, _)| name != "after")
        .partition(|(name, _)| !view.personal_parameters.contains(&name.as_str()));
    let query = serde_html_form::to_string(&open).unwrap_or_default();
    let mut shown = Vec::new();
    if !personal.is_empty() {
        let ids = rows.into_iter().flatten().chain([&answer]).filter_map(|row| row["id"].as_str());
        shown = ids.filter_map(|id| Uuid::parse_str(id).ok()).take(NAMED).collect();
    }
    let rows = rows.map_or(1, |rows| rows.len() as u64);
    Some(Showing { view: view.name, query, position, rows, shown })
}

/// The contacts whom one thing concerns, where a question is about one that is no contact itself: its answer tells
/// of them without their ids.
async fn concerned(app: &App, query: &str) -> Result<Vec<Uuid>, Problem> {
    let pairs: Vec<(String, String)> = serde_html_form::from_str(query).unwrap_or_default();
    let about = pairs.iter().find(|(name, _)| name == "stream");
    let about = about.and_then(|(_, stream)| stream.parse::<StreamId>().ok());
    let Some(stream) = about.filter(|stream| stream.kind != Kind::Contact) else { return Ok(Vec::new()) };
    let events = app.rapport.store.read_stream(stream, 0, EVENTS_OF_ONE).await;
    let events = events.map_err(|error| Problem::unavailable(error.to_string()))?;
    let mut shown: Vec<Uuid> =
        events.into_iter().flat_map(|event| event.subjects).map(|contact| contact.0).collect();
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
pub(super) async fn record(
    app: &App,
    caller: &Caller,
    intent: Intent,
    showing: Showing<'_>,
) -> Result<(), Problem> {
    let size = app.rapport.store.size_at(showing.position).await;
    let size = size.map_err(|error| Problem::unavailable(error.to_string()))?;
    let Intent { manner, purpose } = intent;
    let Showing { view, query, rows, mut shown, .. } = showing;
    if shown.is_empty() {
        shown = concerned(app, &query).await?;
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
        shown: shown.into_iter().map(ContactId).collect(),
    };
    let sender = Sender { by: caller.actor(), role: caller.role, system: true };
    app.rapport.commands.carry_out::<Disclosure>(Request::new(draw(), command, sender)).await?;
    Ok(())
}
