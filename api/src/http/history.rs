//! `GET /history/…`: what happened to a contact or a thing, step by step with what each step changed; two moments
//! compared; and why a field, or a cell of a view, is what it is.

use axum::{
    Json,
    extract::{Path, RawQuery, State},
    http::HeaderMap,
};
use domain::{Position, StreamId};
use projections::{
    AskError, CellReasons, Comparison, JOURNEY_READERS, JOURNEY_VIEW, Moments, Page, Steps, Subject, Why,
    moment,
};
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::{
    App, Caller, Problem,
    disclosure::{self, Intent, Showing},
    problem::read_query,
    views,
};

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
    /// The field by its name, or by the end of it: `stage`, `email`.
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
    headers: HeaderMap,
) -> Result<Json<Steps>, Problem> {
    caller.must_be(JOURNEY_READERS)?;
    let thing = thing(&kind, &id)?;
    let StepsQuery { after, as_of, known_at, cursor, limit } = read_query(query.as_deref())?;
    let subject = Subject { thing, ..moments(&app, as_of.as_deref(), known_at.as_deref()).await? };
    let page = Page::new(limit, cursor).map_err(AskError::from)?;
    let seen = Seen::now(&app, &caller, &headers)?;
    let steps = app.rapport.views.steps(subject, page, after.map(Position)).await?;
    let times = [("as_of", as_of), ("known_at", known_at)];
    let times = times.into_iter().filter_map(|(name, time)| Some(format!("&{name}={}", time?)));
    let query = subject.query() + &times.collect::<String>();
    seen.record(&app, &caller, query, steps.rows.len(), Vec::new()).await?;
    Ok(Json(steps))
}

/// Two moments compared.
pub(super) async fn compare(
    State(app): State<App>,
    caller: Caller,
    Path((kind, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Comparison>, Problem> {
    caller.must_be(JOURNEY_READERS)?;
    let thing = thing(&kind, &id)?;
    let CompareQuery { after, from, to, time, as_of, known_at } = read_query(query.as_deref())?;
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
    let seen = Seen::now(&app, &caller, &headers)?;
    let comparison = app.rapport.views.compare(subject, moments_compared, after.map(Position)).await?;
    seen.record(&app, &caller, subject.query(), comparison.rows.len(), Vec::new()).await?;
    Ok(Json(comparison))
}

/// Why a field is what it is.
pub(super) async fn why(
    State(app): State<App>,
    caller: Caller,
    Path((kind, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Why>, Problem> {
    caller.must_be(JOURNEY_READERS)?;
    let thing = thing(&kind, &id)?;
    let WhyQuery { after, field, as_of, known_at } = read_query(query.as_deref())?;
    let subject = Subject { thing, ..moments(&app, as_of.as_deref(), known_at.as_deref()).await? };
    let seen = Seen::now(&app, &caller, &headers)?;
    let why = match app.rapport.views.why(subject, &field, after.map(Position)).await {
        Ok(why) => why,
        Err(error) => {
            // The answer to a field that there is not names those that there are.
            if matches!(error, AskError::View(_)) {
                seen.record(&app, &caller, subject.query(), 1, Vec::new()).await?;
            }
            return Err(error.into());
        }
    };
    seen.record(&app, &caller, subject.query(), 1 + why.earlier.len(), Vec::new()).await?;
    Ok(Json(why))
}

/// Why a cell of a view is what it is: for those who may ask the view and may read history.
pub(super) async fn why_cell(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<CellReasons>, Problem> {
    caller.must_be(app.rapport.views.description(&name)?.readers)?;
    caller.must_be(JOURNEY_READERS)?;
    let question = views::question(&app, name, &query.unwrap_or_default()).await?;
    let seen = Seen::now(&app, &caller, &headers)?;
    let reasons = app.rapport.views.why_cell(question).await?;
    let positions: Vec<String> =
        reasons.rows.iter().map(|reason| reason.event.row.position.to_string()).collect();
    let concerned = reasons.concerned.iter().map(|contact| contact.0).collect();
    seen.record(&app, &caller, format!("at={}", positions.join(",")), positions.len(), concerned).await?;
    Ok(Json(reasons))
}

/// Up to where the log was seen by somebody who is about to be shown people, and with which intent.
struct Seen {
    intent: Intent,
    position: Position,
}

impl Seen {
    fn now(app: &App, caller: &Caller, headers: &HeaderMap) -> Result<Self, Problem> {
        Ok(Self { intent: Intent::of(caller, headers, false)?, position: app.rapport.views.head() })
    }

    /// Records that people are about to be shown, where that is recorded of this caller.
    async fn record(
        self,
        app: &App,
        caller: &Caller,
        query: String,
        rows: usize,
        shown: Vec<Uuid>,
    ) -> Result<(), Problem> {
        if !self.intent.is_recorded(caller) {
            return Ok(());
        }
        let Self { intent, position } = self;
        let showing = Showing { view: JOURNEY_VIEW, query, position, rows: rows as u64, shown };
        disclosure::record(app, caller, intent, showing).await
    }
}

fn thing(kind: &str, id: &str) -> Result<StreamId, Problem> {
    let kind =
        kind.parse().map_err(|error: domain::event::NotAKind| Problem::not_found(error.to_string()))?;
    let id =
        Uuid::parse_str(id).map_err(|_| Problem::malformed("is not a UUID").at(Some("id".to_owned())))?;
    Ok(StreamId::new(kind, id))
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
