//! The certificate of an erasure. It is looked up in the files, not claimed.

use std::time::Duration;

use domain::{ContactId, EventId, Forgotten, Kind, Position, Recorded, Role, StreamId};
use projections::{
    AskError, Left, Question,
    questions::contacts::{Contacts, View},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{caller::Caller, error::Error, rapport::Rapport};

/// Who may see it.
pub const READERS: &[Role] = &[Role::Admin, Role::Auditor];
/// How many events of a stream are read at a time.
const EVENTS_PER_READ: usize = 1_000;
/// How often, and how long apart, it is looked again where readers are still in the way.
const LOOKS_MAX: usize = 40;
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// What is left of somebody who was erased.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Certificate {
    /// Who was erased.
    pub contact: ContactId,
    /// Whether nothing is left in any file of the data folder.
    pub complete: bool,
    /// Other contacts of the same person that are not erased.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<ContactId>,
    /// What is still to be done, in sentences.
    pub still_to_do: Vec<String>,
    /// The event of the erasure.
    pub event: EventId,
    /// Its place in the log.
    pub position: Position,
    /// Its fields: the ground.
    pub fields: Value,
    /// Who erased.
    pub by: String,
    /// When.
    pub erased_at: chrono::DateTime<chrono::Utc>,
    /// The keys.
    pub keys: KeysLeft,
    /// The views.
    #[serde(flatten)]
    pub left: Left,
}

/// How it stands with the keys.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct KeysLeft {
    /// How many keys of the contact still open something.
    pub living: u64,
    /// In which epoch they were destroyed.
    pub destroyed_in: Option<u32>,
    /// The epochs whose keys exist in the data folder.
    pub epochs: Vec<u32>,
    /// Whether a copy of the keys that was made before the erasure is useless without a copy of an epoch key.
    pub older_copies_are_useless: bool,
}

/// Looks into every file and says what it found.
pub async fn certificate(
    rapport: &Rapport,
    caller: &Caller,
    contact: ContactId,
) -> Result<Certificate, Error> {
    caller.must_be(READERS)?;
    let erasure = find(rapport, contact).await?;
    let mut left = look(rapport, contact, erasure.position).await?;
    for _ in 0..LOOKS_MAX {
        if left.is_nothing() {
            break;
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
        left = look(rapport, contact, erasure.position).await?;
    }
    let keys = keys(rapport, contact)?;
    let fields = erasure.event.encode().ok().and_then(|(_, fields)| serde_json::from_str(&fields).ok());
    let mut still_to_do = still_to_do(&keys, &left);
    // What can be said of files is said also where a view cannot be asked; complete it is not then.
    let others = others(rapport, contact).await.unwrap_or_else(|error| {
        still_to_do
            .push(format!("whether other contacts of the same person are held cannot be told: {error}"));
        Vec::new()
    });
    still_to_do.extend(others.iter().map(|other| {
        format!(
            "another contact of the same person, contact/{other}, is not erased, and still answers for them"
        )
    }));
    Ok(Certificate {
        contact,
        others,
        complete: still_to_do.is_empty(),
        still_to_do,
        event: erasure.id,
        position: erasure.position,
        fields: fields.unwrap_or_default(),
        by: erasure.by.to_string(),
        erased_at: erasure.recorded_at,
        keys,
        left,
    })
}

/// The other contacts of the person of somebody who was erased, as far as they are not.
async fn others(rapport: &Rapport, contact: ContactId) -> Result<Vec<ContactId>, AskError> {
    // They may have been erased a moment after this one.
    let after = rapport.store.head();
    let query = format!("id={contact}");
    let question = Question { query, after: Some(after), ..Question::default() };
    let parts = match rapport.views.view_of::<Contacts>(question).await {
        Ok(View::Card(card)) => card.parts,
        Ok(View::Found(_)) | Err(AskError::NotFound) => Vec::new(),
        Err(error) => return Err(error),
    };
    let others = parts.into_iter().filter(|part| !part.erased && part.contact != contact);
    Ok(others.map(|part| part.contact).collect())
}

/// The event that erased a contact.
async fn find(rapport: &Rapport, contact: ContactId) -> Result<Recorded, Error> {
    let (stream, mut after) = (StreamId::new(Kind::Contact, contact.0), 0);
    loop {
        let events = rapport.store.read_stream(stream, after, EVENTS_PER_READ).await;
        let events = events?;
        let Some(last) = events.last() else {
            return Err(Error::NotFound("nobody with this id was erased".to_owned()));
        };
        after = last.revision;
        let erases = |recorded: &Recorded| recorded.forgets() == Some(Forgotten::Contact(contact));
        if let Some(erasure) = events.into_iter().find(erases) {
            return Ok(erasure);
        }
    }
}

async fn look(rapport: &Rapport, contact: ContactId, erased_at: Position) -> Result<Left, Error> {
    let left = rapport.views.left(contact, erased_at).await;
    left.map_err(Error::unavailable)
}

fn keys(rapport: &Rapport, contact: ContactId) -> Result<KeysLeft, Error> {
    let state = rapport.log.keys().state_of(contact);
    let state = state.map_err(Error::unavailable)?;
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
