//! Who is calling: the bearer of a token, somebody signed in to the pages, or the command line on this very
//! machine. Nobody else gets past here.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use domain::{Actor, Role};
use percent_encoding::percent_decode;
use tokio::sync::Semaphore;

use super::{App, problem::Problem};

/// The header in which the command line names its user, percent-encoded. Only the socket in the data folder believes it.
pub const AS: &str = "rapport-as";
/// The cookie of those who have signed in to the pages.
pub(super) const SESSION: &str = "rapport_session";
/// How many requests of one caller are worked on at a time.
const REQUESTS_PER_CALLER: usize = 256;
/// How many live feeds one caller may have open.
const FEEDS_PER_CALLER: usize = 32;

/// Somebody who may come in.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

impl Caller {
    /// Under which name their events are recorded.
    pub fn actor(&self) -> Actor {
        Actor::Member(self.name.clone())
    }

    /// Refuses whoever has none of these roles.
    pub fn must_be(&self, allowed: &[Role]) -> Result<(), Problem> {
        if allowed.contains(&self.role) { Ok(()) } else { Err(Problem::forbidden(self.role, allowed)) }
    }
}

/// Whether callers prove who they are, or stand in the data folder already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// By a token or a session.
    Tokens,
    /// By having access to the socket, which only the owner of the folder has.
    Socket,
}

/// How much of something each caller has under way.
pub(super) struct UnderWay {
    at_a_time: usize,
    callers: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl UnderWay {
    /// So many requests at a time.
    pub(super) fn requests() -> Arc<Self> {
        Arc::new(Self { at_a_time: REQUESTS_PER_CALLER, callers: Mutex::default() })
    }

    /// So many live feeds at a time.
    pub(super) fn feeds() -> Arc<Self> {
        Arc::new(Self { at_a_time: FEEDS_PER_CALLER, callers: Mutex::default() })
    }

    pub(super) fn of(&self, name: &str) -> Arc<Semaphore> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        // Callers are bounded by the tokens; those who rest are forgotten now and then.
        if callers.len() > 1_000 {
            callers.retain(|_, permits| permits.available_permits() < self.at_a_time);
        }
        let permits =
            callers.entry(name.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(self.at_a_time)));
        Arc::clone(permits)
    }
}

/// Lets in whoever is known, a bounded number of times at once.
pub(super) async fn admit(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let caller = match identify(&app, request.method(), request.headers()) {
        Ok(caller) => caller,
        Err(problem) => return problem.into_response(),
    };
    let permits = app.under_way.of(&caller.name);
    let Ok(_permit) = permits.try_acquire() else {
        let detail =
            format!("{REQUESTS_PER_CALLER} requests of this token are under way: wait for some to end");
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

pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == SESSION).then_some(value))
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| {
            Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "Who are you?", "no token was sent")
        })
    }
}
