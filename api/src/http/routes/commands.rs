//! `POST /commands/{kind}/{id}` and `POST /commands`: the only way in for changes.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Path, State, rejection::BytesRejection},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use commands::{BatchLine, Command, KindDescription, command::KEY_LIMIT};
use domain::{Answer, Role, StreamId};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::ReceiverStream;

use crate::{
    application::{
        Caller,
        sending::{send, send_all, sender},
    },
    http::{
        app::App,
        operation::{Operation, Types, roles, text, uuid},
        problem::Problem,
        reading::{read_thing, received},
    },
};

/// How many lines a batch may have.
const LINES_MAX: usize = 20_000;
/// How many lines are carried out at a time.
const LINES_AT_A_TIME: usize = 2_048;
/// How many such parts wait to be read.
const CHUNKS_AHEAD_MAX: usize = 2;
/// How long a batch may take; what is not done by then is said line by line.
const BATCH_TIMEOUT: Duration = Duration::from_mins(1);

/// Carries out one command.
pub(crate) async fn one(
    State(app): State<App>,
    caller: Caller,
    Path((kind, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let StreamId { kind, id } = read_thing(&kind, &id)?;
    let body = received(body)?;
    let (key, if_match) = (key(&headers)?, if_match(&headers)?);
    let (sender, body) = sender(&caller, commands::Body::parse(&body)?);
    let answer = send(&app.rapport, Command { kind, id, body, sender, key, if_match }).await?;
    let tag = HeaderValue::from_str(&format!("\"{}\"", answer.revision));
    let mut response = Json(answer).into_response();
    if let Ok(tag) = tag {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

/// What the document says of it, kind by kind.
pub(crate) fn one_operations(types: &mut Types<'_>) -> Vec<Operation> {
    let kinds = types.kinds;
    kinds.iter().map(|kind| one_operation(kind, types)).collect()
}

fn one_operation(kind: &KindDescription, types: &mut Types<'_>) -> Operation {
    let word = kind.kind.word();
    let names = kind.commands.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let key = "sent again within 24 hours it gets the same answer and records nothing twice";
    let if_match = "the revision that the stream must have, in quotes; \"0\": it must not exist";
    Operation::new("commands", format!("command_{word}"), format!("{word}: {names}"))
        .written_out("kind", word)
        .explained(writers(kind))
        .in_path("id", &uuid(), "which one; drawn by you for a new one")
        .in_header("Idempotency-Key", &text(), key)
        .in_header("If-Match", &text(), if_match)
        .takes_as("application/json", &body_schema(kind, types))
        .answers::<Answer>(200, "what was recorded; no events where all was so already", types)
        .refuses(&[404, 409, 412, 413, 422, 429])
}

/// Which command is for whom, those for the same roles together.
fn writers(kind: &KindDescription) -> String {
    let mut groups: Vec<(&[Role], Vec<&str>)> = Vec::new();
    for (name, writers) in &kind.commands {
        match groups.iter_mut().find(|(roles, _)| roles == writers) {
            Some((_, names)) => names.push(name),
            None => groups.push((writers, vec![name])),
        }
    }
    let sentences =
        groups.iter().map(|(writers, names)| format!("{} for {}.", names.join(", "), roles(writers)));
    sentences.collect::<Vec<_>>().join(" ")
}

/// The schema of a body: one command, and beside it what may stand around any command.
fn body_schema(kind: &KindDescription, types: &mut Types<'_>) -> Value {
    let schema: Value = kind.schema(&mut types.generator).into();
    let mut whole = types.resolved(&schema);
    let around = json!({
        "occurred_at": {
            "anyOf": [{ "type": "string", "format": "date-time" }, { "type": "string", "format": "date" }],
            "description": "When it was so: a moment, or a day where that is all that is known. A day stays that day in every zone.",
            "examples": ["2024-12-31T21:00:00-05:00", "2024-12-31"],
        },
        "reason": { "type": "string", "description": "Why, in your own words; sealed with the contact's key." },
        "on_behalf_of": { "type": "string", "description": "For whom you act.", "examples": ["member:ann"] },
        "correlation": { "type": "string", "format": "uuid", "description": "What the command belongs to." },
        "causation": { "type": "string", "format": "uuid", "description": "The event that caused it." },
    });
    for command in whole["oneOf"].as_array_mut().into_iter().flatten() {
        if let (Some(members), Some(around)) = (command["properties"].as_object_mut(), around.as_object()) {
            members.extend(around.clone());
        }
    }
    whole
}

/// The outcome of one line of a batch.
#[derive(Serialize, schemars::JsonSchema)]
pub(crate) struct LineOutcome {
    /// The line, counted from 1.
    line: usize,
    /// The status that the command alone would have had.
    status: u16,
    /// What the command came to.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    answer: Option<Answer>,
    /// Why it was not carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
}

/// Carries out a batch, one command a line; a bad line harms no other.
pub(crate) async fn batch(
    State(app): State<App>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body = received(body)?;
    if body.split(|byte| *byte == b'\n').take(LINES_MAX + 2).count() > LINES_MAX + 1 {
        return Err(Problem::too_large(format!("a batch may have {LINES_MAX} lines: send several")));
    }
    // Some editors begin a file with a mark that is no part of it.
    let text = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&body);
    let lines: Vec<(usize, Bytes)> = text
        .split(|byte| *byte == b'\n')
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim_ascii()))
        .filter(|(_, line)| !line.is_empty())
        .map(|(number, line)| (number, body.slice_ref(line)))
        .collect();
    let (told, answered) = mpsc::channel(CHUNKS_AHEAD_MAX);
    tokio::spawn(carry_out_in_time(app, caller, lines, told));
    let answer = Body::from_stream(ReceiverStream::new(answered));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], answer).into_response())
}

