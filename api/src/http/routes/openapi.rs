//! `GET /openapi.json`: the whole surface.

use axum::{Json, extract::State};
use serde_json::Value;

use crate::http::{app::App, openapi_document::describe};

/// The document.
pub(crate) async fn document(State(app): State<App>) -> Json<Value> {
    Json(describe(&app.rapport.commands.describe(), &projections::descriptions()))
}
