//! `GET /events`: the log itself, as a batch or as a live feed.

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use domain::{ContactId, Kind, KindSet, Position, Role};
use futures::{Stream, stream};
use serde::Deserialize;
use serde_json::Value;
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{
    App, Caller, Problem, Trust,
    cloud_event::cloud_event,
    disclosure::{self, Intent, Showing},
    problem::read_query,
};

/// Who may read the log itself.
pub(super) const READERS: &[Role] = &[Role::Admin, Role::Staff, Role::Auditor];
/// How many events a batch holds unless asked otherwise, and at most.
const LIMIT: usize = 100;
const MOST: usize = 1_000;
/// How often it is recorded that somebody still follows.
const RECORDED_EVERY: Duration = Duration::from_hours(1);
/// How many events one request looks through for those it wants; the next request goes on from there.
const LOOKED_THROUGH: usize = 20_000;

/// Which events are wanted.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    /// After this position.
    #[serde(default)]
    from: u64,
    /// Only of this kind.
    kind: Option<Kind>,
    /// Only those that concern this contact.
    subject: Option<ContactId>,
    /// How many, 1 to 1,000.
    limit: Option<usize>,
}

/// Reads events; where the client accepts `text/event-stream`, follows the log live.
pub(super) async fn read(
    State(app): State<App>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.must_be(READERS)?;
    let mut query: Query = read_query(query.as_deref())?;
    let intent = Intent::of(&caller, &headers, false)?;
    let limit = query.limit.unwrap_or(LIMIT);
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::malformed(format!("must lie between 1 and {MOST}")).at(Some("limit".to_owned())));
    }
    if i64::try_from(query.from).is_err() {
        return Err(Problem::malformed("is beyond any position").at(Some("from".to_owned())));
    }
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accepts.contains("text/event-stream") {
        if let Some(last) = headers.get("last-event-id") {
            let last = last.to_str().ok().and_then(|last| last.parse().ok());
            let wrong = || Problem::malformed("must be a position").at(Some("Last-Event-ID".to_owned()));
            query.from = last.ok_or_else(wrong)?;
        }
        return follow(app, caller, query, intent.following()).await.map(IntoResponse::into_response);
    }
    let (events, next) = batch(&app, &query, limit).await?;
    if query.is_recorded(&caller, intent) {
        let showing = query.showing(next, events.len() as u64);
        disclosure::record(&app, &caller, intent, showing).await?;
    }
    let headers =
        [(header::CONTENT_TYPE, "application/cloudevents-batch+json"), (header::CACHE_CONTROL, "no-store")];
    let mut response =
        (headers, Value::Array(events.into_iter().map(|(_, event)| event).collect()).to_string())
            .into_response();
    if let Ok(next) = HeaderValue::from_str(&next.to_string()) {
        // Where to go on: the position looked through, which may lie beyond the last event shown.
        response.headers_mut().insert("rapport-next", next);
    }
    Ok(response)
}

impl Query {
    /// Whether showing this is recorded. Disclosures are never disclosed themselves: reading them would make more.
    fn is_recorded(&self, caller: &Caller, intent: Intent) -> bool {
        intent.is_recorded(caller) && self.kind != Some(Kind::Disclosure)
    }

    fn showing(&self, position: Position, rows: u64) -> Showing<'static> {
        let mut parts = vec![format!("from={}", self.from)];
        parts.extend(self.kind.map(|kind| format!("kind={kind}")));
        parts.extend(self.subject.map(|subject| format!("subject={subject}")));
        parts.extend(self.limit.map(|limit| format!("limit={limit}")));
        Showing { view: "events", query: parts.join("&"), position, rows, shown: Vec::new() }
    }
}

type Found = Vec<(Position, Value)>;

