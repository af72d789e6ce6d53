//! The connection to the cluster: the few calls that are needed, with the official client behind them and nowhere else.
//!
//! The client gives up for good when it finds no node; it is then made anew. Its own waiting knows no end, so every
//! call here has one. Its subscriptions are not used: they turn in a circle that never yields where a server ends one
//! in good order, as it does when it stops (decision 0013). What is new is read page by page instead.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use eventstore::{
    AppendToStreamOptions, BatchAppendOptions, Client, Credentials, Position, ReadAllOptions, ReadStream,
    ReadStreamOptions, StreamPosition, StreamState, SubscriptionFilter, TombstoneStreamOptions,
};
use tokio::{runtime::Handle, time::timeout};

use crate::{
    cluster::Cluster,
    kurrent::{
        node_index::MARKED_EVERY,
        wire::{
            address,
            client::{Renewable, check_authorities},
            events::{Expected, Proposed, Raw, Written, random},
            pause::Pause,
            session::Session,
            timeout::CALL_TIMEOUT,
            trouble::Trouble,
        },
    },
    open_error::OpenError,
};

/// How many times a read is tried before whoever reads is told.
const TRIES: usize = 6;
/// How many events are passed over at most before those that are wanted.
const PASSED_OVER: usize = MARKED_EVERY + 1;
/// How many bytes of events of the whole log are read at once.
const BYTES_AT_ONCE: usize = 32 << 20;
/// How many events the server looks through for one page of those that are wanted.
const SEARCHED_AT_ONCE: u32 = 4_096;
/// The oldest server whose streams say where their events stand in the whole log.
const OLDEST_SERVER: (usize, usize) = (22, 6);

/// The connection of one node to the cluster.
pub(crate) struct Connection {
    cluster: Cluster,
    runtime: Handle,
    /// To the leader: for appending, and for reading what is decided on.
    leader: Renewable,
    /// To whichever node the address prefers: for following.
    any: Renewable,
    trouble: AtomicU64,
}

/// Which server is read from.
#[derive(Clone, Copy)]
pub(crate) enum Server {
    /// The one that the address asks for.
    Any,
    /// The one that has everything.
    Leader,
}

impl Connection {
    /// Connects, and refuses servers that are too old.
    pub(crate) async fn open(cluster: Cluster) -> Result<Self, OpenError> {
        check_authorities(&cluster)?;
        let runtime = Handle::current();
        let leader = Renewable::new(address::of_leader(&cluster), &runtime, &cluster)?;
        let any = Renewable::new(address::of(&cluster), &runtime, &cluster)?;
        let connection = Self { cluster, runtime, leader, any, trouble: AtomicU64::new(0) };
        connection.refuse_old_servers().await?;
        Ok(connection)
    }

