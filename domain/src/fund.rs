//! A fund: what gifts are allocated to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{event::Concerns, ids::ContactId};

/// What can happen to a fund.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum FundEvent {
    /// Was set up.
    #[serde(rename = "fund.opened")]
    Opened {
        /// Its name.
        name: String,
        /// What its money may be spent on, where that is restricted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        restriction: Option<String>,
    },
    /// Has another name.
    #[serde(rename = "fund.renamed")]
    Renamed {
        /// The name from now on.
        name: String,
    },
    /// May be spent on this only, or on anything where nothing is given.
    #[serde(rename = "fund.restricted")]
    Restricted {
        /// What its money may be spent on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        restriction: Option<String>,
    },
    /// Takes no more gifts.
    #[serde(rename = "fund.closed")]
    Closed {},
    /// Was set up in error.
    #[serde(rename = "fund.voided")]
    Voided {},
}

impl Concerns for FundEvent {
    fn contacts(&self) -> Vec<ContactId> {
        // A fund is nobody's.
        Vec::new()
    }
}
