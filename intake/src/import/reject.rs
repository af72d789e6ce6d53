//! Why a row was not imported.

/// Why a row was not imported, or not in whole. Its value may be personal: it belongs into the file of rejects
/// and nowhere else; the reason never repeats it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Reject {
    /// The column at fault, where one is.
    pub column: Option<String>,
    /// What stands there.
    pub value: Option<String>,
    /// What is wrong with it.
    pub reason: String,
}

impl Reject {
    /// The reject of a row one of whose commands was refused; the reason is the message of the answer.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self { column: None, value: None, reason: reason.into() }
    }
}
