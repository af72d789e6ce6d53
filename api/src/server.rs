//! Serving: TCP for everybody with a token, a socket in the data folder for the command line beside.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    application::{
        Rapport,
        readiness::{self, Trouble},
    },
    http::{self, Trust},
};

/// The socket's name in the data folder.
pub const SOCKET: &str = "rapport.sock";
/// How many connections may be open, where there are handles for them.
const CONNECTIONS_MAX: u64 = 4_096;
/// How many file handles are kept for the log, the views and their readers; with fewer it does not begin.
const HANDLES_MIN: u64 = 256;
/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// How long requests that are under way may take to end when the server does.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(6);
/// How long saving what was folded and hashed may take after that.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
/// How often it is looked at whether every part still works.
const WATCH_INTERVAL: Duration = Duration::from_millis(500);
/// How long accepting rests after it has failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How many connections this process may hold beside all else that it has open. An error says that it may not even have
/// that open: better before anything is begun than in the middle of it.
pub fn connections_max() -> anyhow::Result<usize> {
    let handles = machine::handles::raise_limit();
    if handles < HANDLES_MIN {
        bail!(
            "this process may have {handles} files open and needs {HANDLES_MIN} at least: raise the limit (`ulimit -n`, \
             LimitNOFILE=)"
        );
    }
    Ok(usize::try_from((handles - HANDLES_MIN / 2).min(CONNECTIONS_MAX))?)
}

/// A server that accepts connections.
pub struct Server {
    rapport: Arc<Rapport>,
    tcp: TcpListener,
    socket: UnixListener,
    socket_path: PathBuf,
    connections_max: usize,
}

impl Server {
    /// Binds the address and the socket.
    pub async fn bind(rapport: Arc<Rapport>, address: SocketAddr) -> anyhow::Result<Self> {
        let connections_max = connections_max()?;
        let tcp = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address}: choose another with --listen"))?;
        let socket_path = rapport.folder.path().join(SOCKET);
        // The folder is locked by this process, so a socket found here is of one that has died.
        if socket_path.exists() {
            fs::remove_file(&socket_path)?;
        }
        let socket = bind_socket(&socket_path)?;
        Ok(Self { rapport, tcp, socket, socket_path, connections_max })
    }

    /// The address that is listened on.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.tcp.local_addr()?)
    }

    /// Serves until `ending` is cancelled; then lets what is under way come to its end.
    pub async fn run(self, ending: CancellationToken) -> anyhow::Result<()> {
        let public = http::router(Arc::clone(&self.rapport), Trust::Tokens, ending.clone());
        let local = http::router(Arc::clone(&self.rapport), Trust::Socket, ending.clone());
        let connections = Arc::new(Semaphore::new(self.connections_max));
        let (graceful, aborting, tasks) =
            (GracefulShutdown::new(), CancellationToken::new(), TaskTracker::new());
        let (mut failing, mut failed) = (pin!(has_failed(&self.rapport)), None);
        loop {
            let (routes, permit, stream): (&Router, Option<OwnedSemaphorePermit>, Box<dyn Connection>) = tokio::select! {
                accepted = self.tcp.accept() => match accepted {
                    Ok((stream, _)) => {
                        // Answers are small; waiting to fill a packet would only delay them.
                        let _ = stream.set_nodelay(true);
                        // One too many is closed at once; the socket of the folder's owner is never shut out.
                        let Ok(permit) = Arc::clone(&connections).try_acquire_owned() else { continue };
                        (&public, Some(permit), Box::new(stream))
                    }
                    Err(error) => {
                        rest(&error).await;
                        continue;
                    }
                },
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, _)) => (&local, None, Box::new(stream)),
                    Err(error) => {
                        rest(&error).await;
                        continue;
                    }
                },
                trouble = &mut failing => {
                    failed = Some(trouble);
                    ending.cancel();
                    break;
                }
                () = ending.cancelled() => break,
            };
            // HTTP/1 only: there the time for the first head begins with the connection, also where nothing is sent.
            let mut builder = Builder::new(TokioExecutor::new()).http1_only();
            builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
            let service = TowerToHyperService::new(routes.clone());
            let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
            let (watched, aborted) = (graceful.watch(connection), aborting.clone());
            tasks.spawn(async move {
                tokio::select! {
                    ended = watched => if let Err(error) = ended {
                        tracing::debug!(%error, "a connection ended early");
                    },
                    () = aborted.cancelled() => {}
                }
                drop(permit);
            });
        }
        drop(self.tcp);
        let _ = fs::remove_file(&self.socket_path);
        if tokio::time::timeout(SHUTDOWN_TIMEOUT, graceful.shutdown()).await.is_err() {
            tracing::warn!("some connections did not end in time and are closed");
        }
        aborting.cancel();
        tasks.close();
        self.rapport.log.leave().await;
        // Whatever a client or a disk does, the process ends: what is half done is found and done again at the next start.
        let rapport = Arc::clone(&self.rapport);
        let closing = tokio::task::spawn_blocking(move || rapport.close());
        if tokio::time::timeout(CLOSE_TIMEOUT, async { tokio::join!(tasks.wait(), closing) }).await.is_err() {
            tracing::warn!("what was under way did not end in time and is left as it is");
        }
        match failed {
            Some(Trouble { part, reason, .. }) => {
                bail!("{part}: {reason}; the process ends, so that it is started again")
            }
            None => Ok(()),
        }
    }
}

/// Comes to its end when a part has failed that only a new start brings back.
async fn has_failed(rapport: &Rapport) -> Trouble {
    loop {
        tokio::time::sleep(WATCH_INTERVAL).await;
        if let Some(trouble) = readiness::troubles(rapport).into_iter().find(|trouble| trouble.is_final) {
            tracing::error!(
                part = trouble.part,
                reason = trouble.reason,
                "the process ends, so that it is started again"
            );
            return trouble;
        }
    }
}

/// A stream of either listener.
trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// When no connection can be accepted (too many open files, say), trying at once again helps nobody.
async fn rest(error: &std::io::Error) {
    tracing::warn!(%error, "a connection could not be accepted");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

/// The socket is made beside its place, restricted, and only then put there: nobody finds it open to all.
fn bind_socket(path: &Path) -> anyhow::Result<UnixListener> {
    let beside = path.with_extension("new");
    let _ = fs::remove_file(&beside);
    let socket = UnixListener::bind(&beside).with_context(
        || "cannot listen on a socket in the data folder: is its path longer than 100 characters?",
    )?;
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o600))?;
    fs::rename(&beside, path)?;
    Ok(socket)
}
