//! What the runtime folds for itself in the file of every view, whatever else the view folds: which contacts are one person, and
//! in which zone days are kept.

use domain::{Kind, Recorded};

use crate::kit::{error::ApplyError, persons, tables::Tables, zone};

/// The kinds that it reads.
pub(crate) const KINDS: &[Kind] = &[Kind::Contact, Kind::Setting];

/// Its tables.
pub(crate) const TABLES: [&str; 2] = [persons::TABLES, zone::TABLES];

/// Whether there is something to fold here.
pub(crate) const fn wants(recorded: &Recorded) -> bool {
    persons::wants(recorded) || zone::wants(recorded)
}

/// Whether an event that cannot be read may have been one that is wanted.
pub(crate) fn wants_tag(tag: &str) -> bool {
    persons::wants_tag(tag) || tag == "setting.zone_chosen"
}

/// Folds an event.
pub(crate) fn apply(tables: &Tables, recorded: &Recorded) -> Result<(), ApplyError> {
    persons::apply(tables, recorded)?;
    zone::apply(tables, recorded)
}
