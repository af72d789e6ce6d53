//! Several nodes on one log, each the real program: what is written on one is there on all, one is killed in the
//! middle, and whoever lags or reads another log says so.

use std::{
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use domain::Kind;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::servers::Servers;
use crate::{
    crash::Sums,
    harness::{Ask, Client, Dice, Reply, Served, TEST_TIMEOUT, id, printed, run},
};

const NODES: usize = 3;
const WRITERS: u64 = 6;
const WRITES: u64 = 40;
const KILLS: u64 = 5;

/// The nodes of one log, with what each is told and a token that counts on all of them.
struct Club {
    servers: Servers,
    secrets: TempDir,
    places: Vec<TempDir>,
    token: String,
}

impl Club {
    fn begin(servers: Servers, nodes: usize) -> Self {
        let (secrets, places) =
            (tempfile::tempdir().unwrap(), (0..nodes).map(|_| tempfile::tempdir().unwrap()));
        let club = Self { servers, secrets, places: places.collect(), token: String::new() };
        let token = club.told(0, &["token", "create", "ann", "--role", "admin"]).trim().to_owned();
        Self { token, ..club }
    }

    fn arguments(&self) -> Vec<&str> {
        let mut arguments = self.servers.arguments().to_vec();
        arguments.extend(["--secrets", self.secrets.path().to_str().unwrap()]);
        arguments
    }

    fn folder(&self, node: usize) -> &Path {
        self.places[node].path()
    }

    /// What a command says on a node, beside its server or without one.
    fn told(&self, node: usize, command: &[&str]) -> String {
        printed(self.folder(node), &[command, &self.arguments()].concat())
    }

    fn start(&self, node: usize) -> Served {
        Served::start_with(self.folder(node), &self.arguments())
    }

    fn connect(&self, served: &Served) -> Client {
        Client::connect(served.address, &self.token).unwrap()
    }
}

/// Asks until the answer is as wished.
#[track_caller]
fn until(client: &mut Client, ask: &Ask, is_so: impl Fn(&Reply) -> bool) -> Reply {
    let began = Instant::now();
    loop {
        let reply = client.ask(ask).unwrap();
        if is_so(&reply) {
            return reply;
        }
        assert!(began.elapsed() < TEST_TIMEOUT, "{}: {}", reply.status, reply.text());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What was answered, and what nobody answered any more.
#[derive(Default)]
struct Told {
    acknowledged: Vec<Value>,
    in_flight: Vec<Ask>,
}

/// Writes on one node, and asks another one for what was written.
fn write(mut here: Client, mut there: Client, seed: u64, numbers: &AtomicU64, told: &Mutex<Told>) {
    let mut dice = Dice(seed);
    for _ in 0..WRITES {
        let gift = id(Kind::Gift, numbers.fetch_add(1, Ordering::Relaxed));
        let amount = json!({ "minor": 1 + dice.below(10_000), "currency": "USD" });
        let receive = Ask::command(Kind::Gift, gift, &json!({ "receive": { "amount": amount } }));
        let receive = receive.key(&gift.to_string());
        let Ok(reply) = here.ask(&receive) else { return told.lock().unwrap().in_flight.push(receive) };
        let answer = reply.good().json();
        let position = answer["position"].as_u64().unwrap();
        told.lock().unwrap().acknowledged.push(answer);
        // Whoever asks another node waits until that one has seen it; the other one may be gone by now.
        let question = format!("/views/history?stream=gift-{gift}&after={position}");
        let Ok(reply) = there.ask(&Ask::get(question)) else { continue };
        assert!(
            reply.good().text().contains(&gift.to_string()),
            "written on one node, and not there on another"
        );
    }
}

/// Three nodes on one log, one of them killed while all are written to.
fn story(servers: Servers) {
    let club = Club::begin(servers, NODES);
    let mut nodes: Vec<Served> = (0..NODES).map(|node| club.start(node)).collect();
    let (numbers, told) = (AtomicU64::new(1), Mutex::<Told>::default());
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let on = usize::try_from(writer).unwrap() % NODES;
            let (here, there) = (club.connect(&nodes[on]), club.connect(&nodes[(on + 1) % NODES]));
            let (numbers, told) = (&numbers, &told);
            scope.spawn(move || write(here, there, writer, numbers, told));
        }
        let began = Instant::now();
        while told.lock().unwrap().acknowledged.len() < 40 && began.elapsed() < TEST_TIMEOUT {
            std::thread::sleep(Duration::from_millis(5));
        }
        nodes.remove(1).kill();
    });
    let mut told = told.into_inner().unwrap();
    assert!(told.acknowledged.len() as u64 > WRITERS * WRITES / 2, "{}", told.acknowledged.len());
    // What nobody answered is sent to another node under the same key, and stands once.
    let mut client = club.connect(&nodes[0]);
    for ask in std::mem::take(&mut told.in_flight) {
        told.acknowledged.push(client.ask(&ask).unwrap().good().json());
    }
    nodes.insert(1, club.start(1));
    for served in &nodes {
        check_node(&club, served, &told);
    }
    check_agreement(&club, &nodes);
    check_tokens(&club, &nodes);
    drop(nodes);
    assert!(club.told(1, &["verify"]).starts_with("PROVEN"));
    assert!(club.told(2, &["check"]).contains("as the log says"));
}

