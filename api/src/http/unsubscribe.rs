//! The page behind an unsubscribe link, for whoever got a letter: no token, no name, one button. Programs of mail press
//! it by themselves (RFC 8058: a POST in one click). What it does is a command like any other, by a named actor.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use commands::{
    CommandError, Request, Sender,
    contact::{Command, Contact},
};
use domain::{Actor, Role};
use maud::{Markup, html};
use serde_json::{Value, json};

use super::{App, Caller, Problem, page, problem::read_json, unsubscribe_link::UnsubscribeLink};

/// Who makes links.
pub(super) const MAKERS: &[Role] = &[Role::Admin, Role::Staff];
/// Under which name a link writes.
const POLICY: &str = "unsubscribe-link";

/// Makes the link of a contact for a purpose and a channel.
pub(super) async fn make(State(app): State<App>, caller: Caller, body: Bytes) -> Result<Response, Problem> {
    caller.must_be(MAKERS)?;
    let link: UnsubscribeLink = read_json(&body)?;
    let path = format!("/unsubscribe/{}", link.token(app.rapport.folder.installation_secret()));
    Ok((StatusCode::CREATED, Json(json!({ "path": path }))).into_response())
}

/// Shows the button. Nothing changes: programs that look what is behind a link must not end anything.
pub(super) async fn ask(State(app): State<App>, Path(token): Path<String>) -> Response {
    let Some(link) = read(&app, &token) else { return unknown() };
    let what = what(&link);
    let content = html! {
        h1 { "Stop these messages?" }
        p { "You will no longer get: " b { (what) } "." }
        form method="post" { button { "Stop" } }
        p.hint { "This takes effect at once. Nothing else about you changes." }
    };
    private(page::page("Stop messages", &content))
}

/// Ends it, however often it is pressed.
pub(super) async fn stop(State(app): State<App>, Path(token): Path<String>) -> Response {
    let Some(link) = read(&app, &token) else { return unknown() };
    let permits = app.under_way.of(POLICY);
    let Ok(_permit) = permits.try_acquire() else {
        let wait =
            html! { h1 { "One moment" } p { "Too many people are here at once: try again in a minute." } };
        return told(StatusCode::TOO_MANY_REQUESTS, &wait);
    };
    match withdraw(&app, &link).await {
        Ok(()) => told(
            StatusCode::OK,
            &html! { h1 { "Done" } p { "You will no longer get: " b { (what(&link)) } "." } },
        ),
        // Nobody is written to under this contact any more, so that there is nothing to stop.
        Err(CommandError::Rejected { .. }) => unknown(),
        Err(error) => {
            tracing::warn!(%error, "an unsubscribe link could not be carried out");
            let later = html! { h1 { "Not done yet" } p { "Something is in the way: try again later." } };
            told(StatusCode::SERVICE_UNAVAILABLE, &later)
        }
    }
}

fn read(app: &App, token: &str) -> Option<UnsubscribeLink> {
    UnsubscribeLink::read(token, app.rapport.folder.installation_secret())
}

async fn withdraw(app: &App, link: &UnsubscribeLink) -> Result<(), CommandError> {
    let command = Command::WithdrawConsent { purpose: link.purpose, channel: link.channel };
    let sender = Sender { by: Actor::Policy(POLICY.to_owned()), role: Role::Staff, system: false };
    app.rapport.commands.carry_out::<Contact>(Request::new(link.contact, command, sender)).await?;
    Ok(())
}

/// What somebody gets, in words: `newsletter (email)`.
fn what(link: &UnsubscribeLink) -> String {
    let word = |word: Result<Value, _>| match word {
        Ok(Value::String(word)) => word.replace('_', " "),
        // Closed lists are written as words.
        Ok(_) | Err::<_, serde_json::Error>(_) => String::new(),
    };
    let channel = serde_json::to_value(link.channel);
    format!("{} ({})", word(serde_json::to_value(link.purpose)), word(channel))
}

fn unknown() -> Response {
    let content = html! {
        h1 { "This link leads nowhere" }
        p { "It may have been cut off on its way, or is no longer needed. Try the whole link from the message." }
    };
    told(StatusCode::NOT_FOUND, &content)
}

fn told(status: StatusCode, content: &Markup) -> Response {
    private((status, page::page("Stop messages", content)).into_response())
}

/// The address of the page is handed on to nobody, and the page is kept by nobody.
fn private(mut response: Response) -> Response {
    for (name, value) in [
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::HeaderName::from_static("x-robots-tag"), "noindex"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
