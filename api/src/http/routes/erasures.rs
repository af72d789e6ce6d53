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
        erasures::{self, Certificate},
    },
    http::{app::App, problem::Problem},
};

/// What is left of somebody who was erased.
pub(crate) async fn certificate(
    State(app): State<App>,
    caller: Caller,
    Path(contact): Path<Uuid>,
) -> Result<Json<Certificate>, Problem> {
    Ok(Json(erasures::certificate(&app.rapport, &caller, ContactId(contact)).await?))
}
