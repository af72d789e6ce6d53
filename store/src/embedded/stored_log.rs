//! Reading a whole log as it is stored, without holding its folder: for whoever verifies it, also while it is in
//! use, and also where the program that uses it refuses to.

use std::path::Path;

use async_trait::async_trait;
use domain::{BadEvent, Position, Stored};
use uuid::Uuid;

use crate::{
    embedded::{
        log_file::{COLUMNS, LogFile},
        rows,
    },
    folder::format::is_of_node,
    open_error::OpenError,
    read_only::ReadOnly,
    sqlite::to_stored,
    whole_log::{Each, WholeLog},
};

/// How many rows are read in one transaction, so that the log's writer can empty its write-ahead log meanwhile.
const ROWS_PER_READ: i64 = 50_000;

/// A log that is only read.
pub struct StoredLog {
    file: ReadOnly,
}

impl StoredLog {
    /// Opens the log in a data folder for reading.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join("log.sqlite");
        if !path.is_file() {
            if is_of_node(folder) {
                let reason = "is that of a node, whose log lies in a cluster: name that one, with --store, or with --from \
                              where it is copied";
                return Err(OpenError::AnotherSort { folder: folder.to_owned(), reason });
            }
            return Err(OpenError::Missing(path));
        }
        let file = ReadOnly::open(&path)?;
        if !LogFile::has_its_own_tables(&file.connection).map_err(OpenError::database(&path))? {
            let reason = "its tables are not those of a log, so nothing in it is proven".to_owned();
            return Err(OpenError::Unreadable { file: path, reason });
        }
        Ok(Self { file })
    }

    /// The id that the log was given when it was made; none where there is not exactly one.
    pub fn log_id(&self) -> Option<Uuid> {
        let sql = "SELECT min(id), count(*) FROM log";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, i64>(1)?));
        let found = self.file.connection.query_row(sql, [], read).ok();
        found.filter(|(_, count)| *count == 1).map(|(id, _)| Uuid::from_bytes(id))
    }

    /// About how many events there are.
    pub fn length(&self) -> u64 {
        let last = self.file.connection.query_row("SELECT max(position) FROM events", [], |row| row.get(0));
        last.unwrap_or_default()
    }

    /// Hands out every row in the order of positions until told to stop. A row that cannot be read ends it.
    pub fn each(&self, each: impl FnMut(&Result<Stored<'_>, BadEvent>) -> bool) {
        self.each_from(i64::MIN, each);
    }

    /// The same, after a position.
    pub(crate) fn each_after(&self, position: u64, each: impl FnMut(&Result<Stored<'_>, BadEvent>) -> bool) {
        self.each_from(to_stored(position), each);
    }

    fn each_from(&self, mut after: i64, mut each: impl FnMut(&Result<Stored<'_>, BadEvent>) -> bool) {
        loop {
            let mut count = 0;
            let read = self.page(after, |position, event| {
                (after, count) = (position, count + 1);
                each(event)
            });
            match read {
                Ok(true) if count == ROWS_PER_READ => {}
                Ok(_) => return,
                Err(error) => {
                    let position = Position(u64::try_from(after).map_or(0, |after| after + 1));
                    let (stream, tag) = (String::new(), String::new());
                    each(&Err(BadEvent { position, stream, tag, reason: error.to_string() }));
                    return;
                }
            }
        }
    }

    /// One page; whether to go on.
    fn page(
        &self,
        after: i64,
        mut each: impl FnMut(i64, &Result<Stored<'_>, BadEvent>) -> bool,
    ) -> rusqlite::Result<bool> {
        // From the least number there is: what somebody puts before the first event is seen as well.
        let comparison = if after == i64::MIN { ">=" } else { ">" };
        let sql =
            format!("SELECT {COLUMNS} FROM events WHERE position {comparison} ?1 ORDER BY position LIMIT ?2");
        let mut statement = self.file.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([after, ROWS_PER_READ])?;
        while let Some(row) = rows.next()? {
            let position = row.get(0)?;
            if !each(position, &rows::as_it_stands(row)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[async_trait]
impl WholeLog for StoredLog {
    fn log_id(&self) -> Option<Uuid> {
        Self::log_id(self)
    }

    fn length(&self) -> Option<u64> {
        Some(Self::length(self))
    }

    fn numbers_its_positions(&self) -> bool {
        true
    }

    async fn each(&mut self, each: Each<'_>) -> Result<(), OpenError> {
        Self::each(self, each);
        Ok(())
    }
}
