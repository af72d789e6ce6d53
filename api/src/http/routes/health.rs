//! `GET /health/live` and `GET /health/ready`: for those who watch over the process.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::{
    application::readiness::{self, Readiness},
    http::{
        app::App,
        operation::{Operation, Types},
    },
};

/// The process answers.
pub(crate) async fn live() -> &'static str {
    "live\n"
}

/// What the document says of it.
pub(crate) fn live_operation(_: &mut Types<'_>) -> Operation {
    Operation::new("about", "live", "the process answers").open().answers_text("text/plain", "live")
}

/// Every part works, every view can be asked, and a node of a cluster is near the end of the log.
pub(crate) async fn ready(State(app): State<App>) -> Response {
    let readiness = readiness::now(&app.rapport);
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness)).into_response()
}

/// What the document says of it.
pub(crate) fn ready_operation(types: &mut Types<'_>) -> Operation {
    Operation::new("about", "ready", "commands are taken and every view can be asked")
        .open()
        .answers::<Readiness>(200, "ready", types)
        .answers::<Readiness>(
            503,
            "a part cannot do its work, views are being built, or the log is not followed",
            types,
        )
}
