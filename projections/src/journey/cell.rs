//! Why is a cell of a view what it is? The things behind it, each with the event that put it there.

use std::{collections::HashMap, sync::Arc};

use domain::{ContactId, Position, StreamId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    names::Names,
    reading::{Horizon, Reader, fold, on_a_thread},
    shown::{Shown, Step},
    subject::Subject,
};
use crate::{
    kit::{Behind, Cause, Tables, ViewError, view::AnyView},
    runtime::{
        question::{AskError, Question},
        views::Views,
    },
};

/// Why a cell of a view is what it is.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CellReasons {
    /// How many things the cell counts, on this page and others.
    pub count: i64,
    /// One row a thing.
    pub rows: Vec<CellReason>,
    /// The cursor of the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The contacts that the events concern, for whoever records that they were shown.
    #[serde(skip)]
    pub concerned: Vec<ContactId>,
}

/// One thing that counts in a cell, and why.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CellReason {
    /// The thing.
    pub thing: StreamId,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Shown>,
    /// The last event that put it there: its own, or that of another thing by which it is counted.
    pub event: Step,
}

impl Views {
    /// A page of the things behind a cell of a view.
    pub async fn why_cell(&self, question: Question) -> Result<CellReasons, AskError> {
        // The things are not known yet; only the moment is of interest here.
        let subject = Subject { as_of: question.as_of, known_at: question.known_at, ..Subject::ANYBODY };
        let horizon = self.shared.horizon(subject).await?;
        let deadline = self.begin(&question.view, question.after).await?;
        let reader = Reader::new(&self.shared, &deadline);
        let Behind { count, causes, next } = self.ask_within(question, behind, deadline.clone()).await?;
        let (log, wanted) = (reader.clone(), causes.clone());
        let because = on_a_thread(move || because(&log, &wanted, horizon)).await?;
        let positions: Vec<Position> = because.iter().copied().flatten().collect();
        let found = self.rows_at(&positions, &deadline).await?;
        on_a_thread(move || {
            let mut names = Names::new(&reader, horizon);
            let mut changed = fold(&reader, subject.thing, &found, &HashMap::new())?;
            let found: HashMap<u64, _> = found.into_iter().map(|row| (row.position, row)).collect();
            let mut rows = Vec::with_capacity(causes.len());
            for (cause, position) in causes.iter().zip(because) {
                let row = position.and_then(|position| found.get(&position.0).cloned());
                let row =
                    row.ok_or_else(|| AskError::Stopped("a thing behind the cell has no event".into()))?;
                // One event may have put several things there.
                let changes = changed.entry(row.position).or_default().clone();
                let name = names.of(cause.thing);
                rows.push(CellReason { thing: cause.thing, name, event: names.step(row, &changes) });
            }
            names.failure()?;
            let events = reader.at(&positions)?;
            let mut concerned: Vec<_> = events.into_iter().flat_map(|recorded| recorded.subjects).collect();
            concerned.sort_unstable();
            concerned.dedup();
            Ok(CellReasons { count, rows, next, concerned })
        })
        .await
    }
}

/// Asks a view within one read transaction what stands behind a cell.
fn behind(tables: &Tables, view: &AnyView, question: &Question, _: Position) -> Result<Behind, AskError> {
    let transaction = tables.connection().unchecked_transaction().map_err(ViewError::from)?;
    let found = (view.behind)(tables, &question.query, question.group.as_deref(), &question.page)?;
    transaction.finish().map_err(ViewError::from)?;
    found.ok_or_else(|| {
        let message = format!("the view `{}` cannot say what stands behind its cells", view.description.name);
        ViewError::Query { field: None, message }.into()
    })
}

/// The position of the event that put each thing where it counts.
fn because(reader: &Reader, causes: &[Cause], horizon: Horizon) -> Result<Vec<Option<Position>>, AskError> {
    // Things next to each other are often one and the same, and their owners few.
    let mut known = HashMap::new();
    let mut found = Vec::with_capacity(causes.len());
    for Cause { thing, fields, through } in causes {
        let standing = standing(&mut known, reader, *thing, horizon)?;
        let own = last(&standing, fields).or_else(|| standing.iter().map(|(_, because)| *because).max());
        let others = match through {
            Some((other, field)) => {
                last(&self::standing(&mut known, reader, *other, horizon)?, std::slice::from_ref(field))
            }
            None => None,
        };
        found.push(own.max(others));
    }
    Ok(found)
}

/// How many things are kept folded while a page is answered.
const KEPT: usize = 200;

/// The fields of a thing, and the event that last changed each.
type Fields = Arc<Vec<(String, Position)>>;

fn standing(
    known: &mut HashMap<StreamId, Fields>,
    reader: &Reader,
    id: StreamId,
    horizon: Horizon,
) -> Result<Fields, AskError> {
    if let Some(fields) = known.get(&id) {
        return Ok(Arc::clone(fields));
    }
    if known.len() >= KEPT {
        known.clear();
    }
    let thing = reader.thing(id, horizon)?;
    let fields = thing.standing().iter().map(|one| (one.field.to_string(), one.because)).collect();
    let fields = Arc::new(fields);
    known.insert(id, Arc::clone(&fields));
    Ok(fields)
}

/// The event that last changed one of some fields.
fn last(standing: &[(String, Position)], fields: &[String]) -> Option<Position> {
    standing.iter().filter(|(field, _)| fields.contains(field)).map(|(_, because)| *because).max()
}
