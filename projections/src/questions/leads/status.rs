//! How a lead stands, and what that comes to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a lead stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    /// Captured, and nobody's yet.
    New,
    /// Given to a member of staff.
    Contacted,
    /// Worth pursuing.
    Qualified,
    /// Not worth pursuing, not to be reached or not interested.
    Unqualified,
    /// No real lead, or one that was here already.
    Junk,
    /// Became a deal.
    Converted,
}

/// What a status comes to, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum StatusType {
    Open,
    Won,
    Lost,
}

impl Status {
    const ALL: [Self; 6] =
        [Self::New, Self::Contacted, Self::Qualified, Self::Unqualified, Self::Junk, Self::Converted];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Contacted => "contacted",
            Self::Qualified => "qualified",
            Self::Unqualified => "unqualified",
            Self::Junk => "junk",
            Self::Converted => "converted",
        }
    }

    pub(super) fn of(word: &str) -> Self {
        Self::ALL.into_iter().find(|status| status.word() == word).unwrap_or(Self::New)
    }

    pub(super) const fn status_type(self) -> StatusType {
        match self {
            Self::New | Self::Contacted | Self::Qualified => StatusType::Open,
            Self::Unqualified | Self::Junk => StatusType::Lost,
            Self::Converted => StatusType::Won,
        }
    }
}
