//! `/session`: signing in to the pages with a token.

use axum::{
    extract::{Form, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use maud::html;
use serde::Deserialize;

use crate::http::{
    app::App,
    page,
    sessions::{SESSION, SESSION_TIMEOUT},
};

/// What the form of signing in sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    token: String,
}

/// The page on which a token is entered.
pub(crate) async fn form() -> Response {
    page::page("Sign in", &sign_in(None)).into_response()
}

/// Begins a session.
pub(crate) async fn sign_in_with(State(app): State<App>, Form(sign_in_form): Form<SignIn>) -> Response {
    let token = sign_in_form.token.trim().to_owned();
    if app.rapport.tokens.find(&token).is_none() {
        let page = page::page("Sign in", &sign_in(Some("There is no such token, or it has been revoked.")));
        return (StatusCode::UNAUTHORIZED, page).into_response();
    }
    let Some(session) = app.sessions.begin(token) else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many people are signed in").into_response();
    };
    let cookie = format!(
        "{SESSION}={session}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}",
        SESSION_TIMEOUT.num_seconds()
    );
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
