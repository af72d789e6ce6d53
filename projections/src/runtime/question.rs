//! Questions to views: what is asked, what is answered, and why not.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::{Position, ReadError, days::day_of};

use crate::{
    kit::{Answer, Page, Tables, ViewError, moment::KnownAt, view::AnyView},
    runtime::view_file::{FileError, read_progress},
};

/// A question to a view.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// The view's name.
    pub view: String,
    /// Its parameters, as a query string.
    pub query: String,
    /// Which rows.
    pub page: Page,
    /// Wait until the view has seen this position.
    pub after: Option<Position>,
    /// Only what had happened by then.
    pub as_of: Option<DateTime<Utc>>,
    /// Only what was recorded by then.
    pub known_at: Option<KnownAt>,
    /// When it is asked.
    pub asked_at: Option<DateTime<Utc>>,
    /// Where what stands behind the answer is asked for: only behind the row of this group.
    pub group: Option<String>,
}

/// An answer.
#[derive(Debug)]
pub struct Answered {
    /// What the view says.
    pub answer: Answer,
    /// How far the log had been folded into what was asked.
    pub position: Position,
    /// The view's version.
    pub version: u32,
    /// How many steps SQLite took for it: what the question cost, the same on every machine.
    pub steps: u64,
}

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is no such view.
    #[error("there is no view `{0}`: GET /views lists them")]
    UnknownView(String),
    /// What is asked about does not exist.
    #[error("what is asked about does not exist, or did not at that moment")]
    NotFound,
    /// There is nothing to ask yet: wait.
    #[error("the view `{view}` is being built: it has come to {position} of {head}; try again in a moment")]
    Building {
        /// The view.
        view: String,
        /// How far it has come.
        position: Position,
        /// How far it has to go.
        head: Position,
    },
    /// The view has not seen what was waited for: ask again.
    #[error("the view `{view}` has come to {position}, not yet to {wanted}; ask again in a moment")]
    Behind {
        /// The view.
        view: String,
        /// How far it has come.
        position: Position,
        /// What was waited for.
        wanted: Position,
    },
    /// Where several nodes write to one log, this one has not followed it so far: ask again.
    #[error(
        "this node has followed the log to {position}, not yet to {wanted}; ask again in a moment, if that is a position \
         that a command was answered with"
    )]
    LogBehind {
        /// How far the log can be read here.
        position: Position,
        /// What was waited for.
        wanted: Position,
    },
    /// The question makes no sense: mend it.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// The view's file could not be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// An event cannot be folded.
    #[error("the view stands still before an event that it cannot fold: {0}")]
    Stopped(String),
    /// It took longer than any question may: narrow it, or ask again.
    #[error(
        "the view `{view}` did not answer within {} seconds: narrow the question (a period, a smaller limit) or ask again",
        timeout.as_secs_f64()
    )]
    TimedOut {
        /// The view.
        view: String,
        /// How long a question may take.
        timeout: Duration,
    },
    /// The views were told to stop while it was answered: ask again when they are open again.
    #[error(
        "the view `{view}` does not answer any more, since the program is ending: ask again when it is back"
    )]
    Ending {
        /// The view.
        view: String,
    },
    /// Too many look back in time at once: ask again.
    #[error("too many questions about the past are being worked on: ask again in a moment")]
    Busy,
}

/// A way of answering from tables that hold at least what stands up to a position.
pub(crate) type Answering<T> = fn(&Tables, &AnyView, &Question, Position) -> Result<T, AskError>;

/// Asks within one read transaction, so that position and rows belong together.
pub(crate) fn ask_tables(
    tables: &Tables,
    view: &AnyView,
    question: &Question,
    at_least: Position,
) -> Result<Answered, AskError> {
    let transaction = tables.connection().unchecked_transaction().map_err(ViewError::from)?;
    let position = read_progress(&transaction).map_err(ViewError::from)?.position.max(at_least);
    let mut page = question.page.clone();
    if let Some(moment) = question.as_of.or(question.asked_at) {
        page = page.asked_on(day_of(moment, tables.zone().map_err(ViewError::from)?));
    }
    let answer = (view.view)(tables, &question.query, &page)?;
    transaction.finish().map_err(ViewError::from)?;
    let answer = answer.ok_or(AskError::NotFound)?;
    Ok(Answered { answer, position, version: view.description.version, steps: tables.steps() })
}
