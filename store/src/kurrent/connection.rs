//! The connection to the cluster: the few calls that are needed, with the official client behind them and nowhere else.
//!
//! The client gives up for good when it finds no node; it is then made anew. Its own waiting knows no end, so every
//! call here has one. Its subscriptions are not used: they turn in a circle that never yields where a server ends one
//! in good order, as it does when it stops (decision 0013). What is new is read page by page instead.

use std::{
    sync::{
        Arc, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use eventstore::{
    AppendToStreamOptions, BatchAppendClient, BatchAppendOptions, Client, ClientSettings, Credentials,
    CurrentRevision, EventData, Position, ReadAllOptions, ReadStream, ReadStreamOptions, StreamPosition,
    StreamState, SubscriptionFilter, TombstoneStreamOptions,
};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::{runtime::Handle, time::timeout};
use uuid::Uuid;

use super::{node_index::MARKED_EVERY, pause::Pause};
use crate::{cluster::Cluster, copying::CopyError, open_error::OpenError};

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(10);
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

/// The code of gRPC for what can never be done so, a too large append for example.
const INVALID_ARGUMENT: i32 = 3;

/// The connection of one node to the cluster.
pub(super) struct Connection {
    cluster: Cluster,
    runtime: Handle,
    /// To the leader: for appending, and for reading what is decided on.
    leader: Renewable,
    /// To whichever node the address prefers: for following.
    any: Renewable,
    trouble: AtomicU64,
}

/// A client that is made anew when it has given up.
struct Renewable {
    address: String,
    current: RwLock<(u64, Client)>,
}

/// An event as the cluster holds it.
#[derive(Clone, Debug)]
pub(super) struct Raw {
    pub(super) name: String,
    /// From 0.
    pub(super) revision: u64,
    pub(super) id: Uuid,
    pub(super) tag: String,
    pub(super) data: Vec<u8>,
    pub(super) metadata: Vec<u8>,
    pub(super) position: u64,
}

/// An event on its way into the cluster; data and metadata are JSON, written as they stand.
#[derive(Clone, Debug)]
pub(super) struct Proposed {
    pub(super) id: Uuid,
    pub(super) tag: String,
    pub(super) data: Box<RawValue>,
    pub(super) metadata: Option<Box<RawValue>>,
}

/// How many events a stream must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// So many.
    Events(u64),
    /// Any number.
    Any,
}

/// Where an append ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// The position of its last event, where the cluster says so.
    pub(super) position: Option<u64>,
}

/// Why a call was not answered as wished.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    /// The stream holds another number of events.
    #[error("the stream holds {0} events")]
    Revision(u64),
    /// The stream was destroyed.
    #[error("the stream was destroyed")]
    Destroyed,
    /// It can never be done so.
    #[error("the cluster refuses: {0}")]
    Refused(String),
    /// It was not done.
    #[error("the cluster cannot be reached: {0}")]
    NotDone(String),
    /// It was not done: another node leads now. The client knows, and asks that one the next time.
    #[error("the cluster is led by {0} now")]
    Moved(String),
    /// It was done or it was not.
    #[error("the cluster did not answer: {0}")]
    Unknown(String),
}

impl Trouble {
    fn of(error: &eventstore::Error) -> Self {
        use eventstore::Error;
        match error {
            Error::WrongExpectedVersion { current, .. } => Self::Revision(match current {
                CurrentRevision::Current(last) => last + 1,
                CurrentRevision::NoStream => 0,
            }),
            Error::ResourceDeleted => Self::Destroyed,
            Error::NotLeaderException(leader) => Self::Moved(format!("{}:{}", leader.host, leader.port)),
            Error::ConnectionClosed | Error::GrpcConnectionError(_) => Self::NotDone(error.to_string()),
            Error::AccessDenied => {
                Self::Refused("the name and the password do not give the right to this".to_owned())
            }
            Error::UnsupportedFeature | Error::InternalParsingError(_) | Error::InitializationError(_) => {
                Self::Refused(error.to_string())
            }
            Error::Grpc { code, message } if i32::from(*code) == INVALID_ARGUMENT => {
                Self::Refused(message.clone())
            }
            _ => Self::Unknown(error.to_string()),
        }
    }

    /// Whether it may help to try again.
    pub(super) fn passes(&self) -> bool {
        matches!(self, Self::NotDone(_) | Self::Moved(_) | Self::Unknown(_))
    }
}

impl From<Trouble> for CopyError {
    fn from(trouble: Trouble) -> Self {
        Self::Cluster(trouble.to_string())
    }
}

/// Which server is read from.
#[derive(Clone, Copy)]
pub(super) enum Server {
    /// The one that the address asks for.
    Any,
    /// The one that has everything.
    Leader,
}

