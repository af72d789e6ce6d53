//! Golden files: one stored event per tag, as it was first written. They are never changed, only added to; each
//! must decode for ever.

use std::{collections::BTreeSet, fs, path::PathBuf};

use domain::{Event, Kind, ids::ID_OF};
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
    assert_eq!(forgetting, domain::personal::FORGETTING.iter().copied().collect::<BTreeSet<_>>());
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

/// Every contact that an event names, found by the types of its fields and not by what the event says of itself.
fn named_contacts(kind: Kind, tag: &str, stored: &Value) -> BTreeSet<String> {
    let mut generator = schemars::SchemaGenerator::default();
    let schema = kind.event_schema(&mut generator);
    let definitions = generator.take_definitions(true);
    let mut found = BTreeSet::new();
    let of_tag = serde_json::json!({ tag: stored });
    walk(&definitions, schema.as_value(), &of_tag, &mut found);
    found
}

/// Walks a value along its schema and collects what is a contact's id.
fn walk(
    definitions: &serde_json::Map<String, Value>,
    schema: &Value,
    value: &Value,
    found: &mut BTreeSet<String>,
) {
    if schema[ID_OF] == "ContactId" {
        found.extend(value.as_str().map(str::to_owned));
    }
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        walk(definitions, &definitions[name], value, found);
    }
    let choices = ["oneOf", "anyOf", "allOf"].iter().filter_map(|choice| schema[*choice].as_array());
    for choice in choices.flatten() {
        walk(definitions, choice, value, found);
    }
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                walk(definitions, &schema["properties"][name], member, found);
            }
        }
        Value::Array(items) => {
            for item in items {
                walk(definitions, &schema["items"], item, found);
            }
        }
        _ => {}
    }
}

#[test]
fn an_event_concerns_every_contact_that_it_names() {
    let mut naming = 0;
    for (kind, tag) in tags() {
        let stored = fs::read_to_string(golden().join(format!("{tag}.json"))).unwrap();
        let event = Event::decode(kind, tag, &stored).unwrap();
        // Those who were shown learn of it from the view of disclosures; reading must not make histories longer.
        if kind == Kind::Disclosure {
            continue;
        }
        let concerned: BTreeSet<String> = event.contacts().iter().map(ToString::to_string).collect();
        let named = named_contacts(kind, tag, &serde_json::from_str(&stored).unwrap());
        let missing: Vec<_> = named.difference(&concerned).collect();
        assert!(
            missing.is_empty(),
            "{tag} names {missing:?}, who would not find it in their history: return them from `contacts` in \
             domain/src/{kind}.rs"
        );
        naming += named.len();
    }
    assert!(naming > 15, "only {naming} contacts were found: are they no `ContactId` any more?");
}
