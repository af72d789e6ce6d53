//! The tables of one view, as its fold and its question see them.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use domain::{Keyring, Personal};
use roaring::RoaringBitmap;
use rusqlite::{
    Connection, OptionalExtension as _, Params, Row, ToSql,
    types::{ToSqlOutput, Value},
};

/// One view's tables. Statements are prepared once and kept.
pub struct Tables {
    connection: Connection,
    keyring: Arc<dyn Keyring>,
    sets: RefCell<HashMap<(&'static str, String), RoaringBitmap>>,
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
        Self { connection, keyring, sets: RefCell::default() }
    }

    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Runs a statement; how many rows it changed.
    pub fn execute(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        self.connection.prepare_cached(sql)?.execute(params)
    }

    /// The one row that a query finds, or none.
    pub fn row<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        self.connection.prepare_cached(sql)?.query_row(params, read).optional()
    }

    /// All rows that a query finds; give it a limit.
    pub fn rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        self.connection.prepare_cached(sql)?.query_map(params, read)?.collect()
    }

    /// A personal value for a column declared personal.
    pub fn reveal(&self, value: &Personal<String>) -> Revealed {
        Revealed(value.open(&*self.keyring))
    }

    /// Changes one set of numbers, kept as a bitmap in a table `(name TEXT PRIMARY KEY, members BLOB)`. Sets
    /// changed within a batch are written once, at its end.
    pub fn change_set(
        &self,
        table: &'static str,
        name: String,
        change: impl FnOnce(&mut RoaringBitmap),
    ) -> rusqlite::Result<()> {
        let mut sets = self.sets.borrow_mut();
        match sets.entry((table, name)) {
            std::collections::hash_map::Entry::Occupied(mut entry) => change(entry.get_mut()),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let mut set = self.stored_set(table, &entry.key().1)?;
                change(&mut set);
                entry.insert(set);
            }
        }
        Ok(())
    }

    /// One set of numbers; empty where there is none.
    pub fn set(&self, table: &'static str, name: &str) -> rusqlite::Result<RoaringBitmap> {
        if let Some(set) = self.sets.borrow().get(&(table, name.to_owned())) {
            return Ok(set.clone());
        }
        self.stored_set(table, name)
    }

    fn stored_set(&self, table: &str, name: &str) -> rusqlite::Result<RoaringBitmap> {
        let sql = format!("SELECT members FROM {table} WHERE name = ?1");
        let set = self.row(&sql, [name], read_set)?;
        Ok(set.unwrap_or_default())
    }

    /// Writes the sets that changed, in the order of their names, so that equal folds make equal files.
    pub(crate) fn write_sets(&self) -> rusqlite::Result<()> {
        let mut changed: Vec<_> = self.sets.borrow_mut().drain().collect();
        changed.sort_by(|(one, _), (other, _)| one.cmp(other));
        for ((table, name), mut set) in changed {
            if set.is_empty() {
                self.execute(&format!("DELETE FROM {table} WHERE name = ?1"), [name])?;
                continue;
            }
            set.optimize();
            let mut bytes = Vec::with_capacity(set.serialized_size());
            set.serialize_into(&mut bytes)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
            let sql = format!("INSERT OR REPLACE INTO {table} (name, members) VALUES (?1, ?2)");
            self.execute(&sql, rusqlite::params![name, bytes])?;
        }
        Ok(())
    }

    pub(crate) fn forget_sets(&self) {
        self.sets.borrow_mut().clear();
    }
}

/// Reads a set of numbers from the first column of a row.
pub fn read_set(row: &Row<'_>) -> rusqlite::Result<RoaringBitmap> {
    let bytes = row.get_ref(0)?.as_blob()?;
    RoaringBitmap::deserialize_from(bytes).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Blob, error.into())
    })
}
