//! An import: the rows of the files, one after the other, each with the commands that it asks for or the reason
//! why it cannot be used.

mod assignment;
mod error;
mod ids;
mod line;
mod lookup;
mod once;
mod original;
mod reject;
mod rejects;
mod row;
mod source_file;
#[cfg(test)]
mod tests;

pub use error::ImportError;
pub use ids::Ids;
pub use line::ImportLine;
pub use original::Original;
pub use reject::Reject;
pub use rejects::{RejectedFile, Rejects};

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use uuid::Uuid;

use self::{
    assignment::assign,
    lookup::Lookup,
    once::Once,
    row::{AskedFor, RowReader},
    source_file::{FileRecords, SourceFile},
};
use crate::{
    formats::csv::{Flaw, RECORD_LIMIT, Record},
    maps::Map,
};

/// An import that is under way. It reads as it is iterated, and holds one row at a time.
#[derive(Debug)]
pub struct Import {
    map: Map,
    source_name: String,
    ids: Ids,
    files: Arc<[SourceFile]>,
    lookups: Vec<Lookup>,
    notices: Vec<String>,
    once: Once,
    /// What was left out so far with somebody who was erased; what is said of it later is left out as well.
    left_out: HashSet<Uuid>,
    next_file: usize,
    reading: Option<(usize, FileRecords)>,
    bytes_before: u64,
}

/// One row of a file.
#[derive(Clone, Debug)]
pub struct Row {
    /// The row as it stands, for [`Rejects::write`]: keep it until its commands are answered.
    pub original: Original,
    /// How many bytes of all files have been read, this row included.
    pub bytes_read: u64,
    /// What it asks for, in this order (often nothing new), or why it cannot be used.
    pub outcome: Result<Vec<ImportLine>, Reject>,
    /// How many commands were left out because the person was erased.
    pub left_out: usize,
}

impl Import {
    /// Opens the files: checks every header and reads the companion files, before any row is given out.
    ///
    /// The first file is the map's main one, under whatever name. The map's other files are taken from beside it,
    /// or named in any order.
    pub fn open(map: Map, source_name: &str, files: &[PathBuf], ids: Ids) -> Result<Self, ImportError> {
        let assignment = assign(&map, files)?;
        let mut opened = Vec::new();
        for (table, paths) in assignment.imported.iter().enumerate() {
            for path in paths.iter().filter(|_| !map.tables[table].commands.is_empty()) {
                opened.push(SourceFile::open(&map, table, path)?.0);
            }
        }
        let missing = |file: &String| format!("{file} is not there; the import goes on without it");
        let mut notices: Vec<String> = assignment.absent.iter().map(missing).collect();
        let lookups = lookup::load(&map, &assignment.companions, &assignment.lookups, &mut notices)?;
        Ok(Self {
            map,
            source_name: source_name.to_owned(),
            ids,
            files: opened.into(),
            lookups,
            notices,
            once: Once::default(),
            left_out: HashSet::new(),
            next_file: 0,
            reading: None,
            bytes_before: 0,
        })
    }

    /// The size of all files whose rows are read.
    pub fn total_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// The files whose rows are read, in this order.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_path())
    }

    /// What the person who imports should know: files that are not there, companion rows that cannot be used.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// Where rejected rows go: beside each file, or into the folder given. Nothing is created before the first.
    pub fn rejects(&self, folder: Option<&Path>) -> Rejects {
        Rejects::new(Arc::clone(&self.files), folder.map(Path::to_owned))
    }

    /// The next record that is not blank, and the number of its file.
    fn next_record(&mut self) -> Result<Option<(usize, Record, u64)>, ImportError> {
        loop {
            let Some((index, records)) = &mut self.reading else {
                let Some(file) = self.files.get(self.next_file) else { return Ok(None) };
                let (_, records) = SourceFile::open(&self.map, file.table, &file.path)?;
                self.reading = Some((self.next_file, records));
                self.next_file += 1;
                continue;
            };
            let index = *index;
            let mut record = Record::default();
            let read = records.read(&mut record).map_err(ImportError::unreadable(&self.files[index].path))?;
            let bytes_read = self.bytes_before + records.bytes();
            if !read {
                self.bytes_before += self.files[index].size;
                self.reading = None;
            } else if !record.is_blank() {
                return Ok(Some((index, record, bytes_read)));
            }
        }
    }

    fn lines(&mut self, index: usize, record: &Record) -> Result<(Vec<ImportLine>, usize), Reject> {
        let source = &self.files[index];
        check_whole(source, record)?;
        let table = &self.map.tables[source.table];
        let zone = self.map.zone;
        let row = RowReader::new(table, source, record, &self.lookups, zone);
        let mut lines = Vec::new();
        let mut marks = Vec::new();
        let AskedFor { commands, left_out } = row.commands(&self.ids, &self.source_name, &self.left_out)?;
        for asked in commands {
            let fields = serde_json::Value::Object(asked.fields).to_string();
            if asked.rule.once {
                let mark = once::mark(asked.id, &asked.rule.command, &fields);
                if self.once.knows(mark) || marks.contains(&mark) {
                    continue;
                }
                marks.push(mark);
            }
            lines.push(ImportLine::new(
                (asked.rule.on.kind, asked.id),
                (&asked.rule.command, &fields),
                asked.occurred_at.as_deref(),
                &domain::Source {
                    name: self.source_name.clone(),
                    file: Some(source.name.clone()),
                    line: Some(record.line),
                    zone: zone.map(|zone| zone.name().to_owned()),
                },
            ));
        }
        // Only now: had the row been rejected on the way, nothing of it would have been said.
        for mark in marks {
            self.once.remember(mark);
        }
        let count = left_out.len();
        self.left_out.extend(left_out);
        Ok((lines, count))
    }
}

/// Whether the record is whole: as many values as the header has columns, and all of them text.
fn check_whole(source: &SourceFile, record: &Record) -> Result<(), Reject> {
    match record.flaw {
        Some(Flaw::TooLong) => {
            let limit = RECORD_LIMIT >> 20;
            return Err(Reject::refused(format!(
                "is longer than {limit} MiB and is not copied here; a quote may have been left open"
            )));
        }
        Some(Flaw::OpenQuote) => {
            return Err(Reject::refused(
                "has a quote that is never closed: everything from here to the end of the file is in this row",
            ));
        }
        None => {}
    }
    if record.len() != source.header.len() {
        return Err(Reject::refused(format!(
            "has {} values, and the header has {} columns",
            record.len(),
            source.header.len()
        )));
    }
    for (position, value) in record.iter().enumerate() {
        if std::str::from_utf8(value).is_err() {
            return Err(Reject {
                column: Some(source.header_of(position)),
                value: Some(String::from_utf8_lossy(value).into_owned()),
                reason: "is not UTF-8".to_owned(),
            });
        }
    }
    Ok(())
}

impl Iterator for Import {
    type Item = Result<Row, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.next_record() {
            Err(error) => {
                // A file that cannot be read ends the import: what comes after it might rest on it.
                self.next_file = self.files.len();
                self.reading = None;
                Some(Err(error))
            }
            Ok(None) => None,
            Ok(Some((index, record, bytes_read))) => {
                let lines = self.lines(index, &record);
                let left_out = lines.as_ref().map_or(0, |(_, left_out)| *left_out);
                let outcome = lines.map(|(lines, _)| lines);
                let file = self.files[index].name.as_str().into();
                Some(Ok(Row {
                    original: Original { file_index: index, record, file },
                    bytes_read,
                    outcome,
                    left_out,
                }))
            }
        }
    }
}
