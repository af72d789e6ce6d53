//! `POST /admin/…`: looking after the whole: rebuilding and checking views, signing, a new epoch of the keys, copies.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::Position;
use schemars::JsonSchema;
use serde::Serialize;
use store::Copied;

use crate::{
    application::{
        Caller,
        maintenance::{self, BackupFolders, CHECKERS, Chosen, KEEPERS, REBUILDERS, Report},
    },
    http::{
        app::App,
        operation::{Operation, Types},
        problem::Problem,
        progress::{Line, Progress},
        reading::read_json,
        trust::Trust,
    },
};

/// What a rebuild came to.
#[derive(Serialize, JsonSchema)]
struct Rebuilt {
    /// Through which position the views were rebuilt.
    position: Position,
}

/// What a new epoch of the keys came to.
#[derive(Serialize, JsonSchema)]
struct Rotated {
    /// The epoch that has begun.
    epoch: u32,
    /// How many keys were wrapped anew.
    rewrapped: u64,
}

/// What a backup came to.
#[derive(Serialize, JsonSchema)]
struct BackedUp {
    /// What was copied.
    copied: CopiedThrough,
}

/// What was copied.
#[derive(Serialize, JsonSchema)]
struct CopiedThrough {
    /// The position of the last event in the copy.
    position: Position,
    /// Where the keys stood that went with it; absent where none did. What was sealed later cannot be read.
    keys_position: Option<Position>,
    /// Whether the log goes on with a ledger of its own: the key that signs the old one did not come with it.
    new_ledger: bool,
}

impl From<Copied> for BackedUp {
    fn from(Copied { position, keys_position, new_ledger }: Copied) -> Self {
        Self { copied: CopiedThrough { position, keys_position, new_ledger } }
    }
}

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
        let tell = |position: Position, head: Position| progress.tell(position.0, head.0);
        let outcome = maintenance::rebuild(&app.rapport, &views, tell).await;
        progress.end(outcome.map(|position| Rebuilt { position }).map_err(Problem::from)).await;
    });
    Ok(answer)
}

/// What the document says of it.
pub(crate) fn rebuild_operation(types: &mut Types<'_>) -> Operation {
    Operation::new("admin", "rebuild", "rebuild views beside those that serve")
        .for_roles(REBUILDERS)
        .may_take::<Chosen>(types)
        .answers_lines::<Line<Rebuilt>>("progress, line by line", types)
        .refuses(&[404, 429])
}

/// Folds views anew and compares.
pub(crate) async fn check(State(app): State<App>, caller: Caller, body: Bytes) -> Result<Response, Problem> {
    caller.must_be(CHECKERS)?;
    let Chosen { views } = chosen(&app, &body)?;
    let permit = Arc::clone(&app.checks).try_acquire_owned();
    let permit = permit.map_err(|_| Problem::unavailable("a check is under way: wait until it is done"))?;
    let (progress, answer) = Progress::<Report>::begin();
    tokio::spawn(async move {
        let telling = progress.clone();
        let tell = move |position: Position, head: Position| telling.tell(position.0, head.0);
        let outcome = maintenance::check(&app.rapport, &views, tell).await;
        // Whoever reads the last line may ask for the next check.
        drop((app, permit));
        progress.end(outcome.map_err(Problem::from)).await;
    });
    Ok(answer)
}

/// What the document says of it.
pub(crate) fn check_operation(types: &mut Types<'_>) -> Operation {
    Operation::new("admin", "check", "fold views anew and compare")
        .for_roles(CHECKERS)
        .may_take::<Chosen>(types)
        .answers_lines::<Line<Report>>("progress, line by line, and what differs", types)
        .refuses(&[404, 429])
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

/// What the document says of it.
pub(crate) fn sign_operation(_: &mut Types<'_>) -> Operation {
    Operation::new("admin", "sign", "sign what has been recorded so far")
        .for_roles(REBUILDERS)
        .answers_text("text/plain", "the checkpoint")
        .refuses(&[429])
}

/// Begins a new epoch of the keys.
pub(crate) async fn rotate(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    caller.must_be(KEEPERS)?;
    let (progress, answer) = Progress::begin();
    tokio::task::spawn_blocking(move || {
        let outcome = maintenance::rotate(&app.rapport, |done, all| progress.tell(done, all));
        let outcome = outcome.map(|store::Rotated { epoch, rewrapped }| Rotated { epoch, rewrapped });
        progress.end_blocking(outcome.map_err(Problem::from));
    });
    Ok(answer)
}

/// What the document says of it.
pub(crate) fn rotate_operation(types: &mut Types<'_>) -> Operation {
    Operation::new("admin", "rotate_keys", "begin a new epoch of the keys and destroy the old epoch key")
        .for_roles(KEEPERS)
        .answers_lines::<Line<Rotated>>("progress, line by line", types)
        .refuses(&[429])
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
        progress.end_blocking(outcome.map(BackedUp::from).map_err(Problem::from));
    });
    Ok(answer)
}

/// What the document says of it.
pub(crate) fn back_up_operation(types: &mut Types<'_>) -> Operation {
    let summary = "copy the log, and the keys apart from it; only through the socket in the data folder";
    Operation::new("admin", "back_up", summary)
        .for_roles(KEEPERS)
        .takes::<BackupFolders>(types)
        .answers_lines::<Line<BackedUp>>("progress, line by line", types)
        .refuses(&[422, 429])
}
