//! What happened to a contact or a thing, step by step with what each step changed; two moments compared; and why a field
//! is what it is. Whom an answer shows is recorded before it is given.

use domain::{Position, Role, StreamId};
use projections::{
    AskError, Comparison, JOURNEY_READERS, JOURNEY_VIEW, Moments, Page, Steps, Subject, ViewError, Why,
    moment,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    caller::Caller,
    disclosures::{self, Intent, Showing},
    error::Error,
    rapport::Rapport,
};

/// Who may read journeys.
pub const READERS: &[Role] = JOURNEY_READERS;

/// Which steps are wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepsQuery {
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
pub struct CompareQuery {
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
pub enum Time {
    /// What had happened by then.
    #[default]
    AsOf,
    /// What was recorded by then.
    KnownAt,
}

/// Which field is asked about.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WhyQuery {
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
pub async fn steps(
    rapport: &Rapport,
    caller: &Caller,
    thing: StreamId,
    query: StepsQuery,
    intent: Intent,
) -> Result<Steps, Error> {
    caller.must_be(READERS)?;
    let StepsQuery { after, as_of, known_at, cursor, limit } = query;
    let subject = Subject { thing, ..moments(rapport, as_of.as_deref(), known_at.as_deref()).await? };
    let page = Page::new(limit, cursor)?;
    let seen = Seen::now(rapport, intent);
    let steps = rapport.views.steps(subject, page, after.map(Position)).await?;
    let times = [("as_of", as_of), ("known_at", known_at)];
    let times = times.into_iter().filter_map(|(name, time)| Some(format!("&{name}={}", time?)));
    let query = subject.query() + &times.collect::<String>();
    seen.record(rapport, caller, query, steps.rows.len()).await?;
    Ok(steps)
}

/// Two moments compared.
pub async fn compare(
    rapport: &Rapport,
    caller: &Caller,
    thing: StreamId,
    query: CompareQuery,
    intent: Intent,
) -> Result<Comparison, Error> {
    caller.must_be(READERS)?;
    let CompareQuery { after, from, to, time, as_of, known_at } = query;
    let twice = |field| {
        let detail = "is what `from` and `to` are compared by: leave it out, or choose the other `time`";
        Error::malformed_at(field, detail)
    };
    let zone = zone(rapport).await?;
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
        Time::AsOf => moments(rapport, None, fixed.as_deref()).await?,
        Time::KnownAt => moments(rapport, fixed.as_deref(), None).await?,
    };
    let subject = Subject { thing, ..other };
    let seen = Seen::now(rapport, intent);
    let comparison = rapport.views.compare(subject, moments_compared, after.map(Position)).await?;
    seen.record(rapport, caller, subject.query(), comparison.rows.len()).await?;
    Ok(comparison)
}

/// Why a field is what it is.
pub async fn why(
    rapport: &Rapport,
    caller: &Caller,
    thing: StreamId,
    query: WhyQuery,
    intent: Intent,
) -> Result<Why, Error> {
    caller.must_be(READERS)?;
    let WhyQuery { after, field, as_of, known_at } = query;
    let subject = Subject { thing, ..moments(rapport, as_of.as_deref(), known_at.as_deref()).await? };
    let seen = Seen::now(rapport, intent);
    let why = match rapport.views.why(subject, &field, after.map(Position)).await {
        Ok(why) => why,
        Err(error) => {
            // The answer to a field that there is not names those that there are.
            if matches!(error, AskError::View(_)) {
                seen.record(rapport, caller, subject.query(), 1).await?;
            }
            return Err(error.into());
        }
    };
    seen.record(rapport, caller, subject.query(), 1 + why.earlier.len()).await?;
    Ok(why)
}

/// Up to where the log was seen by somebody who is about to be shown people, and with which intent.
struct Seen {
    intent: Intent,
    position: Position,
}

impl Seen {
    fn now(rapport: &Rapport, intent: Intent) -> Self {
        Self { intent, position: rapport.views.head() }
    }

    /// Records that people are about to be shown, where that is recorded of this caller.
    async fn record(
        self,
        rapport: &Rapport,
        caller: &Caller,
        query: String,
        rows: usize,
    ) -> Result<(), Error> {
        if !self.intent.is_recorded(caller) {
            return Ok(());
        }
        let Self { intent, position } = self;
        let showing = Showing { view: JOURNEY_VIEW, query, position, rows: rows as u64, shown: Vec::new() };
        disclosures::record(rapport, caller, intent, showing).await
    }
}

async fn zone(rapport: &Rapport) -> Result<moment::Zone, Error> {
    Ok(rapport.views.zone().await?)
}

/// The two times; whose they are is said by whoever asks.
async fn moments(rapport: &Rapport, as_of: Option<&str>, known_at: Option<&str>) -> Result<Subject, Error> {
    let zone = zone(rapport).await?;
    let as_of = as_of.map(|text| moment::as_of(text, zone)).transpose()?;
    let known_at = known_at.map(|text| moment::known_at(text, zone)).transpose()?;
    Ok(Subject { as_of, known_at, ..Subject::ANYBODY })
}

/// Names the parameter that cannot be read as a moment.
fn at<T>(field: &'static str, read: Result<T, ViewError>) -> Result<T, Error> {
    read.map_err(|error| Error::malformed_at(field, error.to_string()))
}
