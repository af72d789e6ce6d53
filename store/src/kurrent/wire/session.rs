//! A session of appends, each of which goes out when the one before it was answered.

use eventstore::{BatchAppendClient, StreamState};
use tokio::time::timeout;

use crate::kurrent::wire::{events::Proposed, timeout::CALL_TIMEOUT};

/// A session of appends.
pub(crate) struct Session(pub(crate) BatchAppendClient);

impl Session {
    /// Whether the events stand now. Where not, nothing is known of them, and the session is over.
    pub(crate) async fn append(&self, name: &str, expected: u64, events: &[Proposed]) -> bool {
        let state =
            if expected == 0 { StreamState::NoStream } else { StreamState::StreamRevision(expected - 1) };
        let Ok(data) = events.iter().map(Proposed::data).collect::<Result<Vec<_>, _>>() else { return false };
        let appended = timeout(CALL_TIMEOUT, self.0.append_to_stream(name, state, data));
        matches!(appended.await, Ok(Ok(_)))
    }
}