/// Carries out a batch for as long as it may take, and tells of each line what it came to. Ends early where nobody listens any
/// more.
async fn carry_out_in_time(
    app: App,
    caller: Caller,
    lines: Vec<(usize, Bytes)>,
    told: mpsc::Sender<Result<Vec<u8>, Infallible>>,
) {
    let deadline = Instant::now() + BATCH_TIMEOUT;
    let turn = tokio::time::timeout_at(deadline, Arc::clone(&app.batches).acquire_owned()).await;
    for lines in lines.chunks(LINES_AT_A_TIME) {
        let outcomes = if turn.is_err() || Instant::now() >= deadline || app.ending.is_cancelled() {
            lines.iter().map(|(line, _)| refused(*line, out_of_time())).collect()
        } else {
            carry_out(&app, &caller, lines).await
        };
        let mut chunk = Vec::with_capacity(outcomes.len() * 256);
        for outcome in outcomes {
            // Writing into memory does not fail.
            let _ = serde_json::to_writer(&mut chunk, &outcome);
            chunk.push(b'\n');
        }
        // Somebody who does not read holds up no other: what is not read by then is not carried out.
        if !matches!(
            tokio::time::timeout_at(deadline + BATCH_TIMEOUT, told.send(Ok(chunk))).await,
            Ok(Ok(()))
        ) {
            return;
        }
    }
}

fn out_of_time() -> Problem {
    Problem::unavailable(format!(
        "not carried out: the batch took longer than {} seconds, or the server is ending: send this line again",
        BATCH_TIMEOUT.as_secs()
    ))
}

/// What the document says of it.
pub(crate) fn batch_operation(types: &mut Types<'_>) -> Operation {
    let example = "{\"kind\": \"deal\", \"id\": \"5f0c0e6e-7a4e-4c39-b1a5-0d8d5a1f9f11\", \"key\": \"a1\", \
                   \"advance\": {\"stage\": \"Proposal\"}}";
    let lines = json!({
        "type": "string",
        "description": "one command a line, with \"kind\", \"id\", and where wanted \"key\", \"if_match\"",
        "examples": [example],
    });
    Operation::new("commands", "command_batch", "many commands, one a line; a bad line harms no other")
        .takes_as("application/x-ndjson", &lines)
        .answers_lines::<LineOutcome>("one outcome a line", types)
        .refuses(&[413, 429])
}

async fn carry_out(app: &App, caller: &Caller, lines: &[(usize, Bytes)]) -> Vec<LineOutcome> {
    let mut outcomes: Vec<Option<LineOutcome>> = Vec::with_capacity(lines.len());
    let mut commands = Vec::with_capacity(lines.len());
    for (line, text) in lines {
        outcomes.push(match BatchLine::parse(text) {
            Ok(parsed) => {
                let BatchLine { kind, id, body, key, if_match } = parsed;
                let (sender, body) = sender(caller, body);
                commands.push(Command { kind, id, body, sender, key, if_match });
                None
            }
            Err(malformed) => Some(refused(*line, malformed.into())),
        });
    }
    let mut answers = send_all(&app.rapport, commands).await.into_iter();
    let answered = outcomes.into_iter().zip(lines).filter_map(|(outcome, (line, _))| match outcome {
        Some(outcome) => Some(outcome),
        None => Some(match answers.next()? {
            Ok(answer) => LineOutcome { line: *line, status: 200, answer: Some(answer), problem: None },
            Err(error) => refused(*line, error.into()),
        }),
    });
    answered.collect()
}

fn refused(line: usize, problem: Problem) -> LineOutcome {
    LineOutcome { line, status: problem.status, answer: None, problem: Some(problem) }
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    match value.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= KEY_LIMIT => Ok(Some(key.to_owned())),
        _ => {
            let detail = format!("must be 1 to {KEY_LIMIT} visible ASCII characters");
            Err(Problem::malformed(detail).at(Some("Idempotency-Key".to_owned())))
        }
    }
}

fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let digits = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    digits.parse().map(Some).map_err(|_| {
        let detail =
            "must be a revision in quotes, for example \"3\"; \"0\" means that the stream must not exist";
        Problem::malformed(detail).at(Some("If-Match".to_owned()))
    })
}
