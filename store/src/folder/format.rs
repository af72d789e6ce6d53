//! What a data folder says of itself, in `format.json`: what sort of folder it is and to which log it belongs.

use std::{io, path::Path};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    folder::{
        names::FORMAT_FILE,
        private_files::{read_if_there, write_durably},
    },
    open_error::OpenError,
};

/// Since format 2 a log has a ledger, and one that has lost it is not opened. Since format 3 a folder may be that of a
/// node, whose log lies in a cluster.
pub(crate) const FORMAT: u32 = 3;
/// The format of folders that hold their log themselves.
pub(crate) const EMBEDDED: u32 = 2;
/// The first format of logs with a ledger.
pub(crate) const WITH_LEDGER: u32 = 2;

#[derive(Debug, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "its number has been called so in every file since the first")]
pub(crate) struct Format {
    pub(crate) format: u32,
    pub(crate) log: Uuid,
    /// What sort of folder it is.
    #[serde(default, skip_serializing_if = "Keeps::is_log")]
    pub(crate) keeps: Keeps,
    /// Whether a node has begun its ledger.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) ledger: bool,
}

/// What a data folder keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Keeps {
    /// The log itself and everything else.
    #[default]
    Log,
    /// What one node keeps of a log in a cluster: views, its ledger, copies of the wrapped keys.
    Node,
}

impl Keeps {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
    fn is_log(&self) -> bool {
        *self == Self::Log
    }
}

impl Format {
    /// The format of a folder that holds its log.
    pub(crate) const fn of_log(format: u32, log: Uuid) -> Self {
        Self { format, log, keeps: Keeps::Log, ledger: false }
    }

    /// Whether the log has a ledger.
    pub(crate) fn has_ledger(&self) -> bool {
        match self.keeps {
            Keeps::Log => self.format >= WITH_LEDGER,
            Keeps::Node => self.ledger,
        }
    }
}

/// Says what a folder is and to which log it belongs; the last thing that is written into a new one.
pub(crate) fn write_format(folder: &Path, format: &Format) -> Result<(), OpenError> {
    let file = folder.join(FORMAT_FILE);
    let text = serde_json::to_vec(format).map_err(io::Error::from);
    write_durably(&file, &text.map_err(OpenError::io(&file))?)
}

/// Whether a folder says that it is that of a node.
pub(crate) fn is_of_node(path: &Path) -> bool {
    let said = read_if_there(&path.join(FORMAT_FILE)).ok().flatten();
    said.and_then(|bytes| check_format(path, &bytes).ok()).is_some_and(|format| format.keeps == Keeps::Node)
}

/// What a folder says of itself, if this program knows such folders.
pub(crate) fn check_format(folder: &Path, bytes: &[u8]) -> Result<Format, OpenError> {
    /// Read first and alone: whatever else a newer format says, its number stands there.
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    let unreadable = |error: serde_json::Error| OpenError::Unreadable {
        file: folder.join(FORMAT_FILE),
        reason: error.to_string(),
    };
    let found = serde_json::from_slice::<Version>(bytes).map_err(unreadable)?.format;
    if found > FORMAT {
        return Err(OpenError::Newer { folder: folder.to_owned(), found, known: FORMAT });
    }
    serde_json::from_slice::<Format>(bytes).map_err(unreadable)
}
