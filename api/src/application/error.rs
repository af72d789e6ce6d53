//! What can go wrong in the application. Errors of the rooms below are handed on as they are, so that a door can say which
//! of them means what to whom.

use commands::{CommandError, Malformed};
use domain::{ReadError, Role};
use ledger::LedgerError;
use projections::{AnswerError, AskError, ViewError};

use super::tokens::TokenError;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was asked makes no sense: mend it.
    #[error("{detail}")]
    Malformed {
        /// What is wrong.
        detail: String,
        /// With which field or parameter.
        field: Option<&'static str>,
    },
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// The role of the caller does not allow it.
    #[error("the role `{role}` may not do this")]
    Forbidden {
        /// Whose role is not enough.
        role: Role,
        /// Which roles are.
        allowed: &'static [Role],
    },
    /// Something of ours is broken or busy: try again in a moment.
    #[error("{0}")]
    Unavailable(String),
    /// The log cannot be read: try again in a moment.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A command was not carried out.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A question was not answered.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// An answer cannot be written as it is wanted.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// A token was not granted or revoked.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The ledger cannot show it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Error {
    /// What was asked makes no sense.
    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::Malformed { detail: detail.into(), field: None }
    }

    /// A field or parameter makes no sense.
    pub(crate) fn malformed_at(field: &'static str, detail: impl Into<String>) -> Self {
        Self::Malformed { detail: detail.into(), field: Some(field) }
    }

    /// Something of ours is broken or busy.
    #[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
    pub(crate) fn unavailable(error: impl ToString) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<Malformed> for Error {
    fn from(error: Malformed) -> Self {
        Self::Command(error.into())
    }
}

impl From<ViewError> for Error {
    fn from(error: ViewError) -> Self {
        Self::Ask(error.into())
    }
}
