//! `GET /history/…`: what happened to a contact or a thing, step by step; two moments compared; and why a field, or a cell
//! of a view, is what it is.

use axum::{
    Json,
    extract::{Path, RawQuery, State},
    http::HeaderMap,
};
use projections::{CellReasons, Comparison, Steps, Why};
use schemars::JsonSchema;

use super::views::common_parameters;
use crate::{
    application::{
        Caller,
        history::{self, CompareQuery, READERS, StepsQuery, WhyQuery},
        questions,
    },
    http::{
        app::App,
        intent::{self, read_intent},
        operation::{Operation, Types, parameter, roles, text, uuid},
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
    caller.must_be(READERS)?;
    let (thing, query) = (read_thing(&kind, &id)?, read_query(query.as_deref())?);
    let intent = read_intent(&caller, &headers)?;
    Ok(Json(history::steps(&app.rapport, &caller, thing, query, intent).await?))
}

/// What the document says of it.
pub(crate) fn steps_operation(types: &mut Types<'_>) -> Operation {
    let summary = "what happened, event by event, with what each changed: before and after";
    of_a_thing::<StepsQuery, Steps>("history_steps", summary, types)
}

/// Two moments compared.
pub(crate) async fn compare(
    State(app): State<App>,
    caller: Caller,
    Path((kind, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Comparison>, Problem> {
    caller.must_be(READERS)?;
    let (thing, query) = (read_thing(&kind, &id)?, read_query(query.as_deref())?);
    let intent = read_intent(&caller, &headers)?;
    Ok(Json(history::compare(&app.rapport, &caller, thing, query, intent).await?))
}

/// What the document says of it.
pub(crate) fn compare_operation(types: &mut Types<'_>) -> Operation {
    let summary = "what is different between two moments, and the events between";
    of_a_thing::<CompareQuery, Comparison>("history_compare", summary, types)
}

/// Why a field is what it is.
pub(crate) async fn why(
    State(app): State<App>,
    caller: Caller,
    Path((kind, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Why>, Problem> {
    caller.must_be(READERS)?;
    let (thing, query) = (read_thing(&kind, &id)?, read_query(query.as_deref())?);
    let intent = read_intent(&caller, &headers)?;
    Ok(Json(history::why(&app.rapport, &caller, thing, query, intent).await?))
}

/// What the document says of it.
pub(crate) fn why_operation(types: &mut Types<'_>) -> Operation {
    let summary = "why a field is what it is: the event, its writer, its reason, its file and line";
    of_a_thing::<WhyQuery, Why>("history_why", summary, types)
}

/// What the three have in common.
fn of_a_thing<Query: JsonSchema, Answer: JsonSchema>(
    id: &str,
    summary: &str,
    types: &mut Types<'_>,
) -> Operation {
    Operation::new("journeys", id, summary)
        .for_roles(READERS)
        .in_path("kind", &text(), "of what; of a contact everything that concerns them")
        .in_path("id", &uuid(), "which one")
        .query::<Query>(types)
        .with(intent::headers(types))
        .answers::<Answer>(200, "the answer", types)
        .refuses(&[404, 429])
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
    caller.must_be(READERS)?;
    let (intent, query) = (read_intent(&caller, &headers)?, query.unwrap_or_default());
    Ok(Json(questions::why_cell(&app.rapport, &caller, &view, &query, intent).await?))
}

/// What the document says of it.
pub(crate) fn why_cell_operation(types: &mut Types<'_>) -> Operation {
    Operation::new("journeys", "why_cell", "why a cell of a view is what it is")
        .explained("The things counted in a cell, each with the event that put it there.")
        .explained(format!("For {}, where they may ask the view.", roles(READERS)))
        .in_path("name", &text(), "the view; its own parameters go with the question")
        .with([parameter("group", "query", false, &text(), "the cell: `group` of its row; absent, all rows")])
        .with(common_parameters(types))
        .answers::<CellReasons>(200, "the things behind the cell", types)
        .refuses(&[404, 429])
}
