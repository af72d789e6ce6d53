//! `/tokens`: granted and revoked by administrators.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use domain::Role;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    application::{Caller, granting, token::Token},
    http::{
        app::App,
        operation::{Operation, Types, text},
        problem::Problem,
        reading::read_json,
    },
};

/// Whom to give which role.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Grant {
    /// The name under which their events are recorded.
    name: String,
    /// What they may do.
    role: Role,
}

/// Every token.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Tokens {
    /// The oldest first.
    rows: Vec<TokenRow>,
}

/// A token, without its secret.
#[derive(Serialize, Deserialize, JsonSchema)]
struct TokenRow {
    /// The name under which the events of its bearer are recorded.
    name: String,
    /// What its bearer may do.
    role: Role,
    /// When it was granted.
    granted_at: DateTime<Utc>,
    /// When it was revoked.
    revoked_at: Option<DateTime<Utc>>,
}

impl TokenRow {
    fn of(token: Token) -> Self {
        let Token { name, role, granted_at, revoked_at, .. } = token;
        Self { name, role, granted_at, revoked_at }
    }
}

/// A token that was granted.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Granted {
    /// Whose it is.
    name: String,
    /// What they may do.
    role: Role,
    /// The token itself, seen only here.
    pub(crate) token: String,
}

/// Every token, without its secret.
pub(crate) async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Tokens>, Problem> {
    let tokens = granting::all(&app.rapport, &caller)?;
    Ok(Json(Tokens { rows: tokens.into_iter().map(TokenRow::of).collect() }))
}

/// What the document says of it.
pub(crate) fn list_operation(types: &mut Types<'_>) -> Operation {
    Operation::new("tokens", "tokens", "every token, without its secret")
        .for_roles(granting::GRANTERS)
        .answers::<Tokens>(200, "the tokens", types)
        .refuses(&[429])
}

/// Grants a token; the answer is the only place where its secret is ever seen.
pub(crate) async fn grant(State(app): State<App>, caller: Caller, body: Bytes) -> Result<Response, Problem> {
    caller.must_be(granting::GRANTERS)?;
    let Grant { name, role } = read_json(&body)?;
    let token = granting::grant(&app.rapport, &caller, &name, role).await?;
    Ok((StatusCode::CREATED, Json(Granted { name, role, token })).into_response())
}

/// What the document says of it.
pub(crate) fn grant_operation(types: &mut Types<'_>) -> Operation {
    Operation::new("tokens", "grant_token", "grant a token")
        .for_roles(granting::GRANTERS)
        .takes::<Grant>(types)
        .answers::<Granted>(201, "the token, seen only here", types)
        .refuses(&[422, 429])
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

/// What the document says of it.
pub(crate) fn revoke_operation(_: &mut Types<'_>) -> Operation {
    Operation::new("tokens", "revoke_token", "revoke a token")
        .for_roles(granting::GRANTERS)
        .in_path("name", &text(), "whose")
        .answers_nothing(204, "revoked")
        .refuses(&[404, 429])
}
