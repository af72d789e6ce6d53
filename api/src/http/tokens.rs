//! `/tokens`: granted and revoked by administrators, and recorded like everything else.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use commands::{
    CommandError, Malformed, Request, Sender,
    member::{self, Command, Member},
    text::Line,
};
use domain::Role;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{App, Caller, Problem, problem::read_json};
use crate::{clock::now, tokens::TokenError};

/// Whom to give which role.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Grant {
    /// The name under which their events are recorded.
    name: String,
    /// What they may do.
    role: Role,
}

/// Every token, without its secret.
pub(super) async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Value>, Problem> {
    caller.must_be(&[Role::Admin])?;
    let tokens: Vec<Value> = app
        .rapport
        .tokens
        .all()
        .into_iter()
        .map(|token| {
            json!({ "name": token.name, "role": token.role, "granted_at": token.granted_at, "revoked_at": token.revoked_at })
        })
        .collect();
    Ok(Json(json!({ "rows": tokens })))
}

/// Grants a token; the answer is the only place where its secret is ever seen.
pub(super) async fn grant(State(app): State<App>, caller: Caller, body: Bytes) -> Result<Response, Problem> {
    caller.must_be(&[Role::Admin])?;
    let grant: Grant = read_json(&body)?;
    app.rapport.tokens.check(&grant.name)?;
    // Who was known before keeps their name, whatever it is now.
    let name = Line::try_from(grant.name.as_str()).map_err(Malformed::at("join.name"))?;
    match record(&app, &caller, &grant.name, Command::Join { name, team: None, region: None }).await {
        Err(CommandError::Rejected { .. }) | Ok(()) => {}
        Err(error) => return Err(error.into()),
    }
    record(&app, &caller, &grant.name, Command::GrantToken { role: grant.role }).await?;
    let token = match app.rapport.tokens.grant(&grant.name, grant.role, now()).await {
        Ok(token) => token,
        Err(error) => {
            record(&app, &caller, &grant.name, Command::RevokeToken {}).await?;
            return Err(error.into());
        }
    };
    Ok((StatusCode::CREATED, Json(json!({ "name": grant.name, "role": grant.role, "token": token })))
        .into_response())
}

/// Revokes a token.
pub(super) async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.must_be(&[Role::Admin])?;
    // Whoever bears it is out first; then that is recorded.
    app.rapport.tokens.revoke(&name, now()).await?;
    record(&app, &caller, &name, Command::RevokeToken {}).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn record(app: &App, caller: &Caller, name: &str, command: Command) -> Result<(), CommandError> {
    let sender = Sender { by: caller.actor(), role: caller.role, system: true };
    let request = Request::new(member::id_of(name), command, sender);
    app.rapport.commands.carry_out::<Member>(request).await?;
    Ok(())
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        let detail = error.to_string();
        match error {
            TokenError::Unknown(_) => Self::not_found(detail),
            TokenError::Taken(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "token/taken", "A rule says no", detail)
            }
            TokenError::BadName => Self::malformed(detail).at(Some("name".to_owned())),
            TokenError::TooMany | TokenError::Shared(_) | TokenError::Io(_) | TokenError::Malformed(_) => {
                Self::unavailable(detail)
            }
        }
    }
}
