//! The real program killed at fifty moments, while it imports, while it rebuilds, while clients write, and its power cut at
//! ten. What was acknowledged is there afterwards, what was refused is not, and every view says what the log says.
//!
//! `RAPPORT_FAULTS=1000` makes it a thousand kills and two hundred cuts.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    fs,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use domain::Kind;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Ask, Client, Dice, Reply, Served, TEST_TIMEOUT, id, printed, program};

const KILLS_OF_IMPORTS: u64 = 15;
const KILLS_OF_REBUILDS: u64 = 10;
const KILLS_UNDER_LOAD: u64 = 25;
const POWER_CUTS: u64 = 10;
/// Of how many faults the numbers above are, unless more are asked for.
const FAULTS: u64 = 50;
/// How many clients write at the same time.
const CLIENTS: u64 = 4;
const OPPORTUNITIES: u64 = 1_500;

/// How often something is to happen, in proportion to how many faults are asked for.
fn times(usual: u64) -> u64 {
    let faults = std::env::var("RAPPORT_FAULTS").ok().and_then(|faults| faults.parse().ok());
    (usual * faults.unwrap_or(FAULTS) / FAULTS).max(1)
}

/// What the log says, by plain sums over its events.
#[derive(Default)]
pub(crate) struct Sums {
    pub(crate) position: u64,
    /// How many events every stream holds.
    streams: HashMap<String, u64>,
    /// Where every event stands: its stream and its number there.
    pub(crate) events: HashMap<String, (String, u64)>,
    deals: HashMap<String, (String, i64)>,
    pub(crate) gifts: BTreeMap<String, i64>,
}

impl Sums {
    /// Reads on to the end of the log.
    pub(crate) fn read_on(&mut self, client: &mut Client) {
        loop {
            let page =
                client.ask(&Ask::get(format!("/events?from={}&limit=1000", self.position))).unwrap().good();
            for event in page.json().as_array().unwrap() {
                self.take(event);
            }
            let next: u64 = page.headers["rapport-next"].parse().unwrap();
            if next == self.position {
                return;
            }
            self.position = next;
        }
    }

    fn take(&mut self, event: &Value) {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (stream, revision) = (text(&event["stream"]), event["revision"].as_u64().unwrap());
        let count = self.streams.entry(stream.clone()).or_default();
        *count += 1;
        assert_eq!(*count, revision, "{stream} has a hole");
        let twice = self.events.insert(text(&event["id"]), (stream.clone(), revision));
        assert_eq!(twice, None, "{event} is there twice");
        let data = &event["data"];
        let minor = |value: &Value| value["minor"].as_i64();
        match event["type"].as_str().unwrap() {
            "rapport.deal.opened.v1" => {
                self.deals.insert(stream, (text(&data["stage"]), minor(&data["value"]).unwrap_or(0)));
            }
            "rapport.deal.advanced.v1" => self.deals.get_mut(&stream).unwrap().0 = text(&data["stage"]),
            "rapport.deal.converted.v1" => {
                let deal = self.deals.get_mut(&stream).unwrap();
                "Won".clone_into(&mut deal.0);
                deal.1 = minor(&data["value"]).unwrap_or(deal.1);
            }
            "rapport.deal.lost.v1" => "Lost".clone_into(&mut self.deals.get_mut(&stream).unwrap().0),
            "rapport.gift.received.v1" => drop(self.gifts.insert(stream, minor(&data["amount"]).unwrap())),
            _ => {}
        }
    }

    /// Deals and their value by stage.
    fn stages(&self) -> BTreeMap<String, (u64, i64)> {
        let mut stages = BTreeMap::<String, (u64, i64)>::new();
        for (stage, value) in self.deals.values() {
            let cell = stages.entry(stage.clone()).or_default();
            *cell = (cell.0 + 1, cell.1 + value);
        }
        stages
    }
}

/// An organisation that is killed again and again.
struct Victim {
    folder: TempDir,
    token: String,
    sums: Sums,
    dice: Dice,
}

impl Victim {
    fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let token = printed(folder.path(), &["token", "create", "ann", "--role", "staff"]).trim().to_owned();
        Self { folder, token, sums: Sums::default(), dice: Dice(seed) }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn moment(&mut self, longest: Duration) -> Duration {
        longest * u32::try_from(self.dice.below(1_000) + 1).unwrap() / 1_000
    }

