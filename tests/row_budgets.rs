//! What a question costs: each view is asked everything that can be asked of it by itself, on the demo's organisation
//! in two sizes, and SQLite's steps are held against the rows of the view's file. A join that looks at every row
//! for every row is found here, and not by whoever has a thousand times as many people. Steps are the same on every
//! machine, so that nothing is timed.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use commands::{BatchLine, Command, Commands, Sender};
use domain::{
    Actor, Event, EventStore, Kind, KindSet, Position, Role, contact::ContactEvent, contact::ContactForm,
};
use intake::{Campus, Demo};
use projections::{AskError, Page, Question, ViewError, ViewOptions, Views};
use rusqlite::{Connection, OpenFlags};
use schemars::SchemaGenerator;
use serde_json::{Value, json};
use store::{EmbeddedStore, Log as _};
use tokio::runtime::Handle;
use uuid::Uuid;

/// How many students there are, and how many more.
const SIZES: [u32; 2] = [60, 240];
/// How many steps a question may take for each row of the view's file.
const STEPS_PER_ROW: u64 = 60;
/// How many steps it may take whatever the file holds.
const STEPS_AT_LEAST: u64 = 2_000;
/// How fast the steps may grow, in percent of how fast the rows do.
const GROWTH_PERCENT: u64 = 160;
/// What is asked with a parameter that a question cannot do without and that is no id.
const NEEDED: &[(&str, &str)] = &[("year", "2024")];

/// One organisation with its views.
struct Told {
    views: Views,
    folder: tempfile::TempDir,
    /// Of each kind the thing that most has happened to.
    ids: BTreeMap<&'static str, Uuid>,
}

async fn send(commands: &Commands, lines: Vec<String>) {
    let sender = Sender { by: Actor::Member("demo".to_owned()), role: Role::Admin, system: true };
    let command = |line: &String| {
        let BatchLine { kind, id, body, key, if_match } = BatchLine::parse(line.as_bytes()).unwrap();
        Command { kind, id, body, sender: sender.clone(), key, if_match }
    };
    for lines in lines.chunks(2_000) {
        for answer in commands.execute_all(lines.iter().map(command).collect()).await {
            answer.unwrap();
        }
    }
}

/// What the demo does not tell, in proportion to its people: some are merged, some erased, some shown to somebody.
fn beyond_the_demo(people: &[Uuid]) -> Vec<String> {
    let mut lines = Vec::new();
    for some in people.chunks_exact(8) {
        let evidence: [Value; 0] = [];
        let merge = json!({ "into": some[1], "evidence": evidence });
        let shown = json!({
            "role": "auditor", "purpose": "audit", "manner": "read", "view": "contacts", "query": format!("id={}", some[3]),
            "size": 1, "rows": 1,
        });
        let disclosure = Uuid::from_u128(some[3].as_u128() ^ 1);
        lines.push(json!({ "kind": "contact", "id": some[0], "merge": merge }));
        lines.push(json!({ "kind": "contact", "id": some[2], "erase": { "ground": "request" } }));
        lines.push(json!({ "kind": "disclosure", "id": disclosure, "record": shown }));
    }
    lines.iter().map(Value::to_string).collect()
}

/// The people, and of each kind the thing that most has happened to.
async fn found(store: &EmbeddedStore) -> (Vec<Uuid>, BTreeMap<&'static str, Uuid>) {
    let (mut people, mut events, mut after) = (Vec::new(), BTreeMap::<_, usize>::new(), Position::START);
    while after < store.head() {
        let page = store.read_all(after, 5_000, KindSet::ALL).await.unwrap();
        after = page.through;
        for recorded in page.events.into_iter().map(Result::unwrap) {
            *events.entry((recorded.stream.kind.word(), recorded.stream.id)).or_default() += 1;
            if let Event::Contact(ContactEvent::Registered { form: ContactForm::Person, .. }) = recorded.event
            {
                people.push(recorded.stream.id);
            }
        }
    }
    let mut busiest = BTreeMap::new();
    let mut by_events: Vec<_> = events.into_iter().collect();
    by_events.sort_by_key(|((_, id), count)| (*count, *id));
    busiest.extend(by_events.into_iter().map(|(thing, _)| thing));
    (people, busiest)
}