/// A node has seen everything, each event once, and its views say what a fresh fold says.
fn check_node(club: &Club, served: &Served, told: &Told) {
    let mut client = club.connect(served);
    let last = told.acknowledged.iter().map(|answer| answer["position"].as_u64().unwrap()).max().unwrap();
    client.ask(&Ask::get(format!("/views/giving?after={last}"))).unwrap().good();
    let mut sums = Sums::default();
    sums.read_on(&mut client);
    for answer in &told.acknowledged {
        let place = (answer["stream"].as_str().unwrap().to_owned(), 1);
        assert_eq!(
            sums.events.get(answer["events"][0]["id"].as_str().unwrap()),
            Some(&place),
            "lost: {answer}"
        );
    }
    assert_eq!(sums.gifts.len(), told.acknowledged.len(), "nobody else wrote");
    let giving =
        client.ask(&Ask::get(format!("/views/giving?after={}", sums.position))).unwrap().good().json();
    assert_eq!(giving["totals"]["gifts"], sums.gifts.len());
    let received: i64 =
        giving["totals"]["received"].as_array().unwrap().iter().filter_map(|it| it["minor"].as_i64()).sum();
    assert_eq!(received, sums.gifts.values().sum::<i64>());
    let checked = client.ask(&Ask::post("/admin/check", &json!({}))).unwrap().good();
    let last = checked.lines().pop().unwrap();
    assert_eq!((&last["done"], &last["sound"]), (&json!(true), &json!(true)), "{last}");
}

/// All nodes come to the same root, know of one another, and say that they are ready.
fn check_agreement(club: &Club, nodes: &[Served]) {
    let mut notes = Vec::new();
    for served in nodes {
        let mut client = club.connect(served);
        client.ask(&Ask::new("POST", "/admin/checkpoint", "")).unwrap().good();
        let note = client.ask(&Ask::get("/ledger/checkpoint")).unwrap().good().text();
        notes.push(note.lines().take(3).map(str::to_owned).collect::<Vec<_>>());
    }
    for served in nodes {
        let mut client = club.connect(served);
        until(&mut client, &Ask::get("/metrics"), |reply| reply.text().contains("rapport_nodes_living 3"));
        let ready = client.ask(&Ask::get("/health/ready")).unwrap().good().json();
        assert_eq!(ready["disagreeing"], json!([]), "{ready}");
        until(&mut client, &Ask::get("/metrics"), |reply| {
            let agreed = reply
                .text()
                .lines()
                .find_map(|line| line.strip_prefix("rapport_ledger_agreed_events ")?.parse().ok());
            agreed.is_some_and(|agreed: u64| agreed > 0)
        });
    }
    assert!(notes.iter().all(|note| *note == notes[0]), "{notes:?}");
}

/// Whoever is let in on one node is let in on all, and whoever is shut out is shut out on all.
fn check_tokens(club: &Club, nodes: &[Served]) {
    let ben = club.told(2, &["token", "create", "ben", "--role", "auditor"]).trim().to_owned();
    let mut of_ben = Client::connect(nodes[0].address, &ben).unwrap();
    until(&mut of_ben, &Ask::get("/views"), |reply| reply.status == 200);
    club.told(1, &["token", "revoke", "ben"]);
    until(&mut of_ben, &Ask::get("/views"), |reply| reply.status == 401);
}

#[test]
fn three_nodes_on_one_log_behave_as_one_and_one_of_them_may_be_killed() {
    story(Servers::double(3));
}

#[test]
fn three_nodes_on_a_real_server_behave_as_one_and_one_of_them_may_be_killed() {
    if let Some(servers) = Servers::real() {
        story(servers);
    }
}

