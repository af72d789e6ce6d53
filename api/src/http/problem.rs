//! Problem details (RFC 9457): what went wrong, with which field, and what to do next.
//!
//! Every error of the inside becomes a problem here and nowhere else, so that a reader sees at once which
//! error answers with which status.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use commands::{CommandError, Malformed};
use domain::{AppendError, Role};
use ledger::LedgerError;
use projections::{AskError, ViewError};
use schemars::JsonSchema;
use serde::Serialize;

use crate::application::{self, tokens::TokenError};

/// What went wrong.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Problem {
    /// A stable name of the sort of problem: `urn:rapport:problem:…`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The sort of problem in a few words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// This very problem, and what to do about it.
    pub detail: String,
    /// The field or parameter at fault, as a path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The stream's revision, where another was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
}

impl Problem {
    /// A problem of a sort.
    pub fn new(status: StatusCode, slug: &str, title: &'static str, detail: impl Into<String>) -> Self {
        let kind = format!("urn:rapport:problem:{slug}");
        Self { kind, title, status: status.as_u16(), detail: detail.into(), field: None, revision: None }
    }

    /// Names the field at fault.
    #[must_use]
    pub fn at(mut self, field: Option<String>) -> Self {
        self.field = field;
        self
    }

    /// The request makes no sense.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", "The request cannot be read", detail)
    }

    /// There is nothing here.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is nothing here", detail)
    }

    /// The bearer may not do this.
    pub fn forbidden(role: Role, allowed: &[Role]) -> Self {
        let names = allowed.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ");
        let names = if names.is_empty() { "nobody by itself" } else { &names };
        let detail = format!("the role `{role}` may not do this; it is for {names}");
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Not with this token", detail)
    }

    /// Something of ours is broken or busy.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not at the moment", detail)
    }

    /// What was sent is too large.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large", detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"rapport\""));
        }
        response
    }
}

impl From<application::Error> for Problem {
    fn from(error: application::Error) -> Self {
        match error {
            application::Error::Malformed { detail, field } => {
                Self::malformed(detail).at(field.map(str::to_owned))
            }
            application::Error::NotFound(detail) => Self::not_found(detail),
            application::Error::Forbidden { role, allowed } => Self::forbidden(role, allowed),
            application::Error::Unavailable(detail) => Self::unavailable(detail),
            application::Error::Read(error) => Self::unavailable(error.to_string()),
            application::Error::Command(error) => error.into(),
            application::Error::Ask(error) => error.into(),
            application::Error::Answer(error) => Self::unavailable(error.to_string()),
            application::Error::Token(error) => error.into(),
            application::Error::Ledger(error) => error.into(),
        }
    }
}

impl From<Malformed> for Problem {
    fn from(error: Malformed) -> Self {
        Self::malformed(error.message).at(error.field)
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        let detail = error.to_string();
        match error {
            CommandError::Malformed(malformed) => malformed.into(),
            CommandError::Forbidden { role, allowed } => Self::forbidden(role, allowed),
            CommandError::Rejected { rule, .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, &rule, "A rule says no", detail)
            }
            CommandError::KeyReused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "key-reused",
                "The key was used for something else",
                detail,
            ),
            CommandError::KeyInFlight => {
                Self::new(StatusCode::CONFLICT, "key-in-flight", "The key is being worked on", detail)
            }
            CommandError::RevisionMismatch { actual, .. } => {
                let title = "The stream has moved on";
                let mut problem =
                    Self::new(StatusCode::PRECONDITION_FAILED, "revision-mismatch", title, detail);
                problem.revision = Some(actual);
                problem
            }
            CommandError::RetriesExhausted | CommandError::Append(AppendError::WrongRevision { .. }) => {
                Self::new(StatusCode::CONFLICT, "retries-exhausted", "Others were faster", detail)
            }
            CommandError::Append(AppendError::TooLarge { .. }) => Self::too_large(detail),
            CommandError::Append(AppendError::OutcomeUnknown) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "outcome-unknown",
                "The outcome is not known",
                detail,
            ),
            CommandError::Append(AppendError::DiskFull) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "disk-full", "The disk is full", detail)
            }
            CommandError::Append(AppendError::Unavailable(_) | AppendError::Answered(_))
            | CommandError::Read(_) => Self::unavailable(detail),
        }
    }
}

impl From<AskError> for Problem {
    fn from(error: AskError) -> Self {
        let detail = error.to_string();
        match error {
            AskError::UnknownView(_) | AskError::NotFound => Self::not_found(detail),
            AskError::View(ViewError::Query { field, .. }) => Self::malformed(detail).at(field),
            AskError::Building { .. } | AskError::Behind { .. } | AskError::LogBehind { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "view-behind", "The view is not there yet", detail)
            }
            AskError::Stopped(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "view-stopped", "The view stands still", detail)
            }
            AskError::TimedOut { .. } => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "question-timeout",
                "The question took too long",
                detail,
            ),
            AskError::View(ViewError::Tables(_))
            | AskError::Log(_)
            | AskError::File(_)
            | AskError::Ending { .. }
            | AskError::Busy => Self::unavailable(detail),
        }
    }
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        let detail = error.to_string();
        match error {
            TokenError::Unknown(_) => Self::not_found(detail),
            TokenError::Taken(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "token/taken", "A rule says no", detail)
            }
            TokenError::BadName => Self::malformed(detail).at(Some("name".to_owned())),
            TokenError::TooMany
            | TokenError::Shared(_)
            | TokenError::Io(_)
            | TokenError::Log(_)
            | TokenError::Unwritable(_) => Self::unavailable(detail),
        }
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::NotCovered { .. } => {
                let detail = format!("{error}; POST /admin/checkpoint signs what has been recorded since");
                Self::new(StatusCode::CONFLICT, "not-covered", "No checkpoint covers that", detail)
            }
            error => Self::unavailable(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_question_that_takes_too_long_has_a_problem_of_its_own_and_may_be_asked_again() {
        let view = || "asked".to_owned();
        let timed_out = AskError::TimedOut { view: view(), timeout: Duration::from_secs(30) };
        let problem = Problem::from(timed_out);
        assert_eq!(problem.kind, "urn:rapport:problem:question-timeout");
        assert_eq!(
            problem.detail,
            "the view `asked` did not answer within 30 seconds: narrow the question (a period, a smaller limit) or ask again"
        );
        for problem in [problem, Problem::from(AskError::Ending { view: view() })] {
            let response = problem.into_response();
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(response.headers()[header::RETRY_AFTER], "1");
        }
    }
}
