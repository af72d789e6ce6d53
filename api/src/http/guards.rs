//! What stands around all routes: limits, nodes that do not answer yet, addresses that there are not, people who have not
//! signed in.

use std::time::Duration;

use axum::{
    Router,
    error_handling::HandleErrorLayer,
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use projections::ANSWER_TIMEOUT;
use tower::{ServiceBuilder, limit::GlobalConcurrencyLimitLayer};

use super::{
    accept::{APPLICATION_JSON, PROBLEM_JSON, TEXT_HTML, preferred},
    app::App,
    problem::Problem,
};
use crate::application::readiness;

/// How long a request may take, body included.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);
// A question that takes too long says so itself, which this could not do.
const _: () = assert!(ANSWER_TIMEOUT.as_secs() < REQUEST_TIMEOUT.as_secs());
/// How many requests are worked on at a time; more are turned away at once.
const REQUESTS_MAX: usize = 1_024;

/// Turns away what is too much at once, over all routes together, and ends what takes too long.
pub(super) fn bounded(routes: Router<App>) -> Router<App> {
    let limits = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(turned_away))
        .load_shed()
        .layer(GlobalConcurrencyLimitLayer::new(REQUESTS_MAX))
        .timeout(REQUEST_TIMEOUT);
    routes.layer(limits)
}

async fn turned_away(error: tower::BoxError) -> Problem {
    if error.is::<tower::timeout::error::Elapsed>() {
        let detail = format!(
            "the request was not done within {} seconds: send it again with the same key",
            REQUEST_TIMEOUT.as_secs()
        );
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", "It took too long", detail);
    }
    Problem::unavailable("too many requests are under way: send it again in a moment")
}

/// A node that has not come near the end of the log since it was started answers nothing of it: somebody who is erased
/// further on would still be shown. How it is getting on may be asked.
pub(super) async fn only_when_near(State(app): State<App>, request: Request, next: Next) -> Response {
    let is_asked_about_itself =
        request.uri().path().starts_with("/health/") || request.uri().path() == "/metrics";
    if !is_asked_about_itself && let Some(why) = readiness::refuses_to_answer(&app.rapport) {
        return Problem::unavailable(format!("{why}: ask another node, or this one in a moment"))
            .into_response();
    }
    next.run(request).await
}

pub(super) async fn nowhere() -> Problem {
    Problem::not_found("there is nothing under this address: GET /docs lists what there is")
}

pub(super) async fn not_so() -> Problem {
    let title = "Not with this method";
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        title,
        "GET /docs lists what can be done",
    )
}

pub(super) fn broken() -> Response {
    let title = "Something of ours is broken";
    let detail = "the request was not done; it has been noted in the log of the server";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "broken", title, detail).into_response()
}

/// A person who opens a page without having signed in is shown where to do so, not a problem in JSON.
pub(super) async fn ask_people_to_sign_in(request: Request, next: Next) -> Response {
    let offered = [APPLICATION_JSON, PROBLEM_JSON, TEXT_HTML];
    let person = request.method().is_safe() && *preferred(request.headers(), &offered) == TEXT_HTML;
    let response = next.run(request).await;
    if person && response.status() == StatusCode::UNAUTHORIZED {
        return Redirect::to("/session").into_response();
    }
    response
}