/// Looks through the log for events; how far it came.
async fn batch(app: &App, query: &Query, limit: usize) -> Result<(Found, Position), Problem> {
    let store = &app.rapport.store;
    let kinds = query.kind.map_or(KindSet::ALL, |kind| KindSet::of(&[kind]));
    let (mut found, mut position, mut looked) = (Vec::new(), Position(query.from), 0);
    while found.len() < limit && looked < LOOKED_THROUGH {
        // No more is read than may be shown, so that the page ends where its last event stands.
        let wanted = (limit - found.len()).min(LOOKED_THROUGH - looked);
        let read = if query.subject.is_some() || query.kind.is_some() { wanted.max(1_000) } else { wanted };
        let page = store
            .read_all(position, read, kinds)
            .await
            .map_err(|error| Problem::unavailable(error.to_string()))?;
        if page.through <= position {
            break;
        }
        looked += read;
        for event in page.events {
            let recorded = event.map_err(|error| Problem::unavailable(error.to_string()))?;
            let concerns = query.subject.is_none_or(|subject| recorded.subjects.contains(&subject));
            if concerns && let Some(event) = cloud_event(&recorded, store.log_id(), &*app.rapport.keyring) {
                found.push((recorded.position, event));
            }
            if found.len() == limit {
                return Ok((found, recorded.position));
            }
        }
        position = page.through;
    }
    Ok((found, position))
}

struct Feed {
    app: App,
    caller: Caller,
    query: Query,
    waiting: VecDeque<(Position, Value)>,
    /// What the reader said, where it is recorded; then when it was recorded last, and what was shown since.
    intent: Option<Intent>,
    recorded_at: Instant,
    shown: Query,
    rows: u64,
    _permits: [OwnedSemaphorePermit; 2],
}

async fn follow(
    app: App,
    caller: Caller,
    query: Query,
    intent: Intent,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let too_many = |_| Problem::unavailable("too many live feeds are open: close some, or try again later");
    let own = app.feeds_of_caller.of(&caller.name).try_acquire_owned().map_err(too_many)?;
    let any = app.feeds.clone().try_acquire_owned().map_err(too_many)?;
    let intent = query.is_recorded(&caller, intent).then_some(intent);
    let mut feed = Feed {
        app,
        caller,
        shown: query.clone(),
        query,
        waiting: VecDeque::new(),
        intent,
        recorded_at: Instant::now(),
        rows: 0,
        _permits: [own, any],
    };
    feed.record().await?;
    let events = stream::unfold(feed, |mut feed| async move {
        let event = feed.next().await?;
        Some((Ok(event), feed))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

impl Drop for Feed {
    /// What was shown since it was last recorded, however the feed ends.
    fn drop(&mut self) {
        let Some(intent) = self.intent.filter(|_| self.rows > 0) else { return };
        let (app, caller, rows) = (self.app.clone(), self.caller.clone(), self.rows);
        let (since, position) = (std::mem::take(&mut self.shown), Position(self.query.from));
        // A feed lives inside the runtime that serves it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let showing = since.showing(position, rows);
                if let Err(problem) = disclosure::record(&app, &caller, intent, showing).await {
                    tracing::error!(detail = problem.detail, "the end of a feed could not be recorded");
                }
            });
        }
    }
}

impl Feed {
    /// Records what was shown since the last time, and where it goes on from.
    async fn record(&mut self) -> Result<(), Problem> {
        self.recorded_at = Instant::now();
        if let Some(intent) = self.intent {
            let since = std::mem::replace(&mut self.shown, self.query.clone());
            let showing = since.showing(Position(self.query.from), std::mem::take(&mut self.rows));
            disclosure::record(&self.app, &self.caller, intent, showing).await?;
        }
        Ok(())
    }

    /// The next event, however long it takes; none when the server ends or the log cannot be read, after which
    /// the client comes back with the id of the last event that it has seen.
    async fn next(&mut self) -> Option<Event> {
        loop {
            // Whoever has lost their token sees no more, however long ago they began.
            if self.app.trust == Trust::Tokens && !self.app.rapport.tokens.is_living(&self.caller.name) {
                return None;
            }
            if self.recorded_at.elapsed() >= RECORDED_EVERY {
                self.record().await.ok()?;
            }
            if let Some((position, event)) = self.waiting.pop_front() {
                self.rows += 1;
                return Some(
                    Event::default()
                        .id(position.to_string())
                        .event(event["type"].as_str()?)
                        .data(event.to_string()),
                );
            }
            let (found, through) = batch(&self.app, &self.query, LIMIT).await.ok()?;
            if through.0 == self.query.from {
                let changed =
                    tokio::time::timeout(Duration::from_secs(1), self.app.rapport.store.changed(through));
                tokio::select! {
                    // Whether woken or not, the log is looked at again.
                    _ = changed => {}
                    () = self.app.ending.cancelled() => return None,
                }
            }
            self.query.from = through.0;
            self.waiting.extend(found);
        }
    }
}
