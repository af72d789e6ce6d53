//! `/tokens`: granted and revoked by administrators.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use domain::Role;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    application::{Caller, granting},
    http::{app::App, problem::Problem, reading::read_json},
};

/// Whom to give which role.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Grant {
    /// The name under which their events are recorded.
    name: String,
    /// What they may do.
    role: Role,
}

/// Every token, without its secret.
pub(crate) async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Value>, Problem> {
    let tokens = granting::all(&app.rapport, &caller)?.into_iter().map(|token| {
        json!({ "name": token.name, "role": token.role, "granted_at": token.granted_at, "revoked_at": token.revoked_at })
    });
    Ok(Json(json!({ "rows": tokens.collect::<Vec<_>>() })))
}

/// Grants a token; the answer is the only place where its secret is ever seen.
pub(crate) async fn grant(State(app): State<App>, caller: Caller, body: Bytes) -> Result<Response, Problem> {
    caller.must_be(granting::GRANTERS)?;
    let Grant { name, role } = read_json(&body)?;
    let token = granting::grant(&app.rapport, &caller, &name, role).await?;
    Ok((StatusCode::CREATED, Json(json!({ "name": name, "role": role, "token": token }))).into_response())
}

/// Revokes a token.
pub(crate) async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    granting::revoke(&app.rapport, &caller, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
