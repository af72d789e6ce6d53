//! What the tests of the whole stand on: a data folder of their own with a token for every role, requests and
//! answers, in this process or over TCP, and the real program, served, run or killed.

use std::{
    collections::HashMap,
    io::{self, BufRead, BufReader, Read, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use api::{
    Rapport,
    http::{Trust, router},
};
use axum::{Router, body::Body, http::Request};
use domain::{Kind, Position, Role};
use http_body_util::BodyExt as _;
use serde_json::Value;
use store::{Options, Place};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use uuid::Uuid;

/// No request takes longer, however slow the machine.
pub(crate) const TEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The n-th thing of a kind.
pub(crate) fn id(kind: Kind, number: u64) -> Uuid {
    let kind = Kind::ALL.iter().position(|other| *other == kind).unwrap();
    Uuid::from_u64_pair(kind as u64 + 1, number)
}

/// Numbers that look random and are the same in every run.
#[derive(Clone, Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.roll() % limit
    }

    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Ask {
    pub(crate) fn new(method: &str, path: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self { method: method.to_owned(), path: path.into(), headers: Vec::new(), body: body.into() }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path, "")
    }

    pub(crate) fn post(path: impl Into<String>, body: &Value) -> Self {
        Self::new("POST", path, body.to_string())
    }

    pub(crate) fn command(kind: Kind, id: Uuid, body: &Value) -> Self {
        Self::post(format!("/commands/{kind}/{id}"), body)
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    pub(crate) fn if_match(self, revision: u64) -> Self {
        self.header("if-match", format!("\"{revision}\""))
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The lines of an NDJSON answer.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[track_caller]
    pub(crate) fn good(self) -> Self {
        assert!((200..300).contains(&self.status), "{}: {}", self.status, self.text());
        self
    }

    /// The position after which a question sees what the command did.
    #[track_caller]
    pub(crate) fn position(&self) -> u64 {
        self.json()["position"].as_u64().unwrap()
    }
}

/// Sends a request to routes in this process. Where a request cannot be written as HTTP there is no answer.
pub(crate) async fn send(router: &Router, ask: &Ask) -> Option<Reply> {
    let mut request = Request::builder().method(ask.method.as_str()).uri(&ask.path);
    for (name, value) in &ask.headers {
        request = request.header(name, value.as_slice());
    }
    let request = request.body(Body::from(ask.body.clone())).ok()?;
    let answered = async {
        let response = router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let headers: HashMap<String, String> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let endless = headers.get("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
        let body = if endless { Vec::new() } else { body.collect().await.unwrap().to_bytes().to_vec() };
        Reply { status: parts.status.as_u16(), headers, body }
    };
    let answered = tokio::time::timeout(TEST_TIMEOUT, answered).await;
    Some(answered.unwrap_or_else(|_| panic!("no answer within {TEST_TIMEOUT:?} to {ask:?}")))
}

/// One organisation in a data folder, open in this process.
pub(crate) struct System {
    pub(crate) rapport: Arc<Rapport>,
    pub(crate) router: Router,
    tokens: HashMap<&'static str, String>,
}

impl System {
    /// Opens a folder and grants a token of its name to every role.
    pub(crate) async fn open(folder: &Path) -> Self {
        Self::of(open(folder).await).await
    }

    /// Opens a folder with choices.
    pub(crate) async fn open_with(folder: &Path, options: Options) -> Self {
        Self::of(Rapport::open_with(folder, &Place::Folder, options).await.unwrap()).await
    }

    async fn of(rapport: Arc<Rapport>) -> Self {
        let mut tokens = HashMap::new();
        for role in Role::ALL {
            tokens.insert(role.name(), rapport.tokens.lend(role.name(), role));
        }
        let router = router(Arc::clone(&rapport), Trust::Tokens, CancellationToken::new());
        rapport.views.settle(rapport.store.head(), |_| ()).await;
        Self { rapport, router, tokens }
    }

    pub(crate) fn token(&self, role: Role) -> &str {
        &self.tokens[role.name()]
    }

    pub(crate) fn head(&self) -> Position {
        self.rapport.store.head()
    }

    pub(crate) async fn ask_as(&self, role: Role, ask: Ask) -> Reply {
        send(&self.router, &ask.token(self.token(role))).await.unwrap()
    }

    /// Asks as somebody who may do everything.
    pub(crate) async fn ask(&self, ask: Ask) -> Reply {
        self.ask_as(Role::Admin, ask).await
    }

    /// Sends a command that nothing speaks against.
    pub(crate) async fn command(&self, kind: Kind, id: Uuid, body: Value) -> Reply {
        self.ask(Ask::command(kind, id, &body)).await.good()
    }

    /// What a view answers once it has seen everything.
    pub(crate) async fn view(&self, name: &str, query: &str) -> Value {
        let head = self.head();
        self.ask(Ask::get(format!("/views/{name}?{query}&after={head}"))).await.good().json()
    }

    /// Closes the folder, so that another may open it.
    pub(crate) async fn close(self) {
        self.rapport.views.close();
        let folder = self.rapport.folder.path().to_owned();
        drop(self);
        drop(open(&folder).await);
    }
}

/// Opens a folder, which its last user may be about to leave.
async fn open(folder: &Path) -> Arc<Rapport> {
    let began = Instant::now();
    loop {
        match Rapport::open(folder).await {
            Ok(rapport) => return rapport,
            Err(error) if began.elapsed() > TEST_TIMEOUT => panic!("{error:#}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// The real program, built from what the sources are now.
pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let deps = std::env::current_exe().unwrap();
        let folder = deps.parent().and_then(Path::parent).unwrap().to_owned();
        let binary = folder.join("rapport");
        let profile = folder.file_name().and_then(|name| name.to_str()).unwrap();
        let profile = if profile == "debug" { "dev" } else { profile };
        // Also where there is one already: it may have been built from other sources or with other features.
        let status = Command::new(env!("CARGO"))
            // Of the whole workspace, so that what it is built from is what the tests are built from, and built once.
            .args(["build", "--quiet", "--workspace", "--bin", "rapport", "--profile", profile])
            // What is tested is what is built: with the client of clusters, or without it.
            .args(if cfg!(feature = "kurrentdb") { &[][..] } else { &["--no-default-features"][..] })
            .arg("--target-dir")
            .arg(folder.parent().unwrap())
            .current_dir(workspace())
            .status()
            .unwrap();
        assert!(status.success(), "the program could not be built");
        binary
    })
}

pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The program with a command line, not started yet.
pub(crate) fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.arg("--data").arg(folder).args(["--as", "tester"]).args(arguments);
    for variable in [
        "DATA",
        "AS",
        "LOG",
        "LISTEN",
        "STORE",
        "STORE_PREFIX",
        "STORE_CREDENTIALS",
        "STORE_CREDENTIALS_FILE",
        "SECRETS",
    ] {
        command.env_remove(format!("RAPPORT_{variable}"));
    }
    command.stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    program(folder, arguments).output().unwrap()
}

/// Runs the program, which must succeed, and gives what it printed.
#[track_caller]
pub(crate) fn printed(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {}\n{out}\n{errors}", output.status);
    out.into_owned()
}

/// How it is told to serve at an address of its own.
const SERVE: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];

/// The real program while it serves a folder. Killed when it is dropped.
pub(crate) struct Served {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Served {
    /// Starts it and waits until it can be asked.
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[])
    }

    /// Starts it with more that it is told.
    pub(crate) fn start_with(folder: &Path, arguments: &[&str]) -> Self {
        let mut serving = program(folder, &SERVE);
        serving.args(arguments).env("RAPPORT_LOG", "error");
        Self::wait_for(serving)
    }

    /// Starts it on one core.
    pub(crate) fn start_on_one_core(folder: &Path) -> Self {
        let serving = program(folder, &SERVE);
        let mut on_one_core = Command::new("taskset");
        on_one_core.args(["-c", "0"]).arg(serving.get_program()).args(serving.get_args());
        on_one_core.env("RAPPORT_LOG", "error").stdin(Stdio::null());
        Self::wait_for(on_one_core)
    }

    /// Starts it so that it says so much.
    pub(crate) fn start_saying(folder: &Path, level: &str) -> Self {
        let mut serving = program(folder, &SERVE);
        serving.env("RAPPORT_LOG", level);
        Self::wait_for(serving)
    }

    /// Starts it so that what it has not synced is lost when a file appears.
    pub(crate) fn start_under_power(folder: &Path, shim: &Path, cut: &Path) -> Self {
        let mut serving = program(folder, &SERVE);
        serving.env("RAPPORT_LOG", "error").env("LD_PRELOAD", shim);
        serving.env("POWER_ROOT", folder).env("POWER_CUT", cut);
        Self::wait_for(serving)
    }

    /// What it says of itself; whoever takes it reads it or does not.
    pub(crate) fn errors(&mut self) -> ChildStderr {
        self.child.stderr.take().unwrap()
    }

    fn wait_for(mut serving: Command) -> Self {
        let mut child = serving.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).and_then(|rest| rest.split(' ').next());
        let Some(address) = address.and_then(|address| address.parse().ok()) else {
            let mut errors = String::new();
            let _ = child.kill();
            child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
            panic!("it does not serve: {line}{errors}");
        };
        Self { child, address }
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// How it ended, if it did in time.
    pub(crate) fn ended_within(&mut self, patience: Duration) -> Option<ExitStatus> {
        let began = Instant::now();
        while began.elapsed() < patience {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection that asks one thing after the other.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    token: String,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr, token: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TEST_TIMEOUT))?;
        Ok(Self { stream: BufReader::new(stream), token: token.to_owned() })
    }

    /// Sends a request and reads the head of its answer.
    pub(crate) fn begin(&mut self, ask: &Ask) -> io::Result<Reply> {
        let mut bytes = format!(
            "{} {} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n",
            ask.method,
            ask.path,
            self.token,
            ask.body.len()
        )
        .into_bytes();
        for (name, value) in &ask.headers {
            bytes.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&ask.body);
        self.stream.get_mut().write_all(&bytes)?;
        let first = self.line()?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no answer: {first:?}")))?;
        let mut headers = HashMap::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(Reply { status, headers, body: Vec::new() });
            }
            let (name, value) = line.split_once(':').ok_or_else(|| io::Error::other("no header"))?;
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
    }

    /// A line without its end; an error where the connection ends.
    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 || !line.ends_with('\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// The next chunk of an answer that comes in chunks; empty at its end.
    pub(crate) fn chunk(&mut self) -> io::Result<Vec<u8>> {
        let length = usize::from_str_radix(&self.line()?, 16).map_err(io::Error::other)?;
        let mut chunk = vec![0; length];
        self.stream.read_exact(&mut chunk)?;
        self.line()?;
        Ok(chunk)
    }

    pub(crate) fn ask(&mut self, ask: &Ask) -> io::Result<Reply> {
        let mut reply = self.begin(ask)?;
        if reply.headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
            loop {
                let chunk = self.chunk()?;
                if chunk.is_empty() {
                    return Ok(reply);
                }
                reply.body.extend(chunk);
            }
        }
        let length = reply.headers.get("content-length").and_then(|length| length.parse().ok());
        reply.body = vec![0; length.unwrap_or(0)];
        self.stream.read_exact(&mut reply.body)?;
        Ok(reply)
    }
}
