//! Who may do what: the roles that a token carries.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the bearer of a token may do; anything not granted is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything, tokens and settings included.
    Admin,
    /// All commands but tokens, backup and erasure; all views.
    Staff,
    /// Commands on gifts, funds, deals, leads and conversations; views of cells and of donors.
    Fundraiser,
    /// Reads everything and changes nothing.
    Auditor,
    /// Registers and captures, reads nothing.
    Intake,
}

impl Role {
    /// Every role, the most powerful first.
    pub const ALL: [Self; 5] = [Self::Admin, Self::Staff, Self::Fundraiser, Self::Auditor, Self::Intake];

    /// The name on the wire and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Staff => "staff",
            Self::Fundraiser => "fundraiser",
            Self::Auditor => "auditor",
            Self::Intake => "intake",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A text that names no role.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no role: use admin, staff, fundraiser, auditor or intake")]
pub struct NotARole(String);

impl FromStr for Role {
    type Err = NotARole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or_else(|| NotARole(text.to_owned()))
    }
}
