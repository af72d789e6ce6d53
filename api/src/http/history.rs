//! `GET /history/…`: what happened to a contact or a thing, step by step with what each step changed; two moments
//! compared; and why a field, or a cell of a view, is what it is.

use axum::{
    Json,
    extract::{Path, RawQuery, State},
};
use domain::{Position, StreamId};
use projections::{
    AskError, CellReasons, Comparison, JOURNEY_READERS, Moments, Page, Steps, Subject, Why, moment,
};
use schemars::JsonSchema;
use serde::{Deserialize, de::DeserializeOwned};
use uuid::Uuid;

use super::{App, Caller, Problem, views};

/// Which steps are wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StepsQuery {
    /// Wait until this position has been seen: read your own write.
    after: Option<u64>,
    /// What had happened by then: a day (its end) or a moment.
    as_of: Option<String>,
    /// What was recorded by then: a day, a moment, or a number of events.
    known_at: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// How many events, 1 to 1,000.
    limit: Option<usize>,
}

/// Which two moments are compared.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CompareQuery {
    /// Wait until this position has been seen: read your own write.
    after: Option<u64>,
    /// The earlier moment, or a day (its end); where `time` is `known_at` also a number of events.
    from: String,
    /// The later moment.
    to: String,
    /// Which time the two moments are of.
    #[serde(default)]
    time: Time,
    /// Where `time` is `known_at`: only what had happened by then.
    as_of: Option<String>,
    /// Where `time` is `as_of`: only what was recorded by then.
    known_at: Option<String>,
}

/// One of the two times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Time {
    /// What had happened by then.
    #[default]
    AsOf,
    /// What was recorded by then.
    KnownAt,
}

/// Which field is asked about.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WhyQuery {
    /// Wait until this position has been seen: read your own write.
    after: Option<u64>,
    /// The field by its name, or by the end of it where only one ends so: `stage`, `email`.
    field: String,
    /// What had happened by then: a day (its end) or a moment.
    as_of: Option<String>,
    /// What was recorded by then: a day, a moment, or a number of events.
    known_at: Option<String>,
}

/// The steps of a journey.
pub(super) async fn steps(
    State(app): State<App>,
    caller: Caller,
    Path((kind, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Json<Steps>, Problem> {
    caller.must_be(JOURNEY_READERS)?;
    let thing = thing(&kind, &id)?;
    let StepsQuery { after, as_of, known_at, cursor, limit } = read(query.as_deref())?;
    let subject = Subject { thing, ..moments(&app, as_of.as_deref(), known_at.as_deref()).await? };
    let page = Page::new(limit, cursor).map_err(AskError::from)?;
    Ok(Json(app.rapport.views.steps(subject, page, after.map(Position)).await?))
}

/// Two moments compared.
pub(super) async fn compare(
    State(app): State<App>,
    caller: Caller,
    Path((kind, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Json<Comparison>, Problem> {
    caller.must_be(JOURNEY_READERS)?;
    let thing = thing(&kind, &id)?;
    let CompareQuery { after, from, to, time, as_of, known_at } = read(query.as_deref())?;
    let twice = |field: &str| {
        let detail = "is what `from` and `to` are compared by: leave it out, or choose the other `time`";
        Problem::malformed(detail).at(Some(field.to_owned()))
    };
    let zone = zone(&app).await?;
    let (moments_compared, fixed) = match time {
        Time::AsOf if as_of.is_some() => return Err(twice("as_of")),
        Time::KnownAt if known_at.is_some() => return Err(twice("known_at")),
        Time::AsOf => {
            let read = |field, text: &str| at(field, moment::as_of(text, zone));
            (Moments::AsOf(read("from", &from)?, read("to", &to)?), known_at)
        }
        Time::KnownAt => {
            let read = |field, text: &str| at(field, moment::known_at(text, zone));
            (Moments::KnownAt(read("from", &from)?, read("to", &to)?), as_of)
        }
    };
    let other = match time {
        Time::AsOf => moments(&app, None, fixed.as_deref()).await?,
        Time::KnownAt => moments(&app, fixed.as_deref(), None).await?,
    };
    let subject = Subject { thing, ..other };
    Ok(Json(app.rapport.views.compare(subject, moments_compared, after.map(Position)).await?))
}

/// Why a field is what it is.
pub(super) async fn why(
    State(app): State<App>,
    caller: Caller,
    Path((kind, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Json<Why>, Problem> {
    caller.must_be(JOURNEY_READERS)?;
    let thing = thing(&kind, &id)?;
    let WhyQuery { after, field, as_of, known_at } = read(query.as_deref())?;
    let subject = Subject { thing, ..moments(&app, as_of.as_deref(), known_at.as_deref()).await? };
    Ok(Json(app.rapport.views.why(subject, &field, after.map(Position)).await?))
}

/// Why a cell of a view is what it is: for those who may ask the view and may read history.
pub(super) async fn why_cell(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<CellReasons>, Problem> {
    caller.must_be(app.rapport.views.description(&name)?.readers)?;
    caller.must_be(JOURNEY_READERS)?;
    let question = views::question(&app, name, &query.unwrap_or_default()).await?;
    Ok(Json(app.rapport.views.why_cell(question).await?))
}

fn thing(kind: &str, id: &str) -> Result<StreamId, Problem> {
    let kind =
        kind.parse().map_err(|error: domain::event::NotAKind| Problem::not_found(error.to_string()))?;
    let id =
        Uuid::parse_str(id).map_err(|_| Problem::malformed("is not a UUID").at(Some("id".to_owned())))?;
    Ok(StreamId::new(kind, id))
}

fn read<T: DeserializeOwned>(query: Option<&str>) -> Result<T, Problem> {
    let pairs = serde_html_form::Deserializer::from_bytes(query.unwrap_or_default().as_bytes());
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let path = error.path().to_string();
        Problem::malformed(error.into_inner().to_string()).at((path != ".").then_some(path))
    })
}

async fn zone(app: &App) -> Result<moment::Zone, Problem> {
    app.rapport.views.zone().await.map_err(|error| Problem::unavailable(error.to_string()))
}

/// The two times; whose they are is said by whoever asks.
async fn moments(app: &App, as_of: Option<&str>, known_at: Option<&str>) -> Result<Subject, Problem> {
    let zone = zone(app).await?;
    let as_of = as_of.map(|text| moment::as_of(text, zone)).transpose().map_err(AskError::from)?;
    let known_at = known_at.map(|text| moment::known_at(text, zone)).transpose().map_err(AskError::from)?;
    Ok(Subject { as_of, known_at, ..Subject::ANYBODY })
}

fn at<T>(field: &str, read: Result<T, projections::ViewError>) -> Result<T, Problem> {
    read.map_err(|error| Problem::from(AskError::from(error)).at(Some(field.to_owned())))
}
