//! Which events there are, as the view of history says.

use std::collections::HashMap;

use domain::{Position, StreamId};

use super::{
    reading::LOOKED_THROUGH,
    subject::{Subject, is_of_many},
};
use crate::{
    kit::{Page, deadline::Deadline},
    questions::history::{History, HistoryRow, View},
    runtime::{
        question::{AskError, Question},
        views::Views,
    },
};

pub(super) fn history_of(subject: Subject, page: Page) -> Question {
    let Subject { thing: _, as_of, known_at } = subject;
    Question { query: subject.query(), page, as_of, known_at, ..Question::default() }
}

impl Views {
    /// Rows of the view of history.
    pub(super) async fn rows(&self, question: Question, deadline: &Deadline) -> Result<View, AskError> {
        self.view_within::<History>(question, deadline.clone()).await
    }

    /// The rows of some positions, in their order, as they are known now.
    pub(super) async fn rows_at(
        &self,
        positions: &[Position],
        deadline: &Deadline,
    ) -> Result<Vec<HistoryRow>, AskError> {
        let mut rows = Vec::with_capacity(positions.len());
        for some in positions.chunks(Page::MOST) {
            let listed = some.iter().map(Position::to_string).collect::<Vec<_>>().join(",");
            let page = Page::from(Page::MOST, None::<&u64>);
            // What the log has said already, the view may be about to see.
            let after = some.iter().max().copied();
            let question = Question { query: format!("at={listed}"), page, after, ..Question::default() };
            rows.extend(self.rows(question, deadline).await?.rows);
        }
        Ok(rows)
    }

    /// Every row of a journey, of which there may be [`LOOKED_THROUGH`]; whether there are more.
    pub(super) async fn all_rows(
        &self,
        subject: Subject,
        deadline: &Deadline,
    ) -> Result<(Vec<HistoryRow>, bool), AskError> {
        let (mut rows, mut page) = (Vec::new(), Page::from(Page::MOST, None::<&u64>));
        loop {
            let found = self.rows(history_of(subject, page), deadline).await?;
            rows.extend(found.rows);
            let Some(next) = found.next else { return Ok((rows, false)) };
            if rows.len() >= LOOKED_THROUGH {
                return Ok((rows, true));
            }
            page = Page::new(Some(Page::MOST), Some(next))?;
        }
    }

    /// Where earlier events of this contact in things that many share stand: what is on the page comes after.
    pub(super) async fn earlier(
        &self,
        subject: Subject,
        rows: &[HistoryRow],
        deadline: &Deadline,
    ) -> Result<HashMap<StreamId, Vec<Position>>, AskError> {
        let mut earlier: HashMap<StreamId, Vec<Position>> = HashMap::new();
        let shared = rows.iter().filter(|row| is_of_many(subject.thing, row.stream));
        earlier.extend(shared.map(|row| (row.stream, Vec::new())));
        if earlier.is_empty() {
            return Ok(earlier);
        }
        let first = rows.first().map_or(0, |row| row.position);
        let (all, _) = self.all_rows(subject, deadline).await?;
        for row in all.iter().take_while(|row| row.position < first) {
            if let Some(positions) = earlier.get_mut(&row.stream) {
                positions.push(Position(row.position));
            }
        }
        Ok(earlier)
    }
}
