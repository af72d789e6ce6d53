//! `GET /health/live` and `GET /health/ready`: for those who watch over the process.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::{application::readiness, http::app::App};

/// The process answers.
pub(crate) async fn live() -> &'static str {
    "live\n"
}

/// Every view can be asked, and a node of a cluster is near the end of the log.
pub(crate) async fn ready(State(app): State<App>) -> Response {
    let readiness = readiness::now(&app.rapport);
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness)).into_response()
}
