//! `POST /upkeep/keys` and `POST /upkeep/backup`: a new epoch of the keys, and copies for the day on which the
//! machine is gone; told line by line as it goes on.

use std::path::PathBuf;

use axum::{body::Bytes, extract::State, http::StatusCode, response::Response};
use domain::Role;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{App, Caller, Problem, Trust, problem::read_json, upkeep::answer};

/// Where to copy to, on the machine of the server.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// The folder of the backup, from the root.
    to: PathBuf,
    /// The folder of the keys, from the root; without it they are not copied.
    keys: Option<PathBuf>,
}

/// Begins a new epoch: the living keys are wrapped anew, and the old epoch key is destroyed.
pub(super) async fn rotate(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    caller.must_be(&[Role::Admin])?;
    let (lines, told) = mpsc::channel(16);
    tokio::task::spawn_blocking(move || {
        let outcome = app.rapport.log.rotate(&mut |done, all| progress(&lines, done, all));
        let last = match outcome {
            Ok(rotated) => json!({ "done": true, "epoch": rotated.epoch, "rewrapped": rotated.rewrapped }),
            Err(error) => json!({ "problem": Problem::unavailable(error.to_string()) }),
        };
        let _ = lines.blocking_send(last);
    });
    Ok(answer(told))
}

/// Copies the log, and the keys apart from it. Whoever names folders of this machine must stand in it already.
pub(super) async fn back_up(
    State(app): State<App>,
    caller: Caller,
    body: Bytes,
) -> Result<Response, Problem> {
    caller.must_be(&[Role::Admin])?;
    let wanted: Wanted = read_json(&body)?;
    if app.trust != Trust::Socket {
        let detail = "a backup is written to folders of the server's machine: run `rapport backup` there";
        let title = "Not from outside";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "backup/from-outside", title, detail));
    }
    for (field, folder) in [("to", Some(&wanted.to)), ("keys", wanted.keys.as_ref())] {
        if folder.is_some_and(|folder| !folder.is_absolute()) {
            return Err(Problem::malformed("must be a whole path").at(Some(field.to_owned())));
        }
    }
    let (lines, told) = mpsc::channel(16);
    tokio::task::spawn_blocking(move || {
        let Wanted { to, keys } = wanted;
        let mut tell = |done, all| progress(&lines, done, all);
        let last = match app.rapport.log.back_up(&to, keys.as_deref(), &mut tell) {
            Ok(copied) => json!({ "done": true, "copied": copied }),
            Err(error) => json!({ "problem": Problem::unavailable(error.to_string()) }),
        };
        let _ = lines.blocking_send(last);
    });
    Ok(answer(told))
}

/// Progress that nobody is ready to hear is not worth waiting for.
fn progress(lines: &mpsc::Sender<Value>, done: u64, all: u64) {
    let _ = lines.try_send(json!({ "position": done, "head": all }));
}
