//! `GET /history/…`: what happened to a contact or a thing, step by step; two moments compared; and why a field, or a cell
//! of a view, is what it is.

use axum::{
    Json,
    extract::{Path, RawQuery, State},
    http::HeaderMap,
};
use projections::{CellReasons, Comparison, Steps, Why};

use crate::{
    application::{Caller, history, questions},
    http::{
        app::App,
        intent::read_intent,
        problem::Problem,
        reading::{read_query, read_thing},
    },
};

/// The steps of a journey.
pub(crate) async fn steps(
    State(app): State<App>,
    caller: Caller,
    Path((kind, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Steps>, Problem> {
    caller.must_be(history::READERS)?;
    let (thing, query) = (read_thing(&kind, &id)?, read_query(query.as_deref())?);
    let intent = read_intent(&caller, &headers)?;
    Ok(Json(history::steps(&app.rapport, &caller, thing, query, intent).await?))
}

/// Two moments compared.
pub(crate) async fn compare(
    State(app): State<App>,
    caller: Caller,
    Path((kind, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Comparison>, Problem> {
    caller.must_be(history::READERS)?;
    let (thing, query) = (read_thing(&kind, &id)?, read_query(query.as_deref())?);
    let intent = read_intent(&caller, &headers)?;
    Ok(Json(history::compare(&app.rapport, &caller, thing, query, intent).await?))
}

/// Why a field is what it is.
pub(crate) async fn why(
    State(app): State<App>,
    caller: Caller,
    Path((kind, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Why>, Problem> {
    caller.must_be(history::READERS)?;
    let (thing, query) = (read_thing(&kind, &id)?, read_query(query.as_deref())?);
    let intent = read_intent(&caller, &headers)?;
    Ok(Json(history::why(&app.rapport, &caller, thing, query, intent).await?))
}

/// Why a cell of a view is what it is.
pub(crate) async fn why_cell(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<CellReasons>, Problem> {
    let view = questions::view(&app.rapport, &caller, &name)?;
    caller.must_be(history::READERS)?;
    let (intent, query) = (read_intent(&caller, &headers)?, query.unwrap_or_default());
    Ok(Json(questions::why_cell(&app.rapport, &caller, &view, &query, intent).await?))
}
