//! `GET /health/live` and `GET /health/ready`: for those who watch over the process.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use projections::Phase;
use serde_json::json;

use super::App;

/// The process answers.
pub(super) async fn live() -> &'static str {
    "live\n"
}

/// Every view can be asked, and a node of a cluster is near the end of the log. A view that stands still answers as of
/// where it stands, so it is named and does not take the others out of service. A node whose checkpoint does not agree
/// is named as well: which of the two is right is for people to find out.
pub(super) async fn ready(State(app): State<App>) -> Response {
    let statuses = app.rapport.views.statuses();
    let waiting: Vec<&str> = statuses
        .iter()
        .filter(|(_, status)| status.phase == Phase::Building)
        .map(|(view, _)| view.name)
        .collect();
    let stopped: Vec<&str> = statuses
        .iter()
        .filter(|(_, status)| matches!(status.phase, Phase::Stopped { .. }))
        .map(|(view, _)| view.name)
        .collect();
    let behind = app.rapport.is_behind();
    let ready = waiting.is_empty() && behind.is_none();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut said = json!({ "ready": ready, "building": waiting, "stopped": stopped });
    if app.rapport.log.standing().is_some() {
        let disagreeing = app.rapport.witness.disagreeing();
        let disagreeing = disagreeing.into_iter().map(|(node, why)| json!({ "node": node, "why": why }));
        said["behind"] = json!(behind);
        said["disagreeing"] = disagreeing.collect();
    }
    (status, Json(said)).into_response()
}
