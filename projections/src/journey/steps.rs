//! A history step by step, a page at a time.

use std::collections::HashMap;

use domain::{Position, StreamId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    names::Names,
    reading::{LogState, Reader, fold, on_a_thread},
    rows::history_of,
    shown::{FieldValue, Shown, Step},
    subject::Subject,
};
use crate::{
    kit::{Page, Projection as _},
    questions::history::{History, View},
    runtime::{question::AskError, views::Views},
};

/// A page of a journey, in the order in which it was recorded.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Steps {
    /// Whose journey it is.
    pub thing: StreamId,
    /// What they are called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Shown>,
    /// The log that says so.
    pub log: LogState,
    /// How they stand at the moment asked for; on the first page only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub standing: Vec<FieldValue>,
    /// One row an event.
    pub rows: Vec<Step>,
    /// The cursor of the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Views {
    /// A page of the journey of a contact or of a thing; `after` waits until the view has seen a position.
    pub async fn steps(
        &self,
        subject: Subject,
        page: Page,
        after: Option<Position>,
    ) -> Result<Steps, AskError> {
        let horizon = self.shared.horizon(subject).await?;
        let later = page.is_later();
        let deadline = self.begin(History::NAME, after).await?;
        let View { rows, next } = self.rows(history_of(subject, page), &deadline).await?;
        let earlier = if later { self.earlier(subject, &rows, &deadline).await? } else { HashMap::new() };
        let reader = Reader::new(&self.shared, &deadline);
        on_a_thread(move || {
            let mut changed = fold(&reader, subject.thing, &rows, &earlier)?;
            let standing = if later { None } else { Some(reader.thing(subject.thing, horizon)?) };
            let mut names = Names::new(&reader, horizon);
            let standing = standing.map_or_else(Vec::new, |thing| names.standing(&thing));
            let rows = rows.into_iter().map(|row| {
                let changed = changed.remove(&row.position).unwrap_or_default();
                names.step(row, &changed)
            });
            let (rows, name) = (rows.collect(), None);
            let mut steps =
                Steps { thing: subject.thing, name, log: reader.log(horizon)?, standing, rows, next };
            steps.name = names.of(subject.thing);
            names.failure()?;
            Ok(steps)
        })
        .await
    }
}
