//! Long work, progress line by line as it goes on.

use axum::{
    body::Body,
    http::header,
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};

use super::problem::Problem;

/// How many lines wait to be sent.
const LINES_AHEAD_MAX: usize = 16;

/// A line of the answer.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "{T}Line")]
pub(super) enum Line<T> {
    /// How far it has come; there may be many of these.
    UnderWay {
        /// Through where.
        position: u64,
        /// Through where it will go.
        head: u64,
    },
    /// The last line, once it is done.
    Done {
        /// Always true.
        done: bool,
        /// What it came to.
        #[serde(flatten)]
        outcome: T,
    },
    /// The last line, where it could not be done.
    Failed {
        /// Why.
        problem: Problem,
    },
}

/// Where lines are told.
pub(super) struct Progress<T>(mpsc::Sender<Line<T>>);

impl<T> Clone for Progress<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Serialize + Send + 'static> Progress<T> {
    /// Begins to tell; the answer is whatever is told.
    pub(super) fn begin() -> (Self, Response) {
        let (lines, progress) = mpsc::channel(LINES_AHEAD_MAX);
        let lines_told =
            ReceiverStream::new(progress).map(|line| serde_json::to_string(&line).map(|line| line + "\n"));
        let answer = ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines_told));
        (Self(lines), answer.into_response())
    }

    /// How far it has come. What nobody is ready to hear is not worth waiting for.
    pub(super) fn tell(&self, position: u64, head: u64) {
        let _ = self.0.try_send(Line::UnderWay { position, head });
    }

    /// The last line.
    pub(super) async fn end(self, outcome: Result<T, Problem>) {
        let _ = self.0.send(last(outcome)).await;
    }

    /// The last line, from a thread that may wait.
    pub(super) fn end_blocking(self, outcome: Result<T, Problem>) {
        let _ = self.0.blocking_send(last(outcome));
    }
}

fn last<T>(outcome: Result<T, Problem>) -> Line<T> {
    match outcome {
        Ok(outcome) => Line::Done { done: true, outcome },
        Err(problem) => Line::Failed { problem },
    }
}
