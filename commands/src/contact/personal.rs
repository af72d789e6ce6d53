//! What is said of a contact is personal to them.

use domain::{ContactId, Personal};

use crate::kit::decider::Given;

/// A value that is forgotten with the contact that the command is about.
pub(super) fn personal(given: &Given<'_>, value: String) -> Personal<String> {
    Personal::new(ContactId(given.id), value)
}
