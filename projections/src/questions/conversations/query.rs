//! What can be asked of the conversations.

use chrono::{DateTime, Utc};
use domain::conversation::Channel;
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

/// What can be asked of the conversations.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Which conversations are shown.
    #[serde(default)]
    pub(super) state: StateAsked,
    /// Only conversations through this channel.
    pub(super) channel: Option<Channel>,
    /// Only conversations with this contact, or with one that is merged with it.
    pub(super) contact: Option<Uuid>,
    /// Say how many minutes they had waited at this moment.
    pub(super) at: Option<DateTime<Utc>>,
    /// One conversation with all its messages; the other filters are then left aside.
    pub(super) conversation: Option<Uuid>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum StateAsked {
    /// Those in which something is to be done.
    #[default]
    Open,
    /// Those in which nothing more is to be done.
    Resolved,
    /// Both.
    All,
}
