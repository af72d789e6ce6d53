//! Counting requests, for Prometheus; counts and times only, never a value of anybody.

use std::{sync::OnceLock, time::Instant};

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Seconds; from a tenth of a millisecond to half a minute.
const BUCKETS: &[f64] =
    &[0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// The recorder of this process; installed with the first router.
pub(super) fn recorder() -> Option<&'static PrometheusHandle> {
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
