//! A member of staff. Their name stays when their token goes, so that old entries can still be read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{event::Concerns, ids::ContactId, role::Role};

/// What can happen to a member of staff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum MemberEvent {
    /// Joined the staff.
    #[serde(rename = "member.joined")]
    Joined {
        /// Their name.
        name: String,
        /// Their team.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        team: Option<String>,
        /// Their region.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        region: Option<String>,
    },
    /// Works in another team or region; what is absent is none.
    #[serde(rename = "member.moved")]
    Moved {
        /// Their team from now on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        team: Option<String>,
        /// Their region from now on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        region: Option<String>,
    },
    /// Is called something else.
    #[serde(rename = "member.renamed")]
    Renamed {
        /// The name from now on.
        name: String,
    },
    /// Left the staff.
    #[serde(rename = "member.left")]
    Left {},
    /// Was given a token.
    #[serde(rename = "member.token_granted")]
    TokenGranted {
        /// What the token may do.
        role: Role,
        /// SHA-256 of the token, hexadecimal; absent in what was recorded before it was kept here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
    },
    /// Lost their token.
    #[serde(rename = "member.token_revoked")]
    TokenRevoked {},
}

impl Concerns for MemberEvent {
    fn contacts(&self) -> Vec<ContactId> {
        // A member of staff is no contact.
        Vec::new()
    }
}
