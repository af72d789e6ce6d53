//! What each event changes in the tables of each view, pinned: a fold that changes without a raised `VERSION` would
//! leave files that were folded in two ways.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::PathBuf, sync::Arc};

use chrono::DateTime;
use domain::{Actor, ContactId, Event, Kind, Position, Recorded, StreamId};
use rusqlite::{Connection, types::ValueRef};
use uuid::Uuid;

use crate::{
    catalogue,
    kit::{
        Page, Tables, own,
        testing::{NoKeys, event_id},
        view::AnyView,
    },
    questions::history::History,
};

/// What to do where a snapshot differs.
const REMEDY: &str = "What events change in the tables of this view. Where a line that was there differs, raise the VERSION \
    of the view: files folded before are then built anew. For a new view, version or tag write it with INSTA_UPDATE=always.";

/// Where the event of a tag stands in the log: behind whatever the story begins with.
const AT: u64 = 1_000;

/// The kinds of things that the story begins with, in this order. A kind that is missing here begins only before its own
/// events, so that a new one adds lines to the snapshots and changes none.
const BEGUN: &[Kind] = &[
    Kind::Contact,
    Kind::Lead,
    Kind::Deal,
    Kind::Conversation,
    Kind::Program,
    Kind::Enrolment,
    Kind::Gathering,
    Kind::Gift,
    Kind::Fund,
    Kind::Member,
    Kind::Setting,
    Kind::Disclosure,
];

/// The event of a tag as it was first written.
fn golden(kind: Kind, tag: &str) -> Event {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
    let path = folder.join(format!("{tag}.json"));
    let stored = fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!(
            "{} cannot be read ({error}): a tag needs a golden file, one event as it is stored",
            path.display()
        )
    });
    Event::decode(kind, tag, &stored).unwrap()
}

/// The thing of a kind to which everything happens: the one that other golden events refer to.
pub(crate) fn thing(kind: Kind) -> Uuid {
    let digit = match kind {
        Kind::Contact => return Uuid::from_u128(0xc0c0_c0c0_0000_4000_8000_0000_0000_0001),
        Kind::Lead => '7',
        Kind::Deal => 'd',
        Kind::Fund => 'f',
        Kind::Member => 'a',
        Kind::Program => 'b',
        _ => '9',
    };
    let first = digit.to_string().repeat(8);
    format!("{first}-0000-4000-8000-000000000001").parse().unwrap()
}

fn recorded(kind: Kind, event: Event, position: u64) -> Recorded {
    let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    let stream = StreamId::new(kind, thing(kind));
    let mut subjects = event.contacts();
    if kind == Kind::Contact {
        subjects.insert(0, ContactId(stream.id));
    }
    Recorded {
        position: Position(position),
        stream,
        revision: position,
        id: event_id(position),
        occurred_at: Some(at),
        effective_at: at,
        recorded_at: at,
        by: Actor::Member("ann".to_owned()),
        subjects,
        metadata: None,
        event,
    }
}

fn fold(view: &AnyView, tables: &Tables, recorded: &Recorded) {
    if own::wants(recorded) {
        own::apply(tables, recorded).unwrap();
    }
    if view.wanted.contains(recorded.stream.kind) {
        (view.apply)(tables, recorded).unwrap();
        tables.write_tallies().unwrap();
    }
}

/// The tables of a view before anything has happened.
fn empty(view: &AnyView) -> Tables {
    let connection = Connection::open_in_memory().unwrap();
    view.create_tables(&connection).unwrap();
    connection.execute_batch(view.indexes).unwrap();
    Tables::new(connection, Arc::new(NoKeys))
}

/// The tables of a view after one thing of every kind has begun, but not yet that whose first event this tag names.
fn begun(view: &AnyView, kind: Kind, tag: &str) -> Tables {
    let tables = empty(view);
    let own = Some(&kind).filter(|kind| !BEGUN.contains(kind));
    for (position, kind) in (1..).zip(BEGUN.iter().chain(own)) {
        let first = kind.tags()[0];
        if first != tag {
            fold(view, &tables, &recorded(*kind, golden(*kind, first), position));
        }
    }
    tables
}

