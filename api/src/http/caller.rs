//! Who is calling, as handlers are told. Whoever was not let in by [`super::admission`] is nobody.

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};

use super::problem::Problem;
use crate::application::Caller;

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| {
            Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "Who are you?", "no token was sent")
        })
    }
}
