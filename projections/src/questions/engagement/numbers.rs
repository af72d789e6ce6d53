//! The numbers that a report counts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The numbers; see `definitions`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "EngagementCell")]
pub(super) struct Cell {
    /// Distinct people who attended: `retained` + `new` + `reactivated`.
    pub(super) participants: u64,
    /// Attendances.
    pub(super) participations: u64,
    /// People counted without names, a number apart.
    pub(super) headcount: u64,
    /// Registrations.
    pub(super) registered: u64,
    /// Absences excused.
    pub(super) excused: u64,
    /// Absences without excuse.
    pub(super) missed: u64,
    /// Attendances ÷ (attendances + absences).
    pub(super) attendance_rate: Option<f64>,
    /// Participants with at least `depth` attendances.
    pub(super) deep: u64,
    /// Their share.
    pub(super) depth_share: Option<f64>,
    /// Distinct people who attended in the period before.
    pub(super) previous_participants: u64,
    /// Who attended in both.
    pub(super) retained: u64,
    /// Their share of those who attended in the period before.
    pub(super) retention_rate: Option<f64>,
    /// Who had never attended.
    pub(super) new: u64,
    /// Who came back after a pause.
    pub(super) reactivated: u64,
    /// Who attended in the period before and not in this one.
    pub(super) lapsed: u64,
    /// Enrolments made; 0 where a type is asked about, since enrolments have none.
    pub(super) enrolments: u64,
    /// Distinct people enrolled.
    pub(super) enrolled_people: u64,
    /// Enrolments left.
    pub(super) withdrawn: u64,
    /// Enrolments completed.
    pub(super) completed: u64,
}

impl Cell {
    /// Derives the rates from the counts.
    pub(super) fn finish(&mut self) {
        self.attendance_rate = rate(self.participations, self.participations + self.excused + self.missed);
        self.depth_share = rate(self.deep, self.participants);
        self.retention_rate = rate(self.retained, self.previous_participants);
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(super) fn rate(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
