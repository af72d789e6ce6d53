//! `GET /views` and `GET /views/{name}`: the questions and their answers.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, RawQuery, State, rejection::BytesRejection},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use projections::Rows;
use serde_json::{Value, json};

use crate::{
    application::{Caller, questions},
    http::{
        accept::{APPLICATION_JSON, TEXT_CSV, preferred},
        app::App,
        intent::{read_intent, read_intent_of_export},
        problem::Problem,
        reading::received,
    },
};

/// Every view that the caller may ask, with its question, version, position and lag.
pub(crate) async fn list(State(app): State<App>, caller: Caller) -> Json<Value> {
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
pub(crate) async fn ask(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    answer(&app, &caller, &name, &query.unwrap_or_default(), &headers).await
}

/// Answers a question whose parameters come in the body, where no server on the way writes them down.
pub(crate) async fn ask_in_private(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body = received(body)?;
    let query = std::str::from_utf8(&body)
        .map_err(|_| Problem::malformed("the parameters must be a query string in UTF-8: name=value&…"))?;
    answer(&app, &caller, &name, query, &headers).await
}

async fn answer(
    app: &App,
    caller: &Caller,
    name: &str,
    query: &str,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let view = questions::view(&app.rapport, caller, name)?;
    let is_file = *preferred(headers, &[APPLICATION_JSON, TEXT_CSV]) == TEXT_CSV;
    let intent =
        if is_file { read_intent_of_export(caller, headers)? } else { read_intent(caller, headers)? };
    let answered = questions::answer(&app.rapport, caller, &view, query, intent).await?;
    let mut response = if is_file { csv(&answered.json)? } else { json_text(answered.json) };
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