    fn connect(&self, served: &Served) -> Client {
        Client::connect(served.address, &self.token).unwrap()
    }

    /// Starts it again; every view must say what the log says.
    fn audit(&mut self) -> Served {
        let served = Served::start(self.path());
        let mut client = self.connect(&served);
        self.sums.read_on(&mut client);
        let after = self.sums.position;
        let pipeline = client.ask(&Ask::get(format!("/views/pipeline?after={after}"))).unwrap().good().json();
        assert_eq!(stages(&pipeline), self.sums.stages());
        let giving = client.ask(&Ask::get(format!("/views/giving?after={after}"))).unwrap().good().json();
        assert_eq!(giving["totals"]["gifts"], self.sums.gifts.len());
        assert_eq!(minor(&giving["totals"]["received"]), self.sums.gifts.values().sum::<i64>());
        let checked = client.ask(&Ask::post("/admin/check", &json!({}))).unwrap().good();
        let last = checked.lines().pop().unwrap();
        assert_eq!((&last["done"], &last["sound"]), (&json!(true), &json!(true)), "{last}");
        served
    }
}

fn minor(amounts: &Value) -> i64 {
    amounts.as_array().unwrap().iter().map(|amount| amount["minor"].as_i64().unwrap()).sum()
}

/// Deals and their value by stage, as the pipeline says.
fn stages(pipeline: &Value) -> BTreeMap<String, (u64, i64)> {
    let rows = pipeline["rows"].as_array().unwrap().iter();
    rows.map(|row| {
        let cell = (row["deals"].as_u64().unwrap(), minor(&row["value"]));
        (row["group"].as_str().unwrap().to_owned(), cell)
    })
    .collect()
}

