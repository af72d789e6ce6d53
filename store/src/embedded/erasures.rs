//! Carrying out the erasures of the log: as they are recorded, and once more at every start, so that a copy of
//! the keys from before an erasure brings nobody back.

use domain::{Event, Forgotten, StreamId, personal::FORGETTING};
use rusqlite::OptionalExtension as _;
use uuid::Uuid;

use crate::{
    embedded::log_file::LogFile,
    sealing::{
        key_error::KeyError,
        keys::{CarriedOut, Keys},
    },
    sqlite::{to_stored, unsigned},
};

/// How many erasures are carried out in one transaction.
const AT_ONCE: usize = 1_000;
/// How often, counted in events, it is noted that nothing was to be erased, so that a start need not look far back.
pub(crate) const NOTED_EVERY: u64 = 65_536;

/// Carries out every erasure of the log that has not been carried out with these keys; how many those were.
pub(crate) fn catch_up(log: &LogFile, log_id: Uuid, keys: &Keys) -> Result<usize, KeyError> {
    let (head, _) = log.head()?;
    let Some(last) = event_at(log, head)? else { return Ok(0) };
    let after = begin(log, log_id, keys)?;
    let (mut waiting, mut count) = (Vec::new(), 0);
    let tags = FORGETTING.iter().map(|tag| format!("'{tag}'")).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "SELECT position, stream, tag, data FROM events WHERE position > ?1 AND position <= ?2 AND tag IN ({tags})"
    );
    let mut statement = log.connection.prepare(&sql)?;
    let mut rows = statement.query([to_stored(after), to_stored(head)])?;
    while let Some(row) = rows.next()? {
        let (stream, tag, data): (String, String, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
        if let Some(forgotten) = read(&stream, &tag, &data) {
            waiting.push(forgotten);
            count += 1;
        } else {
            let position = unsigned(row, 0)?;
            tracing::error!(position, "an erasure cannot be read and was not carried out");
        }
        if waiting.len() >= AT_ONCE {
            keys.carry_out(&waiting, None)?;
            waiting.clear();
        }
    }
    let through = CarriedOut { log: log_id, position: head, event: last };
    keys.carry_out(&waiting, Some(through))?;
    Ok(count)
}

/// After which position to look: after the mark, where it is one of this very log and of this past of it.
fn begin(log: &LogFile, log_id: Uuid, keys: &Keys) -> Result<u64, KeyError> {
    let Some(mark) = keys.carried_out()?.filter(|mark| mark.log == log_id) else { return Ok(0) };
    let is_there = event_at(log, mark.position)? == Some(mark.event);
    Ok(if is_there { mark.position } else { 0 })
}

/// What an event destroys, read as it is stored.
pub(crate) fn read(stream: &str, tag: &str, data: &str) -> Option<Forgotten> {
    let StreamId { kind, id } = stream.parse().ok()?;
    Event::decode(kind, tag, data).ok()?.forgets(id)
}

/// The id of the event at a position.
fn event_at(log: &LogFile, position: u64) -> rusqlite::Result<Option<Uuid>> {
    let sql = "SELECT id FROM events WHERE position = ?1";
    let read = |row: &rusqlite::Row<'_>| row.get::<_, [u8; 16]>(0).map(Uuid::from_bytes);
    log.connection.prepare_cached(sql)?.query_row([to_stored(position)], read).optional()
}
