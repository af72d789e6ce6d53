//! A folder that is about to become that of a node, or is one.

use std::{
    fs::{DirBuilder, File},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use crate::{
    folder::{
        data_folder::{DataFolder, lock, refuse_foreign},
        format::{FORMAT, Format, Keeps, check_format, write_format},
        names::FORMAT_FILE,
        private_files::{exists, read_if_there, write_durably},
    },
    open_error::OpenError,
};

/// A folder that is about to become that of a node, or is one.
pub(crate) struct Joining {
    path: PathBuf,
    lock: File,
    format: Option<Format>,
}

impl Joining {
    /// Takes hold of a folder: of a node, empty, or new.
    pub(crate) fn begin(path: &Path) -> Result<Self, OpenError> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(OpenError::io(path))?;
        refuse_foreign(path)?;
        let lock = lock(path)?;
        let format =
            read_if_there(&path.join(FORMAT_FILE))?.map(|bytes| check_format(path, &bytes)).transpose()?;
        if format.as_ref().is_some_and(|format| format.keeps == Keeps::Log) {
            let reason = "holds a log itself: `rapport copy` moves it into a cluster, and each node has another folder";
            return Err(OpenError::AnotherSort { folder: path.to_owned(), reason });
        }
        Ok(Self { path: path.to_owned(), lock, format })
    }

    /// Takes hold of a folder into which a log is copied: empty, new, or one in which a file says that it is being
    /// copied already.
    pub(crate) fn begin_copy(path: &Path, mark: &str, log: Uuid) -> Result<Self, OpenError> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(OpenError::io(path))?;
        let (file, said) = (path.join(mark), log.to_string());
        let format = path.join(FORMAT_FILE);
        let begun = read_if_there(&file)?;
        match begun {
            Some(begun) if begun == said.as_bytes() => {}
            None if !exists(&format)? => refuse_foreign(path)?,
            Some(_) | None => return Err(OpenError::Foreign(path.to_owned())),
        }
        let lock = lock(path)?;
        write_durably(&file, said.as_bytes())?;
        Ok(Self { path: path.to_owned(), lock, format: None })
    }

    /// Where the folder is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The log that the folder belongs to, where it is not a new one.
    pub(crate) fn log_id(&self) -> Option<Uuid> {
        self.format.as_ref().map(|format| format.log)
    }

    /// Notes to which log it belongs; what all nodes share lies in it already.
    pub(crate) fn finish(self, log: Uuid) -> Result<DataFolder, OpenError> {
        let format = match self.format {
            Some(format) => format,
            None => Format { format: FORMAT, log, keeps: Keeps::Node, ledger: false },
        };
        write_format(&self.path, &format)?;
        DataFolder::held(&self.path, self.lock, &format, false)
    }
}
