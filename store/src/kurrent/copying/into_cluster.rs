//! A whole log goes from a folder into a cluster.

use std::{fs, path::Path};

use domain::Stored;
use futures::{StreamExt as _, stream};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{
    cluster::Cluster,
    copy_error::CopyError,
    embedded::stored_log::StoredLog,
    folder::{
        names::{KEYS_FILE, LEDGER_KEY_FILE, epoch_key_file},
        private_files::exists,
    },
    kurrent::{
        document,
        envelope::propose,
        identity::Opening,
        keys::{
            mirror::{WrappedKey, each_wrapped},
            streams::{DRAWN, id_of},
        },
        names::Names,
        wire::{
            connection::{Connection, set_metadata},
            events::{Expected, Proposed, Raw},
            session::Session,
            trouble::Trouble,
        },
    },
};

/// How many events of one stream are joined in one append, and how many bytes: below what a server takes.
const JOINED: usize = 200;
const JOINED_BYTES: usize = 700 << 10;
/// How many groups are read ahead.
const AHEAD: usize = 64;
/// How many keys are on their way at a time. They have no order among themselves.
const KEYS_AT_ONCE: usize = 48;

/// Neighbours in the log that belong to one stream.
struct Group {
    stream: String,
    /// How many events the stream holds before them.
    expected: u64,
    events: Vec<Proposed>,
    bytes: usize,
}

