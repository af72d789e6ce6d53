//! The invariants of the structure, as far as they can be read from the files.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use domain::Kind;

use crate::structure::Structure;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Every file below a folder of the repository with one of these endings.
fn files(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![root().join(folder)];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !matches!(name.as_str(), "target" | ".git" | "rapport-data") {
                waiting.push(path);
            } else if path.extension().is_some_and(|ending| endings.iter().any(|wanted| ending == *wanted)) {
                found.push(path);
            }
        }
    }
    found
}

fn manifest(path: &str) -> toml::Table {
    toml::from_str(&read(path)).unwrap()
}

/// The crates of the workspace.
fn members() -> Vec<String> {
    let manifest = manifest("Cargo.toml");
    let members = manifest["workspace"]["members"].as_array().unwrap();
    members.iter().map(|member| member.as_str().unwrap().to_owned()).collect()
}

/// The crates of which the product is built.
fn built() -> Vec<String> {
    members().into_iter().filter(|member| member != "tests").collect()
}

/// What a crate depends on when it is built, not when it is tested.
fn dependencies(member: &str) -> BTreeSet<String> {
    let manifest = manifest(&format!("{member}/Cargo.toml"));
    manifest["dependencies"].as_table().unwrap().keys().cloned().collect()
}

/// Those of our crates that a crate depends on.
fn ours(member: &str) -> Vec<String> {
    let dependencies = dependencies(member);
    members().into_iter().filter(|name| dependencies.contains(name)).collect()
}

#[test]
fn the_rooms_know_only_those_below_them() {
    let known = |member: &str| match member {
        "domain" | "machine" => vec![],
        "commands" => vec!["domain"],
        "store" | "projections" | "ledger" => vec!["domain", "machine"],
        "intake" => vec!["domain", "commands"],
        "api" => vec!["domain", "machine", "commands", "store", "projections", "ledger", "intake"],
        _ => panic!("{member} has no place yet: write here which of our crates it may know"),
    };
    for member in built() {
        assert_eq!(ours(&member), known(&member), "{member}");
    }
}

/// The rooms of every crate, from the top to the bottom: those to the left may know those to the right of them, but
/// not those beside them (`,`), and a line (`;`) nothing of another. `KINDS` stands for a room per kind. Without rooms,
/// where all files are one room.
const ROOMS: &[(&str, &str)] = &[
    ("domain", ""),
    ("machine", ""),
    ("commands", "lib > KINDS, execution > kit"),
    (
        "store",
        "lib > place, copying > kurrent, without_clusters > embedded > log, whole_log, copy_error \
         > backup_outcome, cluster, recording > sealing > folder > read_only > sqlite, options, open_error, troubles",
    ),
    ("projections", "lib > journey > questions, runtime > meaning > kit"),
    ("ledger", ""),
    ("intake", "lib > demo; lib > import > maps > formats"),
    ("api", "lib > command_line > client > server > http > application"),
];

/// The circle that is allowed, with the files of all kinds: `Event` is the sum of the kinds, each kind says that it
/// is one of it, and what is personal or recorded of any kind is told by its events.
const SUM_OF_KINDS: &[&str] = &["event", "ids", "personal", "recorded"];

/// The structure of a crate, as its files tell it.
fn structure(member: &str) -> Structure {
    let source = root().join(member).join("src");
    let texts: BTreeMap<String, String> = files(&format!("{member}/src"), &["rs"])
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&source).unwrap().to_string_lossy().replace('\\', "/");
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    Structure::of(member, &texts)
}

