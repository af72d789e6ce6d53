//! HTTP: every URL on one screen. Routes read a request, ask the application, and write its answer; they hold no word of any
//! kind or view, since those come from the registries.

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn, from_fn_with_state},
    response::Redirect,
    routing::{delete, get, post},
};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

use self::{
    app::App,
    guards::bounded,
    routes::{
        admin, commands, documentation, erasures, events, health, history, ledger, metrics, openapi, session,
        tokens, unsubscribe, views,
    },
};
use crate::application::Rapport;

mod accept;
mod admission;
mod app;
mod caller;
mod counting;
mod guards;
mod intent;
mod openapi_document;
mod page;
mod problem;
mod progress;
mod reading;
mod renamed;
mod routes;
mod sessions;
mod trust;
mod under_way;

pub(crate) use self::intent::{MANNER, PURPOSE};
pub use self::{admission::AS, problem::Problem, trust::Trust};
pub use crate::application::Caller;

/// The largest body of a single command, in bytes.
const COMMAND_LIMIT: usize = 1024 * 1024;
/// The largest body of a batch, in bytes.
const BATCH_LIMIT: usize = 16 * 1024 * 1024;
/// The largest list of events to be proven, in bytes.
const PROOFS_LIMIT: usize = 64 * 1024;
/// The largest body of those who need no token, in bytes.
const OPEN_LIMIT: usize = 16 * 1024;

/// All routes. `ending` tells long answers to come to their end.
pub fn router(rapport: Arc<Rapport>, trust: Trust, ending: CancellationToken) -> Router {
    let app = App::new(rapport, trust, ending);
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
        .route("/ledger/proofs", post(ledger::prove).layer(DefaultBodyLimit::max(PROOFS_LIMIT)))
        .route("/admin/checkpoint", post(admin::sign))
        .route("/tokens", get(tokens::list).post(tokens::grant))
        .route("/tokens/{name}", delete(tokens::revoke))
        .route("/erasures/{contact}", get(erasures::certificate))
        .route("/unsubscribe-links", post(unsubscribe::make))
        .route_layer(from_fn_with_state(app.clone(), admission::admit));
    // These answer for as long as they have something to say.
    let lasting = Router::new()
        .route("/events", get(events::read))
        .route("/admin/rebuild", post(admin::rebuild))
        .route("/admin/check", post(admin::check))
        .route("/admin/keys", post(admin::rotate))
        .route("/admin/backup", post(admin::back_up))
        .route_layer(from_fn_with_state(app.clone(), admission::admit));
    let open = Router::new()
        .route("/", get(|| async { Redirect::to("/docs") }))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/session", get(session::form).post(session::sign_in_with))
        .route("/unsubscribe/{token}", get(unsubscribe::ask).post(unsubscribe::stop))
        .layer(DefaultBodyLimit::max(OPEN_LIMIT));
    bounded(quick.merge(open).merge(renamed::routes()))
        .merge(lasting)
        .fallback(guards::nowhere)
        .method_not_allowed_fallback(guards::not_so)
        .layer(from_fn_with_state(app.clone(), guards::only_when_near))
        .layer(from_fn(guards::ask_people_to_sign_in))
        .layer(from_fn(counting::record))
        .layer(CatchPanicLayer::custom(|_| guards::broken()))
        .with_state(app)
}
