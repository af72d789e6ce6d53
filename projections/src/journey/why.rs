//! Why is a field what it is? The event that last changed it, with everything that is known of that event, and
//! those that changed it before.

use domain::{Position, StreamId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    names::Names,
    reading::{Reader, on_a_thread},
    shown::{FieldValue, Shown, Step},
    subject::Subject,
};
use crate::{
    kit::{Projection as _, ViewError},
    meaning::{Changed, Field, Standing, Thing},
    questions::history::{History, HistoryRow},
    runtime::{question::AskError, views::Views},
};

/// How many earlier changes are told.
const EARLIER: usize = 100;
/// How many fields are named to whoever asks for one that there is not.
const NAMED: usize = 40;

/// Why a field is what it is.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Why {
    /// The thing.
    pub thing: StreamId,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Shown>,
    /// The field as it stands.
    #[serde(flatten)]
    pub field: FieldValue,
    /// The event that made it so.
    pub event: Step,
    /// The events that changed it before, the latest first.
    pub earlier: Vec<Step>,
    /// How many more of them there are.
    pub more: usize,
}

impl Views {
    /// Why a field of a thing is what it is, as of a moment.
    pub async fn why(&self, subject: Subject, field: &str, after: Option<Position>) -> Result<Why, AskError> {
        let deadline = self.begin(History::NAME, after).await?;
        let horizon = self.shared.horizon(subject).await?;
        let reader = Reader::new(&self.shared, &deadline);
        let (log, wanted) = (reader.clone(), field.to_owned());
        let mut told = on_a_thread(move || {
            let events = log.stream(subject.thing, u64::MAX)?;
            let mut thing = Thing::default();
            let seen = events.iter().take_while(|recorded| horizon.sees(recorded));
            let changed: Vec<_> = seen.map(|recorded| (recorded.position, thing.apply(recorded))).collect();
            let field = find(&thing, &wanted)?;
            let of_it = |(_, changed): &(Position, Changed)| {
                changed.changes.iter().any(|change| change.field == field && !change.is_repetition())
            };
            let changed = changed.into_iter().filter(of_it).collect();
            Ok(Told { thing, field, changed })
        })
        .await?;
        let more = told.changed.len().saturating_sub(EARLIER + 1);
        told.changed.drain(..more);
        let positions: Vec<_> = told.changed.iter().map(|(position, _)| *position).collect();
        let rows = self.rows_at(&positions, &deadline).await?;
        on_a_thread(move || {
            let mut names = Names::new(&reader, horizon);
            let name = names.of(subject.thing);
            let mut steps = told.steps(&mut names, rows);
            let field = told.thing.field(&told.field).map(|standing| names.field(&standing));
            names.failure()?;
            // Whatever has a value, or has lost it, has been changed by some event.
            let (Some(field), Some(event)) = (field, steps.pop()) else { return Err(AskError::NotFound) };
            steps.reverse();
            Ok(Why { thing: subject.thing, name, field, event, earlier: steps, more })
        })
        .await
    }
}

struct Told {
    thing: Thing,
    field: Field,
    /// The events that changed it, the latest last.
    changed: Vec<(Position, Changed)>,
}

impl Told {
    fn steps(&self, names: &mut Names<'_>, rows: Vec<HistoryRow>) -> Vec<Step> {
        let of = |row: &HistoryRow| self.changed.iter().find(|(position, _)| position.0 == row.position);
        rows.into_iter()
            .map(|row| {
                let changed = of(&row).map(|(_, changed)| changed.clone()).unwrap_or_default();
                names.step(row, &changed)
            })
            .collect()
    }
}

/// The field that is meant: by its whole name, or by the end of it (`email` is `identity on email`). Where several
/// end so, the shortest name is meant, if there is one.
fn find(thing: &Thing, wanted: &str) -> Result<Field, AskError> {
    let standing = thing.standing();
    if standing.is_empty() {
        return Err(AskError::NotFound);
    }
    let exact = standing.iter().find(|one| one.field.to_string() == wanted);
    let ending = format!(" {wanted}");
    let length = |one: &&Standing<'_>| one.field.to_string().split(' ').count();
    let similar: Vec<_> = standing.iter().filter(|one| one.field.to_string().ends_with(&ending)).collect();
    let shortest = similar.iter().map(length).min();
    let mut shortest = similar.iter().filter(|one| Some(length(one)) == shortest);
    let found = exact.or_else(|| shortest.next().copied().filter(|_| shortest.next().is_none()));
    if let Some(found) = found {
        return Ok(found.field.clone());
    }
    let names: Vec<_> = standing.iter().take(NAMED).map(|one| one.field.to_string()).collect();
    let and_more = if standing.len() > NAMED { ", …" } else { "" };
    let message = format!("was never spoken of; there are: {}{and_more}", names.join(", "));
    Err(ViewError::query("field", message).into())
}
