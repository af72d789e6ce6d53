//! One SQLite file of one view: its tables, and how far the log has been folded into them, saved in the same
//! transaction, so that every event counts exactly once whatever crashes.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use domain::{BadEvent, ContactId, EventId, Forgotten, Keyring, Kind, Position, Recorded, days::Zone};
use rusqlite::{Connection, OpenFlags, params};
use uuid::Uuid;

use crate::kit::{
    ApplyError, Tables, own,
    personal::{self, is_personal},
    view::AnyView,
    zone,
};

#[cfg(test)]
mod tests;

/// Beside the view's own tables: one row that says what has been folded.
const PROGRESS: &str = "
    CREATE TABLE rapport_progress (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        log BLOB NOT NULL,
        tables TEXT NOT NULL,
        position INTEGER NOT NULL,
        last_event BLOB,
        last_event_position INTEGER,
        complete INTEGER NOT NULL
    )";

/// Why a view stands still that panicked.
const PANICKED: &str = "folding it has panicked: please report it";
/// How many events without interest are passed over before that is saved.
const UNSAVED: u64 = 10_000;

/// How long a connection waits for another one.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long emptying the write-ahead log waits for readers before it lets the folding go on.
const CHECKPOINT_BUSY_TIMEOUT: Duration = Duration::from_millis(50);

/// The name of the table that holds the progress.
pub(crate) const PROGRESS_TABLE: &str = "rapport_progress";

/// Why a view's file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// SQLite refused.
    #[error("the file of the view cannot be used: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The log ends before what was folded from it.
    #[error(
        "the log ends after {held} events, and the view {view} was folded when it held {known}: its end has been lost. Put \
         back the log that belongs here, with the -wal that lay beside it, or restore a backup; `rapport restore \
         --what-is-left` goes on without what is lost"
    )]
    Shorter {
        /// The view.
        view: &'static str,
        /// Up to where it was folded.
        known: Position,
        /// Where the log ends.
        held: Position,
    },
    /// The file system refused.
    #[error("the file of the view cannot be used: {0}")]
    Io(#[from] io::Error),
}

impl FileError {
    /// Whether the file is damaged, or no database at all.
    pub fn is_damaged(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        let Self::Sqlite(error) = self else { return false };
        matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
    }
}

/// How far a file has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) log: Uuid,
    pub(crate) tables: String,
    pub(crate) position: Position,
    pub(crate) last_event: Option<(Position, EventId)>,
    pub(crate) complete: bool,
}

/// What a batch came to.
#[derive(Debug)]
pub(crate) enum Applied {
    /// All of it.
    Through(Position),
    /// Up to an event that cannot be folded.
    StoppedAt(Position, String),
}

/// Why a page was not folded.
enum Unfolded {
    /// One of its events cannot be, now or ever.
    Bad(usize, String),
    /// The disk is full or the file cannot be used at the moment; the events are good.
    File(rusqlite::Error),
}

impl Unfolded {
    fn by(index: usize, error: ApplyError) -> Self {
        use rusqlite::ErrorCode::{
            CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory, ReadOnly, SystemIoFailure,
        };
        match error {
            ApplyError::Tables(error)
                if error.sqlite_error_code().is_some_and(|code| {
                    [
                        CannotOpen,
                        DatabaseBusy,
                        DatabaseLocked,
                        DiskFull,
                        OutOfMemory,
                        ReadOnly,
                        SystemIoFailure,
                    ]
                    .contains(&code)
                }) =>
            {
                Self::File(error)
            }
            error => Self::Bad(index, error.to_string()),
        }
    }
}

/// What a new file begins from.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Origin {
    /// Whose events.
    pub(crate) log: Uuid,
    /// Where the log ends before anything is read.
    pub(crate) head: Position,
    /// The zone that holds for facts from before any was chosen.
    pub(crate) beginning: Zone,
}

/// An open file of a view.
pub(crate) struct ViewFile {
    pub(crate) path: PathBuf,
    pub(crate) tables: Tables,
    pub(crate) progress: Progress,
    saved: Position,
    view: Arc<AnyView>,
    /// Whether the write-ahead log may still hold what the file has forgotten.
    emptying: bool,
}

