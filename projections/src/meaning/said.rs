//! The sentence of one event, and who knows the names that stand in it.

use std::fmt::{self, Display};

use domain::Personal;
use uuid::Uuid;

use crate::kit::ApplyError;

/// An event in one plain sentence. Nothing personal is in it: what is personal is handed on beside it.
#[derive(Debug, Default)]
pub(crate) struct Said<'a> {
    /// The sentence.
    pub(crate) what: String,
    /// The personal text that belongs to it.
    pub(crate) detail: Option<&'a Personal<String>>,
    /// The event that this one corrects.
    pub(crate) corrects: Option<Uuid>,
}

/// What staff, programs, gatherings and funds are called at this point of the log: a sentence keeps the name of its day.
pub(crate) trait Names {
    /// What a thing is called, where that was ever said.
    fn of(&self, thing: Uuid) -> Result<Option<String>, ApplyError>;
    /// Keeps what a thing is called from now on.
    fn call(&self, thing: Uuid, name: &str) -> Result<(), ApplyError>;
}

/// A part of a sentence that is there only where there is something to say.
pub(super) fn part<T: Display>(before: &'static str, value: Option<T>) -> impl Display {
    Part { before, value }
}

struct Part<T> {
    before: &'static str,
    value: Option<T>,
}

impl<T: Display> Display for Part<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.as_ref().map_or(Ok(()), |value| write!(formatter, "{}{value}", self.before))
    }
}
