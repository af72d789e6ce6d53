//! Reading requests, naming what is at fault in them.

use axum::{body::Bytes, extract::rejection::BytesRejection, http::StatusCode};
use domain::StreamId;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::problem::Problem;

/// Reads a body in JSON, naming the field at fault.
pub(super) fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        Problem::malformed(error.into_inner().to_string()).at((path != ".").then_some(path))
    })?;
    deserializer.end().map_err(|error| Problem::malformed(error.to_string()))?;
    Ok(read)
}

/// Reads the parameters of a query, naming the one at fault.
pub(super) fn read_query<T: DeserializeOwned>(query: Option<&str>) -> Result<T, Problem> {
    let pairs = serde_html_form::Deserializer::from_bytes(query.unwrap_or_default().as_bytes());
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let path = error.path().to_string();
        Problem::malformed(error.into_inner().to_string()).at((path != ".").then_some(path))
    })
}

/// Reads which thing is meant by the two parts of a path.
pub(super) fn read_thing(kind: &str, id: &str) -> Result<StreamId, Problem> {
    let kind =
        kind.parse().map_err(|error: domain::event::NotAKind| Problem::not_found(error.to_string()))?;
    let id =
        Uuid::parse_str(id).map_err(|_| Problem::malformed("is not a UUID").at(Some("id".to_owned())))?;
    Ok(StreamId::new(kind, id))
}

/// A body as it was received.
pub(super) fn received(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Problem> {
    body.map_err(|error| unreadable(&error))
}

/// A body that could not be received.
fn unreadable(error: &BytesRejection) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::too_large("a single command may have 1 MiB, a batch 16 MiB: send less at once");
    }
    Problem::malformed(error.body_text())
}
