//! The document says of every route what it takes and what it answers.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Surface, lasting, open, quick};
use crate::application::Rapport;

const METHODS: [&str; 3] = ["get", "post", "delete"];

/// The document, and every route beside it: what it says, and that it says nothing.
async fn document() -> (Value, Surface) {
    let folder = tempfile::tempdir().unwrap();
    let rapport = Rapport::open(folder.path()).await.unwrap();
    let mut surface = Surface::default();
    for routes in [quick(), lasting(), open()] {
        let _answering = surface.take_in(routes);
    }
    let document = surface.describe(&rapport.commands.describe(), &projections::descriptions());
    (serde_json::to_value(document).unwrap(), surface)
}

fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, operations)| {
        let operations = operations.as_object().unwrap();
        operations.iter().map(move |(method, operation)| (method.as_str(), path.as_str(), operation))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_described_but_for_those_that_say_why_not() {
    let (document, surface) = document().await;
    let written: BTreeSet<String> =
        operations(&document).map(|(method, path, _)| format!("{method} {path}")).collect();
    let kinds: Vec<&str> = domain::Kind::ALL.iter().map(|kind| kind.word()).collect();
    let views: Vec<&str> = projections::descriptions().iter().map(|view| view.name).collect();
    let mut routed = BTreeSet::new();
    let mut not_described = Vec::new();
    for (method, path) in surface.routes() {
        let Some(method) = method else {
            not_described.push(path);
            continue;
        };
        let values: &[&str] = match path {
            "/commands/{kind}/{id}" => &kinds,
            "/views/{name}" => &views,
            _ => &[""],
        };
        for value in values {
            let path = match path {
                "/commands/{kind}/{id}" => path.replace("{kind}", value),
                "/views/{name}" => path.replace("{name}", value),
                _ => path.replace("{*", "{"),
            };
            assert!(routed.insert(format!("{method} {path}")), "{method} {path} is there twice");
        }
    }
    assert_eq!(routed, written);
    let upkeep = ["rebuild", "check", "checkpoint", "keys", "backup"];
    let upkeep: Vec<String> = upkeep.iter().map(|name| format!("/upkeep/{name}")).collect();
    let expected: Vec<&str> =
        ["/", "/session"].into_iter().chain(upkeep.iter().map(String::as_str)).collect();
    assert_eq!(not_described, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_one_of_openapi_3_1() {
    let (document, _) = document().await;
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let label = format!("{method} {path}");
        assert!(METHODS.contains(&method), "{label}");
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id), "{label}: the id {id} is there twice");
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{label}");
        check_parameters(path, operation, &label);
        check_answers(operation, &label);
    }
    check_references(&document, &document);
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
        assert!(name.chars().all(is_allowed), "{name} is no name of a component");
    }
}

/// The parameters of the path are those that are declared, and no parameter is declared twice.
fn check_parameters(path: &str, operation: &Value, label: &str) {
    let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut declared = BTreeSet::new();
    for parameter in parameters {
        let part = |name: &str| parameter[name].as_str().unwrap();
        let place = part("in");
        assert!(["path", "query", "header"].contains(&place), "{label}: {parameter}");
        assert!(declared.insert((place, part("name"))), "{label}: {parameter} is there twice");
        assert!(parameter["schema"].is_object(), "{label}: {parameter}");
        assert!(!part("description").is_empty(), "{label}: {parameter}");
        assert!(place != "path" || parameter["required"] == true, "{label}: {parameter}");
    }
    let in_path: BTreeSet<&str> =
        path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
    let declared: BTreeSet<&str> =
        declared.iter().filter(|(place, _)| *place == "path").map(|(_, name)| *name).collect();
    assert_eq!(declared, in_path, "{label}");
}

/// There is an answer to what went well, and it says what it is: nothing, a text, or a type with a name.
fn check_answers(operation: &Value, label: &str) {
    let answers = operation["responses"].as_object().unwrap();
    let good: Vec<_> = answers.iter().filter(|(status, _)| status.starts_with('2')).collect();
    assert!(!good.is_empty(), "{label}");
    for (status, answer) in good {
        assert!(!answer["description"].as_str().unwrap().is_empty(), "{label}");
        let Some(contents) = answer["content"].as_object() else {
            assert_eq!(status, "204", "{label} answers with something of which nothing is said");
            continue;
        };
        for (content_type, content) in contents {
            let name = type_name(&content["schema"]);
            assert!(!name.is_empty() && name != "object", "{label} answers {content_type} without a type");
        }
    }
    for body in operation["requestBody"]["content"].as_object().into_iter().flat_map(Map::values) {
        assert!(body["schema"].is_object(), "{label}");
    }
}

fn check_references(document: &Value, part: &Value) {
    match part {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                let target = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
                assert!(target.is_some_and(Value::is_object), "{reference} leads nowhere");
            }
            members.values().for_each(|member| check_references(document, member));
        }
        Value::Array(items) => items.iter().for_each(|item| check_references(document, item)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_two_types_are_called_the_same() {
    let (document, _) = document().await;
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let plain = |name: &str| name.trim_end_matches(|letter: char| letter.is_ascii_digit()).to_owned();
    let numbered = schemas.keys().filter(|name| plain(name) != **name && schemas.contains_key(&plain(name)));
    let numbered: Vec<&String> = numbered.collect();
    assert!(
        numbered.is_empty(),
        "{numbered:?} are numbered, since others are called the same, and every type that is added may change the \
         numbers: give the new one a name of its own with #[schemars(rename = \"…\")]"
    );
}

/// The name of a type: that of its component, or what sort of value it is.
fn type_name(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return reference.rsplit('/').next().unwrap_or_default().to_owned();
    }
    match schema["type"].as_str() {
        Some("array") => format!("[{}]", type_name(&schema["items"])),
        Some(name) => name.to_owned(),
        None if schema["oneOf"].is_array() => "one of several".to_owned(),
        None => String::new(),
    }
}

fn types_of(contents: &Value) -> String {
    let contents = contents["content"].as_object().into_iter().flatten();
    let names: Vec<String> = contents
        .map(|(content_type, content)| format!("{content_type}: {}", type_name(&content["schema"])))
        .collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_names_what_it_takes_and_what_it_answers() {
    let (document, _) = document().await;
    // Of what comes from the registries the first is enough: a new kind or view changes nothing here.
    let (mut kinds, mut views) = (0, 0);
    let one_of_each = operations(&document).filter(|(_, path, _)| {
        let count = match path.split('/').collect::<Vec<_>>()[..] {
            ["", "commands", _, _] => &mut kinds,
            ["", "views", name] if !name.contains('{') => &mut views,
            _ => return true,
        };
        *count += 1;
        *count == 1
    });
    let lines = one_of_each.map(|(method, path, operation)| {
        let answers = operation["responses"].as_object().unwrap();
        let good = answers.iter().filter(|(status, _)| status.starts_with('2'));
        let answers: Vec<String> =
            good.map(|(status, answer)| format!("{status} {}", types_of(answer))).collect();
        let (method, id) = (method.to_uppercase(), operation["operationId"].as_str().unwrap());
        format!("{method} {path} {id}: {} -> {}", types_of(&operation["requestBody"]), answers.join(", "))
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}
