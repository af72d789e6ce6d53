//! `GET /metrics`: Prometheus figures; counts and times only, never a value of anybody.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use domain::Role;
use metrics_exporter_prometheus::PrometheusHandle;
use projections::Phase;

use crate::{
    application::{Caller, readiness},
    http::{
        app::App,
        counting::recorder,
        operation::{Operation, Types},
        problem::Problem,
    },
};

/// Who may look at them.
const READERS: &[Role] = &[Role::Admin, Role::Staff, Role::Auditor];

/// Everything counted so far.
#[expect(clippy::cast_precision_loss, reason = "figures for charts; positions are below 2^52")]
pub(crate) async fn metrics(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    caller.must_be(READERS)?;
    let head = app.rapport.views.head();
    metrics::gauge!("rapport_log_position").set(head.0 as f64);
    let statistics = app.rapport.log.statistics();
    metrics::gauge!("rapport_append_queue").set(statistics.queued as f64);
    metrics::gauge!("rapport_index_tail").set(statistics.tail as f64);
    metrics::gauge!("rapport_sync_seconds").set(statistics.last_sync_micros as f64 / 1e6);
    metrics::gauge!("rapport_clock_offset_seconds").set(statistics.clock_offset_micros as f64 / 1e6);
    metrics::gauge!("rapport_troubles").set(readiness::troubles(&app.rapport).len() as f64);
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
    for (view, timeouts) in app.rapport.views.timeouts() {
        metrics::counter!("rapport_view_timeouts_total", "view" => view).absolute(timeouts);
    }
    if let Some(node) = app.rapport.log.node_status() {
        let behind = node.behind.map_or(f64::INFINITY, |behind| behind.as_secs_f64());
        metrics::gauge!("rapport_node_behind_seconds").set(behind);
        metrics::gauge!("rapport_node_stopped").set(f64::from(u8::from(node.trouble.is_some())));
        metrics::gauge!("rapport_cluster_calls_tried_again").set(node.tried_again as f64);
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

/// What the document says of it.
pub(crate) fn metrics_operation(_: &mut Types<'_>) -> Operation {
    Operation::new("about", "metrics", "figures for Prometheus")
        .for_roles(READERS)
        .answers_text("text/plain", "figures")
}
