//! The product as it is served, in a process of its own, so that its memory is its own as well.

use std::{
    io::{BufRead, BufReader, Lines, Write},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
    time::Instant,
};

use api::{Rapport, server::Server};
use domain::Role;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::process::{core_seconds, memory};

pub const FLAG: &str = "--serve";
pub const FOLLOWING: &str = "following";
const ALONE: &str = "alone";

/// A server in another process, which ends with this handle.
pub struct Served {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    /// Where it listens.
    pub address: SocketAddr,
    /// A token of a caller who may do everything.
    pub token: String,
    /// Seconds until the folder was open and every view current.
    pub start_up: f64,
}

/// What the server says about itself.
pub struct State {
    /// How many events the view that is furthest behind has not seen.
    pub lag: u64,
    /// Resident memory now, in MiB.
    pub memory: f64,
    /// And at its highest.
    pub peak: f64,
    /// Seconds of processor time used so far.
    pub core: f64,
}

impl Served {
    /// Starts a server on a folder, with the followers of the views or without.
    pub fn start(folder: &Path, follows: bool) -> Self {
        let followers = if follows { FOLLOWING } else { ALONE };
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg(FLAG)
            .arg(folder)
            .arg(followers)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready: Value = serde_json::from_str(&output.next().unwrap().unwrap()).unwrap();
        Self {
            child,
            input,
            output,
            address: ready["address"].as_str().unwrap().parse().unwrap(),
            token: ready["token"].as_str().unwrap().to_owned(),
            start_up: ready["start_up"].as_f64().unwrap(),
        }
    }

    fn ask(&mut self, word: &str) -> Value {
        writeln!(self.input, "{word}").unwrap();
        serde_json::from_str(&self.output.next().unwrap().unwrap()).unwrap()
    }

    pub fn state(&mut self) -> State {
        let state = self.ask("state");
        State {
            lag: state["lag"].as_u64().unwrap(),
            memory: state["memory"].as_f64().unwrap(),
            peak: state["peak"].as_f64().unwrap(),
            core: state["core"].as_f64().unwrap(),
        }
    }

    /// Seconds until every view has seen all that is recorded now.
    pub fn drain(&mut self) -> f64 {
        self.ask("drain").as_f64().unwrap()
    }

    pub fn end(mut self) {
        self.ask("end");
        self.child.wait().unwrap();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It has ended already, unless this process is giving up.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The other process: serves until it is told to end or nobody listens any more.
pub fn serve(folder: &Path, follows: bool) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let begun = Instant::now();
    let rapport = runtime.block_on(Rapport::open(folder)).unwrap();
    runtime.block_on(rapport.views.settle(rapport.views.head(), |_| {}));
    let start_up = begun.elapsed().as_secs_f64();
    if !follows {
        // Nothing else stands between commands and the log, so this leaves exactly those.
        rapport.views.close();
    }
    let name = format!("figures {}", std::process::id());
    let token = rapport.tokens.lend(&name, Role::Admin);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = runtime.block_on(Server::bind(Arc::clone(&rapport), address)).unwrap();
    let address = server.address().unwrap().to_string();
    let ending = CancellationToken::new();
    let serving = runtime.spawn(server.run(ending.clone()));
    println!("{}", json!({"address": address, "token": token, "start_up": start_up}));
    for word in std::io::stdin().lines() {
        match word.unwrap().as_str() {
            "state" => println!("{}", state(&rapport)),
            "drain" => {
                let begun = Instant::now();
                runtime.block_on(rapport.views.settle(rapport.views.head(), |_| {}));
                println!("{}", begun.elapsed().as_secs_f64());
            }
            _ => break,
        }
    }
    ending.cancel();
    runtime.block_on(serving).unwrap().unwrap();
    println!("null");
}

fn state(rapport: &Rapport) -> Value {
    let slowest = rapport.views.statuses().into_iter().map(|(_, status)| status.position).min();
    let head = rapport.views.head();
    let (memory, peak) = memory();
    json!({"lag": head.0 - slowest.unwrap_or(head).0, "memory": memory, "peak": peak, "core": core_seconds()})
}
