//! HTTP: every URL on one screen. Routes read a request, ask the application, and write its answer; they hold no word of any
//! kind or view, since those come from the registries.

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    handler::Handler,
    middleware::{from_fn, from_fn_with_state},
    response::Redirect,
    routing::get,
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
    surface::{Routes, Surface},
};
use crate::application::Rapport;

mod accept;
mod admission;
mod app;
mod caller;
mod counting;
mod guards;
mod intent;
mod operation;
mod page;
mod problem;
mod progress;
mod reading;
mod renamed;
mod routes;
mod sessions;
mod surface;
#[cfg(test)]
mod tests;
mod trust;
mod under_way;

pub(crate) use routes::{
    tokens::{Granted, Tokens},
    unsubscribe::Made as MadeLink,
};

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
    let mut surface = Surface::default();
    let (quick, lasting, open) =
        (surface.take_in(quick()), surface.take_in(lasting()), surface.take_in(open()));
    let app = App::new(rapport, trust, ending, surface);
    let admitted =
        |routes: Router<App>| routes.route_layer(from_fn_with_state(app.clone(), admission::admit));
    bounded(admitted(quick).merge(open.layer(DefaultBodyLimit::max(OPEN_LIMIT))))
        .merge(admitted(lasting))
        .fallback(guards::nowhere)
        .method_not_allowed_fallback(guards::not_so)
        .layer(from_fn_with_state(app.clone(), guards::only_when_near))
        .layer(from_fn(guards::ask_people_to_sign_in))
        .layer(from_fn(counting::record))
        .layer(CatchPanicLayer::custom(|_| guards::broken()))
        .with_state(app)
}

/// For those with a token.
fn quick() -> Routes<App> {
    Routes::new()
        .post("/commands/{kind}/{id}", up_to(COMMAND_LIMIT, commands::one), commands::one_operations)
        .post("/commands", up_to(BATCH_LIMIT, commands::batch), commands::batch_operation)
        .get("/views", views::list, views::list_operation)
        .get("/views/{name}", views::ask, views::ask_operations)
        .post("/views/{name}", views::ask_in_private, views::ask_in_private_operations)
        .get("/views/{name}/why", history::why_cell, history::why_cell_operation)
        .get("/history/{kind}/{id}", history::steps, history::steps_operation)
        .get("/history/{kind}/{id}/compare", history::compare, history::compare_operation)
        .get("/history/{kind}/{id}/why", history::why, history::why_operation)
        .get("/openapi.json", openapi::document, openapi::document_operation)
        .get("/docs", documentation::page, documentation::page_operation)
        .get("/metrics", metrics::metrics, metrics::metrics_operation)
        .get("/ledger/checkpoint", ledger::checkpoint, ledger::checkpoint_operation)
        .get("/ledger/key", ledger::key, ledger::key_operation)
        .get("/ledger/tile/{*tile}", ledger::tile, ledger::tile_operation)
        .get("/ledger/inclusion", ledger::inclusion, ledger::inclusion_operation)
        .get("/ledger/consistency", ledger::consistency, ledger::consistency_operation)
        .post("/ledger/proofs", up_to(PROOFS_LIMIT, ledger::prove), ledger::prove_operation)
        .post("/admin/checkpoint", admin::sign, admin::sign_operation)
        .get("/tokens", tokens::list, tokens::list_operation)
        .post("/tokens", tokens::grant, tokens::grant_operation)
        .delete("/tokens/{name}", tokens::revoke, tokens::revoke_operation)
        .get("/erasures/{contact}", erasures::certificate, erasures::certificate_operation)
        .post("/unsubscribe-links", unsubscribe::make, unsubscribe::make_operation)
}

/// For those with a token as well; these answer for as long as they have something to say.
fn lasting() -> Routes<App> {
    Routes::new()
        .get("/events", events::read, events::read_operation)
        .post("/admin/rebuild", admin::rebuild, admin::rebuild_operation)
        .post("/admin/check", admin::check, admin::check_operation)
        .post("/admin/keys", admin::rotate, admin::rotate_operation)
        .post("/admin/backup", admin::back_up, admin::back_up_operation)
}

/// For everybody.
fn open() -> Routes<App> {
    Routes::new()
        .not_described("/", get(|| async { Redirect::to("/docs") }))
        .get("/health/live", health::live, health::live_operation)
        .get("/health/ready", health::ready, health::ready_operation)
        .not_described("/session", get(session::form).post(session::sign_in_with))
        .get("/unsubscribe/{token}", unsubscribe::ask, unsubscribe::ask_operation)
        .post("/unsubscribe/{token}", unsubscribe::stop, unsubscribe::stop_operation)
        .and(renamed::routes())
}

/// A handler that reads bodies of no more than so many bytes.
fn up_to<H: Handler<T, App>, T: 'static>(limit: usize, handler: H) -> impl Handler<T, App> {
    handler.layer(DefaultBodyLimit::max(limit))
}
