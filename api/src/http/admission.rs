//! Letting callers in: the bearer of a token, somebody signed in to the pages, or the command line on this very machine.
//! Nobody else gets past here.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use domain::{Actor, Role};
use percent_encoding::percent_decode;

use super::{
    app::App, problem::Problem, sessions::SESSION, trust::Trust, under_way::REQUESTS_PER_CALLER_MAX,
};
use crate::application::Caller;

/// The header in which the command line names its user, percent-encoded. Only the socket in the data folder believes it.
pub const AS: &str = "rapport-as";

/// Lets in whoever is known, a bounded number of times at once.
pub(super) async fn admit(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let caller = match identify(&app, request.method(), request.headers()) {
        Ok(caller) => caller,
        Err(problem) => return problem.into_response(),
    };
    let permits = app.under_way.of(&caller.name);
    let Ok(_permit) = permits.try_acquire() else {
        let detail =
            format!("{REQUESTS_PER_CALLER_MAX} requests of this token are under way: wait for some to end");
        let title = "Too many requests at once";
        return Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", title, detail)
            .into_response();
    };
    request.extensions_mut().insert(caller);
    next.run(request).await
}

fn identify(app: &App, method: &Method, headers: &HeaderMap) -> Result<Caller, Problem> {
    if app.trust == Trust::Socket {
        let name =
            headers.get(AS).map(|name| percent_decode(name.as_bytes()).decode_utf8_lossy().into_owned());
        let name = name
            .filter(|name| !name.is_empty())
            .ok_or_else(|| Problem::malformed(format!("the header {AS} is missing")))?;
        let known = format!("member:{name}").parse::<Actor>();
        known.map_err(|error| Problem::malformed(error.to_string()))?;
        return Ok(Caller { name, role: Role::Admin });
    }
    let secret = bearer(headers).or_else(|| {
        // A page may be read with a cookie; nothing is ever changed with one, so no foreign page can use it.
        (method.is_safe()).then(|| app.sessions.secret(cookie(headers)?)).flatten()
    });
    let token = secret.and_then(|secret| app.rapport.tokens.find(&secret));
    let token = token.ok_or_else(|| {
        let detail =
            "send `Authorization: Bearer TOKEN`; an administrator grants tokens with `rapport token create`";
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "Who are you?", detail)
    })?;
    Ok(Caller { name: token.name, role: token.role })
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim().to_owned())
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == SESSION).then_some(value))
}
