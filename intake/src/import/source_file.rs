//! A file of the source: which table of the map it is, its header, and where its columns stand.

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use super::error::ImportError;
use crate::{
    formats::csv::{Record, Records},
    maps::{
        column::Origin,
        map::{Map, Table},
    },
};

/// The reader of one file.
pub(crate) type FileRecords = Records<BufReader<File>>;

/// The columns that a file of rejects has beside those of the original.
pub(crate) const REPORT_COLUMNS: [&str; 5] =
    ["rapport_file", "rapport_line", "rapport_column", "rapport_value", "rapport_reason"];

/// One file, with what stands above its first row.
#[derive(Clone, Debug)]
pub(crate) struct SourceFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its name without folders, as events keep it.
    pub name: String,
    /// Which table of the map it is.
    pub table: usize,
    /// Its size in bytes.
    pub size: u64,
    /// What stands between two values.
    pub delimiter: u8,
    /// The lines above the header, as they stand.
    pub above_header: Vec<u8>,
    /// The header.
    pub header: Record,
    /// The lines below the header, as they stand.
    pub below_header: Vec<u8>,
    /// Where each column of the table stands; nowhere, where it is computed or left out.
    pub positions: Vec<Option<usize>>,
}

impl SourceFile {
    /// Opens a file as a table of the map, reads its header and leaves the reader before the first row.
    pub fn open(map: &Map, table: usize, path: &Path) -> Result<(Self, FileRecords), ImportError> {
        let unreadable = || ImportError::unreadable(path);
        let rules = &map.tables[table];
        let file = File::open(path).map_err(unreadable())?;
        let metadata = file.metadata().map_err(unreadable())?;
        if !metadata.is_file() {
            // The header is read before the import and again with it, which a pipe does not allow.
            return Err(unreadable()(std::io::Error::other("it is a folder or a pipe, not a file")));
        }
        let size = metadata.len();
        let input = BufReader::with_capacity(1 << 16, file);
        let mut records = Records::new(input, rules.delimiter).map_err(unreadable())?;
        let name = shown_name(path);
        if matches!(records.peek().map_err(unreadable())?, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]) {
            return Err(ImportError::Utf16 { file: name });
        }
        let above_header = lines(&mut records, rules.skip_before_header).map_err(unreadable())?;
        let mut header = Record::default();
        if !records.read(&mut header).map_err(unreadable())? {
            let line = u64::from(rules.skip_before_header) + 1;
            return Err(ImportError::Empty { file: name, line, expected: expected(rules) });
        }
        let below_header = lines(&mut records, rules.skip_after_header).map_err(unreadable())?;
        let positions = positions(rules, &header, &name)?;
        let delimiter = rules.delimiter;
        Ok((
            Self {
                path: path.to_owned(),
                name,
                table,
                size,
                delimiter,
                above_header,
                header,
                below_header,
                positions,
            },
            records,
        ))
    }

    /// The header of one column as it stands in the file.
    pub fn header_of(&self, position: usize) -> String {
        shown(self.header.get(position).unwrap_or_default())
    }

    /// Whether the column was added by a file of rejects.
    pub fn is_report(&self, position: usize) -> bool {
        let header = self.header.get(position).unwrap_or_default().trim_ascii();
        REPORT_COLUMNS.iter().any(|column| header.eq_ignore_ascii_case(column.as_bytes()))
    }
}

fn lines(records: &mut FileRecords, count: u32) -> std::io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    for _ in 0..count {
        kept.extend(records.raw_line()?);
    }
    Ok(kept)
}

fn shown(header: &[u8]) -> String {
    String::from_utf8_lossy(header).trim().to_owned()
}

fn expected(table: &Table) -> String {
    let names = table.columns.iter().filter_map(|column| match &column.origin {
        Origin::Header { names, optional: false } => names.first().map(String::as_str),
        _ => None,
    });
    names.collect::<Vec<_>>().join(", ")
}

fn positions(table: &Table, header: &Record, file: &str) -> Result<Vec<Option<usize>>, ImportError> {
    let headers: Vec<String> = header.iter().map(|header| shown(header).to_lowercase()).collect();
    let mut positions = Vec::with_capacity(table.columns.len());
    let mut missing = Vec::new();
    for column in &table.columns {
        let Origin::Header { names, optional } = &column.origin else {
            positions.push(None);
            continue;
        };
        let names: Vec<String> = names.iter().map(|name| name.trim().to_lowercase()).collect();
        let mut found =
            headers.iter().enumerate().filter(|(_, header)| names.contains(header)).map(|(index, _)| index);
        let position = found.next();
        if found.next().is_some() {
            let (file, column) = (file.to_owned(), column.name.clone());
            return Err(ImportError::DoubleColumn { file, line: header.line, column });
        }
        if position.is_none() && !optional {
            missing.push(names.join(" or "));
        }
        positions.push(position);
    }
    if missing.is_empty() {
        return Ok(positions);
    }
    let present: Vec<String> = header.iter().take(100).map(|header| format!("`{}`", shown(header))).collect();
    Err(ImportError::MissingColumn {
        file: file.to_owned(),
        line: header.line,
        missing: missing.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        present: present.join(", "),
    })
}

/// The longest name of a file that an event keeps, in characters.
const NAME_LIMIT: usize = 100;

fn shown_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let name: String = name.chars().filter(|character| !character.is_control()).take(NAME_LIMIT).collect();
    if name.trim().is_empty() { "file".to_owned() } else { name }
}
