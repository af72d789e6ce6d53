//! Addresses that have got another name. For one version the old ones say where they have gone: 308, so that what was
//! posted is posted again.

use std::future::ready;

use axum::{
    extract::OriginalUri,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::any,
};

use super::{app::App, surface::Routes};

/// What lies under `/admin`, and lay under `/upkeep` before.
const FORMERLY_UPKEEP: [&str; 5] = ["rebuild", "check", "checkpoint", "keys", "backup"];

/// Every old address, before anybody is asked who they are: it tells nothing but the new one.
pub(super) fn routes() -> Routes<App> {
    FORMERLY_UPKEEP.iter().fold(Routes::new(), |routes, name| {
        let new = format!("/admin/{name}");
        routes.not_described(&format!("/upkeep/{name}"), any(move |uri| ready(gone_to(&new, &uri))))
    })
}

/// The query goes along.
fn gone_to(new: &str, OriginalUri(old): &OriginalUri) -> Response {
    let query = old.query().map(|query| format!("?{query}")).unwrap_or_default();
    match HeaderValue::from_str(&format!("{new}{query}")) {
        Ok(location) => (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, location)]).into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}
