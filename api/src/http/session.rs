//! Signing in to the pages with a token: the browser keeps a random session id, never the token.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use axum::{
    extract::{Form, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use maud::html;
use serde::Deserialize;

use super::{App, caller::SESSION, page};
use crate::clock::now;

/// How long a session lasts.
const LASTS: TimeDelta = TimeDelta::hours(12);
/// How many there may be.
const LIMIT: usize = 10_000;

/// The sessions of this process.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<String, (String, DateTime<Utc>)>>);

impl Sessions {
    /// The token behind a session, while it lasts.
    pub(super) fn secret(&self, session: &str) -> Option<String> {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.get(session).filter(|(_, until)| *until > now()).map(|(secret, _)| secret.clone())
    }

    fn begin(&self, secret: String) -> Option<String> {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now();
        sessions.retain(|_, (_, until)| *until > now);
        if sessions.len() >= LIMIT {
            return None;
        }
        let id = hex::encode(rand::random::<[u8; 32]>());
        sessions.insert(id.clone(), (secret, now + LASTS));
        Some(id)
    }
}

/// What the form of signing in sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignIn {
    token: String,
}

/// The page on which a token is entered.
pub(super) async fn form() -> Response {
    page::page("Sign in", &sign_in(None)).into_response()
}

/// Begins a session.
pub(super) async fn sign_in_with(State(app): State<App>, Form(sign_in_form): Form<SignIn>) -> Response {
    let token = sign_in_form.token.trim().to_owned();
    if app.rapport.tokens.find(&token).is_none() {
        let page = page::page("Sign in", &sign_in(Some("There is no such token, or it has been revoked.")));
        return (StatusCode::UNAUTHORIZED, page).into_response();
    }
    let Some(session) = app.sessions.begin(token) else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many people are signed in").into_response();
    };
    let cookie =
        format!("{SESSION}={session}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}", LASTS.num_seconds());
    let mut headers = HeaderMap::new();
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        headers.insert(header::SET_COOKIE, cookie);
    }
    (headers, Redirect::to("/docs")).into_response()
}

fn sign_in(problem: Option<&str>) -> maud::Markup {
    html! {
        h1 { "Sign in" }
        @if let Some(problem) = problem { p.problem { (problem) } }
        form method="post" action="/session" {
            label for="token" { "Token" }
            input #token name="token" type="password" required autocomplete="off" autofocus;
            button { "Sign in" }
        }
        p.hint { "An administrator grants tokens: " code { "rapport token create NAME --role ROLE" } }
    }
}
