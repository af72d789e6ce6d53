//! Checking: a view is folded anew from the log beside the one that serves, and the two are compared row by
//! row.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use domain::Position;
use rusqlite::{Connection, OpenFlags, Row, types::Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    kit::{Tables, deadline::Deadline},
    runtime::{
        question::AskError,
        served::{Phase, Served},
        shared::Shared,
        snapshot,
        view_file::{Applied, FileError, PROGRESS_TABLE, ViewFile, read_progress, remove},
        views::Views,
    },
};

/// How many events are read at a time.
const EVENTS_PER_PAGE: usize = 16_384;
/// How often a check is begun again because something was erased meanwhile.
const ATTEMPTS: usize = 5;
/// How long a check waits until the view has seen what was erased.
const SEEN_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);
/// How many differences of one view are reported.
const REPORTED: usize = 20;

/// What a check of one view came to.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Checked {
    /// The view.
    pub view: String,
    /// Up to which position it was compared.
    pub position: Position,
    /// How many rows were compared.
    pub rows: u64,
    /// What differs; at most a few are named.
    pub differences: Vec<Difference>,
    /// Why it could not be compared to the end.
    pub stopped: Option<String>,
    /// Why it cannot be told how it stands: a disk that is full, say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

impl Checked {
    fn nothing_compared(view: String, position: Position) -> Self {
        Self { view, position, rows: 0, differences: Vec::new(), stopped: None, unknown: None }
    }

    /// What comes of a file that cannot be used: one that is damaged is not as the log says, and of any other nothing is
    /// known. The views after it are checked all the same.
    fn of_file(view: &str, error: &FileError) -> Self {
        let mut checked = Self::nothing_compared(view.to_owned(), Position::START);
        if error.is_damaged() {
            let (table, row) = ("every".to_owned(), "every".to_owned());
            let what =
                format!("the file of the view is damaged: `rapport rebuild {view}` makes it anew ({error})");
            checked.differences.push(Difference { table, row, what });
        } else {
            checked.unknown = Some(error.to_string());
        }
        checked
    }
}

/// A row that is not as the log says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// The table.
    pub table: String,
    /// The row, by its key.
    pub row: String,
    /// What is wrong with it; no value of the row, since it may be personal.
    pub what: String,
}

impl Views {
    /// Folds views anew and compares; all of them where no name is given.
    pub async fn check(
        &self,
        names: &[String],
        progress: impl Fn(&str, Position) + Send + Sync + 'static,
    ) -> Result<Vec<Checked>, AskError> {
        for name in names {
            self.shared.find(name)?;
        }
        let shared = Arc::clone(&self.shared);
        let names = names.to_vec();
        let check = move || {
            // Answers about the past come from files that are folded anew when they are next asked for.
            shared.past.forget();
            let chosen = |served: &&Arc<Served>| {
                names.is_empty() || names.iter().any(|name| name == served.view.description.name)
            };
            let check = |served: &Arc<Served>| match check_undisturbed(&shared, served, &progress) {
                Err(AskError::File(error)) => Ok(Checked::of_file(served.view.description.name, &error)),
                checked => checked,
            };
            shared.views.iter().filter(chosen).map(check).collect()
        };
        tokio::task::spawn_blocking(check)
            .await
            .unwrap_or_else(|error| Err(AskError::Stopped(error.to_string())))
    }
}

/// Checks a view again where something was erased meanwhile: the one that serves may then have been copied with
/// what the other could not read any more.
fn check_undisturbed(
    shared: &Shared,
    served: &Served,
    progress: &impl Fn(&str, Position),
) -> Result<Checked, AskError> {
    for _ in 0..ATTEMPTS {
        let erasures = shared.store.erasures();
        // What was erased before has left the view once it has come to here.
        let head = shared.store.head();
        if served.status.borrow().phase == Phase::Following {
            // A view that does not come so far in time is compared as it is.
            let _ = shared.runtime.block_on(served.wait_for(head, head, SEEN_TIMEOUT));
        }
        let deadline = shared.until_stopped();
        let checked = check(shared, served, progress, &deadline);
        let checked = checked.map_err(|error| served.explain(error, &deadline))?;
        if shared.store.erasures() == erasures {
            return Ok(checked);
        }
    }
    Err(AskError::Busy)
}

