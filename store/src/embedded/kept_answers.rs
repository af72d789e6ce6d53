//! The answers that are kept for repeated commands, held against the log: each must name events that are there.

use std::path::Path;

use domain::Answer;
use rusqlite::{Connection, OptionalExtension as _};

use crate::{
    folder::names::LOG_FILE,
    open_error::OpenError,
    read_only::ReadOnly,
    sqlite::{to_stored, unsigned},
};

/// How many of those that are wrong are named.
const NAMED: usize = 20;

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswersHeld {
    /// How many answers are kept.
    pub count: u64,
    /// The numbers of those that are not what was answered, with what is wrong; at most a few.
    pub wrong: Vec<(u64, String)>,
}

/// Holds the answers in the log of a data folder against its events. The folder may be in use.
pub fn check_answers(folder: &Path) -> Result<AnswersHeld, OpenError> {
    let file = folder.join(LOG_FILE);
    let log = ReadOnly::open(&file)?.connection;
    let mut held = AnswersHeld::default();
    // Of one moment: the writer deletes what has expired.
    let mut read = || -> rusqlite::Result<()> {
        let moment = log.unchecked_transaction()?;
        let mut statement = moment.prepare("SELECT number, answer FROM answers ORDER BY number")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (number, answer): (u64, String) = (unsigned(row, 0)?, row.get(1)?);
            held.count += 1;
            if let Some(what) = fault(&moment, &answer)?
                && held.wrong.len() < NAMED
            {
                held.wrong.push((number, what));
            }
        }
        Ok(())
    };
    let read = read();
    read.map(|()| held).map_err(OpenError::database(file))
}

/// What is wrong with an answer; nothing of it is repeated.
fn fault(log: &Connection, answer: &str) -> rusqlite::Result<Option<String>> {
    let Ok(answer) = serde_json::from_str::<Answer>(answer) else {
        return Ok(Some("it cannot be read".to_owned()));
    };
    let count = answer.events.len() as u64;
    let Some(first) = (answer.position.0 + 1).checked_sub(count) else {
        return Ok(Some("it names more events than there were".to_owned()));
    };
    let sql = "SELECT id, tag FROM events WHERE position = ?1 AND stream = ?2 AND revision = ?3";
    let mut statement = log.prepare_cached(sql)?;
    let stream = answer.stream.to_string();
    for (event, back) in answer.events.iter().zip((0..count).rev()) {
        let position = first + (count - 1 - back);
        let revision = answer.revision.saturating_sub(back);
        let of = (to_stored(position), &stream, to_stored(revision));
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, String>(1)?));
        let found = statement.query_row(of, read).optional()?;
        if found.is_none_or(|(id, tag)| id != *event.id.0.as_bytes() || tag != event.tag) {
            return Ok(Some(format!("the event at position {position} is not the one that it names")));
        }
    }
    Ok(None)
}
