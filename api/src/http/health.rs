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

/// Every view can be asked. Says nothing about what is in them.
pub(super) async fn ready(State(app): State<App>) -> Response {
    let statuses = app.rapport.views.statuses();
    let waiting: Vec<&str> = statuses
        .iter()
        .filter(|(_, status)| status.phase == Phase::Building)
        .map(|(view, _)| view.name)
        .collect();
    let status = if waiting.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": waiting.is_empty(), "building": waiting }))).into_response()
}
