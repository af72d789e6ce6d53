//! Somebody who may come in, and what their role allows.

use domain::{Actor, Role};

use super::error::Error;

/// Somebody who may come in.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

impl Caller {
    /// Under which name their events are recorded.
    pub fn actor(&self) -> Actor {
        Actor::Member(self.name.clone())
    }

    /// Refuses whoever has none of these roles.
    pub fn must_be(&self, allowed: &'static [Role]) -> Result<(), Error> {
        if allowed.contains(&self.role) { Ok(()) } else { Err(Error::Forbidden { role: self.role, allowed }) }
    }
}
