//! Small files that only their owner can read: secrets, and what a folder says of itself.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use zeroize::Zeroizing;

use crate::open_error::OpenError;

/// Writes a small file so that after a crash it is there whole or not at all, readable by its owner only.
pub(crate) fn write_durably(file: &Path, bytes: &[u8]) -> Result<(), OpenError> {
    machine::files::write(file, bytes).map_err(OpenError::io(file))
}

/// Makes an empty file that only its owner can read, where there is none: a database that is opened afterwards
/// keeps these rights and gives them to the files beside it.
pub(crate) fn make_private(file: &Path) -> Result<(), OpenError> {
    match OpenOptions::new().create_new(true).write(true).mode(0o600).open(file) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(OpenError::io(file)(error)),
    }
}

/// Draws a secret where there is none.
pub(crate) fn draw_if_missing(file: &Path) -> Result<(), OpenError> {
    if exists(file)? { Ok(()) } else { write_durably(file, &rand::random::<[u8; 32]>()) }
}

/// The 32 bytes of a file.
pub(crate) fn read_secret(file: &Path) -> Result<Zeroizing<[u8; 32]>, OpenError> {
    let bytes = Zeroizing::new(read_if_there(file)?.ok_or_else(|| OpenError::Missing(file.to_owned()))?);
    let secret = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| OpenError::Unreadable {
        file: file.to_owned(),
        reason: format!("32 bytes expected, {} found", bytes.len()),
    })?;
    Ok(Zeroizing::new(secret))
}

/// The bytes of a file; nothing where there is none.
pub(crate) fn read_if_there(file: &Path) -> Result<Option<Vec<u8>>, OpenError> {
    match fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(OpenError::io(file)(error)),
    }
}

/// Whether there is such a file.
pub(crate) fn exists(file: &Path) -> Result<bool, OpenError> {
    file.try_exists().map_err(OpenError::io(file))
}
