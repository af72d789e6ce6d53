//! What a lead or a deal has come to, whatever its stages and statuses are called.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a lead or a deal has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It may still come to something.
    #[default]
    Open,
    /// It came to what was hoped for.
    Won,
    /// It came to nothing.
    Lost,
}
