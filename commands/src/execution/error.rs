//! Why a command was not carried out, and what its sender should do.

use domain::{AppendError, ReadError, Role};

use super::command::Malformed;

/// Why a command was not carried out. Nothing was recorded, except where the error says otherwise.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommandError {
    /// The command cannot be read: mend it.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The sender may not do this: ask somebody who may.
    #[error("the role `{role}` may not send this command; it is for {}", names(.allowed))]
    Forbidden {
        /// The sender's role.
        role: Role,
        /// Who may.
        allowed: &'static [Role],
    },
    /// A rule says no: read the message and decide anew.
    #[error("{message}")]
    Rejected {
        /// The rule's stable name.
        rule: String,
        /// For the person who asked.
        message: String,
    },
    /// The key was used for another command: draw a new one.
    #[error("this key was used for another command within the last 24 hours: draw a new key")]
    KeyReused,
    /// The same key is being worked on: wait and repeat.
    #[error("a command with this key is being carried out: repeat it in a moment to get its answer")]
    KeyInFlight,
    /// The stream is not at the revision that the sender saw: look again and decide anew.
    #[error("the stream is at revision {actual}, not at {expected}: read it again before you decide")]
    RevisionMismatch {
        /// What the sender expected.
        expected: u64,
        /// What it is.
        actual: u64,
    },
    /// Others were faster, too many times: repeat.
    #[error("others kept writing to the same stream: repeat the command")]
    RetriesExhausted,
    /// The log did not take the events.
    #[error(transparent)]
    Append(AppendError),
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

fn names(roles: &[Role]) -> String {
    if roles.is_empty() {
        return "nobody by itself".to_owned();
    }
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ")
}
