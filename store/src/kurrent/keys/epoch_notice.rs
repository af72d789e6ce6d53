//! What the stream of the epochs says, that one has begun or that all before it have ended, and what every node does then.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{
    folder::{
        names::epoch_key_file,
        private_files::{exists, read_secret, write_durably},
    },
    kurrent::{
        keys::fingerprint::fingerprint as fingerprint_of,
        node::Node,
        wire::{
            events::{Proposed, Raw, random},
            trouble::Trouble,
        },
    },
};

const BEGUN: &str = "epoch.begun";
const ENDED: &str = "epoch.ended";

/// That an epoch has begun, or that all before it have ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EpochNotice {
    said: Said,
    has_ended_others: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    epoch: u32,
    /// By which its key is known again.
    fingerprint: String,
}

impl EpochNotice {
    pub(crate) fn of(raw: &Raw) -> Option<Self> {
        let has_ended_others = match raw.tag.as_str() {
            BEGUN => false,
            ENDED => true,
            _ => return None,
        };
        Some(Self { said: serde_json::from_slice(&raw.data).ok()?, has_ended_others })
    }

    /// Does on this node what an epoch that begins or ends asks for; what is missing is said for whoever can mend it.
    pub(crate) fn carry_out(&self, node: &Node) -> Result<(), String> {
        let Said { epoch, fingerprint } = &self.said;
        let (living, current) = node.keys.epochs();
        if self.has_ended_others {
            let oldest = living.first().copied().unwrap_or_default();
            if oldest < *epoch {
                node.keys.end_epochs_before(*epoch).map_err(|error| error.to_string())?;
            }
            node.epochs.send_modify(|(oldest, _)| *oldest = (*oldest).max(*epoch));
        } else {
            if current < *epoch {
                take_key(&node.folder, node.secrets.as_deref(), *epoch)?;
                check_key(&node.folder, *epoch, fingerprint)?;
                node.keys.begin_epoch(*epoch).map_err(|error| error.to_string())?;
            }
            node.epochs.send_modify(|(_, current)| *current = (*current).max(*epoch));
        }
        node.announce.notify_one();
        Ok(())
    }
}

/// Takes the key of an epoch from where the secrets lie, where this node does not have it yet.
pub(crate) fn take_key(folder: &Path, secrets: Option<&Path>, epoch: u32) -> Result<(), String> {
    let file = epoch_key_file(folder, epoch);
    let name = file.file_name().unwrap_or_default();
    if exists(&file).map_err(|error| error.to_string())? {
        return Ok(());
    }
    let found = secrets.map(|secrets| secrets.join(name)).filter(|found| found.is_file());
    let Some(found) = found else {
        return Err(format!(
            "{} is missing: epoch {epoch} has begun on another node; copy its key from there into {}",
            name.display(),
            folder.display()
        ));
    };
    let key = read_secret(&found).map_err(|error| error.to_string())?;
    write_durably(&file, &key[..]).map_err(|error| error.to_string())
}

fn check_key(folder: &Path, epoch: u32, fingerprint: &str) -> Result<(), String> {
    let file = epoch_key_file(folder, epoch);
    let key = read_secret(&file).map_err(|error| error.to_string())?;
    if fingerprint_of(&file, &key) == fingerprint {
        Ok(())
    } else {
        Err(format!(
            "{} is not the key of epoch {epoch} of this log: copy it from another node",
            file.display()
        ))
    }
}

/// The oldest epoch that has not ended, the current one, and by which the keys of all of them are known: those that
/// there were at the beginning, and those that have begun and ended since.
pub(crate) fn read_epochs(first: &[(u32, String)], events: &[Raw]) -> (u32, u32, Vec<(u32, String)>) {
    let (mut known, mut oldest) = (first.to_vec(), first.iter().map(|(epoch, _)| *epoch).min().unwrap_or(1));
    for notice in events.iter().filter_map(EpochNotice::of) {
        if notice.has_ended_others {
            oldest = oldest.max(notice.said.epoch);
        } else {
            known.push((notice.said.epoch, notice.said.fingerprint));
        }
    }
    known.retain(|(epoch, _)| *epoch >= oldest);
    let current = known.iter().map(|(epoch, _)| *epoch).max().unwrap_or(oldest);
    (oldest, current, known)
}

/// The notice that an epoch has begun.
pub(crate) fn begun(epoch: u32, key_file: &Path, key: &[u8; 32]) -> Result<Proposed, Trouble> {
    let said = Said { epoch, fingerprint: fingerprint_of(key_file, key) };
    Proposed::of(random(), BEGUN, &said)
}

/// The notice that all epochs before one have ended.
pub(crate) fn ended(epoch: u32, key_file: &Path, key: &[u8; 32]) -> Result<Proposed, Trouble> {
    let said = Said { epoch, fingerprint: fingerprint_of(key_file, key) };
    Proposed::of(random(), ENDED, &said)
}
