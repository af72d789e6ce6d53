//! What is wrong with an answer: that of a projection whose author has to say more, or that of another program.

/// What is wrong with an answer.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// Nobody says which type it has: mend the projection.
    #[error("{0} of several types: say in `Projection::shape` which of them an answer holds")]
    SeveralTypes(&'static str),
    /// It cannot be written as JSON: mend the projection.
    #[error("the answer cannot be written: {0}")]
    Unwritable(#[from] serde_json::Error),
    /// It is none that this program knows: ask with the program that answers, or with one of its version.
    #[error(
        "the answer of `{view}` is none that this program knows, at `{at}`: {what}; is the server of another version?"
    )]
    Foreign {
        /// The view.
        view: &'static str,
        /// The member at fault.
        at: String,
        /// What is wrong with it.
        what: String,
    },
}
