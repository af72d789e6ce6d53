//! What a proof or a check came to, and the exit status that says so to whoever runs it every night.

use std::process::ExitCode;

use store::OpenError;

use super::terminal::complain;

/// What was found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Everything is as it was recorded: exit status 0.
    Sound,
    /// Something is not: exit status 1.
    Altered,
    /// It cannot be told: nothing is signed yet, or something could not be read. Exit status 2.
    CannotBeTold,
}

impl Verdict {
    /// What an error comes to, once it is said: files that are gone, or say nothing that they ought to, are altered; a medium
    /// that refuses tells nothing.
    pub(super) fn of(error: &anyhow::Error) -> Self {
        complain(error);
        let is_altered = error.downcast_ref::<OpenError>().is_some_and(|error| {
            matches!(error, OpenError::Unreadable { .. } | OpenError::Missing(_) | OpenError::AnotherLog(_))
                || error.is_damaged()
        });
        if is_altered { Self::Altered } else { Self::CannotBeTold }
    }

    /// The exit status.
    pub(super) fn exit(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Sound => 0,
            Self::Altered => 1,
            Self::CannotBeTold => 2,
        })
    }
}