#[test]
fn no_files_of_a_crate_run_in_a_circle() {
    let mut circles = Vec::new();
    for member in built() {
        let mut excepted = Vec::new();
        if member == "domain" {
            let kinds = Kind::ALL.iter().map(|kind| kind.word());
            excepted = kinds.chain(SUM_OF_KINDS.iter().copied()).map(|name| format!("{name}.rs")).collect();
        }
        circles.extend(structure(&member).circles(&excepted));
    }
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn no_arrow_within_a_crate_runs_up() {
    let mut complaints = Vec::new();
    for member in built() {
        match ROOMS.iter().find(|(crate_name, _)| *crate_name == member) {
            Some((_, order)) => {
                let kinds = Kind::ALL.iter().map(|kind| kind.word()).collect::<Vec<_>>().join(", ");
                complaints.extend(structure(&member).against(&order.replace("KINDS", &kinds)));
            }
            None => complaints.push(format!("{member} is not in ROOMS: write the order of its rooms there")),
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn only_the_doors_know_http_and_only_the_store_knows_the_log() {
    for member in built().iter().filter(|member| *member != "api") {
        let dependencies = dependencies(member);
        for name in ["axum", "hyper", "tower", "tower-http"] {
            assert!(!dependencies.contains(name), "{member} depends on {name}");
        }
    }
    for member in built().iter().filter(|member| !["store", "projections"].contains(&member.as_str())) {
        assert!(!dependencies(member).contains("rusqlite"), "{member} depends on rusqlite");
        for path in files(&format!("{member}/src"), &["rs"]) {
            assert!(
                !fs::read_to_string(&path).unwrap().contains("log.sqlite"),
                "{} names the log",
                path.display()
            );
        }
    }
}

#[test]
fn only_the_store_names_the_client_of_clusters() {
    for member in members() {
        let names_it = dependencies(&member).iter().any(|name| name == "eventstore" || name == "kurrentdb");
        assert_eq!(names_it, member == "store", "{member}");
        // Put together here, so that this file does not find itself.
        let uses = ["eventstore", "kurrentdb"].map(|name| format!("{name}::"));
        for path in files(&member, &["rs"]) {
            let text = fs::read_to_string(&path).unwrap();
            let is_inside = path.starts_with(root().join("store/src/kurrent"));
            assert!(is_inside || uses.iter().all(|used| !text.contains(used)), "{}", path.display());
        }
    }
}

#[test]
fn facts_know_no_clock_and_no_disk() {
    for path in files("domain/src", &["rs"]) {
        let text = fs::read_to_string(&path).unwrap();
        for banned in ["std::fs", "std::net", "Utc::now", "SystemTime", "Instant::now", "new_v4", "now_v7"] {
            assert!(!text.contains(banned), "{} uses {banned}", path.display());
        }
    }
}

#[test]
fn the_doors_name_no_view() {
    for path in files("api/src/http", &["rs"]) {
        let text = fs::read_to_string(&path).unwrap();
        for view in projections::descriptions() {
            assert!(
                !text.contains(&format!("\"{}\"", view.name)),
                "{} names the view {}; where the word is not meant for the view, the view wants another name",
                path.display(),
                view.name
            );
        }
    }
}

#[test]
fn every_file_begins_by_saying_what_it_is_for() {
    for member in members() {
        for path in files(&member, &["rs"]) {
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.starts_with("//!"), "{} does not say what it is for", path.display());
        }
    }
}

#[test]
fn no_line_is_unfinished_and_none_names_a_machine() {
    // Put together here, so that this file does not find itself.
    let unfinished = ["TO", "FIX"].map(|word| format!("{word}{}", if word == "TO" { "DO" } else { "ME" }));
    let machines = [["/ro", "ot/"], ["/ho", "me/"], ["/wo", "rk/"]].map(|parts| parts.concat());
    for path in files("", &["rs", "md", "toml", "yml"]) {
        let text = fs::read_to_string(&path).unwrap();
        for banned in unfinished.iter().chain(&machines) {
            assert!(!text.contains(banned.as_str()), "{} holds {banned}", path.display());
        }
    }
}

#[test]
fn every_link_between_the_documents_leads_somewhere() {
    for path in files("", &["md"]) {
        let text = fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = path.parent().unwrap().join(link);
            assert!(link.contains("://") || target.exists(), "{} links to {link}", path.display());
        }
    }
}

#[test]
fn the_suite_is_run_as_the_readme_says() {
    let command = "cargo test --workspace";
    assert!(read("README.md").contains(command));
    assert!(read(".ci/run").lines().any(|line| line == command));
}

#[test]
fn the_example_of_a_map_is_a_map() {
    let text = read("docs/maps.md");
    let map = text.split("```toml").nth(1).unwrap().split("```").next().unwrap();
    intake::Map::parse(map).unwrap();
}

#[test]
fn the_walkthrough_of_a_projection_states_its_true_cost() {
    let source = read("docs/example/weekdays.rs");
    let (projection, test) = source.split_once("#[cfg(test)]").unwrap();
    let cost = read("docs/add-a-projection.md");
    for lines in [projection.trim_end().lines().count(), test.lines().count()] {
        assert!(cost.contains(&format!("| {lines} |")), "the walkthrough does not say {lines} lines");
    }
}
