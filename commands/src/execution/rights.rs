//! Who may send which command.

use domain::Role;

use crate::kit::decider::Decider;

/// Who may send a command of this name.
pub(crate) fn writers<D: Decider>(command: &str) -> &'static [Role] {
    let exception = D::EXCEPTIONS.iter().find(|(name, _)| *name == command);
    exception.map_or(D::WRITERS, |(_, writers)| writers)
}