fn check(
    shared: &Shared,
    served: &Served,
    progress: &impl Fn(&str, Position),
    deadline: &Deadline,
) -> Result<Checked, AskError> {
    served.check(deadline)?;
    let view = served.view.description.name.to_owned();
    let Some(generation) = served.generation() else {
        let phase = served.status.borrow().phase.clone();
        let stopped = match phase {
            Phase::Stopped { at, reason } => format!("it cannot be built: position {at}: {reason}"),
            Phase::Building | Phase::Following => "it is being built".to_owned(),
        };
        return Ok(Checked { stopped: Some(stopped), ..Checked::nothing_compared(view, Position::START) });
    };
    let (live, anew) =
        (shared.folder.join(format!("{view}.check")), shared.folder.join(format!("{view}.anew")));
    let copied = generation.copy_to(&live, deadline).map_err(AskError::from);
    let checked = copied.and_then(|()| compare_with_log(shared, served, [&live, &anew], progress, deadline));
    remove(&live).map_err(FileError::from)?;
    remove(&anew).map_err(FileError::from)?;
    checked
}

fn compare_with_log(
    shared: &Shared,
    served: &Served,
    [live, anew]: [&Path; 2],
    progress: &impl Fn(&str, Position),
    deadline: &Deadline,
) -> Result<Checked, AskError> {
    let view = served.view.description.name.to_owned();
    let mut live =
        Connection::open_with_flags(live, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(FileError::from)?;
    let target = read_progress(&live).map_err(FileError::from)?.position;
    let keyring = Arc::clone(&shared.keyring);
    let mut file = ViewFile::create(anew, &served.view, keyring, shared.origin()?)?;
    let stopped = match served.status.borrow().phase.clone() {
        Phase::Stopped { at, reason } => Some(format!("it stands still before position {at}: {reason}")),
        Phase::Building | Phase::Following => None,
    };
    let mut checked = Checked { stopped, ..Checked::nothing_compared(view.clone(), target) };
    let mut snapshots = kept_snapshots(shared, served, target).into_iter().peekable();
    while file.progress.position < target {
        served.check(deadline)?;
        let after = file.progress.position;
        let next = snapshots.peek().map_or(target, |(position, _)| *position);
        let limit = usize::try_from(next.0 - after.0).unwrap_or(EVENTS_PER_PAGE).min(EVENTS_PER_PAGE);
        let page = shared.read(after, limit, served.view.read)?;
        if let Applied::StoppedAt(at, reason) = file.apply(&page.events, page.through.min(next), None)? {
            // What was folded up to here cannot be told apart from the half of a page; nothing is compared.
            let stopped = Some(format!("position {at}: {reason}"));
            return Ok(Checked { stopped, ..Checked::nothing_compared(view, target) });
        }
        progress(&view, file.progress.position);
        if let Some((position, path)) = snapshots.next_if(|(position, _)| *position == file.progress.position)
        {
            compare_with_snapshot(&mut file, &path, position, &mut checked, deadline)?;
        }
    }
    deadline.watch(&mut live).map_err(FileError::from)?;
    compare_all(&mut file, &live, &mut checked, deadline)?;
    Ok(checked)
}

/// The snapshots that the past is folded from, up to a position. In a cluster positions count bytes, and a page cannot be told
/// to end at one: there they are left out.
fn kept_snapshots(shared: &Shared, served: &Served, target: Position) -> Vec<(Position, PathBuf)> {
    if shared.store.is_shared() {
        return Vec::new();
    }
    let mut kept = snapshot::all(&snapshot::folder(&shared.folder), &served.view);
    kept.retain(|(position, _)| *position > Position::START && *position < target);
    kept
}

/// Compares a snapshot with what was folded anew up to where it was taken.
fn compare_with_snapshot(
    file: &mut ViewFile,
    path: &Path,
    position: Position,
    checked: &mut Checked,
    deadline: &Deadline,
) -> Result<(), AskError> {
    let known = checked.differences.len();
    let compared = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .map_err(FileError::from)
        .and_then(|snapshot| compare_all(file, &snapshot, checked, deadline));
    match compared {
        // It was thinned out meanwhile.
        Err(_) if !path.exists() => return Ok(()),
        Err(error) if error.is_damaged() => {
            let (table, row) = ("every".to_owned(), "every".to_owned());
            checked.differences.push(Difference { table, row, what: "the file is damaged".to_owned() });
        }
        compared => compared?,
    }
    for difference in checked.differences.iter_mut().skip(known) {
        difference.table = format!("{} (snapshot at position {position})", difference.table);
    }
    Ok(())
}

/// Compares every table of a file with what was folded anew.
fn compare_all(
    anew: &mut ViewFile,
    is: &Connection,
    checked: &mut Checked,
    deadline: &Deadline,
) -> Result<(), FileError> {
    anew.tables.write_tallies()?;
    let compare_all = |anew: &Tables| -> rusqlite::Result<()> {
        let anew = anew.connection();
        for (table, key) in tables(anew)? {
            compare(is, anew, &table, &key, checked)?;
        }
        Ok(())
    };
    Ok(anew.tables.within(deadline, compare_all).flatten()?)
}

/// The tables of a view with the columns of their keys.
fn tables(connection: &Connection) -> rusqlite::Result<Vec<(String, Vec<String>)>> {
    let sql =
        "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let all: Vec<(String, String)> = connection
        .prepare(sql)?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let searches: Vec<String> = all
        .iter()
        .filter(|(_, sql)| sql.to_ascii_uppercase().starts_with("CREATE VIRTUAL"))
        .map(|(name, _)| name.clone())
        .collect();
    let mut chosen = Vec::new();
    for (name, _) in all {
        // What a search keeps for itself is compared through the search.
        let inner = searches.iter().any(|search| name.starts_with(&format!("{search}_")));
        if name == PROGRESS_TABLE || inner {
            continue;
        }
        let key: Vec<String> = connection
            .prepare("SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk")?
            .query_map([&name], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let key = if key.is_empty() { vec!["rowid".to_owned()] } else { key };
        chosen.push((name, key));
    }
    Ok(chosen)
}

/// Walks both tables in the order of their keys.
fn compare(
    live: &Connection,
    anew: &Connection,
    table: &str,
    key: &[String],
    checked: &mut Checked,
) -> rusqlite::Result<()> {
    let keys = key.iter().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(", ");
    let sql = format!("SELECT {keys}, * FROM \"{table}\" ORDER BY {keys}");
    let (mut live, mut anew) = (live.prepare(&sql)?, anew.prepare(&sql)?);
    let columns: Vec<String> = anew.column_names().skip(key.len()).map(str::to_owned).collect();
    let (mut live, mut anew) = (live.query([])?, anew.query([])?);
    let (mut is, mut should) = (values(live.next()?)?, values(anew.next()?)?);
    loop {
        let order = match (&is, &should) {
            (None, None) => return Ok(()),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(is), Some(should)) => compare_keys(&is[..key.len()], &should[..key.len()]),
        };
        checked.rows += 1;
        let what = match (order, &is, &should) {
            (std::cmp::Ordering::Less, Some(is), _) => {
                Some((is, "is there, but not according to the log".to_owned()))
            }
            (std::cmp::Ordering::Greater, _, Some(should)) => Some((should, "is missing".to_owned())),
            (_, Some(is), Some(should)) => differing(&columns, &is[key.len()..], &should[key.len()..])
                .map(|columns| (should, format!("differs in {columns}"))),
            _ => None,
        };
        if let Some((row, what)) = what
            && checked.differences.len() < REPORTED
        {
            let row =
                row[..key.len()].iter().zip(key).map(|(value, column)| format!("{column}={}", shown(value)));
            let row = row.collect::<Vec<_>>().join(" ");
            checked.differences.push(Difference { table: table.to_owned(), row, what });
        }
        if order.is_le() {
            is = values(live.next()?)?;
        }
        if order.is_ge() {
            should = values(anew.next()?)?;
        }
    }
}

fn values(row: Option<&Row<'_>>) -> rusqlite::Result<Option<Vec<Value>>> {
    let Some(row) = row else { return Ok(None) };
    let count = row.as_ref().column_count();
    (0..count).map(|index| row.get(index)).collect::<rusqlite::Result<_>>().map(Some)
}

fn differing(columns: &[String], is: &[Value], should: &[Value]) -> Option<String> {
    let names: Vec<&str> = columns
        .iter()
        .zip(is.iter().zip(should))
        .filter(|(_, (is, should))| is != should)
        .map(|(column, _)| column.as_str())
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// The order in which SQLite sorts: nothing, numbers, texts, bytes.
fn compare_keys(one: &[Value], other: &[Value]) -> std::cmp::Ordering {
    let rank = |value: &Value| match value {
        Value::Null => 0,
        Value::Integer(_) | Value::Real(_) => 1,
        Value::Text(_) => 2,
        Value::Blob(_) => 3,
    };
    for (one, other) in one.iter().zip(other) {
        let order = match (one, other) {
            (Value::Integer(one), Value::Integer(other)) => one.cmp(other),
            (Value::Real(one), Value::Real(other)) => one.total_cmp(other),
            (Value::Text(one), Value::Text(other)) => one.as_bytes().cmp(other.as_bytes()),
            (Value::Blob(one), Value::Blob(other)) => one.cmp(other),
            (one, other) => rank(one).cmp(&rank(other)),
        };
        if order.is_ne() {
            return order;
        }
    }
    std::cmp::Ordering::Equal
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Blob(bytes) => match uuid::Uuid::from_slice(bytes) {
            Ok(id) => id.to_string(),
            Err(_) => hex::encode(bytes),
        },
    }
}