    async fn refuse_old_servers(&self) -> Result<(), OpenError> {
        let mut pause = Pause::default();
        for attempt in 1.. {
            let (generation, client) = self.leader.client();
            let failed = match timeout(CALL_TIMEOUT, client.server_info()).await {
                Ok(Ok(info)) if info.version() < OLDEST_SERVER => {
                    let (major, minor) = OLDEST_SERVER;
                    let found = info.version();
                    let reason =
                        format!("its servers are of version {found}, and {major}.{minor} or newer is needed");
                    return Err(self.cannot(reason));
                }
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error)) => Trouble::of(&error),
                Err(_) => Trouble::NotDone("no answer in time".to_owned()),
            };
            if attempt >= TRIES || !failed.passes() {
                return Err(self.cannot(format!(
                    "{failed} Does a server listen there, is `tls` as it should be, and is `tlsCAFile` the authority of \
                     its certificate?"
                )));
            }
            self.leader.renew(generation, &self.runtime);
            tokio::time::sleep(pause.next()).await;
        }
        Ok(())
    }

    pub(crate) fn cannot(&self, reason: String) -> OpenError {
        OpenError::Cluster { cluster: self.cluster.to_string(), reason }
    }

    /// How often a call had to be tried again.
    pub(crate) fn troubles(&self) -> u64 {
        self.trouble.load(Relaxed)
    }

    /// Events of streams whose names begin so, in the order of the log from after a position on, at most `limit`, and
    /// fewer where they are large; whether there may be more. The position must be one of the cluster's.
    pub(crate) async fn read_all(
        &self,
        after: u64,
        limit: usize,
        prefixes: &[String],
    ) -> Result<(Vec<Raw>, bool), Trouble> {
        self.read_beyond(Server::Any, (after, after), limit, prefixes).await
    }

    /// The same from a certain server, after any number, reading from a position of the cluster at or before it.
    pub(crate) async fn read_beyond(
        &self,
        server: Server,
        (from, after): (u64, u64),
        limit: usize,
        prefixes: &[String],
    ) -> Result<(Vec<Raw>, bool), Trouble> {
        let from = if from == 0 { StreamPosition::Start } else { StreamPosition::Position(place(from)) };
        // Some that come before those that are wanted: the one at the position itself, or those behind a mark.
        let options = ReadAllOptions::default().position(from).max_count(limit.saturating_add(PASSED_OVER));
        let options = self.authenticated(options.filter(filter(prefixes)), ReadAllOptions::authenticated);
        let is_wanted = |raw: &Raw| raw.position > after && begins_with_one(&raw.name, prefixes);
        let renewable = match server {
            Server::Any => &self.any,
            Server::Leader => &self.leader,
        };
        let events = self.reading(renewable, (limit, BYTES_AT_ONCE), is_wanted, |client| {
            let options = options.clone();
            async move { client.read_all(&options).await }
        });
        let events = events.await?.unwrap_or_default();
        let is_full = events.len() >= limit || events.iter().map(Raw::size).sum::<usize>() >= BYTES_AT_ONCE;
        Ok((events, is_full))
    }

    /// Where everything in the cluster has been looked at, if nothing that is wanted comes after a position: whoever
    /// follows goes on from there, and need not look through all that others write, over and over.
    pub(crate) async fn nothing_after(
        &self,
        after: u64,
        prefixes: &[String],
    ) -> Result<Option<u64>, Trouble> {
        let (generation, _) = self.any.client();
        let end = self.end().await?;
        let (events, _) = self.read_all(after, 1, prefixes).await?;
        // Both must have been answered by the same server: another one may not have come as far.
        let is_same = self.any.client().0 == generation;
        Ok(Some(end).filter(|end| is_same && events.is_empty() && *end > after))
    }

    /// The last events of all streams whose names begin so, the newest first.
    pub(crate) async fn newest_of_all(&self, limit: usize, prefixes: &[String]) -> Result<Vec<Raw>, Trouble> {
        let options = ReadAllOptions::default().position(StreamPosition::End).backwards().max_count(limit);
        let options = self.authenticated(options.filter(filter(prefixes)), ReadAllOptions::authenticated);
        let is_wanted = |raw: &Raw| begins_with_one(&raw.name, prefixes);
        let read = self.reading(&self.leader, (limit, usize::MAX), is_wanted, |client| {
            let options = options.clone();
            async move { client.read_all(&options).await }
        });
        Ok(read.await?.unwrap_or_default())
    }

    /// Where the whole log of the cluster ends, other people's events included.
    pub(crate) async fn end(&self) -> Result<u64, Trouble> {
        let options = ReadAllOptions::default().position(StreamPosition::End).backwards().max_count(1);
        let options = self.authenticated(options, ReadAllOptions::authenticated);
        let read = self.reading(
            &self.any,
            (1, usize::MAX),
            |_| true,
            |client| {
                let options = options.clone();
                async move { client.read_all(&options).await }
            },
        );
        Ok(read.await?.and_then(|events| events.last().map(|raw| raw.position)).unwrap_or_default())
    }

    /// The event at a position, tried once; nothing where none of ours stands there.
    pub(crate) async fn read_at(&self, position: u64, prefixes: &[String]) -> Result<Option<Raw>, Trouble> {
        let options =
            ReadAllOptions::default().position(StreamPosition::Position(place(position))).max_count(1);
        let options = self.authenticated(options.filter(filter(prefixes)), ReadAllOptions::authenticated);
        let (_, client) = self.any.client();
        let read = async {
            let stream = client.read_all(&options).await.map_err(|error| Trouble::of(&error))?;
            collect(stream, (1, usize::MAX), &|raw: &Raw| begins_with_one(&raw.name, prefixes)).await
        };
        let read = timeout(CALL_TIMEOUT, read).await;
        let found = read.map_err(|_| Trouble::Unknown("no answer in time".to_owned()))??;
        Ok(found.and_then(|mut events| events.pop()).filter(|raw| raw.position == position))
    }

    /// The events of a stream from a revision on (from 0), at most `limit`; `None` where there is no such stream.
    pub(crate) async fn read_stream(
        &self,
        name: &str,
        from: u64,
        limit: usize,
    ) -> Result<Option<Vec<Raw>>, Trouble> {
        let options = ReadStreamOptions::default().position(StreamPosition::Position(from)).max_count(limit);
        let options = self.authenticated(options.requires_leader(true), ReadStreamOptions::authenticated);
        self.reading(
            &self.leader,
            (limit, usize::MAX),
            |_| true,
            |client| {
                let options = options.clone();
                async move { client.read_stream(name, &options).await }
            },
        )
        .await
    }

    /// The last event of a stream; `None` where there is no such stream.
    pub(crate) async fn last_of(&self, name: &str) -> Result<Option<Raw>, Trouble> {
        let options = ReadStreamOptions::default().position(StreamPosition::End).backwards().max_count(1);
        let options = self.authenticated(options.requires_leader(true), ReadStreamOptions::authenticated);
        let read = self.reading(
            &self.leader,
            (1, usize::MAX),
            |_| true,
            |client| {
                let options = options.clone();
                async move { client.read_stream(name, &options).await }
            },
        );
        Ok(read.await?.and_then(|mut events| events.pop()))
    }

    /// Reads, and tries again what was cut off; whoever reads has seen nothing of it then.
    async fn reading<'c, F>(
        &'c self,
        renewable: &'c Renewable,
        limits: (usize, usize),
        is_wanted: impl Fn(&Raw) -> bool,
        read: impl Fn(Client) -> F,
    ) -> Result<Option<Vec<Raw>>, Trouble>
    where
        F: Future<Output = eventstore::Result<ReadStream>>,
    {
        let mut pause = Pause::default();
        let mut tries = 1;
        loop {
            let (generation, client) = renewable.client();
            let trouble = match timeout(CALL_TIMEOUT, read(client)).await {
                Ok(Ok(stream)) => match collect(stream, limits, &is_wanted).await {
                    Ok(events) => return Ok(events),
                    Err(trouble) => trouble,
                },
                Ok(Err(eventstore::Error::ResourceNotFound)) => return Ok(None),
                Ok(Err(error)) => Trouble::of(&error),
                Err(_) => Trouble::Unknown("no answer in time".to_owned()),
            };
            if !trouble.passes() || tries == TRIES {
                return Err(trouble);
            }
            self.again(&trouble, renewable, generation, &mut pause).await;
            tries += 1;
        }
    }

    /// Appends once; what became of it may be unknown, and then the same may be appended again.
    pub(crate) async fn append(
        &self,
        name: &str,
        expected: Expected,
        events: &[Proposed],
    ) -> Result<Written, Trouble> {
        let state = match expected {
            Expected::Any => StreamState::Any,
            Expected::Events(0) => StreamState::NoStream,
            Expected::Events(held) => StreamState::StreamRevision(held - 1),
        };
        let options = AppendToStreamOptions::default().stream_state(state).deadline(CALL_TIMEOUT);
        let options = self.authenticated(options.requires_leader(true), AppendToStreamOptions::authenticated);
        let data = events.iter().map(Proposed::data).collect::<Result<Vec<_>, _>>();
        let data = data.map_err(|error| Trouble::Refused(error.to_string()))?;
        let (generation, client) = self.leader.client();
        let trouble = match timeout(CALL_TIMEOUT, client.append_to_stream(name, &options, data)).await {
            Ok(Ok(written)) => {
                // The client says 0 where the server says nothing.
                return Ok(Written {
                    position: Some(written.position.commit).filter(|position| *position > 0),
                });
            }
            Ok(Err(error)) => Trouble::of(&error),
            Err(_) => Trouble::Unknown("no answer in time".to_owned()),
        };
        if trouble.passes() {
            self.trouble.fetch_add(1, Relaxed);
            self.leader.renew_if_lost(&trouble, generation, &self.runtime);
        }
        Err(trouble)
    }

    /// Appends what may stand there once more or not: tried until it is known to stand, within a limit.
    pub(crate) async fn append_surely(
        &self,
        name: &str,
        expected: Expected,
        events: &[Proposed],
    ) -> Result<Written, Trouble> {
        let mut pause = Pause::default();
        let mut tries = 1;
        loop {
            match self.append(name, expected, events).await {
                Err(trouble) if trouble.passes() && tries < TRIES => {
                    tracing::debug!(%trouble, "an append is tried again");
                    tokio::time::sleep(pause.next()).await;
                    tries += 1;
                }
                done => return done,
            }
        }
    }

    /// A session in which one append after the other goes out, none before the last one was answered. On a single call
    /// each the client sends two packets and waits for the first to be acknowledged, some 40 milliseconds; in a session
    /// it sends one. Nothing where the servers know no sessions.
    pub(crate) async fn session(&self) -> Option<Session> {
        let (_, client) = self.leader.client();
        let options = self.authenticated(BatchAppendOptions::default(), BatchAppendOptions::authenticated);
        let session = timeout(CALL_TIMEOUT, client.batch_append(&options.requires_leader(true))).await;
        session.ok()?.ok().map(Session)
    }

    /// Destroys a stream for ever; one that is destroyed already, or never was, is as good.
    pub(crate) async fn destroy(&self, name: &str) -> Result<(), Trouble> {
        let options = TombstoneStreamOptions::default().deadline(CALL_TIMEOUT);
        let options =
            self.authenticated(options.requires_leader(true), TombstoneStreamOptions::authenticated);
        let mut pause = Pause::default();
        let mut tries = 1;
        loop {
            let (generation, client) = self.leader.client();
            let trouble = match timeout(CALL_TIMEOUT, client.tombstone_stream(name, &options)).await {
                Ok(Ok(_) | Err(eventstore::Error::ResourceDeleted | eventstore::Error::ResourceNotFound)) => {
                    return Ok(());
                }
                Ok(Err(error)) => Trouble::of(&error),
                Err(_) => Trouble::Unknown("no answer in time".to_owned()),
            };
            if !trouble.passes() || tries == TRIES {
                return Err(trouble);
            }
            self.again(&trouble, &self.leader, generation, &mut pause).await;
            tries += 1;
        }
    }

    async fn again(&self, trouble: &Trouble, renewable: &Renewable, generation: u64, pause: &mut Pause) {
        self.trouble.fetch_add(1, Relaxed);
        tracing::debug!(%trouble, "a call to the cluster is tried again");
        renewable.renew_if_lost(trouble, generation, &self.runtime);
        tokio::time::sleep(pause.next()).await;
    }

    fn authenticated<O>(&self, options: O, with: impl Fn(O, Credentials) -> O) -> O {
        match self.cluster.credentials() {
            Some((user, password)) => with(options, Credentials::new(user.to_owned(), password.to_owned())),
            None => options,
        }
    }
}

