//! Why a call to the cluster was not answered as wished.

use domain::AppendError;
use eventstore::CurrentRevision;

use crate::{copy_error::CopyError, sealing::key_error::KeyError};

/// The code of gRPC for what can never be done so, a too large append for example.
const INVALID_ARGUMENT: i32 = 3;

/// Why a call was not answered as wished.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Trouble {
    /// The stream holds another number of events.
    #[error("the stream holds {0} events")]
    Revision(u64),
    /// The stream was destroyed.
    #[error("the stream was destroyed")]
    Destroyed,
    /// It can never be done so.
    #[error("the cluster refuses: {0}")]
    Refused(String),
    /// It was not done.
    #[error("the cluster cannot be reached: {0}")]
    NotDone(String),
    /// It was not done: another node leads now. The client knows, and asks that one the next time.
    #[error("the cluster is led by {0} now")]
    Moved(String),
    /// It was done or it was not.
    #[error("the cluster did not answer: {0}")]
    Unknown(String),
}

impl Trouble {
    /// What an error of the client comes to.
    pub(crate) fn of(error: &eventstore::Error) -> Self {
        use eventstore::Error;
        match error {
            Error::WrongExpectedVersion { current, .. } => Self::Revision(match current {
                CurrentRevision::Current(last) => last + 1,
                CurrentRevision::NoStream => 0,
            }),
            Error::ResourceDeleted => Self::Destroyed,
            Error::NotLeaderException(leader) => Self::Moved(format!("{}:{}", leader.host, leader.port)),
            Error::ConnectionClosed | Error::GrpcConnectionError(_) => Self::NotDone(error.to_string()),
            Error::AccessDenied => {
                Self::Refused("the name and the password do not give the right to this".to_owned())
            }
            Error::UnsupportedFeature | Error::InternalParsingError(_) | Error::InitializationError(_) => {
                Self::Refused(error.to_string())
            }
            Error::Grpc { code, message } if i32::from(*code) == INVALID_ARGUMENT => {
                Self::Refused(message.clone())
            }
            _ => Self::Unknown(error.to_string()),
        }
    }

    /// Whether it may help to try again.
    pub(crate) fn passes(&self) -> bool {
        matches!(self, Self::NotDone(_) | Self::Moved(_) | Self::Unknown(_))
    }
}

impl From<Trouble> for CopyError {
    fn from(trouble: Trouble) -> Self {
        Self::Cluster(trouble.to_string())
    }
}

impl From<Trouble> for KeyError {
    fn from(trouble: Trouble) -> Self {
        Self::Cluster(trouble.to_string())
    }
}

/// What whoever appends is told where nothing was done.
pub(crate) fn not_done(trouble: &Trouble) -> AppendError {
    AppendError::Unavailable(trouble.to_string())
}
