//! Small files that are there whole or not at all, whatever crashes, and that only their owner may read.

use std::{
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use atomic_write_file::{AtomicWriteFile, unix::OpenOptionsExt as _};

/// Writes a file durably; one that is there already is replaced.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file =
        AtomicWriteFile::options().mode(0o600).preserve_mode(false).preserve_owner(false).open(path)?;
    file.write_all(bytes)?;
    file.commit()
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt as _,
    };

    use super::*;

    #[test]
    fn what_a_crash_has_left_does_not_open_a_file_to_others() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("tokens.json");
        for name in ["tokens.json", "tokens.json.unfinished"] {
            fs::write(place.path().join(name), "left").unwrap();
            fs::set_permissions(place.path().join(name), Permissions::from_mode(0o644)).unwrap();
        }
        write(&file, b"secret").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"secret");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
