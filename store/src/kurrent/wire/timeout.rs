//! How long a call to the cluster is waited for.

use std::time::Duration;

/// How long one call may take.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(10);
