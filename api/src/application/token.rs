//! A token, as it is kept: never the secret itself.

use chrono::{DateTime, Utc};
use domain::Role;
use serde::{Deserialize, Serialize};

/// A token as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Whose it is: the name under which their events are recorded.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it was granted.
    pub granted_at: DateTime<Utc>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<DateTime<Utc>>,
    /// SHA-256 of the token, hexadecimal. A token is 256 random bits, so that a plain hash is enough.
    pub(super) hash: String,
}
