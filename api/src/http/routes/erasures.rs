//! `GET /erasures/{contact}`: the certificate of an erasure.

use axum::{
    Json,
    extract::{Path, State},
};
use domain::ContactId;
use uuid::Uuid;

use crate::{
    application::{
        Caller,
        erasures::{self, Certificate, READERS},
    },
    http::{
        app::App,
        operation::{Operation, Types, uuid},
        problem::Problem,
    },
};

/// What is left of somebody who was erased.
pub(crate) async fn certificate(
    State(app): State<App>,
    caller: Caller,
    Path(contact): Path<Uuid>,
) -> Result<Json<Certificate>, Problem> {
    Ok(Json(erasures::certificate(&app.rapport, &caller, ContactId(contact)).await?))
}

/// What the document says of it.
pub(crate) fn certificate_operation(types: &mut Types<'_>) -> Operation {
    let summary = "what is left of a contact who was erased, looked up in every file";
    Operation::new("admin", "certificate_of_erasure", summary)
        .for_roles(READERS)
        .in_path("contact", &uuid(), "whose")
        .answers::<Certificate>(200, "the certificate", types)
        .refuses(&[404, 429])
}
