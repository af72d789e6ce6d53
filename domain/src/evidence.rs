//! What speaks for two contacts being one person, and what against it. Nothing personal is in it: it names the
//! features that were compared, never what they said.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// A handle that both have proven to be theirs.
    VerifiedIdentity,
    /// An email address.
    Email,
    /// A handle or number on another platform: a student number, an account.
    ExternalId,
    /// A telephone number.
    Phone,
    /// The name.
    Name,
    /// The date of birth.
    Birthday,
    /// The postal address.
    Address,
}

/// Which way it points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bearing {
    /// For their being one.
    For,
    /// Against it.
    Against,
}

/// How much it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// Something, together with more.
    Weak,
    /// Much, by itself.
    Strong,
}

/// One feature, with what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// What was compared.
    pub feature: Feature,
    /// Which way it points.
    pub bearing: Bearing,
    /// How much it says.
    pub strength: Strength,
}

/// What all evidence together comes to: strong where something strong speaks for it and nothing strong against it.
/// What is weak needs a person to decide.
pub fn weigh(evidence: &[Evidence]) -> Strength {
    let strong =
        |bearing| evidence.iter().any(|one| one.bearing == bearing && one.strength == Strength::Strong);
    if strong(Bearing::For) && !strong(Bearing::Against) { Strength::Strong } else { Strength::Weak }
}
