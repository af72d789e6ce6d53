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

/// Every view can be asked. A view that stands still answers as of where it stands, so it is named and does not
/// take the others out of service.
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
    let status = if waiting.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": waiting.is_empty(), "building": waiting, "stopped": stopped })))
        .into_response()
}
