//! Whether every key is there that something in the log is sealed with. A key that is gone is right only where an event of
//! the log erased what it seals; anything else is a loss, and whoever it concerns is named.

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
};

use domain::{
    BadEvent, ContactId, Event, Forgotten, Kind, Position, Stored, personal::FORGETTING,
    setting::SettingEvent,
};
use rusqlite::{OptionalExtension as _, params};
use serde::Serialize;

use crate::{
    embedded::{erasures, stored_log::StoredLog},
    folder::names::KEYS_FILE,
    open_error::OpenError,
    read_only::ReadOnly,
    sealing::{cipher::KeyName, key_file::WHOLE_OWNER, values},
    sqlite::{collect, from_stored, unsigned},
};

/// How many keys that were found are remembered.
const REMEMBERED: usize = 200_000;

/// A contact of whom something cannot be read any more although nobody has erased it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LostKey {
    /// Whose key it was.
    pub contact: ContactId,
    /// How many keys of theirs are gone.
    pub keys: u64,
    /// The first event that is sealed with one of them.
    pub needed_by: Position,
}

/// A walk through a log beside the file of its keys.
pub struct KeyAudit {
    keys: ReadOnly,
    found: HashSet<KeyName>,
    missing: BTreeMap<KeyName, Position>,
    erased: HashSet<ContactId>,
    redacted: HashSet<KeyName>,
    /// Up to where an operator has gone on without the keys that were lost.
    accepted_through: u64,
}

impl KeyAudit {
    /// Opens the keys of a data folder for reading; they may be in use.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let file = folder.join(KEYS_FILE);
        if !file.is_file() {
            return Err(OpenError::Missing(file));
        }
        Ok(Self {
            keys: ReadOnly::open(&file)?,
            found: HashSet::new(),
            missing: BTreeMap::new(),
            erased: HashSet::new(),
            redacted: HashSet::new(),
            accepted_through: 0,
        })
    }

    /// How many of the rows that were ever written are gone: none is ever deleted, not even that of a key which is destroyed.
    pub fn rows_lost(&self) -> Result<u64, OpenError> {
        let sql = "SELECT (SELECT rows FROM keys_count) - (SELECT count(*) FROM keys)";
        let lost: i64 = self
            .keys
            .connection
            .query_row(sql, [], |row| row.get(0))
            .map_err(OpenError::database(KEYS_FILE))?;
        Ok(from_stored(lost))
    }

    /// The sizes of the checkpoints that were signed, the smallest first, as far as they are known beside the ledger.
    pub fn signed_sizes(&self) -> Result<Vec<u64>, OpenError> {
        let read = || -> rusqlite::Result<Vec<u64>> {
            let mut statement = self.keys.connection.prepare("SELECT size FROM checkpoints ORDER BY size")?;
            collect(statement.query([])?, |row| unsigned(row, 0))
        };
        read().map_err(OpenError::database(KEYS_FILE))
    }

    /// The keys that the last events of a log are sealed with and that are gone, of at most so many events: those of an
    /// older file of keys are.
    pub(crate) fn of_last(self, folder: &Path, events: u64) -> Result<Vec<LostKey>, OpenError> {
        let log = StoredLog::open(folder)?;
        let after = log.length().saturating_sub(events);
        self.walk(|each| log.each_after(after, each)).map(|(_, lost)| lost)
    }

    /// How many events the log of a folder holds, and whose keys are gone.
    pub fn of_whole_log(self, folder: &Path) -> Result<(u64, Vec<LostKey>), OpenError> {
        let log = StoredLog::open(folder)?;
        self.walk(|each| log.each(each))
    }

    /// Takes every event that is handed out, until one cannot be looked up.
    fn walk(
        mut self,
        read: impl FnOnce(&mut dyn FnMut(&Result<Stored<'_>, BadEvent>) -> bool),
    ) -> Result<(u64, Vec<LostKey>), OpenError> {
        let (mut count, mut failed) = (0, None);
        read(&mut |event| {
            count += 1;
            failed = event.as_ref().map_or(Ok(()), |stored| self.event(stored)).err();
            failed.is_none()
        });
        failed.map_or_else(|| Ok((count, self.end())), Err)
    }

    /// Takes the next event, in the order of the log.
    pub fn event(&mut self, stored: &Stored<'_>) -> Result<(), OpenError> {
        if FORGETTING.contains(&stored.tag) {
            match erasures::read(stored.stream, stored.tag, stored.data) {
                Some(Forgotten::Contact(contact)) => {
                    self.erased.insert(contact);
                }
                Some(Forgotten::Key { owner, key }) => {
                    self.redacted.insert((owner, key));
                }
                None => {}
            }
        }
        if let Some(Event::Setting(SettingEvent::LossAccepted { lost, held, .. })) = acceptance(stored)
            && lost.iter().any(|name| name == KEYS_FILE)
        {
            self.accepted_through = self.accepted_through.max(held);
        }
        for text in [Some(stored.data), stored.metadata].into_iter().flatten() {
            for name in values::names_in(text) {
                if !self.found.contains(&name) && !self.missing.contains_key(&name) {
                    self.look_up(name, stored.position)?;
                }
            }
        }
        Ok(())
    }

    fn look_up(&mut self, name: KeyName, position: Position) -> Result<(), OpenError> {
        if self.is_living(name).map_err(OpenError::database(KEYS_FILE))? {
            if self.found.len() >= REMEMBERED {
                self.found.clear();
            }
            self.found.insert(name);
        } else {
            self.missing.insert(name, position);
        }
        Ok(())
    }

    fn is_living(&self, (owner, key): KeyName) -> rusqlite::Result<bool> {
        // A mark over the whole contact closes every key of theirs.
        let sql = "SELECT wrapped IS NOT NULL FROM keys WHERE owner = ?1 AND key IN (?2, ?3) ORDER BY wrapped LIMIT 1";
        let mut statement = self.keys.connection.prepare_cached(sql)?;
        let of = params![owner.0.as_bytes(), key.as_bytes(), WHOLE_OWNER];
        Ok(statement.query_row(of, |row| row.get(0)).optional()?.unwrap_or_default())
    }

    /// Whose keys are gone although no event erased what they seal and nobody has accepted that they are lost, in the order in
    /// which they were needed.
    pub fn end(self) -> Vec<LostKey> {
        let mut lost = BTreeMap::<ContactId, LostKey>::new();
        for (name, position) in self.missing {
            let is_forgotten = self.erased.contains(&name.0) || self.redacted.contains(&name);
            if is_forgotten || position.0 <= self.accepted_through {
                continue;
            }
            let of = LostKey { contact: name.0, keys: 0, needed_by: position };
            let lost = lost.entry(name.0).or_insert(of);
            lost.keys += 1;
            lost.needed_by = lost.needed_by.min(position);
        }
        let mut lost: Vec<_> = lost.into_values().collect();
        lost.sort_by_key(|lost| lost.needed_by);
        lost
    }
}

/// The event, where it accepts a loss.
fn acceptance(stored: &Stored<'_>) -> Option<Event> {
    if stored.tag != "setting.loss_accepted" {
        return None;
    }
    Event::decode(Kind::Setting, stored.tag, stored.data).ok()
}
