//! What lies where in a data folder: the names of its files.

use std::path::{Path, PathBuf};

/// Held by the process that has the folder to itself.
pub(crate) const LOCK_FILE: &str = "rapport.lock";
/// Says what the folder is and to which log it belongs; written last.
pub(crate) const FORMAT_FILE: &str = "format.json";
/// From which the ids of imported things are derived.
pub(crate) const SECRET_FILE: &str = "installation.secret";
/// What the checkpoints of the ledger are signed with.
pub(crate) const LEDGER_KEY_FILE: &str = "ledger-signing.key";
/// The wrapped keys of personal values.
pub(crate) const KEYS_FILE: &str = "keys.sqlite";
/// Where which event lies.
pub(crate) const INDEX_FILE: &str = "log-index.sqlite";
/// The events.
pub(crate) const LOG_FILE: &str = "log.sqlite";

/// The file of an epoch key.
pub(crate) fn epoch_key_file(folder: &Path, epoch: u32) -> PathBuf {
    folder.join(format!("epoch-{epoch}.key"))
}

/// The epoch whose key a file of this name holds.
pub(crate) fn epoch_of_key_file(name: &str) -> Option<u32> {
    name.strip_prefix("epoch-")?.strip_suffix(".key")?.parse().ok()
}