/// Kills the program when it has run for a while, unless it was faster.
fn run_for(time: Duration, folder: &Path, arguments: &[&str]) {
    let mut child = program(folder, arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(time);
    let _ = child.kill();
    child.wait().unwrap();
}

/// Sales as a source writes them, and what they come to.
struct Sales {
    folder: TempDir,
    stages: BTreeMap<String, (u64, i64)>,
}

impl Sales {
    fn new() -> Self {
        let (mut dice, mut stages) = (Dice(2_016), BTreeMap::<String, (u64, i64)>::new());
        let mut pipeline =
            "opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,close_value\n"
                .to_owned();
        for number in 0..OPPORTUNITIES {
            let (agent, account, product) = (dice.below(12), dice.below(40), dice.below(5));
            let stage = *dice.pick(&["Prospecting", "Engaging", "Won", "Lost"]);
            let engaged = if stage == "Prospecting" {
                String::new()
            } else {
                format!("2016-{:02}-10", 1 + dice.below(12))
            };
            let value = if stage == "Won" { i64::try_from(dice.below(9_000)).unwrap() } else { 0 };
            let closed = match stage {
                "Won" | "Lost" => format!("2017-{:02}-20,{value}", 1 + dice.below(12)),
                _ => ",".to_owned(),
            };
            let _ = writeln!(
                pipeline,
                "O{number},Agent {agent},Product {product},Account {account},{stage},{engaged},{closed}"
            );
            let cell = stages.entry(stage.to_owned()).or_default();
            *cell = (cell.0 + 1, cell.1 + value * 100);
        }
        let teams: String =
            (0..12).map(|agent| format!("Agent {agent},Manager {},West\n", agent % 3)).collect();
        let accounts: String =
            (0..40).map(|account| format!("Account {account},software,1990,1,2,Kenya,\n")).collect();
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
        write("sales_pipeline.csv", pipeline);
        write("sales_teams.csv", format!("sales_agent,manager,regional_office\n{teams}"));
        write(
            "accounts.csv",
            format!(
                "account,sector,year_established,revenue,employees,office_location,subsidiary_of\n{accounts}"
            ),
        );
        Self { folder, stages }
    }

    fn import(&self, then: impl FnOnce(&[&str])) {
        let file: PathBuf = self.folder.path().join("sales_pipeline.csv");
        then(&["import", "csv", file.to_str().unwrap(), "--map", "maven-opportunities"]);
    }
}

#[test]
fn an_import_that_is_killed_is_taken_up_again_and_reaches_the_exact_totals() {
    let sales = Sales::new();
    // Built before the time is taken that an import needs.
    crate::harness::binary();
    let began = Instant::now();
    sales.import(|arguments| drop(printed(Victim::new(0).path(), arguments)));
    let whole = began.elapsed();
    let mut victims = Vec::new();
    for seed in 1..=3 {
        let mut victim = Victim::new(seed);
        for _ in 0..times(KILLS_OF_IMPORTS) / 3 {
            let moment = victim.moment(whole);
            sales.import(|arguments| run_for(moment, victim.path(), arguments));
            victim.audit().kill();
        }
        victims.push(victim);
    }
    for mut victim in victims {
        sales.import(|arguments| drop(printed(victim.path(), arguments)));
        drop(victim.audit());
        assert_eq!(victim.sums.stages(), sales.stages);
        let before = victim.sums.position;
        sales.import(|arguments| assert!(printed(victim.path(), arguments).contains(": 0 events recorded")));
        drop(victim.audit());
        assert_eq!(victim.sums.position, before);
        assert!(printed(victim.path(), &["check"]).contains("as the log says"));
        assert!(printed(victim.path(), &["verify"]).starts_with("PROVEN"));
    }
}

#[test]
fn a_rebuild_that_is_killed_leaves_every_view_as_it_was() {
    let sales = Sales::new();
    let mut victim = Victim::new(4);
    sales.import(|arguments| drop(printed(victim.path(), arguments)));
    let began = Instant::now();
    printed(victim.path(), &["rebuild"]);
    let whole = began.elapsed();
    for round in 0..times(KILLS_OF_REBUILDS) {
        let moment = victim.moment(whole);
        if round % 2 == 0 {
            run_for(moment, victim.path(), &["rebuild"]);
        } else {
            let served = Served::start(victim.path());
            let mut client = victim.connect(&served);
            let rebuild = std::thread::spawn(move || client.ask(&Ask::post("/admin/rebuild", &json!({}))));
            std::thread::sleep(moment / 2);
            served.kill();
            let _ = rebuild.join().unwrap();
        }
        drop(victim.audit());
        assert_eq!(victim.sums.stages(), sales.stages);
    }
    assert!(printed(victim.path(), &["check"]).contains("as the log says"));
}

/// What the clients were told before the program was killed.
#[derive(Default)]
struct Told {
    /// The answers to what was carried out.
    acknowledged: Vec<Value>,
    /// Streams whose only command was refused.
    refused: Vec<String>,
    /// What nobody answered any more, with its key, and what its stream holds afterwards.
    in_flight: Vec<(Ask, u64)>,
}

/// Writes until the connection breaks.
fn write(mut client: Client, seed: u64, numbers: &AtomicU64, told: &Mutex<Told>) {
    let mut dice = Dice(seed);
    loop {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let value = json!({ "minor": 1 + dice.below(100_000), "currency": "USD" });
        let (deal, gift) = (id(Kind::Deal, number), id(Kind::Gift, number));
        let command = |kind, id, body: &Value| Ask::command(kind, id, body).key(&format!("{number} {body}"));
        let asks: Vec<(Ask, u64)> = match dice.below(4) {
            0 => {
                let void = command(Kind::Gift, gift, &json!({ "void": {} }));
                let Ok(reply) = client.ask(&void) else { return };
                assert_eq!(reply.status, 422);
                told.lock().unwrap().refused.push(format!("gift-{gift}"));
                continue;
            }
            1 => {
                let stage = *dice.pick(&["Prospecting", "Engaging"]);
                let opened =
                    command(Kind::Deal, deal, &json!({ "open": { "stage": stage, "value": value } }));
                let stale = command(Kind::Deal, deal, &json!({ "lose": {} })).if_match(7);
                let converted = command(Kind::Deal, deal, &json!({ "convert": {} })).if_match(1);
                vec![(opened, 1), (stale, 0), (converted, 2)]
            }
            _ => vec![(command(Kind::Gift, gift, &json!({ "receive": { "amount": value } })), 1)],
        };
        for (ask, revision) in asks {
            match client.ask(&ask) {
                Ok(Reply { status: 412, .. }) if revision == 0 => {}
                Ok(reply) => told.lock().unwrap().acknowledged.push(reply.good().json()),
                Err(_) if revision == 0 => return,
                Err(_) => return told.lock().unwrap().in_flight.push((ask, revision)),
            }
        }
    }
}

#[test]
fn what_was_acknowledged_under_load_is_there_after_a_kill_and_what_was_refused_is_not() {
    let (seed, rounds) = (5, times(KILLS_UNDER_LOAD));
    under_load(seed, rounds, |folder, _| Served::start(folder), |served, _| served.kill());
}

#[test]
fn what_was_acknowledged_under_load_is_there_after_a_power_cut_and_what_was_refused_is_not() {
    let place = tempfile::tempdir().unwrap();
    let shim = place.path().join("power_cut.so");
    let compiled = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&shim, &Path::new(env!("CARGO_MANIFEST_DIR")).join("power_cut.c")])
        .args(["-ldl", "-lpthread"])
        .status();
    if !compiled.is_ok_and(|status| status.success()) {
        eprintln!("not tried: there is no compiler for C");
        return;
    }
    let cut = |round: u64| place.path().join(format!("cut-{round}"));
    under_load(
        6,
        times(POWER_CUTS),
        |folder, round| Served::start_under_power(folder, &shim, &cut(round)),
        |mut served, round| {
            fs::write(cut(round), round.to_string()).unwrap();
            let ended = served.ended_within(TEST_TIMEOUT).unwrap();
            assert_eq!(ended.signal(), Some(9), "it ended in another way");
            let began = Instant::now();
            while cut(round).exists() {
                assert!(began.elapsed() < TEST_TIMEOUT, "what was not synced is not undone");
                std::thread::sleep(Duration::from_millis(5));
            }
        },
    );
}

