//! The guides are true: the change that each shows would apply to the sources as they are, and costs what its table says.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// A guide, and the change that it walks through.
const GUIDES: &[(&str, &str)] = &[
    ("docs/add-an-event.md", "docs/example/an-event.patch"),
    ("docs/add-a-kind.md", "docs/example/a-kind.patch"),
];

/// What a patch does to one file.
#[derive(Debug, Default, PartialEq)]
struct Change {
    is_new: bool,
    added: usize,
    /// The lines that every hunk expects to find, in one piece.
    expected: Vec<Vec<String>>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The changes of a patch in the unified format, by file.
fn changes(patch: &str) -> BTreeMap<String, Change> {
    let mut changes = BTreeMap::new();
    for file in patch.split("diff --git ").skip(1) {
        let (head, hunks) = file.split_once("\n@@").unwrap();
        let path = head.lines().find_map(|line| line.strip_prefix("+++ b/")).unwrap();
        let mut change = Change { is_new: head.contains("\nnew file mode"), ..Change::default() };
        for hunk in hunks.split("\n@@") {
            let mut expected = Vec::new();
            // What stands behind the numbers of the first line is for people.
            for line in hunk.lines().skip(1) {
                match line.split_at_checked(1) {
                    Some(("+", _)) => change.added += 1,
                    Some((" " | "-", line)) => expected.push(line.to_owned()),
                    other => panic!("{path}: {other:?} is no line of a hunk"),
                }
            }
            change.expected.push(expected);
        }
        changes.insert(path.to_owned(), change);
    }
    changes
}

/// Why the changes would not apply to the sources, a sentence each.
fn stale(changes: &BTreeMap<String, Change>, source: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, change) in changes {
        let Some(text) = source(path).filter(|_| !change.is_new) else {
            match (change.is_new, source(path)) {
                (true, Some(_)) => complaints.push(format!("{path} is there already")),
                (false, None) => complaints.push(format!("{path} is gone")),
                _ => {}
            }
            continue;
        };
        let lines: Vec<&str> = text.lines().collect();
        for expected in &change.expected {
            if !lines.windows(expected.len()).any(|window| window == expected) {
                complaints.push(format!("{path} has nowhere these lines:\n{}", expected.join("\n")));
            }
        }
    }
    complaints
}

/// The rows of a table whose second cell is a file and whose third says how many lines it costs.
fn costs(guide: &str) -> BTreeMap<String, usize> {
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, _, file, lines, _] = cells[..] else { return None };
        Some((file.strip_prefix('`')?.strip_suffix('`')?.to_owned(), lines.parse().ok()?))
    };
    guide.lines().filter_map(row).collect()
}

#[test]
fn the_change_that_a_guide_shows_still_applies() {
    for (guide, patch) in GUIDES {
        let complaints = stale(&changes(&read(patch)), |path| fs::read_to_string(root().join(path)).ok());
        assert!(
            complaints.is_empty(),
            "{guide} is stale: mend {patch}, and the table of the guide with it.\n{}",
            complaints.join("\n")
        );
    }
}

#[test]
fn a_guide_states_the_true_cost() {
    for (guide, patch) in GUIDES {
        let (text, changes) = (read(guide), changes(&read(patch)));
        let added: BTreeMap<String, usize> =
            changes.iter().map(|(path, change)| (path.clone(), change.added)).collect();
        assert_eq!(costs(&text), added, "the table of {guide}");

        // Golden files and tests of their own are counted apart.
        let apart = |path: &str| path.starts_with("tests/golden/") || path.ends_with("/tests.rs");
        let counted: Vec<usize> =
            added.iter().filter(|(path, _)| !apart(path)).map(|(_, lines)| *lines).collect();
        let (files, lines) = (counted.len(), counted.iter().sum::<usize>());
        assert!(text.contains(&format!("**{files} files**")), "{guide} does not say {files} files");
        assert!(text.contains(&format!(" {lines} lines")), "{guide} does not say {lines} lines");
        let row = format!("]({guide}) | {files} files |");
        assert!(read("CONTRIBUTING.md").contains(&row), "CONTRIBUTING.md does not say {row}");
    }
}

#[test]
fn a_test_that_a_guide_names_is_there() {
    let mut sources = String::new();
    let mut waiting = vec![root().join("tests"), root().join("projections/src")];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                sources += &fs::read_to_string(path).unwrap();
            }
        }
    }
    for (guide, _) in GUIDES {
        let text = read(guide);
        // The names of tests are sentences: nothing else in a guide has as many underscores.
        let names = text.split('`').skip(1).step_by(2).filter(|code| code.matches('_').count() > 3);
        let missing: Vec<&str> = names.filter(|name| !sources.contains(&format!("fn {name}()"))).collect();
        assert!(missing.is_empty(), "{guide} names tests that are not there: {missing:?}");
    }
}

#[test]
fn a_change_that_does_not_apply_is_told_of() {
    let patch = "diff --git a/kept.rs b/kept.rs\n--- a/kept.rs\n+++ b/kept.rs\n@@ -1,3 +1,4 @@ fn kept()\n one\n-two\n+zwei\n+drei\n \
                 four\ndiff --git a/new.rs b/new.rs\nnew file mode 100644\n--- /dev/null\n+++ b/new.rs\n@@ -0,0 +1 @@\n+-- new\n";
    let changes = changes(patch);
    let expected = vec![["one", "two", "four"].map(str::to_owned).to_vec()];
    assert_eq!(changes["kept.rs"], Change { is_new: false, added: 2, expected });
    assert_eq!(changes["new.rs"], Change { is_new: true, added: 1, expected: vec![Vec::new()] });

    let source = |kept: &'static str| move |path: &str| (path == "kept.rs").then(|| kept.to_owned());
    assert_eq!(stale(&changes, source("zero\none\ntwo\nfour\n")), [""; 0]);
    assert_eq!(stale(&changes, source("one\ntwo\n\nfour\n")).len(), 1, "the lines must stand together");
    assert_eq!(stale(&changes, |_| None), ["kept.rs is gone"]);
    let there = stale(&changes, |_| Some("one\ntwo\nfour".to_owned()));
    assert_eq!(there, ["new.rs is there already"]);
}