/// One node killed again and again while it is written to; the other one only reads.
fn crashes(servers: Servers) {
    let club = Club::begin(servers, 2);
    let other = club.start(1);
    let (numbers, mut told, mut dice) = (AtomicU64::new(1), Told::default(), Dice(9));
    for round in 0..KILLS {
        let victim = club.start(0);
        let of_round = Mutex::<Told>::default();
        let moment = Duration::from_millis(20 + dice.below(400));
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (here, there) = (club.connect(&victim), club.connect(&other));
                let (numbers, of_round) = (&numbers, &of_round);
                scope.spawn(move || write(here, there, round * WRITERS + writer, numbers, of_round));
            }
            std::thread::sleep(moment);
            victim.kill();
        });
        let mut of_round = of_round.into_inner().unwrap();
        told.acknowledged.append(&mut of_round.acknowledged);
        // The one that is there answers for the one that is gone.
        let mut client = club.connect(&other);
        for ask in of_round.in_flight {
            told.acknowledged.push(client.ask(&ask).unwrap().good().json());
        }
    }
    for served in [&other, &club.start(0)] {
        check_node(&club, served, &told);
    }
    drop(other);
    assert!(club.told(0, &["verify"]).starts_with("PROVEN"));
}

#[test]
fn what_a_node_acknowledged_is_there_however_often_it_is_killed() {
    crashes(Servers::double(1));
}

#[test]
fn what_a_node_acknowledged_is_there_on_a_real_server_however_often_it_is_killed() {
    if let Some(servers) = Servers::real() {
        crashes(servers);
    }
}

#[test]
fn a_node_that_lags_too_far_says_that_it_is_not_ready() {
    let club = Club::begin(Servers::double(1), 1);
    let served = club.start(0);
    let mut client = club.connect(&served);
    let ready = Ask::get("/health/ready");
    assert_eq!(client.ask(&ready).unwrap().status, 200);
    club.servers.faults().go_away(true);
    let behind = until(&mut client, &ready, |reply| reply.status == 503);
    assert!(behind.json()["behind"].as_str().unwrap().contains("cannot follow the log"), "{}", behind.text());
    // What it has, it answers; only whoever shares out requests is told to ask others.
    client.ask(&Ask::get("/views/giving")).unwrap().good();
    let gift = Ask::command(Kind::Gift, id(Kind::Gift, 1), &json!({ "void": {} }));
    assert_eq!(client.ask(&gift).unwrap().status, 503);
    club.servers.faults().go_away(false);
    until(&mut client, &ready, |reply| reply.status == 200);
}

#[test]
fn a_node_that_reads_another_log_is_an_alarm() {
    let club = Club::begin(Servers::double(1), 2);
    let first = club.start(0);
    let mut client = club.connect(&first);
    for number in 1..4 {
        let receive = json!({ "receive": { "amount": { "minor": 700, "currency": "USD" } } });
        client.ask(&Ask::command(Kind::Gift, id(Kind::Gift, number), &receive)).unwrap().good();
    }
    client.ask(&Ask::new("POST", "/admin/checkpoint", "")).unwrap().good();
    // Somebody alters an event where it is stored, after the first node has read it and before the second does.
    club.servers.faults().alter("gift.received", r#"{"amount":{"minor":7000,"currency":"USD"}}"#);
    let second = club.start(1);
    let mut other = club.connect(&second);
    other.ask(&Ask::new("POST", "/admin/checkpoint", "")).unwrap().good();
    for client in [&mut client, &mut other] {
        let disagrees =
            |reply: &Reply| reply.json()["disagreeing"].as_array().is_some_and(|nodes| nodes.len() == 1);
        let ready = until(client, &Ask::get("/health/ready"), disagrees);
        assert!(ready.text().contains("has read others than this node"), "{}", ready.text());
        until(client, &Ask::get("/metrics"), |reply| reply.text().contains("rapport_ledger_disagreements 1"));
    }
    drop((first, second));
    // And whoever verifies what the first one has signed finds the event.
    let verified = run(club.folder(0), &[&["verify"][..], &club.arguments()].concat());
    assert_eq!(verified.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&verified.stdout).contains("was altered"), "{verified:?}");
}

#[test]
fn the_folder_of_a_node_is_held_by_one_process() {
    let club = Club::begin(Servers::double(1), 1);
    let _served = club.start(0);
    let second =
        run(club.folder(0), &[&["serve", "--listen", "127.0.0.1:0"][..], &club.arguments()].concat());
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("is in use by another process"), "{said}");
}

#[test]
fn the_password_of_the_cluster_is_said_nowhere() {
    let place = tempfile::tempdir().unwrap();
    let secret = "s3cret-of-the-cluster";
    for url in
        [format!("esdb://ann:{secret}@127.0.0.1:1?tls=false"), format!("esdb://ann:{secret}@[oops?tls=false")]
    {
        let output = run(place.path(), &["views", "--store", &url, "--log", "trace"]);
        assert!(!output.status.success());
        let said =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert!(!said.contains(secret), "{said}");
    }
}
