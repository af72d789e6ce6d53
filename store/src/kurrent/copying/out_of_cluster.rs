//! A whole log goes from a cluster into a folder.

use std::{fs, path::Path};

use domain::Stored;
use rusqlite::params;

use crate::{
    cluster::Cluster,
    copy_error::CopyError,
    embedded::log_file::{INSERT, LogFile},
    folder::{
        format::{Format, WITH_LEDGER, write_format},
        names::{FORMAT_FILE, KEYS_FILE, LOG_FILE},
        private_files::exists,
    },
    kurrent::{
        copying::cluster_log::ClusterLog, envelope::StoredEvent, identity::Opening, joining::Joining,
        keys::streams::keys_in, names::Holds,
    },
    open_error::OpenError,
    options::Options,
    sealing::keys::Keys,
    sqlite::{to_stored, unsigned},
};

/// In a folder that is being copied into: which log it will hold.
const MARK: &str = "copying.log";

/// Copies the log of a cluster into a new folder, with the secrets from where they lie. `progress` is told how many
/// events are through.
pub(crate) async fn copy_out(
    from: &Cluster,
    to: &Path,
    secrets: Option<&Path>,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<(), CopyError> {
    let secrets = secrets.ok_or(CopyError::NoSecrets)?;
    let log = ClusterLog::open(from).await?;
    let joining = Joining::begin_copy(to, MARK, log.identity.log)?;
    let opening = Opening { connection: &log.connection, names: &log.names, secrets: Some(secrets) };
    let (oldest, current) = opening.take_all(joining.path(), &log.identity).await?;
    let keys = Keys::open_copy(to, &Options::default(), (oldest, current))?;
    let mut file = LogFile::open(&to.join(LOG_FILE), log.identity.log, &Options::default())?;
    let (mut count, after) = reached(&log, &file).await?;
    // All keys, also those that stand before the place where it goes on: what is known already stays.
    log.pages(0, &log.names.of_keys(), |page| {
        let adopted = keys.adopt(&keys_in(page, &log.names)).map(|_| true);
        adopted.map_err(|error| OpenError::Keys { path: to.join(KEYS_FILE), reason: error.to_string() })
    })
    .await?;
    let mut bad = None;
    log.pages(after, &log.names.of_events(), |page| {
        let events = page.iter().filter(|raw| matches!(log.names.holds(&raw.name), Some(Holds::Events(_))));
        let events: Result<Vec<_>, _> = events.map(|raw| StoredEvent::of(raw, &log.names)).collect();
        match events {
            Ok(events) => {
                write(&mut file, count, &events).map_err(OpenError::database(to.join(LOG_FILE)))?;
                count += events.len() as u64;
                progress(count);
                Ok(true)
            }
            Err(found) => {
                bad = Some(CopyError::Event { number: count + 1, reason: found.reason });
                Ok(false)
            }
        }
    })
    .await?;
    if let Some(bad) = bad {
        return Err(bad);
    }
    drop(file);
    if !exists(&to.join(FORMAT_FILE))? {
        write_format(to, &Format::of_log(WITH_LEDGER - 1, log.identity.log))?;
    }
    Ok(())
}

/// Notes that all of the log is in a folder: from now on nothing more is copied into it.
pub(crate) fn finish_copy(to: &Path) -> Result<(), CopyError> {
    Ok(fs::remove_file(to.join(MARK)).map_err(OpenError::io(to))?)
}

/// How many events the folder holds already, and where the last of them stands in the cluster.
async fn reached(log: &ClusterLog, file: &LogFile) -> Result<(u64, u64), CopyError> {
    let (count, _) = file.head().map_err(OpenError::database(LOG_FILE))?;
    if count == 0 {
        return Ok((0, 0));
    }
    let sql = "SELECT stream, revision, id FROM events WHERE position = ?1";
    let last = file.connection.query_row(sql, [to_stored(count)], |row| {
        Ok((row.get::<_, String>(0)?, unsigned(row, 1)?, row.get::<_, [u8; 16]>(2)?))
    });
    let (stream, revision, id) = last.map_err(OpenError::database(LOG_FILE))?;
    let found = log.connection.read_stream(&log.names.stored(&stream), revision - 1, 1).await?;
    let found = found.and_then(|events| events.into_iter().next()).filter(|raw| *raw.id.as_bytes() == id);
    found.map(|raw| (count, raw.position)).ok_or(CopyError::Foreign)
}

fn write(file: &mut LogFile, count: u64, events: &[StoredEvent]) -> rusqlite::Result<()> {
    let transaction = file.connection.transaction()?;
    for (event, position) in events.iter().zip(count + 1..) {
        let Stored { stream, revision, id, tag, occurred_at, .. } = event.as_stored();
        transaction.prepare_cached(INSERT)?.execute(params![
            to_stored(position),
            stream,
            to_stored(revision),
            id,
            tag,
            occurred_at,
            event.effective_at,
            event.recorded_at,
            event.actor,
            event.subjects,
            event.metadata,
            event.data,
        ])?;
    }
    transaction.commit()
}
