//! Commands over HTTP: how many a second, and how long each waits.

use std::{
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::Kind;
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::{
    client::Client,
    disk::sync_now,
    load::{Ends, scattered},
    report::{Report, number, per_second, percentile},
    server::{Served, State},
};

/// How many commands one client sends at most.
const COMMANDS_PER_CLIENT: u64 = 100_000;
/// What `UmaDB` does a second over gRPC on such a machine, at its slowest and fastest (DESIGN §9); 1.5 times is
/// the aim.
const UMADB: [f64; 2] = [4_700.0, 12_000.0];
/// What is measured.
const LADDER: [Step; 5] = [
    Step { clients: 1, ..Step::USUAL },
    Step::USUAL,
    Step { clients: 128, ..Step::USUAL },
    Step { clients: 128, has_keys: true, ..Step::USUAL },
    Step { clients: 128, gatherings: 8, ..Step::USUAL },
];
const LADDER_OF_SMALL: [Step; 1] = [Step::USUAL];

#[derive(Clone, Copy)]
struct Step {
    clients: u64,
    /// Whether each command comes with a key.
    has_keys: bool,
    /// To how many gatherings people come at the same time: the fewer, the more often two write to one stream.
    gatherings: u64,
}

impl Step {
    const USUAL: Self = Self { clients: 32, has_keys: false, gatherings: 64 };

    fn is_usual(self) -> bool {
        !self.has_keys && self.gatherings == Self::USUAL.gatherings
    }
}

/// One measurement.
#[derive(Clone, Copy)]
struct Run {
    address: SocketAddr,
    step: Step,
    lasting: Duration,
    /// Sets the ids of this run apart from those of all others.
    salt: u64,
}

struct Outcome {
    times: Vec<Duration>,
    refused: u64,
    took: Duration,
}

/// Commands in a second of one core of the server, with 32 clients and without followers.
pub fn measure(
    report: &mut Report,
    runtime: &Runtime,
    folder: &Path,
    ends: &Ends,
    is_large: bool,
    quick: bool,
) -> Option<f64> {
    let lasting = Duration::from_secs(if quick { 2 } else { 8 });
    let ladder = if is_large { &LADDER[..] } else { &LADDER_OF_SMALL };
    let mut alone_at_32 = None;
    for follows in [false, true] {
        let mut served = Served::start(folder, follows);
        let views = if follows { "with all followers" } else { "without followers" };
        report.heading(&format!("Commands over HTTP, {views} (ratio to UmaDB at its slowest)"));
        for (place, step) in ladder.iter().copied().enumerate() {
            let clients = step.clients;
            let salt = scattered(20, place as u64 * 2 + u64::from(follows));
            let run = Run { address: served.address, step, lasting, salt };
            let disk = sync_now(folder.parent().unwrap());
            let measured = one(report, runtime, &mut served, run, ends, follows, disk);
            let Measured { rate, of_core, drained } = measured;
            if clients == 32 && !follows {
                alone_at_32 = Some(of_core);
            }
            if clients > 1 && step.is_usual() && is_large {
                let what =
                    format!("commands over HTTP, {clients} clients, {views}, 1.5 × UmaDB at its slowest");
                report.aim(&what, UMADB[0] * 1.5, rate, "/s");
                report.aim(&what.replace("slowest", "fastest"), UMADB[1] * 1.5, rate, "/s");
                if let Some(drained) = drained {
                    report.limit(&format!("lag drained after {clients} clients"), 10.0, drained, "s");
                }
            }
        }
        let state = served.state();
        let figure = format!("{:.0} MiB", state.memory);
        report
            .figure(&figure, &format!("resident memory after these commands, at most {:.0} MiB", state.peak));
        if is_large {
            report.limit(&format!("resident memory after commands, {views}"), 1024.0, state.peak, "MiB");
        }
        served.end();
    }
    alone_at_32
}

/// What one run came to.
struct Measured {
    /// Commands a second.
    rate: f64,
    /// Commands in a second of one core of the server.
    of_core: f64,
    /// Seconds until followers had caught up.
    drained: Option<f64>,
}

/// Measures once and prints it.
fn one(
    report: &mut Report,
    runtime: &Runtime,
    served: &mut Served,
    run: Run,
    ends: &Ends,
    follows: bool,
    disk: f64,
) -> Measured {
    let gatherings: Arc<[Uuid]> =
        (0..run.step.gatherings).map(|number| ends.late_gathering(number)).collect();
    let core = served.state().core;
    let sending = runtime.spawn(send_all(run, served.token.clone(), gatherings));
    std::thread::sleep(run.lasting / 2);
    let lag_halfway = served.state().lag;
    let Outcome { mut times, refused, took } = runtime.block_on(sending).unwrap();
    let State { lag, core: core_after, .. } = served.state();
    let of_core = times.len() as f64 / (core_after - core).max(0.01);
    let rate = per_second(times.len() as u64, took);
    let (p50, p99) = (percentile(&mut times, 50), percentile(&mut times, 99));
    let keys = if run.step.has_keys { ", with keys" } else { "" };
    let crowd = if run.step.gatherings < Step::USUAL.gatherings { ", crowding at 8 gatherings" } else { "" };
    let refused = if refused > 0 { format!(", {refused} REFUSED") } else { String::new() };
    let ratio = rate / UMADB[0];
    let what = format!(
        "{} clients{keys}{crowd}: p50 {p50:.1} ms, p99 {p99:.1} ms{refused}; {} in a second of one core of the server; a \
         sync just before took {disk:.2} ms",
        run.step.clients,
        number(of_core)
    );
    report.row(ratio, &format!("{} /s", number(rate)), &what);
    let drained = follows.then(|| served.drain());
    if let Some(drained) = drained {
        let what = format!("events behind at the end, {lag_halfway} halfway; drained in {drained:.2} s");
        report.figure(&lag.to_string(), &what);
    }
    Measured { rate, of_core, drained }
}

async fn send_all(run: Run, token: String, gatherings: Arc<[Uuid]>) -> Outcome {
    let mut clients = Vec::new();
    for number in 0..run.step.clients {
        clients.push((number, Client::connect(run.address, &token).await));
    }
    let begun = Instant::now();
    let sending: Vec<_> = clients
        .into_iter()
        .map(|(number, client)| tokio::spawn(send(run, number, client, begun, Arc::clone(&gatherings))))
        .collect();
    let mut outcome = Outcome { times: Vec::new(), refused: 0, took: Duration::ZERO };
    for sent in sending {
        let (times, refused) = sent.await.unwrap();
        outcome.times.extend(times);
        outcome.refused += refused;
    }
    outcome.took = begun.elapsed();
    outcome
}

async fn send(
    run: Run,
    client: u64,
    mut connection: Client,
    begun: Instant,
    gatherings: Arc<[Uuid]>,
) -> (Vec<Duration>, u64) {
    let (mut times, mut refused) = (Vec::new(), 0);
    for turn in 0..COMMANDS_PER_CLIENT {
        if begun.elapsed() >= run.lasting {
            break;
        }
        let (kind, id, body) = command(run.salt, client, turn, &gatherings);
        let key = run.step.has_keys.then(|| format!("{}-{client}-{turn}", run.salt));
        let sent = Instant::now();
        let (status, _) = connection.post(&format!("/commands/{kind}/{id}"), body, key.as_deref()).await;
        times.push(sent.elapsed());
        refused += u64::from(!status.is_success());
    }
    (times, refused)
}

/// What an office does: somebody registers, a deal with them is opened and moves on, they come to a gathering
/// that others come to at the same time, and they give.
fn command(salt: u64, client: u64, turn: u64, gatherings: &[Uuid]) -> (Kind, Uuid, String) {
    let round = turn / 5;
    let thing =
        |what| Uuid::from_u64_pair(scattered(what, salt ^ (client << 32 | round)), client << 32 | round);
    let (contact, deal) = (thing(30), thing(31));
    match turn % 5 {
        0 => {
            let body = format!(r#"{{"register":{{"form":"person","name":"Visitor {client} {round}"}}}}"#);
            (Kind::Contact, contact, body)
        }
        1 => {
            let value = r#"{"minor":120000,"currency":"USD"}"#;
            let fields =
                format!(r#""contact":"{contact}","product":"Alpha","value":{value},"stage":"Prospecting""#);
            (Kind::Deal, deal, format!(r#"{{"open":{{{fields}}}}}"#))
        }
        2 => (Kind::Deal, deal, r#"{"advance":{"stage":"Engaging"}}"#.to_owned()),
        3 => {
            let drawn = usize::try_from(scattered(33, salt ^ (client << 32 | turn))).unwrap_or_default();
            let body = format!(r#"{{"attend":{{"contact":"{contact}","method":"scan"}}}}"#);
            (Kind::Gathering, gatherings[drawn % gatherings.len()], body)
        }
        _ => {
            let amount = r#"{"minor":2500,"currency":"USD"}"#;
            (Kind::Gift, thing(32), format!(r#"{{"receive":{{"donor":"{contact}","amount":{amount}}}}}"#))
        }
    }
}