/// The tables of a view after everything has happened that ends nothing, whatever begins first.
pub(crate) fn told(view: &AnyView) -> Tables {
    let tables = empty(view);
    let ends = [".voided", ".erased", ".merged", ".cancelled", ".unlinked", ".withdrawn"];
    let first = Kind::ALL.iter().map(|kind| (*kind, kind.tags()[0]));
    let later = Kind::ALL.iter().flat_map(|kind| kind.tags().iter().skip(1).map(move |tag| (*kind, *tag)));
    let happened = first.chain(later.filter(|(_, tag)| !ends.iter().any(|end| tag.ends_with(end))));
    for (position, (kind, tag)) in (1..).zip(happened) {
        fold(view, &tables, &recorded(kind, golden(kind, tag), position));
    }
    tables
}

/// Every row of every table, as text.
fn rows(tables: &Tables) -> BTreeSet<String> {
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'
                 AND name NOT LIKE '%\\_data' ESCAPE '\\' AND name NOT LIKE '%\\_idx' ESCAPE '\\'
                 AND name NOT LIKE '%\\_docsize' ESCAPE '\\' AND name NOT LIKE '%\\_config' ESCAPE '\\' ORDER BY name";
    let names: Vec<String> = tables.rows(names, [], |row| row.get(0)).unwrap();
    let mut all = BTreeSet::new();
    for name in names {
        let as_text = |row: &rusqlite::Row<'_>| {
            let count = row.as_ref().column_count();
            let cells: Vec<String> = (0..count).map(|column| cell(row.get_ref_unwrap(column))).collect();
            Ok(format!("{name}: {}", cells.join(", ")))
        };
        all.extend(tables.rows(&format!("SELECT * FROM \"{name}\""), [], as_text).unwrap());
    }
    all
}

fn cell(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "-".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Blob(bytes) => Uuid::from_slice(bytes)
            .map_or_else(|_| bytes.iter().map(|byte| format!("{byte:02x}")).collect(), |id| id.to_string()),
    }
}

/// What the event of a tag changes in the tables; nothing else is kept of it.
fn changes(view: &AnyView, kind: Kind, tag: &str) -> String {
    let tables = begun(view, kind, tag);
    let before = rows(&tables);
    fold(view, &tables, &recorded(kind, golden(kind, tag), AT));
    let after = rows(&tables);
    let mut text = String::new();
    for gone in before.difference(&after) {
        let _ = writeln!(text, "  - {gone}");
    }
    for new in after.difference(&before) {
        let _ = writeln!(text, "  + {new}");
    }
    text
}

/// One snapshot a view and version. Where one of them differs, the fold has changed: raise the `VERSION` of the view,
/// which asks for a snapshot of its own, and the files of before are built anew. A new tag adds lines and needs no new
/// version, unless the rows of the tags that were there change with it.
#[test]
fn a_fold_that_changes_has_a_new_version() {
    for view in catalogue().0 {
        let mut text = String::new();
        for kind in Kind::ALL {
            for tag in kind.tags() {
                let changed = changes(&view, *kind, tag);
                if !changed.is_empty() {
                    let _ = writeln!(text, "{tag}\n{changed}");
                }
            }
        }
        let name = format!("{}_version_{}", view.description.name, view.description.version);
        insta::with_settings!({ description => REMEDY }, { insta::assert_snapshot!(name, text) });
    }
}

#[test]
fn every_golden_event_stands_in_the_history_of_each_contact_that_it_names() {
    let view = AnyView::of::<History>();
    let mut told = 0;
    for kind in Kind::ALL {
        for tag in kind.tags() {
            let event = recorded(*kind, golden(*kind, tag), AT);
            let tables = begun(&view, *kind, tag);
            fold(&view, &tables, &event);
            for contact in &event.subjects {
                let asked = format!("contact={}&order=newest", contact.0);
                let answer = (view.view)(&tables, &asked, &Page::default()).unwrap();
                let json = answer.expect("somebody with a history").to_json().unwrap();
                let answer: serde_json::Value = serde_json::from_str(&json).unwrap();
                let first = &answer["rows"][0];
                assert_eq!((&first["position"], &first["tag"]), (&AT.into(), &(*tag).into()), "{tag}");
                told += 1;
            }
        }
    }
    assert!(told > 30, "only {told} were told");
}
