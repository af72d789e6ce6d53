//! `POST /admin/…`: looking after the whole: rebuilding and checking views, signing, a new epoch of the keys, copies.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{
    application::{
        Caller,
        maintenance::{self, BackupFolders, CHECKERS, Chosen, KEEPERS, REBUILDERS},
    },
    http::{app::App, problem::Problem, progress::Progress, reading::read_json, trust::Trust},
};

/// Rebuilds views beside those that serve.
pub(crate) async fn rebuild(
    State(app): State<App>,
    caller: Caller,
    body: Bytes,
) -> Result<Response, Problem> {
    caller.must_be(REBUILDERS)?;
    let Chosen { views } = chosen(&app, &body)?;
    let (progress, answer) = Progress::begin();
    tokio::spawn(async move {
        let tell = |position, head| progress.tell(position, head);
        let last = match maintenance::rebuild(&app.rapport, &views, tell).await {
            Ok(position) => json!({ "done": true, "position": position }),
            Err(error) => json!({ "problem": Problem::from(error) }),
        };
        progress.end(last).await;
    });
    Ok(answer)
}

/// Folds views anew and compares.
pub(crate) async fn check(State(app): State<App>, caller: Caller, body: Bytes) -> Result<Response, Problem> {
    caller.must_be(CHECKERS)?;
    let Chosen { views } = chosen(&app, &body)?;
    let permit = Arc::clone(&app.checks).try_acquire_owned();
    let permit = permit.map_err(|_| Problem::unavailable("a check is under way: wait until it is done"))?;
    let (progress, answer) = Progress::begin();
    tokio::spawn(async move {
        let _permit = permit;
        let telling = progress.clone();
        let tell = move |position, head| telling.tell(position, head);
        let last = match maintenance::check(&app.rapport, &views, tell).await {
            Ok(report) => json!({ "done": true, "sound": report.sound, "rows": report.rows }),
            Err(error) => json!({ "problem": Problem::from(error) }),
        };
        progress.end(last).await;
    });
    Ok(answer)
}

fn chosen(app: &App, body: &Bytes) -> Result<Chosen, Problem> {
    if body.is_empty() {
        return Ok(Chosen::default());
    }
    let chosen: Chosen = read_json(body)?;
    chosen.exist(&app.rapport)?;
    Ok(chosen)
}

/// Signs what has been recorded so far.
pub(crate) async fn sign(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    caller.must_be(REBUILDERS)?;
    let note = maintenance::sign(&app.rapport).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], note).into_response())
}

/// Begins a new epoch of the keys.
pub(crate) async fn rotate(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    caller.must_be(KEEPERS)?;
    let (progress, answer) = Progress::begin();
    tokio::task::spawn_blocking(move || {
        let outcome = maintenance::rotate(&app.rapport, |done, all| progress.tell(done, all));
        progress.end_blocking(match outcome {
            Ok(rotated) => json!({ "done": true, "epoch": rotated.epoch, "rewrapped": rotated.rewrapped }),
            Err(error) => json!({ "problem": Problem::from(error) }),
        });
    });
    Ok(answer)
}

/// Copies the log, and the keys apart from it. Whoever names folders of this machine must stand in it already.
pub(crate) async fn back_up(
    State(app): State<App>,
    caller: Caller,
    body: Bytes,
) -> Result<Response, Problem> {
    caller.must_be(KEEPERS)?;
    let folders: BackupFolders = read_json(&body)?;
    if app.trust != Trust::Socket {
        let detail = "a backup is written to folders of the server's machine: run `rapport backup` there";
        let title = "Not from outside";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "backup/from-outside", title, detail));
    }
    folders.are_whole()?;
    let (progress, answer) = Progress::begin();
    tokio::task::spawn_blocking(move || {
        let BackupFolders { to, keys } = folders;
        let tell = |done, all| progress.tell(done, all);
        let outcome = maintenance::back_up(&app.rapport, &to, keys.as_deref(), tell);
        progress.end_blocking(match outcome {
            Ok(copied) => json!({ "done": true, "copied": copied }),
            Err(error) => json!({ "problem": Problem::from(error) }),
        });
    });
    Ok(answer)
}
