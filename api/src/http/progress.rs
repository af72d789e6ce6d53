//! Long work, told line by line as it goes on.

use axum::{
    body::Body,
    http::header,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};

/// How many lines wait to be sent.
const LINES_AHEAD_MAX: usize = 16;

/// Where lines are told.
#[derive(Clone)]
pub(super) struct Progress(mpsc::Sender<Value>);

impl Progress {
    /// Begins to tell; the answer is whatever is told.
    pub(super) fn begin() -> (Self, Response) {
        let (lines, told) = mpsc::channel(LINES_AHEAD_MAX);
        let lines_told =
            ReceiverStream::new(told).map(|line| Ok::<_, std::convert::Infallible>(format!("{line}\n")));
        let answer = ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines_told));
        (Self(lines), answer.into_response())
    }

    /// How far it has come. What nobody is ready to hear is not worth waiting for.
    pub(super) fn tell(&self, position: impl Serialize, head: impl Serialize) {
        let _ = self.0.try_send(json!({ "position": position, "head": head }));
    }

    /// The last line.
    pub(super) async fn end(self, line: Value) {
        let _ = self.0.send(line).await;
    }

    /// The last line, from a thread that may wait.
    pub(super) fn end_blocking(self, line: Value) {
        let _ = self.0.blocking_send(line);
    }
}
