//! `GET /openapi.json`: the whole surface.

use axum::{Json, extract::State};

use crate::http::{
    app::App,
    operation::{Operation, Types},
    surface::Document,
};

/// The document.
pub(crate) async fn document(State(app): State<App>) -> Json<Document> {
    Json(app.surface.describe(&app.rapport.commands.describe(), &projections::descriptions()))
}

/// What the document says of it.
pub(crate) fn document_operation(types: &mut Types<'_>) -> Operation {
    Operation::new("about", "openapi", "this document").answers::<Document>(200, "OpenAPI 3.1", types)
}
