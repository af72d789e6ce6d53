//! A secret drawn where several nodes look for it.

use std::{fs, io, path::Path};

use uuid::Uuid;

use crate::{
    folder::private_files::{exists, write_durably},
    open_error::OpenError,
};

/// Draws a secret where there is none, also where several processes do so at the same time: the first one's counts.
pub(crate) fn draw_once(file: &Path) -> Result<(), OpenError> {
    if exists(file)? {
        return Ok(());
    }
    let own = file.with_added_extension(format!("{}", Uuid::from_u128(rand::random())));
    write_durably(&own, &rand::random::<[u8; 32]>())?;
    let placed = fs::hard_link(&own, file);
    fs::remove_file(&own).map_err(OpenError::io(&own))?;
    match placed {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(OpenError::io(file)(error)),
        _ => Ok(()),
    }
}
