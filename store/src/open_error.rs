//! Why a data folder or the log in it cannot be opened. Each text tells the operator what to do.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a data folder or the log in it cannot be opened; nothing has been changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Only one process may have the folder.
    #[error(
        "the data folder {0} is in use by another process: stop that process, or send commands through it"
    )]
    Locked(PathBuf),
    /// The folder holds something else.
    #[error("{0} is not empty and not a data folder of Rapport: name an empty folder or a new one")]
    Foreign(PathBuf),
    /// The folder was written by a later version.
    #[error(
        "the data folder {folder} has format {found}, and this program knows formats up to {known}: use the newer program that wrote it"
    )]
    Newer {
        /// The folder.
        folder: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that this program knows.
        known: u32,
    },
    /// A small file of the folder says nothing sensible.
    #[error("{file} cannot be understood ({reason}): {way}", way = way_out(file))]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file of the folder is a link.
    #[error(
        "{0} is a link: put what it leads to in its place, so that nobody else can change where it leads"
    )]
    Link(PathBuf),
    /// A file is gone that cannot be made again.
    #[error("{file} is missing and cannot be made again: {way}", file = .0.display(), way = way_out(.0))]
    Missing(PathBuf),
    /// The keys of what was erased could not be destroyed.
    #[error(
        "{path}: the erasures of the log cannot be carried out ({reason}): nothing is served before they are"
    )]
    Keys {
        /// The keys.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// The log is not the one that the folder belongs to.
    #[error("{0} belongs to another data folder: put back the log that belongs here")]
    AnotherLog(PathBuf),
    /// The log ends before what was already read from it.
    #[error(
        "the log ends after {held} events, and {witness} was written when it held {known}: its end has been lost. Put back \
         the log that belongs here, with the -wal that lay beside it, or restore a backup; `rapport restore --what-is-left` \
         goes on without what is lost"
    )]
    Shorter {
        /// What knows better.
        witness: PathBuf,
        /// How many events it knows of.
        known: u64,
        /// How many there are.
        held: u64,
    },
    /// The cluster that holds the log cannot be used.
    #[error("the log on {cluster} cannot be used: {reason}")]
    Cluster {
        /// Which cluster, without what is secret in its address.
        cluster: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The folder is that of another sort of log.
    #[error("{folder} {reason}")]
    AnotherSort {
        /// The folder.
        folder: PathBuf,
        /// What it is, and what to do.
        reason: &'static str,
    },
    /// The operating system refused.
    #[error("{path}: {source}")]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The database refused.
    #[error("{path}: {source}")]
    Database {
        /// Which file.
        path: PathBuf,
        /// What it said.
        source: rusqlite::Error,
    },
}

/// What to do where a file is lost: nothing can be done without the log itself.
fn way_out(lost: &Path) -> &'static str {
    if lost.ends_with("log.sqlite") {
        "restore the data folder from a backup"
    } else {
        "put it back, or restore the data folder from a backup; where no backup has it, `rapport restore --what-is-left` goes on \
         without it"
    }
}

impl OpenError {
    /// Whether a database is damaged, or no database at all.
    pub fn is_damaged(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        let Self::Database { source, .. } = self else { return false };
        matches!(source.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
    }

    /// Whether something is gone, or is not what it was: what nothing but a backup can put right, or an operator who goes on
    /// with what is left.
    pub fn is_loss(&self) -> bool {
        matches!(self, Self::Missing(_) | Self::Unreadable { .. } | Self::Shorter { .. }) || self.is_damaged()
    }

    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn database(path: impl Into<PathBuf>) -> impl FnOnce(rusqlite::Error) -> Self {
        let path = path.into();
        move |source| Self::Database { path, source }
    }
}
