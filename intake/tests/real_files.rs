//! The built-in maps against the real files that they were made for, where those are at hand: in the folder that
//! `RAPPORT_DATA` names, or in `shared/data` beside the repository. Elsewhere these tests have nothing to say.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, HashSet},
    path::PathBuf,
};

use commands::{BatchLine, Decider, Registry};
use domain::{Kind, KindEvent as _, tagged};
use intake::{Ids, Import, Map};
use serde_json::Value;

fn data() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("RAPPORT_DATA").map_or_else(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}

/// What an import of real files comes to.
#[derive(Default)]
struct Tally {
    rows: u64,
    rejected: Vec<String>,
    commands: BTreeMap<String, u64>,
    things: BTreeMap<Kind, HashSet<uuid::Uuid>>,
    minor: i64,
    undated: BTreeMap<String, u64>,
}

type Decode = fn(&str, &str) -> Result<(), String>;

/// How each kind reads its commands.
#[derive(Default)]
struct Decoders(BTreeMap<Kind, Decode>);

impl Registry for Decoders {
    fn register<D: Decider>(&mut self) {
        let decode: Decode = |command, fields| {
            tagged::decode::<D::Command>(command, fields).map(drop).map_err(|error| error.to_string())
        };
        self.0.insert(D::Event::KIND, decode);
    }
}

/// Imports; `money` are the commands that bring it, with the field.
fn import(map: &str, files: &[&str], money: (&str, &str)) -> Option<Tally> {
    let folder = data()?;
    let files: Vec<PathBuf> = files.iter().map(|file| folder.join(file)).collect();
    let mut decoders = Decoders::default();
    commands::all(&mut decoders);
    let import = Import::open(Map::named(map).unwrap(), map, &files, Ids::new(&[1; 32])).unwrap();
    let total = import.total_bytes();
    let mut tally = Tally::default();
    let mut bytes_read = 0;
    for row in import {
        let row = row.unwrap();
        tally.rows += 1;
        assert!(row.bytes_read > bytes_read, "progress is made with every row");
        bytes_read = row.bytes_read;
        let lines = match row.outcome {
            Ok(lines) => lines,
            Err(reject) => {
                tally.rejected.push(format!("{} {}: {reject}", row.original.file(), row.original.line()));
                continue;
            }
        };
        for line in lines {
            let parsed = BatchLine::parse(line.json.as_bytes()).unwrap();
            assert_eq!((parsed.kind, parsed.id, &parsed.body.name), (line.kind, line.id, &line.command));
            let whole: Value = serde_json::from_str(&line.json).unwrap();
            let fields = &whole[&line.command];
            if let Some(decode) = decoders.0.get(&line.kind) {
                let decoded = decode(&line.command, &fields.to_string());
                assert_eq!(decoded, Ok(()), "{}", line.json);
            }
            let name = format!("{} {}", line.kind, line.command);
            if name == money.0 {
                tally.minor += fields[money.1]["minor"].as_i64().unwrap();
            }
            if parsed.body.occurred_at.is_none() {
                *tally.undated.entry(name.clone()).or_default() += 1;
            }
            *tally.commands.entry(name).or_default() += 1;
            tally.things.entry(line.kind).or_default().insert(line.id);
        }
    }
    assert_eq!(bytes_read, total, "all bytes are read");
    assert_eq!(tally.rejected, [""; 0]);
    Some(tally)
}

impl Tally {
    fn commands(&self) -> Vec<(&str, u64)> {
        self.commands.iter().map(|(name, count)| (name.as_str(), *count)).collect()
    }
}

#[test]
fn every_opportunity_becomes_a_deal_and_every_win_counts() {
    let file = &["crm_maven/sales_pipeline.csv"];
    let Some(tally) = import("maven-opportunities", file, ("deal convert", "value")) else { return };
    let expected = [
        ("contact change_detail", 170),
        ("contact register", 85),
        ("contact start_relationship", 15),
        ("deal advance", 1589 + 500),
        ("deal convert", 4238),
        ("deal lose", 2473),
        ("deal open", 8800),
        ("member join", 35),
    ];
    assert_eq!(tally.commands(), expected);
    assert_eq!(tally.things[&Kind::Deal].len(), 8800);
    assert_eq!(tally.undated["deal open"], 500);
    assert_eq!(tally.minor, 1_000_553_400);
}

#[test]
fn every_gift_of_the_marathons_counts() {
    let file = &["gifts_gdq/donations_2009_2012.csv"];
    let Some(tally) = import("gdq-gifts", file, ("gift receive", "amount")) else { return };
    let expected = [("contact link_identity", 4322), ("contact register", 4322), ("gift receive", 14_631)];
    assert_eq!(tally.commands(), expected);
    assert_eq!(tally.things[&Kind::Gift].len(), 14_631);
    assert_eq!(tally.minor, 31_530_553);
}

#[test]
fn every_gift_of_the_nonprofit_counts() {
    let file = &["nonprofit_npsp_pmm/csv/npsp_Opportunity.csv"];
    let Some(tally) = import("npsp-gifts", file, ("gift receive", "amount")) else { return };
    let expected = [
        ("contact change_detail", 5641),
        ("contact link_identity", 470),
        ("contact register", 1223 + 1024),
        ("contact start_relationship", 1024 + 1022),
        ("gift receive", 1517),
    ];
    assert_eq!(tally.commands(), expected);
    assert_eq!(tally.things[&Kind::Gift].len(), 1517);
    assert_eq!(tally.minor, 173_955_500);
}

#[test]
fn every_registration_and_every_submission_counts() {
    let file = &["students_oulad/student_registration.csv"];
    let Some(tally) = import("oulad", file, ("", "")) else { return };
    let expected = [
        ("contact link_identity", 28_785),
        ("contact register", 28_785),
        // Pass, Distinction and Fail.
        ("enrolment complete", 12_361 + 3024 + 7052),
        ("enrolment enrol", 32_593),
        // With a date, and without; nine more left and have a result all the same.
        ("enrolment withdraw", 10_063 + 93),
        ("gathering attend", 173_912),
        ("gathering schedule", 206),
        ("program start", 7),
    ];
    assert_eq!(tally.commands(), expected);
    assert_eq!(tally.things[&Kind::Enrolment].len(), 32_593);
    assert_eq!(tally.things[&Kind::Contact].len(), 28_785);
    assert_eq!(tally.undated["enrolment enrol"], 45);
    assert_eq!(tally.undated["enrolment withdraw"], 93);
    assert_eq!(tally.undated.get("gathering attend"), None);
}
