//! `POST /upkeep/rebuild` and `POST /upkeep/check`: long work, told line by line as it goes on.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use domain::{Position, Role};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};

use super::{App, Caller, Problem, problem::read_json};

/// Which views; all where none is named.
#[derive(Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Chosen {
    /// Names of views.
    #[serde(default)]
    views: Vec<String>,
}

fn chosen(app: &App, body: &Bytes) -> Result<Vec<String>, Problem> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let chosen: Chosen = read_json(body)?;
    for view in &chosen.views {
        app.rapport.views.description(view)?;
    }
    Ok(chosen.views)
}

/// Rebuilds views beside those that serve.
pub(super) async fn rebuild(
    State(app): State<App>,
    caller: Caller,
    body: Bytes,
) -> Result<Response, Problem> {
    caller.must_be(&[Role::Admin, Role::Staff])?;
    let views = chosen(&app, &body)?;
    let (lines, told) = mpsc::channel(16);
    tokio::spawn(async move {
        let head = app.rapport.views.head();
        let tell = |position| progress(&lines, position, head);
        let last = match app.rapport.views.rebuild(&views, tell).await {
            Ok(()) => json!({ "done": true, "position": head }),
            Err(error) => json!({ "problem": Problem::unavailable(error.to_string()) }),
        };
        let _ = lines.send(last).await;
    });
    Ok(answer(told))
}

/// Folds views anew and compares.
pub(super) async fn check(State(app): State<App>, caller: Caller, body: Bytes) -> Result<Response, Problem> {
    caller.must_be(&[Role::Admin, Role::Staff, Role::Auditor])?;
    let views = chosen(&app, &body)?;
    let permit = Arc::clone(&app.checks).try_acquire_owned();
    let permit = permit.map_err(|_| Problem::unavailable("a check is under way: wait until it is done"))?;
    let (lines, told) = mpsc::channel(16);
    tokio::spawn(async move {
        let _permit = permit;
        let head = app.rapport.views.head();
        let telling = lines.clone();
        let tell = move |_: &str, position| progress(&telling, position, head);
        let last = match app.rapport.views.check(&views, tell).await {
            Ok(checked) => {
                let sound = checked.iter().all(|view| view.differences.is_empty() && view.stopped.is_none());
                json!({ "done": true, "sound": sound, "rows": checked })
            }
            Err(error) => json!({ "problem": Problem::from(error) }),
        };
        let _ = lines.send(last).await;
    });
    Ok(answer(told))
}

/// Progress that nobody is ready to hear is not worth waiting for.
fn progress(lines: &mpsc::Sender<Value>, position: Position, head: Position) {
    let _ = lines.try_send(json!({ "position": position, "head": head }));
}

pub(super) fn answer(told: mpsc::Receiver<Value>) -> Response {
    let lines = ReceiverStream::new(told).map(|line| Ok::<_, std::convert::Infallible>(format!("{line}\n")));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response()
}
