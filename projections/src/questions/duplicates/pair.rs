//! Two contacts that may be one.

use domain::{
    ContactId,
    contact::ContactForm,
    evidence::{Evidence, Strength},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Two contacts that may be one.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Pair {
    pub(super) contact: ContactId,
    /// Absent where none was ever given, empty where it was forgotten.
    pub(super) name: Option<String>,
    pub(super) other: ContactId,
    pub(super) other_name: Option<String>,
    pub(super) form: ContactForm,
    /// What all evidence together comes to: on weak evidence only a person may merge.
    pub(super) strength: Strength,
    /// From 0 to 1: something strong counts three times as much as something weak, and what speaks against takes as
    /// much away.
    pub(super) score: f64,
    /// Feature by feature, as the command `merge` takes it.
    pub(super) evidence: Vec<Evidence>,
}
