//! The doors of a node: its address, and every connection to it, so that they can be cut.

use std::{
    collections::HashMap,
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    thread,
};

use hyper::{server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpSocket, TcpStream},
    task::{self, AbortHandle},
};

use super::{Guarded, Shared, service::Connection};

/// Far more than any test opens; the defaults suppose strangers.
const STREAMS_OF_A_CONNECTION: u32 = 10_000;

/// How many may have knocked before they are let in.
const WAITING_AT_THE_DOOR: u32 = 1024;

/// One address at which the double is reached.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) address: SocketAddr,
    /// Keeps the address for this node while nobody listens there. It never listens itself.
    _keeper: TcpSocket,
    door: Guarded<Door>,
}

#[derive(Debug, Default)]
struct Door {
    /// None while the node is away.
    listening: Option<AbortHandle>,
    /// How many connections there ever were: the number of the last one.
    count: u64,
    open: HashMap<u64, AbortHandle>,
}

impl Node {
    /// Nobody listens yet.
    pub(super) fn new() -> io::Result<Self> {
        let keeper = socket((Ipv4Addr::LOCALHOST, 0).into())?;
        let address = keeper.local_addr()?;
        Ok(Self { address, _keeper: keeper, door: Guarded::default() })
    }

    pub(super) fn is_away(&self) -> bool {
        self.door.lock().listening.is_none()
    }

    /// Refuses new connections from now on, and cuts those that are. Like cutting, not for the double's own
    /// tasks.
    pub(super) fn go_away(&self) {
        // Unlocked again at once, for the task that may be letting somebody in.
        let listening = self.door.lock().listening.take();
        end(listening.as_slice());
        self.cut_all();
    }

    /// Returns when the last connection is closed. Not for the double's own tasks, which would wait for
    /// themselves.
    pub(super) fn cut_all(&self) {
        let open: Vec<_> = self.door.lock().open.drain().map(|(_, task)| task).collect();
        end(&open);
    }

    /// Cuts one connection, soon.
    pub(super) fn cut(&self, number: u64) {
        if let Some(task) = self.door.lock().open.remove(&number) {
            task.abort();
        }
    }
}

/// Returns when they have let go of their sockets.
fn end(tasks: &[AbortHandle]) {
    for task in tasks {
        task.abort();
    }
    while tasks.iter().any(|task| !task.is_finished()) {
        thread::yield_now();
    }
}

/// A socket that shares its address with others of the same node.
fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Lets a node listen, if it does not. Called inside of the double's runtime.
pub(super) fn come_back(shared: &Arc<Shared>, number: usize) -> io::Result<()> {
    let node = &shared.nodes[number];
    let mut door = node.door.lock();
    if door.listening.is_none() {
        let listener = socket(node.address)?.listen(WAITING_AT_THE_DOOR)?;
        door.listening = Some(tokio::spawn(listen(Arc::clone(shared), number, listener)).abort_handle());
    }
    Ok(())
}

/// Lets everybody in.
async fn listen(shared: Arc<Shared>, node: usize, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => let_in(&shared, node, socket),
            // Somebody left before we looked, or there are too many files open: neither is for ever.
            Err(_) => task::yield_now().await,
        }
    }
}

/// The door stays locked until the connection is among those that can be cut.
fn let_in(shared: &Arc<Shared>, node: usize, socket: TcpStream) {
    let mut door = shared.nodes[node].door.lock();
    door.count += 1;
    let number = door.count;
    let task = tokio::spawn(serve(Connection { shared: Arc::clone(shared), node, number }, socket));
    door.open.insert(number, task.abort_handle());
}

async fn serve(connection: Connection, socket: TcpStream) {
    // Small answers are not to wait for the next one; where that cannot be had, they are late and nothing is
    // wrong.
    let _ = socket.set_nodelay(true);
    let service = service_fn(|request| {
        let connection = connection.clone();
        async move { Ok::<_, Infallible>(connection.answer(request).await) }
    });
    let mut server = http2::Builder::new(TokioExecutor::new());
    server.max_concurrent_streams(STREAMS_OF_A_CONNECTION);
    server.max_pending_accept_reset_streams(STREAMS_OF_A_CONNECTION as usize);
    // How a connection ends is the affair of who opened it.
    let _ = server.serve_connection(TokioIo::new(Eager(socket)), service).await;
    connection.shared.nodes[connection.node].cut(connection.number);
}

/// A socket that acknowledges at once what it receives. The official client, 1.2, writes an append in two
/// parts and holds the second one back until the first is acknowledged, which the system would put off for 40
/// milliseconds.
struct Eager(TcpStream);

impl Eager {
    /// Has to be said again after every read. Where it cannot be said, tests take longer and nothing is
    /// wrong.
    fn acknowledge(&self) {
        #[cfg(target_os = "linux")]
        let _ = self.0.set_quickack(true);
    }
}

impl AsyncRead for Eager {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.0).poll_read(context, buffer);
        self.acknowledge();
        read
    }
}

impl AsyncWrite for Eager {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