async fn tell(students: u32) -> Told {
    let (folder, store) = (tempfile::tempdir().unwrap(), EmbeddedStore::in_memory().unwrap());
    let commands = Commands::new(Arc::clone(&store) as Arc<dyn EventStore>);
    send(&commands, Demo::new(Campus::new(students, 1)).collect()).await;
    let (people, ids) = found(&store).await;
    send(&commands, beyond_the_demo(&people)).await;
    let (path, runtime) = (folder.path().to_owned(), Handle::current());
    let (log, keyring) = (Arc::clone(&store) as Arc<dyn EventStore>, store.keyring());
    let open = move || Views::open(log, keyring, &path, runtime, ViewOptions::default()).unwrap();
    let views = tokio::task::spawn_blocking(open).await.unwrap();
    views.settle(store.head(), |_| ()).await;
    Told { views, folder, ids }
}

/// How many rows the file of a view holds, what a search keeps for itself left out.
fn rows(folder: &Path, view: &str) -> u64 {
    let name = fs::read_to_string(folder.join(format!("{view}.current"))).unwrap();
    let file = folder.join(name.trim());
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let sql = "SELECT name FROM pragma_table_list WHERE type = 'table' AND schema = 'main' AND name NOT LIKE 'sqlite_%'
                 AND name <> 'rapport_progress'";
    let mut tables = connection.prepare(sql).unwrap();
    let tables = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let count = |table: String| -> u64 {
        connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    tables.map(|table| count(table.unwrap())).sum()
}

/// A parameter of a question, as its schema describes it.
struct Parameter {
    name: String,
    /// The words of which it is one, where it is.
    words: Vec<String>,
    is_id: bool,
}

/// The parameters of a view's question.
fn parameters(view: &projections::Description) -> Vec<Parameter> {
    let mut generator = SchemaGenerator::default();
    let schema = view.query_schema(&mut generator).to_value();
    let definitions = Value::Object(generator.take_definitions(true));
    let mut found = Vec::new();
    for (name, schema) in resolved(&schema, &definitions)["properties"].as_object().into_iter().flatten() {
        let (mut words, mut is_id) = (Vec::new(), false);
        walk(schema, &definitions, &mut |key, value| match (key, value) {
            ("const", Value::String(word)) => words.push(word.clone()),
            ("enum", Value::Array(all)) => {
                words.extend(all.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            ("format", Value::String(format)) => is_id |= format == "uuid",
            _ => {}
        });
        found.push(Parameter { name: name.clone(), words, is_id });
    }
    found
}

/// A schema, or the one that it refers to.
fn resolved<'a>(schema: &'a Value, definitions: &'a Value) -> &'a Value {
    let named = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next());
    named.map_or(schema, |name| &definitions[name])
}

/// Every keyword of a schema and of those within it.
fn walk(schema: &Value, definitions: &Value, each: &mut impl FnMut(&str, &Value)) {
    match resolved(schema, definitions) {
        Value::Object(members) => {
            for (key, value) in members {
                each(key, value);
                walk(value, definitions, each);
            }
        }
        Value::Array(all) => all.iter().for_each(|one| walk(one, definitions, each)),
        _ => {}
    }
}

/// The id of a thing of the kind that a parameter means.
fn id_for(told: &Told, view: &str, parameter: &str) -> Uuid {
    let kind = match parameter {
        "id" | "donor" => Kind::Contact,
        "owner" => Kind::Member,
        named => named.parse().unwrap_or_else(|_| {
            panic!("the parameter `{named}` of the view `{view}` is an id: say in `id_for` of which kind")
        }),
    };
    told.ids[kind.word()]
}

/// The steps of a question; what it says is missing is given.
async fn steps(told: &Told, view: &str, asked: &str, parameters: &[Parameter]) -> u64 {
    let mut query = asked.to_owned();
    for _ in 0..3 {
        let page = Page::new(Some(Page::MOST), None).unwrap();
        let question = Question { view: view.to_owned(), query: query.clone(), page, ..Question::default() };
        let missing = match told.views.ask(question).await {
            Ok(answered) => return answered.steps,
            Err(AskError::View(ViewError::Query { field: Some(field), .. })) => field,
            Err(error) => panic!("the view `{view}` cannot be asked `{query}` by itself: {error}"),
        };
        let is_id = parameters.iter().any(|parameter| parameter.name == missing && parameter.is_id);
        let needed = NEEDED.iter().find(|(name, _)| *name == missing);
        let value = match needed {
            _ if is_id => id_for(told, view, &missing).to_string(),
            Some((_, value)) => (*value).to_owned(),
            None => panic!(
                "the view `{view}` cannot be asked `{query}` without `{missing}`: add a value of it to `NEEDED`"
            ),
        };
        query = [query.as_str(), &format!("{missing}={value}")].join("&");
    }
    panic!("the view `{view}` cannot be asked `{asked}` by itself: it came to `{query}`")
}

/// Everything that a view can be asked by itself: nothing, each word of each parameter, and one thing of each kind.
async fn asked(told: &Told, view: &projections::Description) -> Vec<(String, u64)> {
    let parameters = parameters(view);
    let mut all = vec![(String::new(), String::new())];
    for Parameter { name, words, is_id } in &parameters {
        all.extend(words.iter().map(|word| (format!("{name}={word}"), format!("{name}={word}"))));
        if *is_id {
            all.push((format!("{name}=…"), format!("{name}={}", id_for(told, view.name, name))));
        }
    }
    let mut counted = Vec::new();
    for (shown, query) in all {
        counted.push((shown, steps(told, view.name, &query, &parameters).await));
    }
    counted
}

/// What is wrong with the steps that one question took in both sizes, for as many rows as the file held.
fn fault(question: &str, [few, many]: [u64; 2], [less, more]: [u64; 2]) -> Option<String> {
    let budget = STEPS_AT_LEAST + STEPS_PER_ROW * more;
    if many > budget {
        return Some(format!("{question}: {many} steps, where {budget} are allowed for {more} rows"));
    }
    let grown = STEPS_AT_LEAST + few * more * GROWTH_PERCENT / (less * 100);
    (many > grown).then(|| format!("{question}: {few} steps for {less} rows, but {many} for {more}"))
}

#[test]
fn what_looks_at_every_row_for_every_row_is_found_and_what_looks_at_each_once_is_not() {
    let rows = [500, 2_000];
    assert_eq!(fault("once", rows.map(|rows| 30 * rows), rows), None);
    assert_eq!(fault("with noise", [9_000, 50_000], rows), None);
    assert_eq!(fault("by an index", [300, 400], rows), None);
    assert!(fault("every row for every row", rows.map(|rows| rows * rows / 20), rows).is_some());
    assert!(fault("too much for each row", rows.map(|rows| 200 * rows), rows).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_steps_of_every_question_stay_under_a_budget_and_grow_no_faster_than_the_rows() {
    let (small, large) = tokio::join!(tell(SIZES[0]), tell(SIZES[1]));
    let mut faults = Vec::new();
    for view in projections::descriptions() {
        let held = [&small, &large].map(|told| rows(told.folder.path(), view.name));
        assert!(
            held[0] >= 10 && held[1] * 2 >= held[0] * 3,
            "the view `{}` holds {held:?} rows: tell more in `beyond_the_demo`, so that it can be judged",
            view.name
        );
        let few = asked(&small, &view).await;
        for ((query, few), (_, many)) in few.into_iter().zip(asked(&large, &view).await) {
            faults.extend(fault(&format!("{}?{query}", view.name), [few, many], held));
        }
    }
    assert!(
        faults.is_empty(),
        "these questions look at too much: an index is missing, or `person` is joined on an expression \
         (docs/add-a-projection.md):\n{}",
        faults.join("\n")
    );
}
