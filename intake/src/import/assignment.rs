//! Which file is which table of the map, by its name.

use std::path::{Path, PathBuf};

use super::error::ImportError;
use crate::maps::{
    column::Origin,
    map::{Map, Table},
};

/// Which files an import reads, and for what.
#[derive(Debug)]
pub(crate) struct Assignment {
    /// Of each table, the files whose rows are imported.
    pub imported: Vec<Vec<PathBuf>>,
    /// Of each table, the files in which values are looked up, the first word counting.
    pub companions: Vec<Vec<PathBuf>>,
    /// Which look-ups of the map the import needs.
    pub lookups: Vec<bool>,
    /// The files that the map knows and the import goes on without.
    pub absent: Vec<String>,
}

/// Finds the table of every file named, and the companion files beside the first one.
///
/// A file whose name no table has is one for the first table. Where files of rejects are named, or only files of
/// later tables, nothing but their rows is imported: the rest was imported before.
pub(crate) fn assign(map: &Map, files: &[PathBuf]) -> Result<Assignment, ImportError> {
    let first = files.first().ok_or(ImportError::NoFile)?;
    let mut named: Vec<Vec<PathBuf>> = vec![Vec::new(); map.tables.len()];
    let mut all_tables = true;
    for path in files {
        let (name, rejects) = original_name(path);
        let table = map.tables.iter().position(|table| table.is_called(&name)).unwrap_or(0);
        if named[table].contains(path) {
            return Err(ImportError::NamedTwice { file: path.display().to_string() });
        }
        all_tables &= !rejects;
        named[table].push(path.clone());
    }
    all_tables &= !named[0].is_empty();
    let folder = first.parent().unwrap_or(Path::new(""));
    let beside: Vec<Option<PathBuf>> = map
        .tables
        .iter()
        .zip(&named)
        .map(|(table, named)| {
            let given = named.iter().any(|path| !original_name(path).1);
            if given { None } else { find(table, folder) }
        })
        .collect();
    let mut imported = named.clone();
    if all_tables {
        for (imported, beside) in imported.iter_mut().zip(&beside).filter(|(imported, _)| imported.is_empty())
        {
            imported.extend(beside.clone());
        }
    }
    let companions: Vec<Vec<PathBuf>> = named
        .into_iter()
        .zip(beside)
        .map(|(named, beside)| named.into_iter().chain(beside).collect())
        .collect();
    check_present(map, &imported, &companions, (all_tables, first))?;
    let absent = map.tables.iter().zip(&companions).filter(|(_, companions)| companions.is_empty());
    let absent = absent.filter_map(|(table, _)| table.files.first().cloned()).collect();
    let lookups = needed_lookups(map, &imported).map(|(lookup, _)| lookup).collect::<Vec<_>>();
    let lookups = (0..map.lookups.len()).map(|lookup| lookups.contains(&lookup)).collect();
    Ok(Assignment { imported, companions, lookups, absent })
}

/// The look-ups of the tables that are imported, and whether rows may be without counterpart.
fn needed_lookups<'a>(
    map: &'a Map,
    imported: &'a [Vec<PathBuf>],
) -> impl Iterator<Item = (usize, bool)> + 'a {
    let tables = map.tables.iter().zip(imported).filter(|(_, files)| !files.is_empty());
    tables.flat_map(|(table, _)| &table.columns).filter_map(|column| match &column.origin {
        Origin::Lookup { lookup, optional, .. } => Some((*lookup, *optional)),
        _ => None,
    })
}

fn check_present(
    map: &Map,
    imported: &[Vec<PathBuf>],
    companions: &[Vec<PathBuf>],
    (all_tables, first): (bool, &Path),
) -> Result<(), ImportError> {
    for (index, table) in map.tables.iter().enumerate().filter(|(index, _)| companions[*index].is_empty()) {
        let mut lookups =
            needed_lookups(map, imported).filter(|(lookup, _)| map.lookups[*lookup].table == index);
        let needed = !table.optional && (all_tables || lookups.next().is_some());
        if needed || lookups.any(|(_, optional)| !optional) {
            let file = table.files.first().cloned().unwrap_or_default();
            return Err(ImportError::MissingFile { file, beside: first.to_owned() });
        }
    }
    Ok(())
}

fn find(table: &Table, folder: &Path) -> Option<PathBuf> {
    table.files.iter().map(|file| folder.join(file)).find(|path| path.is_file())
}

impl Table {
    fn is_called(&self, name: &str) -> bool {
        self.files.iter().any(|file| file.eq_ignore_ascii_case(name))
    }
}

/// The name of the file that a file of rejects comes from, and whether it is one: `a.rejects-2.csv` holds rows of
/// `a.csv`.
pub(crate) fn original_name(path: &Path) -> (String, bool) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (stem, extension) = name.rsplit_once('.').unwrap_or((&*name, ""));
    let unnumbered = stem.trim_end_matches(|character: char| character.is_ascii_digit());
    let unnumbered = unnumbered.strip_suffix('-').unwrap_or(stem);
    match unnumbered.strip_suffix(".rejects") {
        Some(original) => (format!("{original}.{extension}"), true),
        None => (name.into_owned(), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_rejects_belongs_to_the_table_of_its_original() {
        for (path, name, rejects) in [
            ("data/a.csv", "a.csv", false),
            ("data/a.rejects.csv", "a.csv", true),
            ("a.rejects-12.csv", "a.csv", true),
            ("a-12.csv", "a-12.csv", false),
            ("rejects.csv", "rejects.csv", false),
        ] {
            assert_eq!(original_name(Path::new(path)), (name.to_owned(), rejects), "{path}");
        }
    }
}
