//! HTTP: every URL on one screen. Handlers read a request, call the inside, and write its answer; they hold no
//! word of any kind or view, since those come from the registries.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    error_handling::HandleErrorLayer,
    extract::{DefaultBodyLimit, Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::{ServiceBuilder, limit::GlobalConcurrencyLimitLayer};
use tower_http::catch_panic::CatchPanicLayer;

use crate::rapport::Rapport;

mod caller;
mod cloud_event;
mod commands;
mod disclosure;
mod documentation;
mod erasures;
mod events;
mod health;
mod history;
mod keeping;
mod ledger;
mod metrics;
mod openapi;
mod page;
mod problem;
mod session;
mod tokens;
mod unsubscribe;
mod unsubscribe_link;
mod upkeep;
mod views;

pub use caller::{AS, Caller, Trust};
pub use problem::Problem;

/// The largest body of a single command, in bytes.
const COMMAND_LIMIT: usize = 1024 * 1024;
/// The largest body of a batch, in bytes.
const BATCH_LIMIT: usize = 16 * 1024 * 1024;
/// How long a request may take, body included.
const PATIENCE: Duration = Duration::from_mins(1);
/// How many requests are worked on at a time; more are turned away at once.
const REQUESTS_AT_A_TIME: usize = 1_024;
/// How many live feeds may be open.
const FEEDS: usize = 256;

/// What handlers share.
#[derive(Clone)]
pub(crate) struct App {
    rapport: Arc<Rapport>,
    trust: Trust,
    sessions: Arc<session::Sessions>,
    under_way: Arc<caller::UnderWay>,
    feeds: Arc<Semaphore>,
    feeds_of_caller: Arc<caller::UnderWay>,
    checks: Arc<Semaphore>,
    ending: CancellationToken,
}

/// All routes. `ending` tells long answers to come to their end.
pub fn router(rapport: Arc<Rapport>, trust: Trust, ending: CancellationToken) -> Router {
    let app = App {
        rapport,
        trust,
        sessions: Arc::default(),
        under_way: caller::UnderWay::requests(),
        feeds: Arc::new(Semaphore::new(FEEDS)),
        feeds_of_caller: caller::UnderWay::feeds(),
        checks: Arc::new(Semaphore::new(1)),
        ending,
    };
    let quick = Router::new()
        .route("/commands/{kind}/{id}", post(commands::one).layer(DefaultBodyLimit::max(COMMAND_LIMIT)))
        .route("/commands", post(commands::batch).layer(DefaultBodyLimit::max(BATCH_LIMIT)))
        .route("/views", get(views::list))
        .route("/views/{name}", get(views::ask).post(views::ask_in_private))
        .route("/views/{name}/why", get(history::why_cell))
        .route("/history/{kind}/{id}", get(history::steps))
        .route("/history/{kind}/{id}/compare", get(history::compare))
        .route("/history/{kind}/{id}/why", get(history::why))
        .route("/openapi.json", get(openapi::document))
        .route("/docs", get(documentation::page))
        .route("/metrics", get(metrics::metrics))
        .route("/ledger/checkpoint", get(ledger::checkpoint))
        .route("/ledger/key", get(ledger::key))
        .route("/ledger/tile/{*tile}", get(ledger::tile))
        .route("/ledger/inclusion", get(ledger::inclusion))
        .route("/ledger/consistency", get(ledger::consistency))
        .route("/ledger/proofs", post(ledger::prove).layer(DefaultBodyLimit::max(64 * 1024)))
        .route("/upkeep/checkpoint", post(ledger::sign))
        .route("/tokens", get(tokens::list).post(tokens::grant))
        .route("/erasures/{contact}", get(erasures::certificate))
        .route("/tokens/{name}", delete(tokens::revoke))
        .route("/unsubscribe-links", post(unsubscribe::make))
        .route_layer(middleware::from_fn_with_state(app.clone(), caller::admit));
    // These answer for as long as they have something to say.
    let lasting = Router::new()
        .route("/events", get(events::read))
        .route("/upkeep/rebuild", post(upkeep::rebuild))
        .route("/upkeep/check", post(upkeep::check))
        .route("/upkeep/keys", post(keeping::rotate))
        .route("/upkeep/backup", post(keeping::back_up))
        .route_layer(middleware::from_fn_with_state(app.clone(), caller::admit));
    let open = Router::new()
        .route("/", get(|| async { axum::response::Redirect::to("/docs") }))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/session", get(session::form).post(session::sign_in_with))
        .route("/unsubscribe/{token}", get(unsubscribe::ask).post(unsubscribe::stop))
        .layer(DefaultBodyLimit::max(16 * 1024));
    let routes =
        bounded(quick.merge(open)).merge(lasting).fallback(nowhere).method_not_allowed_fallback(not_so);
    routes
        .layer(middleware::from_fn_with_state(app.clone(), only_when_near))
        .layer(middleware::from_fn(documentation::ask_people_to_sign_in))
        .layer(middleware::from_fn(metrics::record))
        .layer(CatchPanicLayer::custom(|_| broken()))
        .with_state(app)
}

/// Turns away what is too much at once, over all routes together, and ends what takes too long.
fn bounded(routes: Router<App>) -> Router<App> {
    let limits = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(turned_away))
        .load_shed()
        .layer(GlobalConcurrencyLimitLayer::new(REQUESTS_AT_A_TIME))
        .timeout(PATIENCE);
    routes.layer(limits)
}

async fn turned_away(error: tower::BoxError) -> Problem {
    if error.is::<tower::timeout::error::Elapsed>() {
        let detail = format!(
            "the request was not done within {} seconds: send it again with the same key",
            PATIENCE.as_secs()
        );
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", "It took too long", detail);
    }
    Problem::unavailable("too many requests are under way: send it again in a moment")
}

/// A node that has not come near the end of the log since it was started answers nothing of it: somebody who is erased
/// further on would still be shown. How it is getting on may be asked.
async fn only_when_near(State(app): State<App>, request: Request, next: Next) -> Response {
    let is_asked_about_itself =
        request.uri().path().starts_with("/health/") || request.uri().path() == "/metrics";
    let has_never_been = app.rapport.log.standing().is_some_and(|standing| standing.behind.is_none());
    if has_never_been && !is_asked_about_itself {
        let why = app.rapport.is_behind().unwrap_or_default();
        return Problem::unavailable(format!("{why}: ask another node, or this one in a moment"))
            .into_response();
    }
    next.run(request).await
}

async fn nowhere() -> Problem {
    Problem::not_found("there is nothing under this address: GET /docs lists what there is")
}

async fn not_so() -> Problem {
    let title = "Not with this method";
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        title,
        "GET /docs lists what can be done",
    )
}

fn broken() -> Response {
    let title = "Something of ours is broken";
    let detail = "the request was not done; it has been noted in the log of the server";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "broken", title, detail).into_response()
}
