//! The tables of one view, as its fold and its question see them.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    sync::Arc,
};

use domain::{ContactId, Keyring, Personal, Position, Recorded, days::Zone};
use rusqlite::{
    CachedStatement, Connection, OptionalExtension as _, Params, Row, StatementStatus, ToSql,
    types::{ToSqlOutput, Value},
};
use uuid::Uuid;

use crate::kit::{
    deadline::{self, Deadline},
    personal,
    tally::{BadTally, Change, merge, unpack},
};

/// How many changes to tallies wait in memory at most (24 bytes each, 64 MiB).
const CHANGES_KEPT: usize = (64 << 20) / size_of::<Change>();
/// How many numbers of things are kept in memory (about 8 MiB).
const NUMBERS_KEPT: usize = 150_000;

/// One view's tables. Statements are prepared once and kept.
pub struct Tables {
    connection: Connection,
    keyring: Arc<dyn Keyring>,
    numbers: RefCell<HashMap<(&'static str, Uuid), u32>>,
    changes: RefCell<Changes>,
    /// Where the log ended when the file was begun: what was forgotten up to there was never in it.
    begun_at: Position,
    /// Whether anything was emptied that older pages beside the file may still hold.
    emptied: Cell<bool>,
    /// Until when the question that is asked at the moment may be worked on.
    deadline: Option<Deadline>,
    /// How many steps SQLite has taken for it.
    steps: Cell<u64>,
    /// The zone in which days are kept, once it has been read.
    zone: Cell<Option<Zone>>,
}

/// Changes to tallies that are not written yet.
#[derive(Default)]
struct Changes {
    tables: Vec<&'static str>,
    waiting: Vec<Change>,
    /// How many of them belong to batches that stand.
    held: usize,
}

/// A personal value on its way into a column declared personal. Nobody can look at it: no number, key, order
/// or branch of a fold depends on its content.
pub struct Revealed(Option<String>);

impl ToSql for Revealed {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        // What has been erased counts as present, and is empty.
        Ok(ToSqlOutput::Owned(Value::Text(self.0.clone().unwrap_or_default())))
    }
}

impl Tables {
    pub(crate) fn new(connection: Connection, keyring: Arc<dyn Keyring>) -> Self {
        connection.set_prepared_statement_cache_capacity(256);
        Self {
            connection,
            keyring,
            numbers: RefCell::default(),
            changes: RefCell::default(),
            begun_at: Position::START,
            emptied: Cell::new(false),
            deadline: None,
            steps: Cell::new(0),
            zone: Cell::new(None),
        }
    }

    /// The zone in which the organisation keeps its days, as far as it is folded here.
    pub(crate) fn zone(&self) -> rusqlite::Result<Zone> {
        if let Some(zone) = self.zone.get() {
            return Ok(zone);
        }
        let name: Option<String> = self.row("SELECT current FROM zone", [], |row| row.get(0))?;
        let zone = name.and_then(|name| name.parse().ok()).unwrap_or(Zone::UTC);
        self.zone.set(Some(zone));
        Ok(zone)
    }

    /// The zone is read again when it is next asked for: another was chosen, or what was folded last does not stand.
    pub(crate) fn forget_zone(&self) {
        self.zone.set(None);
    }

    /// A file that is begun while the log ends here.
    pub(crate) const fn begun_at(mut self, head: Position) -> Self {
        self.begun_at = head;
        self
    }

    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Asks something that ends, with an error, when the deadline is over. Nothing of the deadline is left for the
    /// next question.
    pub(crate) fn within<T>(
        &mut self,
        deadline: &Deadline,
        ask: impl FnOnce(&Self) -> T,
    ) -> rusqlite::Result<T> {
        deadline.watch(&mut self.connection)?;
        self.deadline = Some(deadline.clone());
        self.steps.set(0);
        let answered = ask(self);
        self.deadline = None;
        deadline::unwatch(&mut self.connection)?;
        Ok(answered)
    }

    /// How many steps SQLite has taken for the question.
    pub(crate) const fn steps(&self) -> u64 {
        self.steps.get()
    }

    /// Runs a statement where there is still time, and counts its steps.
    fn run<T>(
        &self,
        sql: &str,
        run: impl FnOnce(&mut CachedStatement<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        if let Some(deadline) = &self.deadline {
            deadline.check()?;
        }
        let mut statement = self.connection.prepare_cached(sql)?;
        let done = run(&mut statement);
        if self.deadline.is_some() {
            let steps = statement.reset_status(StatementStatus::VmStep).cast_unsigned();
            self.steps.set(self.steps.get() + u64::from(steps));
        }
        done
    }

    /// Runs a statement; how many rows it changed.
    pub fn execute(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        self.run(sql, |statement| statement.execute(params))
    }

    /// The one row that a query finds, or none.
    pub fn row<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        self.run(sql, |statement| statement.query_row(params, read).optional())
    }

