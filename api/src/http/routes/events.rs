//! `GET /events`: the log itself, as a batch or as a live feed.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::stream;
use serde::Serialize;
use serde_json::json;

use crate::{
    application::{
        Caller,
        cloud_event::CloudEvent,
        disclosures::Intent,
        events::{self, Feed, Query},
    },
    http::{
        accept::{APPLICATION_JSON, CLOUD_EVENTS, EVENT_STREAM, preferred},
        app::App,
        intent::{self, read_intent},
        operation::{Operation, Types, number},
        problem::Problem,
        reading::read_query,
        trust::Trust,
    },
};

/// How often a feed on which nothing happens says that it is still there.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Reads events; where the client prefers `text/event-stream`, follows the log live.
pub(crate) async fn read(
    State(app): State<App>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.must_be(events::READERS)?;
    let mut query: Query = read_query(query.as_deref())?;
    let intent = read_intent(&caller, &headers)?;
    if *preferred(&headers, &[CLOUD_EVENTS, APPLICATION_JSON, EVENT_STREAM]) == EVENT_STREAM {
        if let Some(last) = headers.get("last-event-id") {
            let last = last.to_str().ok().and_then(|last| last.parse().ok());
            let wrong = || Problem::malformed("must be a position").at(Some("Last-Event-ID".to_owned()));
            query.from = last.ok_or_else(wrong)?;
        }
        return follow(app, caller, query, intent).await;
    }
    let (events, next) = events::read(&app.rapport, &caller, &query, intent).await?;
    let headers =
        [(header::CONTENT_TYPE, "application/cloudevents-batch+json"), (header::CACHE_CONTROL, "no-store")];
    let mut response = (headers, json_text(&events)?).into_response();
    if let Ok(next) = HeaderValue::from_str(&next.to_string()) {
        // Where to go on: the position looked through, which may lie beyond the last event shown.
        response.headers_mut().insert("rapport-next", next);
    }
    Ok(response)
}

/// What the document says of it.
pub(crate) fn read_operation(types: &mut Types<'_>) -> Operation {
    let event = types.schema::<CloudEvent>();
    let batch = json!({ "type": "array", "items": event });
    let feed = json!({
        "type": "string",
        "description": "event by event: `id`, its position; `event`, its type; `data`, the event as in a batch",
    });
    let contents = [("application/cloudevents-batch+json", batch), ("text/event-stream", feed)];
    Operation::new(
        "events",
        "events",
        "the log as CloudEvents; with Accept: text/event-stream it follows live",
    )
    .for_roles(events::READERS)
    .explained("The header Rapport-Next says where to go on.")
    .query::<Query>(types)
    .in_header("Last-Event-ID", &number(), "a feed goes on after this position")
    .with(intent::headers(types))
    .answers_as(200, "the events", &contents)
    .refuses(&[429])
}

/// What was encoded once, to be stored, can be encoded again.
fn json_text(events: &impl Serialize) -> Result<String, Problem> {
    serde_json::to_string(events).map_err(|error| Problem::unavailable(error.to_string()))
}

async fn follow(app: App, caller: Caller, query: Query, intent: Intent) -> Result<Response, Problem> {
    let too_many = |_| Problem::unavailable("too many live feeds are open: close some, or try again later");
    let own = app.feeds_of_caller.of(&caller.name).try_acquire_owned().map_err(too_many)?;
    let any = Arc::clone(&app.feeds).try_acquire_owned().map_err(too_many)?;
    let ends_with_token = app.trust == Trust::Tokens;
    let feed = Feed::begin(app.rapport, caller, query, intent, ends_with_token, app.ending).await?;
    // What counts the open feeds is let go with the feed.
    let events = stream::unfold((feed, own, any), |(mut feed, own, any)| async move {
        let (position, event) = feed.next().await?;
        let sent =
            Event::default().id(position.to_string()).event(event.name()).data(json_text(&event).ok()?);
        Some((Ok::<_, Infallible>(sent), (feed, own, any)))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE_INTERVAL)).into_response())
}