impl ViewFile {
    /// A new file without indexes and without a journal, to be loaded and then finished. What is half built
    /// when the machine stops is deleted and begun again.
    pub(crate) fn create(
        path: &Path,
        view: &Arc<AnyView>,
        keyring: Arc<dyn Keyring>,
        Origin { log, head, beginning }: Origin,
    ) -> Result<Self, FileError> {
        remove(path)?;
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let connection = Connection::open(path)?;
        connection.execute_batch(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY;
             PRAGMA cache_size = -65536; PRAGMA secure_delete = ON;",
        )?;
        let progress = Progress {
            log,
            tables: view.schema(),
            position: Position::START,
            last_event: None,
            complete: false,
        };
        view.create_tables(&connection)?;
        connection.execute_batch(PROGRESS)?;
        connection.execute(
            "INSERT INTO rapport_progress VALUES (1, ?1, ?2, 0, NULL, NULL, 0)",
            params![log.as_bytes(), progress.tables],
        )?;
        let tables = Tables::new(connection, keyring).begun_at(head);
        zone::begin(&tables, beginning)?;
        let (path, saved, view) = (path.to_owned(), Position::START, Arc::clone(view));
        Ok(Self { path, tables, progress, saved, view, emptying: false })
    }

    /// Builds the indexes, makes the file durable and fit for readers beside the writer.
    pub(crate) fn finish(&mut self) -> Result<(), FileError> {
        let connection = self.tables.connection();
        // Each tally alone would be a transaction of its own, with its locks and its write.
        connection.execute_batch("BEGIN")?;
        self.tables.write_tallies()?;
        connection.execute_batch("COMMIT")?;
        connection.execute_batch(self.view.indexes)?;
        connection.execute("UPDATE rapport_progress SET complete = 1", [])?;
        self.progress.complete = true;
        make_live(connection)?;
        OpenOptions::new().read(true).open(&self.path)?.sync_all()?;
        Ok(())
    }