    /// All rows that a query finds; give it a limit.
    pub fn rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        self.run(sql, |statement| statement.query_map(params, read)?.collect())
    }

    /// A personal value for a column declared personal.
    pub fn reveal(&self, value: &Personal<String>) -> Revealed {
        Revealed(value.open(&*self.keyring))
    }

    /// Empties the personal text that an event forgets, by a statement that finds it: the text of one message. A
    /// file that was begun after the event never had it. (Of an erased contact the runtime empties everything.)
    pub fn forget(&self, recorded: &Recorded, sql: &str, params: impl Params) -> rusqlite::Result<()> {
        if recorded.position > self.begun_at {
            self.execute(sql, params)?;
            self.emptied.set(true);
        }
        Ok(())
    }

    /// Empties everything personal of a contact whom an event has erased.
    pub(crate) fn forget_contact(&self, at: Position, contact: ContactId) -> rusqlite::Result<()> {
        if at > self.begun_at {
            personal::empty(&self.connection, contact)?;
            self.emptied.set(true);
        }
        Ok(())
    }

    /// Whether anything was emptied since this was last asked.
    pub(crate) fn take_emptied(&self) -> bool {
        self.emptied.take()
    }

    /// The number of a thing, in the order of first appearance, kept in a table
    /// `(number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE)`: dense, so that tallies of them stay small.
    pub fn number(&self, table: &'static str, id: Uuid) -> rusqlite::Result<u32> {
        if let Some(number) = self.numbers.borrow().get(&(table, id)) {
            return Ok(*number);
        }
        let known = self.row(&format!("SELECT number FROM {table} WHERE id = ?1"), [id], |row| row.get(0))?;
        let number = if let Some(number) = known {
            number
        } else {
            self.execute(&format!("INSERT INTO {table} (id) VALUES (?1)"), [id])?;
            u32::try_from(self.connection.last_insert_rowid())
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?
        };
        let mut numbers = self.numbers.borrow_mut();
        if numbers.len() >= NUMBERS_KEPT {
            numbers.clear();
        }
        numbers.insert((table, id), number);
        Ok(number)
    }

    /// Counts a number more (or less) often in one of the tallies of a table
    /// `(key INTEGER PRIMARY KEY, counts BLOB NOT NULL)`. Counts are gathered and written together, so that a
    /// question must wait for the end of the batch to see them.
    pub fn count(&self, table: &'static str, key: i64, number: u32, by: i64) -> rusqlite::Result<()> {
        let mut changes = self.changes.borrow_mut();
        let index = changes.tables.iter().position(|known| *known == table).unwrap_or_else(|| {
            changes.tables.push(table);
            changes.tables.len() - 1
        });
        changes.waiting.push(Change { table: u32::try_from(index).unwrap_or(u32::MAX), key, number, by });
        if changes.waiting.len() < CHANGES_KEPT {
            return Ok(());
        }
        drop(changes);
        self.write_tallies()
    }

    /// Adds what was counted to the tallies.
    pub(crate) fn write_tallies(&self) -> rusqlite::Result<()> {
        let (tables, mut waiting) = {
            let mut changes = self.changes.borrow_mut();
            changes.held = 0;
            (changes.tables.clone(), std::mem::take(&mut changes.waiting))
        };
        waiting.sort_unstable_by_key(Change::place);
        for of_one in waiting.chunk_by(|one, other| (one.table, one.key) == (other.table, other.key)) {
            let key = of_one[0].key;
            let Some(table) = usize::try_from(of_one[0].table).ok().and_then(|index| tables.get(index))
            else {
                continue;
            };
            let sql = format!("SELECT counts FROM {table} WHERE key = ?1");
            let counts =
                self.row(&sql, [key], |row| merge(row.get_ref(0)?.as_blob()?, of_one).map_err(bad))?;
            let counts = counts.map_or_else(|| merge(&[], of_one).map_err(bad), Ok)?;
            if counts.is_empty() {
                self.execute(&format!("DELETE FROM {table} WHERE key = ?1"), [key])?;
            } else {
                let sql = format!("INSERT OR REPLACE INTO {table} (key, counts) VALUES (?1, ?2)");
                self.execute(&sql, rusqlite::params![key, counts])?;
            }
        }
        // The memory is used again by the next batch.
        waiting.clear();
        self.changes.borrow_mut().waiting = waiting;
        Ok(())
    }

    /// Lets what was counted wait for a later batch, where nobody asks before the file is finished.
    pub(crate) fn hold_tallies(&self) {
        let mut changes = self.changes.borrow_mut();
        changes.held = changes.waiting.len();
    }

    /// Forgets what was counted in a batch that is taken back.
    pub(crate) fn forget_tallies(&self) {
        let mut changes = self.changes.borrow_mut();
        let held = changes.held;
        changes.waiting.truncate(held);
        self.numbers.borrow_mut().clear();
    }
}

fn bad(error: BadTally) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error.into())
}

/// Walks through the tally in a column of a row.
pub fn read_tally(row: &Row<'_>, column: usize, each: impl FnMut(u32, u64)) -> rusqlite::Result<()> {
    let bytes = row.get_ref(column)?.as_blob()?;
    unpack(bytes, each).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Blob, error.into())
    })
}
