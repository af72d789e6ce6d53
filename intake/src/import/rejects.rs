//! Rows that were not imported, written down so that they can be mended and imported again.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::PathBuf,
    sync::Arc,
};

use super::{
    assignment::original_name,
    original::Original,
    reject::Reject,
    source_file::{REPORT_COLUMNS, SourceFile},
};
use crate::formats::csv::{Flaw, write_record};

/// The files of rejects of one import: for `a.csv` it is `a.rejects.csv`, or `a.rejects-2.csv` where that exists
/// already, because somebody may be mending it. Each has the columns of the original and five more that say where
/// and why; the same map imports it again.
#[derive(Debug)]
pub struct Rejects {
    files: Arc<[SourceFile]>,
    folder: Option<PathBuf>,
    written: BTreeMap<usize, Written>,
}

#[derive(Debug)]
struct Written {
    path: PathBuf,
    file: File,
    rows: u64,
}

/// A file of rejects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedFile {
    /// Where it is.
    pub path: PathBuf,
    /// How many rows it holds.
    pub rows: u64,
}

/// How many files of rejects may lie beside one file.
const NUMBER_LIMIT: u32 = 10_000;

impl Rejects {
    pub(crate) const fn new(files: Arc<[SourceFile]>, folder: Option<PathBuf>) -> Self {
        Self { files, folder, written: BTreeMap::new() }
    }

    /// Writes one row down. Each row goes to the system in one piece, so that a crash leaves whole rows.
    pub fn write(&mut self, original: &Original, reject: &Reject) -> io::Result<()> {
        let Self { files, folder, written } = self;
        let source = files
            .get(original.file_index)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the row is from another import"))?;
        let mut row = Vec::new();
        let written = match written.entry(original.file_index) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                write_head(source, &mut row);
                let (path, file) = create(source, folder.as_ref())?;
                entry.insert(Written { path, file, rows: 0 })
            }
        };
        write_row(source, original, reject, &mut row);
        written.file.write_all(&row)?;
        written.rows += 1;
        Ok(())
    }

    /// Makes sure that everything is on disk, and says what there is.
    pub fn finish(self) -> io::Result<Vec<RejectedFile>> {
        let mut finished = Vec::new();
        for Written { path, file, rows } in self.written.into_values() {
            file.sync_all()?;
            finished.push(RejectedFile { path, rows });
        }
        Ok(finished)
    }
}

fn create(source: &SourceFile, folder: Option<&PathBuf>) -> io::Result<(PathBuf, File)> {
    let (original, _) = original_name(&source.path);
    let (stem, extension) = original.rsplit_once('.').unwrap_or((&original, "csv"));
    for number in 1..=NUMBER_LIMIT {
        let number = if number == 1 { String::new() } else { format!("-{number}") };
        let name = format!("{stem}.rejects{number}.{extension}");
        let path = match folder {
            Some(folder) => folder.join(name),
            None => source.path.with_file_name(name),
        };
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        // The rows are about people.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Ok(file) => return Ok((path, file)),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AlreadyExists,
        format!("there are {NUMBER_LIMIT} files of rejects already"),
    ))
}

fn write_head(source: &SourceFile, out: &mut Vec<u8>) {
    out.extend_from_slice(&source.above_header);
    let columns = (0..source.header.len()).filter(|position| !source.is_report(*position));
    let columns = columns.filter_map(|position| source.header.get(position));
    write_record(columns.chain(REPORT_COLUMNS.iter().map(|column| column.as_bytes())), source.delimiter, out);
    out.extend_from_slice(&source.below_header);
}

/// The original values stand under their columns, the report after them, and surplus values last: so the row
/// still has too many values until somebody has mended it.
fn write_row(source: &SourceFile, original: &Original, reject: &Reject, out: &mut Vec<u8>) {
    let record = &original.record;
    // Of a row without end only the beginning is known; half a row would look like a whole one.
    let known = record.flaw != Some(Flaw::TooLong);
    let value = |position: usize| record.get(position).filter(|_| known).unwrap_or_default();
    let columns = (0..source.header.len()).filter(|position| !source.is_report(*position)).map(value);
    let line = record.line.to_string();
    let report: [&[u8]; REPORT_COLUMNS.len()] = [
        source.name.as_bytes(),
        line.as_bytes(),
        reject.column.as_deref().unwrap_or_default().as_bytes(),
        reject.value.as_deref().unwrap_or_default().as_bytes(),
        reject.reason.as_bytes(),
    ];
    let surplus = (source.header.len()..record.len()).map(value);
    write_record(columns.chain(report).chain(surplus), source.delimiter, out);
}
