//! `GET /metrics`: Prometheus figures; counts and times only, never a value of anybody.

use std::{sync::OnceLock, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    http::header,
    middleware::Next,
    response::{IntoResponse, Response},
};
use domain::Role;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use projections::Phase;

use super::{App, Caller, Problem};

/// Seconds; from a tenth of a millisecond to half a minute.
const BUCKETS: &[f64] =
    &[0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// The recorder of this process; installed with the first router.
fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    let install = || {
        let named = Matcher::Full("rapport_http_request_seconds".to_owned());
        PrometheusBuilder::new().set_buckets_for_metric(named, BUCKETS).ok()?.install_recorder().ok()
    };
    RECORDER.get_or_init(install).as_ref()
}

/// Counts and times every request under the pattern of its route, never under its URL.
pub(super) async fn record(request: Request, next: Next) -> Response {
    recorder();
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    // Anybody may invent a method; what is counted must not grow with it.
    let method = match request.method().as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => known.to_owned(),
        _ => "other".to_owned(),
    };
    let began = Instant::now();
    let response = next.run(request).await;
    let (status, took) = (response.status().as_u16(), began.elapsed());
    tracing::info!(
        method,
        route,
        status,
        micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        "answered"
    );
    metrics::counter!("rapport_http_requests_total", "method" => method, "route" => route.clone(), "status" => status.to_string())
        .increment(1);
    metrics::histogram!("rapport_http_request_seconds", "route" => route).record(took.as_secs_f64());
    response
}

/// Everything counted so far.
#[expect(clippy::cast_precision_loss, reason = "figures for charts; positions are below 2^52")]
pub(super) async fn metrics(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    caller.must_be(&[Role::Admin, Role::Staff, Role::Auditor])?;
    let head = app.rapport.views.head();
    metrics::gauge!("rapport_log_position").set(head.0 as f64);
    let statistics = app.rapport.log.statistics();
    metrics::gauge!("rapport_append_queue").set(statistics.queued as f64);
    metrics::gauge!("rapport_index_tail").set(statistics.tail as f64);
    metrics::gauge!("rapport_sync_seconds").set(statistics.last_sync_micros as f64 / 1e6);
    let ledger = app.rapport.ledger.state();
    let events = app.rapport.store.size_at(head).await.unwrap_or_default();
    metrics::gauge!("rapport_log_events").set(events as f64);
    metrics::gauge!("rapport_ledger_unsigned_events").set(events.saturating_sub(ledger.signed) as f64);
    metrics::gauge!("rapport_ledger_stopped").set(f64::from(u8::from(ledger.trouble.is_some())));
    for (view, status) in app.rapport.views.statuses() {
        let lag = head.0.saturating_sub(status.position.0);
        metrics::gauge!("rapport_view_lag_events", "view" => view.name).set(lag as f64);
        let stopped = matches!(status.phase, Phase::Stopped { .. });
        metrics::gauge!("rapport_view_stopped", "view" => view.name).set(f64::from(u8::from(stopped)));
    }
    if let Some(standing) = app.rapport.log.standing() {
        let behind = standing.behind.map_or(f64::INFINITY, |behind| behind.as_secs_f64());
        metrics::gauge!("rapport_node_behind_seconds").set(behind);
        metrics::gauge!("rapport_node_stopped").set(f64::from(u8::from(standing.trouble.is_some())));
        metrics::gauge!("rapport_cluster_calls_tried_again").set(standing.tried_again as f64);
        let living = app.rapport.log.peers().iter().filter(|peer| peer.is_living).count();
        metrics::gauge!("rapport_nodes_living").set(living as f64 + 1.0);
        let disagreeing = app.rapport.witness.disagreeing().len();
        metrics::gauge!("rapport_ledger_disagreements").set(disagreeing as f64);
        let agreed = app.rapport.witness.agreed().unwrap_or_default();
        metrics::gauge!("rapport_ledger_agreed_events").set(agreed as f64);
    }
    let text = recorder().map(PrometheusHandle::render).unwrap_or_default();
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}