/// Lets clients write until the program ends by force, starts it again and holds everything against what they were told.
fn under_load(seed: u64, rounds: u64, start: impl Fn(&Path, u64) -> Served, end: impl Fn(Served, u64)) {
    let mut victim = Victim::new(seed);
    let (numbers, told) = (AtomicU64::new(1), Mutex::<Told>::default());
    drop(victim.audit());
    for round in 0..rounds {
        let served = start(victim.path(), round);
        let moment = victim.moment(Duration::from_millis(400));
        std::thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (connection, numbers, told) = (victim.connect(&served), &numbers, &told);
                scope.spawn(move || write(connection, round * CLIENTS + client, numbers, told));
            }
            std::thread::sleep(moment);
            end(served, round);
        });
        // Verified before anything opens it again, and so past every checkpoint that was signed.
        assert!(printed(victim.path(), &["verify"]).starts_with("PROVEN"));
        let served = victim.audit();
        victim.connect(&served).ask(&Ask::new("POST", "/admin/checkpoint", "")).unwrap().good();
        let mut told = told.lock().unwrap();
        check_told(&victim.sums, &told);
        let mut client = victim.connect(&served);
        for (ask, revision) in std::mem::take(&mut told.in_flight) {
            // Whether it was carried out or not: repeated under its key it is, once.
            let answer = client.ask(&ask).unwrap().good().json();
            assert_eq!(answer["revision"], revision, "{ask:?}");
            told.acknowledged.push(answer);
        }
        victim.sums.read_on(&mut client);
        check_told(&victim.sums, &told);
    }
    let told = told.into_inner().unwrap();
    let enough = usize::try_from(rounds).unwrap();
    assert!(told.acknowledged.len() > 20 * enough, "only {} were acknowledged", told.acknowledged.len());
    assert!(told.refused.len() > 2 * enough, "only {} were refused", told.refused.len());
    let events: usize =
        told.acknowledged.iter().map(|answer| answer["events"].as_array().unwrap().len()).sum();
    let tokens = victim.sums.events.values().filter(|(stream, _)| stream.starts_with("member-")).count();
    assert_eq!(events + tokens, victim.sums.events.len(), "nobody else wrote");
}

fn check_told(sums: &Sums, told: &Told) {
    for answer in &told.acknowledged {
        let place = (answer["stream"].as_str().unwrap().to_owned(), answer["revision"].as_u64().unwrap());
        let event = answer["events"][0]["id"].as_str().unwrap();
        assert_eq!(sums.events.get(event), Some(&place), "acknowledged and lost: {answer}");
    }
    for stream in &told.refused {
        assert!(!sums.streams.contains_key(stream), "refused and there: {stream}");
    }
}