/// Reads what is wanted up to so many events and about so many bytes. What lies beyond is never asked for, since
/// dropping the stream ends it. Whoever reads one stream takes fewer events for its end, so only events are counted there.
async fn collect(
    mut stream: ReadStream,
    (limit, byte_limit): (usize, usize),
    is_wanted: &impl Fn(&Raw) -> bool,
) -> Result<Option<Vec<Raw>>, Trouble> {
    let mut events = Vec::new();
    let mut bytes = 0;
    while events.len() < limit && bytes < byte_limit {
        match timeout(CALL_TIMEOUT, stream.next()).await {
            Ok(Ok(Some(event))) => {
                let raw = Raw::of(event.get_original_event());
                if is_wanted(&raw) {
                    bytes += raw.size();
                    events.push(raw);
                }
            }
            Ok(Ok(None)) => break,
            Ok(Err(eventstore::Error::ResourceNotFound)) => return Ok(None),
            Ok(Err(error)) => return Err(Trouble::of(&error)),
            Err(_) => return Err(Trouble::Unknown("it stopped in the middle of a page".to_owned())),
        }
    }
    Ok(Some(events))
}

const fn place(position: u64) -> Position {
    Position { commit: position, prepare: position }
}

fn filter(prefixes: &[String]) -> SubscriptionFilter {
    let filter = SubscriptionFilter::on_stream_name().max(SEARCHED_AT_ONCE);
    prefixes.iter().fold(filter, SubscriptionFilter::add_prefix)
}

/// The server compares as people of some language would; here every byte counts.
fn begins_with_one(name: &str, prefixes: &[String]) -> bool {
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}

/// Shared by all who call.
pub(crate) type Shared = Arc<Connection>;

/// Says how much of a stream the cluster keeps.
pub(crate) async fn set_metadata(
    connection: &Connection,
    name: &str,
    metadata: &serde_json::Value,
) -> Result<(), Trouble> {
    let event = Proposed::of(random(), "$metadata", metadata)?;
    connection.append_surely(&format!("$${name}"), Expected::Any, &[event]).await.map(|_| ())
}
