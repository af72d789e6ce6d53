//! Golden files: one stored event per tag, as it was first written. They are never changed, only added to; each
//! must decode for ever.

use std::{collections::BTreeSet, fs, path::PathBuf};

use domain::{Event, Kind};
use serde_json::Value;

fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn tags() -> impl Iterator<Item = (Kind, &'static str)> {
    Kind::ALL.iter().flat_map(|kind| kind.tags().iter().map(|tag| (*kind, *tag)))
}

#[test]
fn every_tag_has_a_golden_file_and_every_golden_file_a_tag() {
    let kept: BTreeSet<String> = fs::read_dir(golden())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().trim_end_matches(".json").to_owned())
        .collect();
    let known: BTreeSet<String> = tags().map(|(_, tag)| tag.to_owned()).collect();
    assert_eq!(kept, known);
}

#[test]
fn a_tag_begins_with_the_word_of_its_kind_and_five_are_fixed() {
    for (kind, tag) in tags() {
        assert!(tag.starts_with(&format!("{kind}.")), "{tag} is an event of {kind}");
    }
    let known: Vec<&str> = tags().map(|(_, tag)| tag).collect();
    for fixed in [
        "lead.captured",
        "conversation.logged",
        "deal.converted",
        "gathering.student_attended",
        "gift.received",
    ] {
        assert!(known.contains(&fixed), "{fixed} is gone");
    }
}

#[test]
fn what_destroys_keys_is_found_by_its_tag() {
    let forgetting: BTreeSet<&str> = tags()
        .filter(|(kind, tag)| {
            let stored = fs::read_to_string(golden().join(format!("{tag}.json"))).unwrap();
            Event::decode(*kind, tag, &stored).unwrap().forgets(uuid::Uuid::nil()).is_some()
        })
        .map(|(_, tag)| tag)
        .collect();
    assert_eq!(forgetting, domain::personal::FORGETTING.iter().copied().collect());
}

#[test]
fn every_golden_event_decodes_and_is_written_the_same_again() {
    for (kind, tag) in tags() {
        let stored = fs::read_to_string(golden().join(format!("{tag}.json"))).unwrap();
        let event = Event::decode(kind, tag, &stored).unwrap_or_else(|error| panic!("{tag}: {error}"));
        let (tag_again, fields) = event.encode().unwrap();
        assert_eq!(tag_again, tag);
        let (stored, fields): (Value, Value) =
            (serde_json::from_str(&stored).unwrap(), serde_json::from_str(&fields).unwrap());
        assert_eq!(stored, fields, "{tag}");
    }
}