/// Copies the log of a folder into a cluster. `progress` is told how many events are through; those that stood there
/// already count.
pub(crate) async fn copy_in(
    from: &Path,
    to: &Cluster,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<(), CopyError> {
    let log = StoredLog::open(from)?;
    let id = log.log_id().ok_or_else(|| CopyError::Source("the log says not which one it is".to_owned()))?;
    if !from.join(LEDGER_KEY_FILE).is_file() {
        return Err(CopyError::Source(
            "it has no ledger yet: open it once, `rapport views` for example".to_owned(),
        ));
    }
    let names = Names::new(to.prefix());
    let connection = Connection::open(to.clone()).await?;
    begin(&connection, &names, from, id).await?;
    copy_keys(&connection, &names, &from.join(KEYS_FILE)).await?;
    copy_document(&connection, &names, &from.join("tokens.json")).await?;
    let last = connection.newest_of_all(1, &names.of_events()).await?.pop();
    let (groups, mut grouped) = mpsc::channel(AHEAD);
    let reading = tokio::task::spawn_blocking(move || read_ahead(&log, last.as_ref(), &groups));
    let mut session = connection.session().await;
    while let Some(step) = grouped.recv().await {
        match step {
            Step::There(count) => progress(count),
            Step::Group(group, count) => {
                append(&connection, &names, &mut session, &group).await?;
                progress(count);
            }
        }
    }
    reading.await.map_err(|error| CopyError::Source(error.to_string()))?
}

/// Begins the log in the cluster under its own id, or finds it there.
async fn begin(connection: &Connection, names: &Names, from: &Path, id: Uuid) -> Result<(), CopyError> {
    let opening = Opening { connection, names, secrets: None };
    if let Some(identity) = opening.read_identity().await?
        && identity.log == id
    {
        let (_, _, known) = opening.epochs(&identity).await?;
        for (epoch, _) in known {
            if !exists(&epoch_key_file(from, epoch))? {
                return Err(CopyError::Source(
                    "its keys have begun a new epoch since the copy was begun, and the cluster still has the old one: \
                     copy into an empty cluster, or under another --store-prefix"
                        .to_owned(),
                ));
            }
        }
    }
    opening.open(from, Some(id), Some(id)).await?;
    Ok(())
}

/// A key goes before the first event that is sealed with it; all of them go first.
async fn copy_keys(connection: &Connection, names: &Names, file: &Path) -> Result<(), CopyError> {
    let file = file.to_owned();
    let (keys, mut read) = mpsc::channel::<WrappedKey>(AHEAD);
    let reading = tokio::task::spawn_blocking(move || {
        each_wrapped(&file, |key| {
            // Nobody listens any more where a key could not be copied, and that is told below.
            let _ = keys.blocking_send(key);
            Ok(())
        })
    });
    let received = stream::poll_fn(move |context| read.poll_recv(context));
    let mut copied = received.map(|key| copy_key(connection, names, key)).buffer_unordered(KEYS_AT_ONCE);
    while let Some(copied) = copied.next().await {
        copied?;
    }
    let read = reading.await.map_err(|error| CopyError::Source(error.to_string()))?;
    read.map_err(|error| CopyError::Source(error.to_string()))
}

async fn copy_key(connection: &Connection, names: &Names, key: WrappedKey) -> Result<(), CopyError> {
    let event = Proposed::of(id_of(&key), DRAWN, &key)?;
    match connection.append_surely(&names.key(key.name()), Expected::Events(0), &[event]).await {
        // It stands there already, or whose it was has been erased since.
        Ok(_) | Err(Trouble::Revision(_) | Trouble::Destroyed) => Ok(()),
        Err(trouble) => Err(trouble.into()),
    }
}

/// Whoever could come in can still come in.
async fn copy_document(connection: &Connection, names: &Names, file: &Path) -> Result<(), CopyError> {
    let Ok(text) = fs::read_to_string(file) else { return Ok(()) };
    let unreadable = |error: serde_json::Error| CopyError::Source(format!("{}: {error}", file.display()));
    let all: serde_json::Value = serde_json::from_str(&text).map_err(unreadable)?;
    let event = document::event(&all.to_string())?;
    set_metadata(connection, &names.document(), &document::kept()).await?;
    match connection.append_surely(&names.document(), Expected::Events(0), &[event]).await {
        Ok(_) | Err(Trouble::Revision(_)) => Ok(()),
        Err(trouble) => Err(trouble.into()),
    }
}

/// What comes next.
enum Step {
    /// So many events stand in the cluster already.
    There(u64),
    /// These are to be appended; so many are through when they are.
    Group(Group, u64),
}

/// Reads the log and joins neighbours, from after the last event that stands in the cluster.
fn read_ahead(log: &StoredLog, last: Option<&Raw>, steps: &mpsc::Sender<Step>) -> Result<(), CopyError> {
    let (mut count, mut is_there, mut group, mut failed) = (0_u64, last.is_some(), None::<Group>, None);
    log.each(|event| {
        count += 1;
        let stored = match event {
            Ok(stored) => stored,
            Err(bad) => {
                failed = Some(CopyError::Source(bad.to_string()));
                return false;
            }
        };
        if is_there {
            is_there = last.is_some_and(|last| last.id.as_bytes() != stored.id);
            return is_there || steps.blocking_send(Step::There(count)).is_ok();
        }
        let proposed = match propose(stored, None) {
            Ok(proposed) => proposed,
            Err(reason) => {
                failed = Some(CopyError::Event { number: count, reason });
                return false;
            }
        };
        join(&mut group, stored, proposed)
            .is_none_or(|full| steps.blocking_send(Step::Group(full, count - 1)).is_ok())
    });
    if let Some(failed) = failed {
        return Err(failed);
    }
    if is_there {
        return Err(CopyError::Foreign);
    }
    // Where nobody listens any more the reason has been told already.
    let _ = group.map(|rest| steps.blocking_send(Step::Group(rest, count)));
    Ok(())
}

/// Adds an event to those before it, if it is their neighbour; otherwise gives those back.
fn join(group: &mut Option<Group>, stored: &Stored<'_>, event: Proposed) -> Option<Group> {
    let size = event.size();
    if let Some(group) = group
        && group.stream == stored.stream
        && group.expected + group.events.len() as u64 + 1 == stored.revision
        && group.events.len() < JOINED
        && group.bytes + size <= JOINED_BYTES
    {
        group.events.push(event);
        group.bytes += size;
        return None;
    }
    let (stream, expected) = (stored.stream.to_owned(), stored.revision - 1);
    group.replace(Group { stream, expected, events: vec![event], bytes: size })
}

/// Appends a group, and is not done before it stands there once.
async fn append(
    connection: &Connection,
    names: &Names,
    session: &mut Option<Session>,
    group: &Group,
) -> Result<(), CopyError> {
    let name = names.stored(&group.stream);
    if let Some(open) = session {
        if open.append(&name, group.expected, &group.events).await {
            return Ok(());
        }
        *session = None;
    }
    match connection.append_surely(&name, Expected::Events(group.expected), &group.events).await {
        Ok(_) => {}
        Err(Trouble::Revision(_)) => {
            let there =
                connection.read_stream(&name, group.expected, group.events.len()).await?.unwrap_or_default();
            if !there.iter().map(|raw| raw.id).eq(group.events.iter().map(|event| event.id)) {
                return Err(CopyError::Foreign);
            }
        }
        Err(trouble) => return Err(trouble.into()),
    }
    *session = connection.session().await;
    Ok(())
}
