//! What staff, programs, gatherings and funds are called at this point of the log.

use rusqlite::params;
use uuid::Uuid;

use crate::{
    kit::{ApplyError, Tables},
    meaning::Names,
};

/// The table `names`, for sentences.
pub(super) struct NamesOfTheDay<'a>(pub(super) &'a Tables);

impl Names for NamesOfTheDay<'_> {
    fn of(&self, thing: Uuid) -> Result<Option<String>, ApplyError> {
        Ok(self.0.row("SELECT name FROM names WHERE id = ?1", [thing], |row| row.get(0))?)
    }

    fn call(&self, thing: Uuid, name: &str) -> Result<(), ApplyError> {
        self.0.execute("INSERT OR REPLACE INTO names VALUES (?1, ?2)", params![thing, name])?;
        Ok(())
    }
}
