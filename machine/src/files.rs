//! Files that are there whole or not at all, whatever crashes, and that only their owner may read. Whatever writes a
//! file of the product in one piece writes it here, so that no secret stands open for want of an option.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, lchown},
    path::Path,
};

use atomic_write_file::{AtomicWriteFile, unix::OpenOptionsExt as _};

/// A file that is put in the place of another, or where there is none, once it is committed; readable by its owner
/// only, whatever the rights of the one before. Errors are those of the file system.
pub fn begin(path: &Path) -> io::Result<AtomicWriteFile> {
    AtomicWriteFile::options().mode(0o600).preserve_mode(false).preserve_owner(false).open(path)
}

/// Writes a whole file; one that is there already is replaced. Errors are those of the file system, and leave what was
/// there before.
pub fn write(path: &Path, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    let mut begun = begin(path)?;
    begun.write_all(bytes.as_ref())?;
    begun.commit()
}

/// Gives everything in a folder to the owner of the folder, where the system administrator works in somebody else's: what is
/// left there as the administrator's could not be read by whoever serves. Does nothing for anybody else, who could not.
/// Errors are those of the file system.
pub fn give_to_owner(folder: &Path) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let owner = fs::symlink_metadata(folder)?;
    give(folder, (owner.uid(), owner.gid()))
}

fn give(folder: &Path, (owner, group): (u32, u32)) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, found) = (entry.path(), entry.metadata()?);
        if (found.uid(), found.gid()) != (owner, group) {
            lchown(&path, Some(owner), Some(group))?;
        }
        if found.is_dir() {
            give(&path, (owner, group))?;
        }
    }
    Ok(())
}

/// Whether so many bytes can be written in a folder and reach the disk; they are gone again afterwards. Errors are those of
/// the file system, a full disk among them.
pub fn has_room(folder: &Path, bytes: usize) -> io::Result<()> {
    let mut file = tempfile::tempfile_in(folder)?;
    file.write_all(&vec![0; bytes])?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn whatever_a_crash_has_left_beside_it_a_file_can_be_read_by_its_owner_only() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("some.secret");
        let left = ["some.secret", "some.secret.unfinished", ".some.secret.a1B2c3"];
        for name in left {
            fs::write(place.path().join(name), "left").unwrap();
            fs::set_permissions(place.path().join(name), fs::Permissions::from_mode(0o644)).unwrap();
        }
        write(&file, b"secret").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"secret");
        for found in fs::read_dir(place.path()).unwrap() {
            let found = found.unwrap().path();
            let is_open_to_others = fs::metadata(&found).unwrap().permissions().mode() & 0o077 != 0;
            assert!(!is_open_to_others || fs::read(&found).unwrap() == b"left", "{}", found.display());
        }
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), left.len(), "nothing else is left");
    }

    #[test]
    fn what_the_administrator_leaves_in_somebody_elses_folder_is_given_to_them() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("views")).unwrap();
        fs::write(place.path().join("views/giving"), "").unwrap();
        let theirs = fs::metadata(place.path()).unwrap().uid();
        give_to_owner(place.path()).unwrap();
        // Only the administrator may give a folder away.
        if theirs == 0 && lchown(place.path(), Some(65_534), Some(65_534)).is_ok() {
            give_to_owner(place.path()).unwrap();
            assert_eq!(fs::metadata(place.path().join("views/giving")).unwrap().uid(), 65_534);
        }
    }

    #[test]
    fn what_is_not_committed_changes_nothing() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("tokens.json");
        write(&file, "before").unwrap();
        let mut begun = begin(&file).unwrap();
        begun.write_all(b"half").unwrap();
        drop(begun);
        assert_eq!(fs::read(&file).unwrap(), b"before");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "nothing else is left");
    }
}
