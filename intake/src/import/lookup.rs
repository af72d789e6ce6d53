//! Values of companion files, held in memory for the rows that look them up.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use super::{error::ImportError, source_file::SourceFile};
use crate::{
    formats::csv::Record,
    maps::map::{LookupRule, Map},
};

/// How many bytes all companion files together may take.
const LIMIT: usize = 256 << 20;

/// How many notices are kept.
const NOTICES: usize = 100;

/// What one entry takes beside its texts, roughly.
const ENTRY: usize = 80;

/// The counterparts of rows, by key.
#[derive(Debug, Default)]
pub(crate) struct Lookup {
    /// Names what is looked up, for reasons: the file, and the columns of its key.
    pub described: String,
    entries: HashMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    found: Found<String>,
    file: usize,
}

/// What a look-up finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found<T> {
    /// One value; nothing, where the counterpart leaves it empty.
    Value(Option<T>),
    /// Two rows of one file have the same key and different values, so neither counts.
    Two,
    /// No row has the key.
    Nothing,
}

impl Lookup {
    /// The value for a key.
    pub fn get(&self, key: &str) -> Found<&str> {
        match self.entries.get(key).map(|entry| &entry.found) {
            Some(Found::Value(value)) => Found::Value(value.as_deref()),
            Some(Found::Two) => Found::Two,
            Some(Found::Nothing) | None => Found::Nothing,
        }
    }

    /// Takes in the rows of one file; `size` is what all look-ups take so far.
    fn read(
        &mut self,
        map: &Map,
        rule: &LookupRule,
        (number, path): (usize, &Path),
        size: &mut usize,
        notices: &mut Vec<String>,
    ) -> Result<(), ImportError> {
        let (source, mut records) = SourceFile::open(map, rule.table, path)?;
        let mut record = Record::default();
        while records.read(&mut record).map_err(ImportError::unreadable(path))? {
            match entry(map, rule, &source, &record) {
                Ok(Some((key, value))) => {
                    *size += key.len() + value.as_ref().map_or(0, String::len) + ENTRY;
                    self.insert(key, value, number);
                }
                Ok(None) => {}
                Err(reason) => {
                    let line = record.line;
                    let notice =
                        format!("line {line} of {} is not used for looking up: {reason}", source.name);
                    if notices.len() < NOTICES && !notices.contains(&notice) {
                        notices.push(notice);
                    }
                }
            }
            if *size > LIMIT {
                return Err(ImportError::LookupTooLarge { file: source.name, limit_mebibytes: LIMIT >> 20 });
            }
        }
        Ok(())
    }

    fn insert(&mut self, key: String, value: Option<String>, file: usize) {
        match self.entries.get_mut(&key) {
            None => {
                self.entries.insert(key, Entry { found: Found::Value(value), file });
            }
            // The files come in the order in which their words count.
            Some(entry) if entry.file != file => {}
            Some(entry) => {
                if entry.found != Found::Value(value) {
                    entry.found = Found::Two;
                }
            }
        }
    }
}

/// One key from the values that make it, so that no two lists of values sound alike.
pub(crate) fn key<'a>(values: impl Iterator<Item = &'a str>) -> String {
    let mut key = String::new();
    for (index, value) in values.enumerate() {
        if index > 0 {
            key.push('\0');
        }
        key.push_str(value);
    }
    key
}

/// Reads the companion files that an import needs. Rows that cannot be used are told in `notices`.
pub(crate) fn load(
    map: &Map,
    files: &[Vec<PathBuf>],
    needed: &[bool],
    notices: &mut Vec<String>,
) -> Result<Vec<Lookup>, ImportError> {
    let mut size = 0;
    let mut lookups = Vec::new();
    for (rule, needed) in map.lookups.iter().zip(needed) {
        let mut lookup = Lookup { described: described(map, rule), entries: HashMap::new() };
        let files = if *needed { files[rule.table].as_slice() } else { &[] };
        for (number, path) in files.iter().enumerate() {
            lookup.read(map, rule, (number, path), &mut size, notices)?;
        }
        lookups.push(lookup);
    }
    Ok(lookups)
}

fn described(map: &Map, rule: &LookupRule) -> String {
    let table = &map.tables[rule.table];
    let key: Vec<&str> = rule.key.iter().map(|column| table.columns[*column].name.as_str()).collect();
    format!("{} by {}", table.files.first().map_or("", String::as_str), key.join(", "))
}

type Pair = (String, Option<String>);

fn entry(map: &Map, rule: &LookupRule, source: &SourceFile, record: &Record) -> Result<Option<Pair>, String> {
    if record.is_blank() {
        return Ok(None);
    }
    if record.flaw.is_some() || record.len() != source.header.len() {
        return Err("it does not have the columns of the header".to_owned());
    }
    let text = |column: usize| {
        let rules = &map.tables[rule.table].columns[column];
        let bytes = source.positions[column].and_then(|position| record.get(position)).unwrap_or_default();
        let text = std::str::from_utf8(bytes).map_err(|_| format!("`{}` is not UTF-8", rules.name))?;
        rules.clean(text).map_err(|reason| format!("`{}` {reason}", rules.name))
    };
    let mut keys = Vec::new();
    for column in &rule.key {
        match text(*column)? {
            Some(key) => keys.push(key),
            None => return Ok(None),
        }
    }
    Ok(Some((key(keys.iter().map(String::as_str)), text(rule.take)?)))
}