impl Connection {
    /// Connects, and refuses servers that are too old.
    pub(super) async fn open(cluster: Cluster) -> Result<Self, OpenError> {
        check_authorities(&cluster)?;
        let runtime = Handle::current();
        let leader = Renewable::new(cluster.to_leader(), &runtime, &cluster)?;
        let any = Renewable::new(cluster.address(), &runtime, &cluster)?;
        let connection = Self { cluster, runtime, leader, any, trouble: AtomicU64::new(0) };
        connection.refuse_old_servers().await?;
        Ok(connection)
    }

    async fn refuse_old_servers(&self) -> Result<(), OpenError> {
        let mut pause = Pause::default();
        for attempt in 1.. {
            let (generation, client) = self.leader.client();
            let failed = match timeout(PATIENCE, client.server_info()).await {
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

    pub(super) fn cannot(&self, reason: String) -> OpenError {
        OpenError::Cluster { cluster: self.cluster.to_string(), reason }
    }

    /// How often a call had to be tried again.
    pub(super) fn troubles(&self) -> u64 {
        self.trouble.load(Relaxed)
    }

    /// Events of streams whose names begin so, in the order of the log from after a position on, at most `limit`, and
    /// fewer where they are large; whether there may be more. The position must be one of the cluster's.
    pub(super) async fn read_all(
        &self,
        after: u64,
        limit: usize,
        prefixes: &[String],
    ) -> Result<(Vec<Raw>, bool), Trouble> {
        self.read_beyond(Server::Any, (after, after), limit, prefixes).await
    }

    /// The same from a certain server, after any number, reading from a position of the cluster at or before it.
    pub(super) async fn read_beyond(
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
    pub(super) async fn nothing_after(
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
    pub(super) async fn newest_of_all(&self, limit: usize, prefixes: &[String]) -> Result<Vec<Raw>, Trouble> {
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
    pub(super) async fn end(&self) -> Result<u64, Trouble> {
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
    pub(super) async fn read_at(&self, position: u64, prefixes: &[String]) -> Result<Option<Raw>, Trouble> {
        let options =
            ReadAllOptions::default().position(StreamPosition::Position(place(position))).max_count(1);
        let options = self.authenticated(options.filter(filter(prefixes)), ReadAllOptions::authenticated);
        let (_, client) = self.any.client();
        let read = async {
            let stream = client.read_all(&options).await.map_err(|error| Trouble::of(&error))?;
            collect(stream, (1, usize::MAX), &|raw: &Raw| begins_with_one(&raw.name, prefixes)).await
        };
        let read = timeout(PATIENCE, read).await;
        let found = read.map_err(|_| Trouble::Unknown("no answer in time".to_owned()))??;
        Ok(found.and_then(|mut events| events.pop()).filter(|raw| raw.position == position))
    }

    /// The events of a stream from a revision on (from 0), at most `limit`; `None` where there is no such stream.
    pub(super) async fn read_stream(
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
    pub(super) async fn last_of(&self, name: &str) -> Result<Option<Raw>, Trouble> {
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
            let trouble = match timeout(PATIENCE, read(client)).await {
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
    pub(super) async fn append(
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
        let options = AppendToStreamOptions::default().stream_state(state).deadline(PATIENCE);
        let options = self.authenticated(options.requires_leader(true), AppendToStreamOptions::authenticated);
        let data = events.iter().map(Proposed::data).collect::<Result<Vec<_>, _>>();
        let data = data.map_err(|error| Trouble::Refused(error.to_string()))?;
        let (generation, client) = self.leader.client();
        let trouble = match timeout(PATIENCE, client.append_to_stream(name, &options, data)).await {
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
    pub(super) async fn append_surely(
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
    pub(super) async fn session(&self) -> Option<Session> {
        let (_, client) = self.leader.client();
        let options = self.authenticated(BatchAppendOptions::default(), BatchAppendOptions::authenticated);
        let session = timeout(PATIENCE, client.batch_append(&options.requires_leader(true))).await;
        session.ok()?.ok().map(Session)
    }

    /// Destroys a stream for ever; one that is destroyed already, or never was, is as good.
    pub(super) async fn destroy(&self, name: &str) -> Result<(), Trouble> {
        let options = TombstoneStreamOptions::default().deadline(PATIENCE);
        let options =
            self.authenticated(options.requires_leader(true), TombstoneStreamOptions::authenticated);
        let mut pause = Pause::default();
        let mut tries = 1;
        loop {
            let (generation, client) = self.leader.client();
            let trouble = match timeout(PATIENCE, client.tombstone_stream(name, &options)).await {
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

/// A session of appends.
pub(super) struct Session(BatchAppendClient);

impl Session {
    /// Whether the events stand now. Where not, nothing is known of them, and the session is over.
    pub(super) async fn append(&self, name: &str, expected: u64, events: &[Proposed]) -> bool {
        let state =
            if expected == 0 { StreamState::NoStream } else { StreamState::StreamRevision(expected - 1) };
        let Ok(data) = events.iter().map(Proposed::data).collect::<Result<Vec<_>, _>>() else { return false };
        let appended = timeout(PATIENCE, self.0.append_to_stream(name, state, data));
        matches!(appended.await, Ok(Ok(_)))
    }
}

impl Renewable {
    fn new(address: String, runtime: &Handle, cluster: &Cluster) -> Result<Self, OpenError> {
        let cannot = |reason: String| OpenError::Cluster { cluster: cluster.to_string(), reason };
        let client = connect(&address, runtime).map_err(cannot)?;
        Ok(Self { address, current: RwLock::new((0, client)) })
    }

    fn client(&self) -> (u64, Client) {
        let current = self.current.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        (current.0, current.1.clone())
    }

    /// A client that found no node any more never looks again, and one whose node is gone asks it over and over.
    fn renew_if_lost(&self, trouble: &Trouble, generation: u64, runtime: &Handle) {
        if matches!(trouble, Trouble::NotDone(_) | Trouble::Unknown(_)) {
            self.renew(generation, runtime);
        }
    }

    fn renew(&self, generation: u64, runtime: &Handle) {
        let mut current = self.current.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if current.0 == generation {
            match connect(&self.address, runtime) {
                Ok(client) => *current = (generation + 1, client),
                Err(reason) => tracing::error!(reason, "the client of the cluster cannot be made anew"),
            }
        }
    }
}

/// The address holds no secret here, so that what is wrong with it may be said.
fn connect(address: &str, runtime: &Handle) -> Result<Client, String> {
    let settings = address.parse::<ClientSettings>().map_err(|error| error.message().to_owned())?;
    Client::with_runtime_handle(runtime.clone(), settings).map_err(|error| error.to_string())
}

/// The client takes it for granted that a file of certificates can be read.
fn check_authorities(cluster: &Cluster) -> Result<(), OpenError> {
    let Some(file) = cluster.authorities() else { return Ok(()) };
    let unusable = |reason: &str| OpenError::Cluster {
        cluster: cluster.to_string(),
        reason: format!("the file of certificates {} {reason}", file.display()),
    };
    let text =
        std::fs::read_to_string(file).map_err(|error| unusable(&format!("cannot be read: {error}")))?;
    let is_whole = text.matches("-----BEGIN CERTIFICATE-----").count();
    if is_whole == 0 || is_whole != text.matches("-----END CERTIFICATE-----").count() {
        return Err(unusable("holds no whole certificate in PEM"));
    }
    for body in text.split("-----BEGIN CERTIFICATE-----").skip(1) {
        use base64::{Engine as _, prelude::BASE64_STANDARD};
        let body: String = body.split("-----END").next().unwrap_or_default().split_whitespace().collect();
        if BASE64_STANDARD.decode(body).is_err() {
            return Err(unusable("holds a certificate that is not base64"));
        }
    }
    Ok(())
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
        match timeout(PATIENCE, stream.next()).await {
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

impl Raw {
    fn size(&self) -> usize {
        self.data.len() + self.metadata.len()
    }

    fn of(event: &eventstore::RecordedEvent) -> Self {
        Self {
            name: event.stream_id().to_owned(),
            revision: event.revision,
            id: event.id,
            tag: event.event_type.clone(),
            data: event.data.to_vec(),
            metadata: event.custom_metadata.to_vec(),
            position: event.position.commit,
        }
    }
}

impl Proposed {
    /// An event that the nodes keep among themselves.
    pub(super) fn of(id: Uuid, tag: &str, data: &impl Serialize) -> Result<Self, Trouble> {
        let data =
            serde_json::value::to_raw_value(data).map_err(|error| Trouble::Refused(error.to_string()))?;
        Ok(Self { id, tag: tag.to_owned(), data, metadata: None })
    }

    /// How many bytes the server counts.
    pub(super) fn size(&self) -> usize {
        self.data.get().len() + self.metadata.as_ref().map_or(0, |text| text.get().len()) + 2 * self.tag.len()
    }

    fn data(&self) -> serde_json::Result<EventData> {
        let event = EventData::json(&self.tag, &self.data)?.id(self.id);
        match &self.metadata {
            Some(metadata) => event.metadata_as_json(metadata),
            None => Ok(event),
        }
    }
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
pub(super) type Shared = Arc<Connection>;