    /// Opens a finished file to fold on.
    pub(crate) fn open(
        path: &Path,
        view: &Arc<AnyView>,
        keyring: Arc<dyn Keyring>,
    ) -> Result<Self, FileError> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        make_live(&connection)?;
        let progress = read_progress(&connection)?;
        let tables = Tables::new(connection, keyring);
        let (path, saved, view) = (path.to_owned(), progress.position, Arc::clone(view));
        // The process may have ended before what was forgotten had left the write-ahead log.
        Ok(Self { path, tables, progress, saved, view, emptying: true })
    }

    /// Opens a file to ask only.
    pub(crate) fn open_to_ask(path: &Path, keyring: Arc<dyn Keyring>) -> Result<Tables, FileError> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        connection.execute_batch("PRAGMA query_only = ON; PRAGMA mmap_size = 1073741824;")?;
        Ok(Tables::new(connection, keyring))
    }

    /// Folds a page of the log in one transaction, leaving out what had not happened by `as_of`.
    pub(crate) fn apply(
        &mut self,
        events: &[Result<Recorded, BadEvent>],
        through: Position,
        as_of: Option<DateTime<Utc>>,
    ) -> Result<Applied, FileError> {
        let fresh = events.partition_point(|event| position(event) <= self.progress.position);
        let events = &events[fresh..];
        if !events.iter().any(|event| self.wanted(event)) {
            return self.pass_over(through).map(|()| Applied::Through(self.progress.position));
        }
        match self.try_apply(events, through, as_of)? {
            None => Ok(Applied::Through(self.progress.position)),
            Some((index, reason)) => {
                let bad = position(&events[index]);
                // A file that is being built has no journal to go back by; whoever builds it gives it up.
                if !self.progress.complete {
                    return Ok(Applied::StoppedAt(bad, reason));
                }
                // The events before the bad one are good; they are folded again without it.
                self.try_apply(&events[..index], Position(bad.0 - 1), as_of)?;
                Ok(Applied::StoppedAt(bad, reason))
            }
        }
    }

    fn try_apply(
        &mut self,
        events: &[Result<Recorded, BadEvent>],
        through: Position,
        as_of: Option<DateTime<Utc>>,
    ) -> Result<Option<(usize, String)>, FileError> {
        if through <= self.progress.position {
            return Ok(None);
        }
        let connection = self.tables.connection();
        connection.execute_batch("BEGIN")?;
        let mut progress = self.progress.clone();
        let result = match self.fold(events, as_of) {
            Ok(last_event) => {
                progress.last_event = last_event.or(progress.last_event);
                progress.position = through;
                self.write_tallies()
                    .and_then(|()| save_progress(&self.tables, &progress))
                    .and_then(|()| connection.execute_batch("COMMIT"))
                    .map(|()| None)
            }
            Err(Unfolded::Bad(index, reason)) => Ok(Some((index, reason))),
            Err(Unfolded::File(error)) => Err(error),
        };
        if let Ok(None) = result {
            self.saved = progress.position;
            self.progress = progress;
            self.emptying |= self.tables.take_emptied();
            return Ok(None);
        }
        // After some failures SQLite has gone back by itself.
        self.go_back()?;
        Ok(result?)
    }

    /// Nobody asks a file that is not finished, so that its tallies are written now and then only.
    fn write_tallies(&self) -> rusqlite::Result<()> {
        if self.progress.complete {
            return self.tables.write_tallies();
        }
        self.tables.hold_tallies();
        Ok(())
    }

    /// Folds events; where one cannot be folded, which and why.
    fn fold(
        &self,
        events: &[Result<Recorded, BadEvent>],
        as_of: Option<DateTime<Utc>>,
    ) -> Result<Option<(Position, EventId)>, Unfolded> {
        let mut last = None;
        for (index, event) in events.iter().enumerate() {
            match event {
                Ok(recorded) if self.view.read.contains(recorded.stream.kind) => {
                    if as_of.is_none_or(|as_of| recorded.effective_at <= as_of) {
                        let folded = panic::catch_unwind(AssertUnwindSafe(|| self.fold_one(recorded)));
                        let folded = folded.map_err(|_| Unfolded::Bad(index, PANICKED.to_owned()))?;
                        folded.map_err(|error| Unfolded::by(index, error))?;
                    }
                    // Whoever is erased is erased from the past as well.
                    if let Some(Forgotten::Contact(contact)) = self.forgets(recorded) {
                        self.tables
                            .forget_contact(recorded.position, contact)
                            .map_err(|error| Unfolded::by(index, error.into()))?;
                    }
                    last = Some((recorded.position, recorded.id));
                }
                Ok(_) => {}
                Err(bad) if self.wants(bad) => return Err(Unfolded::Bad(index, bad.to_string())),
                Err(_) => {}
            }
        }
        Ok(last)
    }

    /// Hands an event to the runtime and to the view, to each what it wants.
    fn fold_one(&self, recorded: &Recorded) -> Result<(), ApplyError> {
        if own::wants(recorded) {
            own::apply(&self.tables, recorded)?;
        }
        if self.view.wanted.contains(recorded.stream.kind) {
            (self.view.apply)(&self.tables, recorded)?;
        }
        Ok(())
    }

    /// What an event destroys, where the file may hold any of it.
    pub(crate) fn forgets(&self, recorded: &Recorded) -> Option<Forgotten> {
        recorded.forgets().filter(|_| is_personal(self.view.tables))
    }

    /// Empties everything personal of a contact in a view that stands still before an earlier event.
    pub(crate) fn forget_while_stopped(&mut self, contact: ContactId) -> Result<(), FileError> {
        let connection = self.tables.connection();
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let emptied = personal::empty(connection, contact);
        connection.execute_batch(if emptied.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        self.emptying = true;
        Ok(emptied?)
    }

    /// Goes back to what was saved last, whatever was under way.
    pub(crate) fn go_back(&self) -> Result<(), FileError> {
        self.tables.forget_tallies();
        self.tables.forget_zone();
        let connection = self.tables.connection();
        if !connection.is_autocommit() {
            connection.execute_batch("ROLLBACK")?;
        }
        Ok(())
    }

    /// Whether the write-ahead log may still hold what the file has forgotten.
    pub(crate) const fn is_emptying(&self) -> bool {
        self.emptying
    }

    /// Takes what was forgotten out of the write-ahead log as well, as soon as no reader needs it any more;
    /// whether that is done. Otherwise it is to be tried again in a moment.
    pub(crate) fn empty_write_ahead_log(&mut self) -> Result<bool, FileError> {
        let connection = self.tables.connection();
        connection.busy_timeout(CHECKPOINT_BUSY_TIMEOUT)?;
        let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        connection.busy_timeout(BUSY_TIMEOUT)?;
        self.emptying = busy? != 0;
        Ok(!self.emptying)
    }

    /// Nothing to fold: how far the file has come is saved only now and then.
    fn pass_over(&mut self, through: Position) -> Result<(), FileError> {
        self.progress.position = self.progress.position.max(through);
        if self.progress.position.0 - self.saved.0 > UNSAVED {
            self.save()?;
        }
        Ok(())
    }

    /// Saves how far the file has come.
    pub(crate) fn save(&mut self) -> Result<(), FileError> {
        if self.saved < self.progress.position {
            save_progress(&self.tables, &self.progress)?;
            self.saved = self.progress.position;
        }
        Ok(())
    }

    /// What the file is folded with.
    pub(crate) const fn view(&self) -> &Arc<AnyView> {
        &self.view
    }

    /// Whether the file was folded from this log with these very tables.
    pub(crate) fn is_of(&self, log: Uuid) -> bool {
        self.progress.complete && self.progress.log == log && self.progress.tables == self.view.schema()
    }

    /// The zone that holds in it for facts from before any was chosen.
    pub(crate) fn beginning(&self) -> rusqlite::Result<Option<Zone>> {
        zone::beginning(&self.tables)
    }

    fn wanted(&self, event: &Result<Recorded, BadEvent>) -> bool {
        match event {
            Ok(recorded) => {
                self.view.wanted.contains(recorded.stream.kind)
                    || own::wants(recorded)
                    || self.forgets(recorded).is_some()
            }
            Err(bad) => self.wants(bad),
        }
    }

    fn wants(&self, bad: &BadEvent) -> bool {
        let kind = bad.stream.split('-').next().and_then(|word| word.parse::<Kind>().ok());
        kind.is_some_and(|kind| self.view.wanted.contains(kind)) || own::wants_tag(&bad.tag)
    }
}

