//! `GET /erasures/{contact}`: the certificate of an erasure. It is looked up in the files, not claimed.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, State},
};
use domain::{ContactId, EventId, Forgotten, Kind, Position, Recorded, Role, StreamId};
use projections::Left;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{App, Caller, Problem};

/// Who may see it.
const READERS: &[Role] = &[Role::Admin, Role::Auditor];
/// How many events of a stream are read at a time.
const EVENTS_PER_READ: usize = 1_000;
/// How often, and how long apart, it is looked again where readers are still in the way.
const LOOKS: usize = 40;
const PAUSE: Duration = Duration::from_millis(250);

/// What is left of somebody who was erased.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Certificate {
    /// Who was erased.
    contact: ContactId,
    /// Whether nothing is left in any file of the data folder.
    complete: bool,
    /// What is still to be done, in sentences.
    still_to_do: Vec<String>,
    /// The event of the erasure.
    event: EventId,
    /// Its place in the log.
    position: Position,
    /// Its fields: the ground.
    fields: Value,
    /// Who erased.
    by: String,
    /// When.
    erased_at: chrono::DateTime<chrono::Utc>,
    /// The keys.
    keys: KeysLeft,
    /// The views.
    #[serde(flatten)]
    left: Left,
}

/// How it stands with the keys.
#[derive(Debug, Serialize, JsonSchema)]
struct KeysLeft {
    /// How many keys of the contact still open something.
    living: u64,
    /// In which epoch they were destroyed.
    destroyed_in: Option<u32>,
    /// The epochs whose keys exist in the data folder.
    epochs: Vec<u32>,
    /// Whether a copy of the keys that was made before the erasure is useless without a copy of an epoch key.
    older_copies_are_useless: bool,
}

/// Looks into every file and says what it found.
pub(super) async fn certificate(
    State(app): State<App>,
    caller: Caller,
    Path(contact): Path<uuid::Uuid>,
) -> Result<Json<Certificate>, Problem> {
    caller.must_be(READERS)?;
    let contact = ContactId(contact);
    let erasure = find(&app, contact).await?;
    let mut left = look(&app, contact, erasure.position).await?;
    for _ in 0..LOOKS {
        if left.is_nothing() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        left = look(&app, contact, erasure.position).await?;
    }
    let keys = keys(&app, contact)?;
    let fields = erasure.event.encode().ok().and_then(|(_, fields)| serde_json::from_str(&fields).ok());
    let still_to_do = still_to_do(&keys, &left);
    Ok(Json(Certificate {
        contact,
        complete: still_to_do.is_empty(),
        still_to_do,
        event: erasure.id,
        position: erasure.position,
        fields: fields.unwrap_or_default(),
        by: erasure.by.to_string(),
        erased_at: erasure.recorded_at,
        keys,
        left,
    }))
}

/// The event that erased a contact.
async fn find(app: &App, contact: ContactId) -> Result<Recorded, Problem> {
    let (stream, mut after) = (StreamId::new(Kind::Contact, contact.0), 0);
    loop {
        let events = app.rapport.store.read_stream(stream, after, EVENTS_PER_READ).await;
        let events = events.map_err(|error| Problem::unavailable(error.to_string()))?;
        let Some(last) = events.last() else {
            return Err(Problem::not_found("nobody with this id was erased"));
        };
        after = last.revision;
        let erases = |recorded: &Recorded| recorded.forgets() == Some(Forgotten::Contact(contact));
        if let Some(erasure) = events.into_iter().find(erases) {
            return Ok(erasure);
        }
    }
}

async fn look(app: &App, contact: ContactId, erased_at: Position) -> Result<Left, Problem> {
    let left = app.rapport.views.left(contact, erased_at).await;
    left.map_err(|error| Problem::unavailable(error.to_string()))
}

fn keys(app: &App, contact: ContactId) -> Result<KeysLeft, Problem> {
    let state = app.rapport.log.keys().state_of(contact);
    let state = state.map_err(|error| Problem::unavailable(error.to_string()))?;
    let older_copies_are_useless =
        state.destroyed_in.is_some_and(|epoch| state.epochs.iter().all(|living| *living > epoch));
    Ok(KeysLeft {
        living: state.living,
        destroyed_in: state.destroyed_in,
        epochs: state.epochs,
        older_copies_are_useless,
    })
}

fn still_to_do(keys: &KeysLeft, left: &Left) -> Vec<String> {
    let mut sentences = Vec::new();
    if keys.living > 0 {
        sentences.push(format!("{} keys still open something", keys.living));
    }
    for view in &left.views {
        if view.left > 0 || view.left_in_snapshots > 0 {
            sentences.push(format!(
                "{} rows of the view {} say something",
                view.left + view.left_in_snapshots,
                view.view
            ));
        }
        if !view.carried_out {
            sentences.push(format!("the view {} has not carried it out in every file of its own", view.view));
        }
    }
    if left.past_from_before > 0 {
        sentences.push(format!("{} files of the past were begun before it", left.past_from_before));
    }
    sentences
}
