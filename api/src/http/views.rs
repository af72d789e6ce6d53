//! `GET /views` and `GET /views/{name}`: the questions and their answers.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use domain::Position;
use projections::{Page, Question, Rows, moment};
use serde_json::{Value, json};

use super::{
    App, Caller, Problem,
    disclosure::{self, Intent},
};

/// The longest query.
const QUERY_LIMIT: usize = 8 * 1024;

/// Every view that the caller may ask, with its question, version, position and lag.
pub(super) async fn list(State(app): State<App>, caller: Caller) -> Json<Value> {
    let head = app.rapport.views.head();
    let mut generator = schemars::SchemaGenerator::default();
    let views: Vec<Value> = app
        .rapport
        .views
        .statuses()
        .into_iter()
        .filter(|(view, _)| view.readers.contains(&caller.role))
        .map(|(view, status)| {
            json!({
                "name": view.name,
                "question": view.question,
                "version": view.version,
                "position": status.position,
                "lag": head.0.saturating_sub(status.position.0),
                "phase": status.phase,
                "rebuilding": status.rebuilding,
                "kinds": view.kinds,
                "readers": view.readers,
                "shows": view.shows,
                "query": view.query_schema(&mut generator),
                "schema": view.view_schema(&mut generator),
            })
        })
        .collect();
    Json(json!({ "head": head, "views": views, "$defs": generator.take_definitions(true) }))
}

/// Answers a question.
pub(super) async fn ask(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    answer(&app, &caller, name, &query.unwrap_or_default(), &headers).await
}

/// Answers a question whose parameters come in the body, where no server on the way writes them down.
pub(super) async fn ask_in_private(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, Problem> {
    let body = body.map_err(|error| super::commands::unreadable(&error))?;
    let query = std::str::from_utf8(&body)
        .map_err(|_| Problem::malformed("the parameters must be a query string in UTF-8: name=value&…"))?;
    answer(&app, &caller, name, query, &headers).await
}

async fn answer(
    app: &App,
    caller: &Caller,
    name: String,
    query: &str,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let view = app.rapport.views.description(&name)?;
    caller.must_be(view.readers)?;
    let wants_csv =
        headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(wants_csv);
    let intent = Intent::of(caller, headers, wants_csv)?;
    let question = question(app, name, query).await?;
    if question.group.is_some() {
        let detail = "names a cell whose reasons are asked for: it goes with `/why` only";
        return Err(Problem::malformed(detail).at(Some("group".to_owned())));
    }
    let answered = app.rapport.views.ask(question).await?;
    if intent.is_recorded(caller)
        && let Some(showing) = disclosure::of_view(&view, query, answered.position, &answered.json)
    {
        disclosure::record(app, caller, intent, showing).await?;
    }
    let mut response = if wants_csv { csv(&answered.json)? } else { json_text(answered.json) };
    let position = answered.position.to_string();
    for (name, value) in
        [("rapport-position", position), ("rapport-view", format!("{}@{}", view.name, answered.version))]
    {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

fn wants_csv(accept: &str) -> bool {
    accept.split(',').any(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == "text/csv"))
}

fn json_text(json: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], json).into_response()
}

fn csv(json: &str) -> Result<Response, Problem> {
    let answer: Value = serde_json::from_str(json)
        .map_err(|_| Problem::unavailable("the answer cannot be written as CSV"))?;
    let headers = [(header::CONTENT_TYPE, "text/csv; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    let mut response = (headers, Rows::of(&answer).to_csv()).into_response();
    // A table has no room for the cursor of its next page.
    if let Some(next) = answer.get("next").and_then(Value::as_str)
        && let Ok(next) = HeaderValue::from_str(next)
    {
        response.headers_mut().insert("rapport-next", next);
    }
    Ok(response)
}

/// Splits the parameters that every view understands from those of this one. `group` names a cell.
pub(super) async fn question(app: &App, view: String, query: &str) -> Result<Question, Problem> {
    if query.len() > QUERY_LIMIT {
        return Err(Problem::malformed(format!("the parameters may have {QUERY_LIMIT} bytes")));
    }
    let mut question = Question { view, ..Question::default() };
    let (mut limit, mut cursor, mut rest) = (None, None, Vec::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !matches!(name, "after" | "as_of" | "known_at" | "cursor" | "limit" | "group") {
            rest.push(pair);
            continue;
        }
        let value = decoded(name, value)?;
        match name {
            "after" => question.after = Some(Position(number(name, &value)?)),
            "limit" => limit = Some(usize::try_from(number(name, &value)?).unwrap_or(usize::MAX)),
            "cursor" => cursor = Some(value),
            "group" => question.group = Some(value),
            _ => {
                let zone = app
                    .rapport
                    .views
                    .zone()
                    .await
                    .map_err(|error| Problem::unavailable(error.to_string()))?;
                if name == "as_of" {
                    question.as_of = Some(moment::as_of(&value, zone).map_err(projections::AskError::from)?);
                } else {
                    question.known_at =
                        Some(moment::known_at(&value, zone).map_err(projections::AskError::from)?);
                }
            }
        }
    }
    question.query = rest.join("&");
    question.page = Page::new(limit, cursor).map_err(projections::AskError::from)?;
    Ok(question)
}

fn number(name: &str, value: &str) -> Result<u64, Problem> {
    value.parse().map_err(|_| Problem::malformed("must be a whole number").at(Some(name.to_owned())))
}

/// Undoes percent-encoding.
fn decoded(name: &str, value: &str) -> Result<String, Problem> {
    let pairs: Vec<(String, String)> = serde_html_form::from_str(&format!("value={value}"))
        .map_err(|_| Problem::malformed("is not percent-encoded UTF-8").at(Some(name.to_owned())))?;
    Ok(pairs.into_iter().next().map(|(_, value)| value).unwrap_or_default())
}