fn position(event: &Result<Recorded, BadEvent>) -> Position {
    match event {
        Ok(recorded) => recorded.position,
        Err(bad) => bad.position,
    }
}

fn make_live(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON;
         PRAGMA wal_autocheckpoint = 2000; PRAGMA journal_size_limit = 8388608; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;",
    )
}

fn save_progress(tables: &Tables, progress: &Progress) -> rusqlite::Result<()> {
    let last = progress.last_event;
    tables.execute(
        "UPDATE rapport_progress SET position = ?1, last_event = ?2, last_event_position = ?3",
        params![progress.position.0, last.map(|(_, id)| id.0), last.map(|(position, _)| position.0)],
    )?;
    Ok(())
}

/// How far a file has come, as its readers see it.
pub(crate) fn read_progress(connection: &Connection) -> rusqlite::Result<Progress> {
    let sql = "SELECT log, tables, position, last_event, last_event_position, complete FROM rapport_progress";
    connection.prepare_cached(sql)?.query_row([], |row| {
        let (event, position): (Option<Uuid>, Option<u64>) = (row.get(3)?, row.get(4)?);
        Ok(Progress {
            log: row.get(0)?,
            tables: row.get(1)?,
            position: Position(row.get(2)?),
            last_event: position.zip(event).map(|(position, event)| (Position(position), EventId(event))),
            complete: row.get(5)?,
        })
    })
}

/// Removes a view's file and what SQLite keeps beside it.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(&name) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Makes a file readable for its owner only.
pub(crate) fn restrict(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}
