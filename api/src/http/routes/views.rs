//! `GET /views` and `GET /views/{name}`: the questions and their answers.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, RawQuery, State, rejection::BytesRejection},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use projections::{Answer, Description};
use serde_json::Value;

use crate::{
    application::{
        Caller, Error,
        questions::{self, Listing},
    },
    http::{
        accept::{APPLICATION_JSON, TEXT_CSV, preferred},
        app::App,
        intent::{self, read_intent, read_intent_of_export},
        operation::{Operation, Types, fields_as_parameters, number, parameter, text},
        problem::Problem,
        reading::received,
    },
};

/// Every view that the caller may ask, with its question, version, position and lag.
pub(crate) async fn list(State(app): State<App>, caller: Caller) -> Json<Listing> {
    Json(questions::list(&app.rapport, &caller))
}

/// What the document says of it.
pub(crate) fn list_operation(types: &mut Types<'_>) -> Operation {
    let summary = "every view that you may ask: question, version, position, lag, schema, readers";
    Operation::new("views", "views", summary).answers::<Listing>(200, "the views", types)
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

/// What the document says of it, view by view.
pub(crate) fn ask_operations(types: &mut Types<'_>) -> Vec<Operation> {
    let views = types.views;
    views.iter().map(|view| ask_operation(view, types)).collect()
}

fn ask_operation(view: &Description, types: &mut Types<'_>) -> Operation {
    let kinds = view.kinds.iter().map(|kind| kind.word()).collect::<Vec<_>>().join(", ");
    let query = query_of(view, types);
    let operation = Operation::new("views", format!("view_{}", view.name), view.question)
        .written_out("name", view.name)
        .explained(format!("Version {}, from events of {kinds}.", view.version))
        .for_roles(view.readers)
        .with(fields_as_parameters(&query))
        .with(common_parameters(types));
    answered(operation, view, types)
}

/// The parameters of a view, whole.
fn query_of(view: &Description, types: &mut Types<'_>) -> Value {
    let query: Value = view.query_schema(&mut types.generator).into();
    types.resolved(&query)
}

fn answered(operation: Operation, view: &Description, types: &mut Types<'_>) -> Operation {
    let json = Value::from(view.view_schema(&mut types.generator));
    let contents = [("application/json", json), ("text/csv", text())];
    operation.answers_as(200, "the answer", &contents).refuses(&[404, 429])
}

/// The parameters that every view understands.
pub(super) fn common_parameters(types: &mut Types<'_>) -> Vec<Value> {
    let in_query = |name, schema: &Value, description| parameter(name, "query", false, schema, description);
    let (text, number) = (text(), number());
    let mut parameters = vec![
        in_query("after", &number, "wait until the view has seen this position: read your own write"),
        in_query("as_of", &text, "what had happened by then: a day (its end) or a moment"),
        in_query("known_at", &text, "what was recorded by then: a day, a moment, or a number of events"),
        in_query("cursor", &text, "`next` of the page before"),
        in_query("limit", &number, "how many rows, 1 to 1,000"),
    ];
    parameters.extend(intent::headers(types));
    parameters
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

/// What the document says of it, view by view.
pub(crate) fn ask_in_private_operations(types: &mut Types<'_>) -> Vec<Operation> {
    let views = types.views;
    views.iter().map(|view| ask_in_private_operation(view, types)).collect()
}

fn ask_in_private_operation(view: &Description, types: &mut Types<'_>) -> Operation {
    let summary = format!("{} (parameters in the body)", view.question);
    let query = query_of(view, types);
    let operation = Operation::new("views", format!("view_{}_in_private", view.name), summary)
        .written_out("name", view.name)
        .explained("The same with the parameters as a query string in the body, for those that are personal.")
        .may_take_as("application/x-www-form-urlencoded", &query);
    answered(operation, view, types)
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
    let answer = &answered.answer;
    let mut response = if is_file { csv(answer)? } else { json_text(answer.to_json().map_err(Error::from)?) };
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

fn csv(answer: &Answer) -> Result<Response, Problem> {
    let table = answer.rows().map_err(Error::from)?.to_csv();
    let headers = [(header::CONTENT_TYPE, "text/csv; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    let mut response = (headers, table).into_response();
    // A table has no room for the cursor of its next page.
    if let Some(next) = answer.next().map_err(Error::from)?
        && let Ok(next) = HeaderValue::from_str(&next)
    {
        response.headers_mut().insert("rapport-next", next);
    }
    Ok(response)
}
