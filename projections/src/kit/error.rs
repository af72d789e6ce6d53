//! What can go wrong with an event in a fold, and with a question.

/// Why an event could not be folded; it stops the view at the event.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The tables refused.
    #[error("the tables refused the event: {0}")]
    Tables(#[from] rusqlite::Error),
    /// The event contradicts what came before.
    #[error("{0}")]
    Contradiction(String),
}

/// Why a question could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The tables could not be read.
    #[error("the view's tables cannot be read: {0}")]
    Tables(#[from] rusqlite::Error),
    /// The question makes no sense: mend the parameter named.
    #[error("{message}")]
    Query {
        /// The parameter at fault, where one is.
        field: Option<String>,
        /// What is wrong and what is expected.
        message: String,
    },
}

impl ViewError {
    /// A parameter that makes no sense.
    pub fn query(field: &str, message: impl Into<String>) -> Self {
        Self::Query { field: Some(field.to_owned()), message: message.into() }
    }
}
