//! A program: a course, a mentoring scheme, a series of gatherings with a purpose.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{event::Concerns, ids::ContactId, ids::FundId, moment};

/// What can happen to a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum ProgramEvent {
    /// Was set up.
    #[serde(rename = "program.started")]
    Started {
        /// Its name.
        name: String,
        /// Its first day.
        #[serde(default, deserialize_with = "moment::maybe_day", skip_serializing_if = "Option::is_none")]
        starts_on: Option<NaiveDate>,
        /// Its last day.
        #[serde(default, deserialize_with = "moment::maybe_day", skip_serializing_if = "Option::is_none")]
        ends_on: Option<NaiveDate>,
        /// The fund that pays for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fund: Option<FundId>,
    },
    /// Has another name.
    #[serde(rename = "program.renamed")]
    Renamed {
        /// The name from now on.
        name: String,
    },
    /// Runs on other days.
    #[serde(rename = "program.rescheduled")]
    Rescheduled {
        /// Its first day.
        #[serde(default, deserialize_with = "moment::maybe_day", skip_serializing_if = "Option::is_none")]
        starts_on: Option<NaiveDate>,
        /// Its last day.
        #[serde(default, deserialize_with = "moment::maybe_day", skip_serializing_if = "Option::is_none")]
        ends_on: Option<NaiveDate>,
    },
    /// Is paid for by a fund.
    #[serde(rename = "program.funded")]
    Funded {
        /// The fund.
        fund: FundId,
    },
    /// Takes no more people.
    #[serde(rename = "program.ended")]
    Ended {},
    /// Was set up in error and counts nowhere.
    #[serde(rename = "program.voided")]
    Voided {},
}

impl Concerns for ProgramEvent {
    fn contacts(&self) -> Vec<ContactId> {
        // A program is nobody's; an enrolment says whose it is.
        Vec::new()
    }
}
