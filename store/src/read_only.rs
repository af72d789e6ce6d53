//! A database of SQLite that is only read, whoever else has it open, and also where nothing can be written beside it.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::{open_error::OpenError, sqlite::keep_plans};

/// A database that is only read.
pub(crate) struct ReadOnly {
    pub(crate) connection: Connection,
    /// Where it could not be read in its place: the folder of a copy, which goes with this.
    _copy: Option<tempfile::TempDir>,
}

impl ReadOnly {
    /// Opens a file for reading.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        match connect(path) {
            Ok(connection) => Ok(Self { connection, _copy: None }),
            Err(error) if cannot_be_written_beside(&error) => Self::open_copy(path),
            Err(error) => Err(OpenError::database(path)(error)),
        }
    }

    /// On a medium that cannot be written a file cannot be read together with what was written to it last, beside it: a copy
    /// of both can.
    fn open_copy(path: &Path) -> Result<Self, OpenError> {
        let place = tempfile::tempdir().map_err(OpenError::io(std::env::temp_dir()))?;
        for suffix in ["", "-wal"] {
            let mut from = path.as_os_str().to_owned();
            from.push(suffix);
            if Path::new(&from).is_file() {
                std::fs::copy(&from, place.path().join(format!("copy{suffix}")))
                    .map_err(OpenError::io(path))?;
            }
        }
        let connection = connect(&place.path().join("copy")).map_err(OpenError::database(path))?;
        Ok(Self { connection, _copy: Some(place) })
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "mmap_size", 1_i64 << 33)?;
    keep_plans(&connection)?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

/// Whether reading failed because something beside the file would have to be written.
fn cannot_be_written_beside(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
}
