//! `/unsubscribe/{token}`: the page behind an unsubscribe link, for whoever got a letter: no token, no name, one button.
//! Programs of mail press it by themselves (RFC 8058: a POST in one click).

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use maud::{Markup, html};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    application::{
        Caller,
        unsubscribe::{self, Withdrawal},
        unsubscribe_link::UnsubscribeLink,
    },
    http::{
        app::App,
        operation::{Operation, Types, text},
        page,
        problem::Problem,
        reading::read_json,
    },
};

/// A link that was made.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Made {
    /// Its path on this server.
    pub(crate) path: String,
}

/// Makes the link of a contact for a purpose and a channel.
pub(crate) async fn make(State(app): State<App>, caller: Caller, body: Bytes) -> Result<Response, Problem> {
    caller.must_be(unsubscribe::MAKERS)?;
    let link: UnsubscribeLink = read_json(&body)?;
    let path = format!("/unsubscribe/{}", unsubscribe::make(&app.rapport, &caller, &link)?);
    Ok((StatusCode::CREATED, Json(Made { path })).into_response())
}

/// What the document says of it.
pub(crate) fn make_operation(types: &mut Types<'_>) -> Operation {
    Operation::new("links", "make_unsubscribe_link", "the link by which a contact ends what they get")
        .for_roles(unsubscribe::MAKERS)
        .takes::<UnsubscribeLink>(types)
        .answers::<Made>(201, "its path", types)
        .refuses(&[429])
}

/// Shows the button. Nothing changes: programs that look what is behind a link must not end anything.
pub(crate) async fn ask(State(app): State<App>, Path(token): Path<String>) -> Response {
    let Some(link) = unsubscribe::read(&app.rapport, &token) else { return unknown() };
    let what = what(&link);
    let content = html! {
        h1 { "Stop these messages?" }
        p { "You will no longer get: " b { (what) } "." }
        form method="post" { button { "Stop" } }
        p.hint { "This takes effect at once. Nothing else about you changes." }
    };
    private(page::page("Stop messages", &content))
}

/// What the document says of it.
pub(crate) fn ask_operation(_: &mut Types<'_>) -> Operation {
    by_link(Operation::new("links", "unsubscribe_page", "a page with one button"), "the page")
}

/// Ends it, however often it is pressed.
pub(crate) async fn stop(State(app): State<App>, Path(token): Path<String>) -> Response {
    let Some(link) = unsubscribe::read(&app.rapport, &token) else { return unknown() };
    let permits = app.under_way.of(unsubscribe::POLICY);
    let Ok(_permit) = permits.try_acquire() else {
        let wait =
            html! { h1 { "One moment" } p { "Too many people are here at once: try again in a minute." } };
        return page_saying(StatusCode::TOO_MANY_REQUESTS, &wait);
    };
    match unsubscribe::withdraw(&app.rapport, &link).await {
        Ok(Withdrawal::Withdrawn) => page_saying(
            StatusCode::OK,
            &html! { h1 { "Done" } p { "You will no longer get: " b { (what(&link)) } "." } },
        ),
        Ok(Withdrawal::NothingToStop) => unknown(),
        Err(error) => {
            tracing::warn!(%error, "an unsubscribe link could not be carried out");
            let later = html! { h1 { "Not done yet" } p { "Something is in the way: try again later." } };
            page_saying(StatusCode::SERVICE_UNAVAILABLE, &later)
        }
    }
}

/// What the document says of it.
pub(crate) fn stop_operation(_: &mut Types<'_>) -> Operation {
    let summary = "withdraws the consent, however often it comes (RFC 8058, one click)";
    by_link(Operation::new("links", "unsubscribe", summary), "withdrawn")
        .answers_as(429, "too many at once", &[("text/html", text())])
        .answers_as(503, "not done yet", &[("text/html", text())])
}

/// Both want no token but the link, and answer with a page.
fn by_link(operation: Operation, answer: &str) -> Operation {
    operation.open().in_path("token", &text(), "from the link").answers_text("text/html", answer).answers_as(
        404,
        "not a link of ours",
        &[("text/html", text())],
    )
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
    page_saying(StatusCode::NOT_FOUND, &content)
}

fn page_saying(status: StatusCode, content: &Markup) -> Response {
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
