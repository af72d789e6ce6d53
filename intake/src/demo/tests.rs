//! The campus is told the same for the same seed, in order, and within its limits.

use std::collections::{HashMap, HashSet};

use commands::BatchLine;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{Campus, Demo, calendar::at};

fn lines(students: u32, seed: u64) -> Demo {
    Demo::new(Campus::new(students, seed))
}

fn digest(students: u32, seed: u64) -> String {
    let mut hash = Sha256::new();
    for line in lines(students, seed) {
        hash.update(line);
        hash.update(b"\n");
    }
    let digest: [u8; 32] = hash.finalize().into();
    format!("{:016x}", u64::from_be_bytes(digest[..8].try_into().unwrap()))
}

#[test]
fn the_same_seed_tells_the_same_story_for_ever() {
    assert_eq!(digest(200, 1), "76fa45c4a01d1f8a");
    assert_ne!(digest(200, 1), digest(200, 2));
}

#[test]
fn every_line_is_a_command_at_a_moment_of_the_history() {
    let [first, last] = ["2021-07-01", "2025-06-30"].map(|day| at(day.parse().unwrap(), 0));
    for line in lines(200, 3) {
        let parsed = BatchLine::parse(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"));
        let at = parsed.body.occurred_at.unwrap_or_else(|| panic!("no moment: {line}"));
        assert!((first..last).contains(&at), "{line}");
        assert!(parsed.body.source.is_none());
    }
}

#[test]
fn nothing_is_told_of_before_it_is_there() {
    let mut known = HashSet::new();
    for line in lines(150, 1) {
        let parsed = BatchLine::parse(line.as_bytes()).unwrap();
        let begins = ["register", "open", "start", "join", "enrol", "schedule", "receive", "log", "capture"];
        let is_new = known.insert(parsed.id);
        if is_new && !parsed.id.is_nil() {
            assert!(begins.contains(&parsed.body.name.as_str()), "{line}");
        }
        let value: Value = serde_json::from_str(&line).unwrap();
        for id in ids_in(&value[&parsed.body.name]) {
            assert!(known.contains(&id), "{id} is told of later than {line}");
        }
    }
}

/// Every id that is named anywhere in a value, under whatever name.
fn ids_in(value: &Value) -> Vec<Uuid> {
    match value {
        Value::String(text) => text.parse().into_iter().collect(),
        Value::Array(values) => values.iter().flat_map(ids_in).collect(),
        Value::Object(fields) => fields.values().flat_map(ids_in).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

#[test]
fn a_campus_has_about_thirty_five_lines_a_student_whatever_its_size() {
    for students in [500, 2_000, 6_000] {
        let demo = lines(students, 1);
        let estimate = demo.total_lines_estimate();
        let count = demo.count() as u64;
        assert!(estimate.abs_diff(count) * 10 < count, "{students} students: {count} lines, not {estimate}");
    }
}

#[test]
fn no_thing_has_more_than_ten_thousand_lines() {
    let mut counts = HashMap::new();
    for line in lines(9_000, 1) {
        let parsed = BatchLine::parse(line.as_bytes()).unwrap();
        *counts.entry(parsed.id).or_insert(0_u32) += 1;
    }
    assert!(counts.values().max().unwrap() < &6_100);
}

#[test]
fn the_smallest_campus_has_a_history_too() {
    assert!(lines(0, 1).count() > 50);
}

#[test]
fn mail_goes_nowhere() {
    for line in lines(50, 9).filter(|line| line.contains('@')) {
        assert!(line.contains("@example.org\"") || line.contains("@example.edu\""), "{line}");
    }
}

#[test]
fn a_history_that_is_over_stays_over() {
    let mut demo = lines(5, 1);
    while demo.next().is_some() {}
    assert_eq!(demo.next(), None);
}
