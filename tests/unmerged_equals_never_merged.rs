//! Whatever is merged, and whatever happens meanwhile: once it is unmerged, every view is what it would be had
//! nothing ever been merged, with everything that happened in its place.
//!
//! One log is lived with merges and followed twice: by views that see all of it, and by views that are not shown
//! `contact.merged` and `contact.unmerged`. When the last merge has ended, both must have the same rows in every
//! table, and give the same answers. Left out are, of the tables, those of `history`, whose numbers for words move
//! where a sentence more is told (its answers are compared, without the merges themselves), and `apart` of
//! `duplicates`, which remembers on purpose who was unmerged; and with it the suggestions of `duplicates`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use commands::{Body, Command, Commands, Sender};
use domain::{
    Actor, Answer, Append, AppendError, CommandKey, Event, EventPage, EventStore, KeyedAnswer, Kind, KindSet,
    Position, ReadError, Recorded, Role, Stored, StreamId, contact::ContactEvent,
};
use projections::{AskError, Question, ViewOptions, Views};
use proptest::{
    prelude::*,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use rusqlite::{Connection, OpenFlags, types::Value as SqlValue};
use serde_json::{Value, json};
use store::{EmbeddedStore, Log as _};
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::{harness::id, known::Step};

const CASES: u32 = 20;
/// How many contacts are merged with one another; the same that everything else happens to.
const CONTACTS: u64 = 5;

/// A log in which nobody was ever merged.
struct NeverMerged(Arc<EmbeddedStore>);

fn is_merge(recorded: &Recorded) -> bool {
    matches!(recorded.event, Event::Contact(ContactEvent::Merged { .. } | ContactEvent::Unmerged { .. }))
}

#[async_trait]
impl EventStore for NeverMerged {
    fn log_id(&self) -> Uuid {
        self.0.log_id()
    }

    async fn append(&self, append: Append) -> Result<Answer, AppendError> {
        self.0.append(append).await
    }

    async fn answer(&self, key: CommandKey) -> Result<Option<KeyedAnswer>, ReadError> {
        self.0.answer(key).await
    }

    async fn read_stream(
        &self,
        stream: StreamId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        self.0.read_stream(stream, after, limit).await
    }

    async fn read_at(&self, positions: &[Position]) -> Result<Vec<Recorded>, ReadError> {
        self.0.read_at(positions).await
    }

    async fn read_all(&self, after: Position, limit: usize, kinds: KindSet) -> Result<EventPage, ReadError> {
        let mut page = self.0.read_all(after, limit, kinds).await?;
        page.events.retain(|event| !event.as_ref().is_ok_and(is_merge));
        Ok(page)
    }

    fn head(&self) -> Position {
        self.0.head()
    }

    fn erasures(&self) -> u64 {
        self.0.erasures()
    }

    async fn changed(&self, after: Position) {
        self.0.changed(after).await;
    }

    async fn position_at(&self, moment: DateTime<Utc>) -> Result<Position, ReadError> {
        self.0.position_at(moment).await
    }

    async fn position_of_size(&self, size: u64) -> Result<Position, ReadError> {
        self.0.position_of_size(size).await
    }

    async fn size_at(&self, position: Position) -> Result<u64, ReadError> {
        self.0.size_at(position).await
    }

    async fn read_stored(
        &self,
        after: Position,
        limit: usize,
        each: &mut (dyn for<'a> FnMut(Stored<'a>) + Send),
    ) -> Result<Position, ReadError> {
        self.0.read_stored(after, limit, each).await
    }
}

/// What happens next.
#[derive(Clone, Debug)]
enum Deed {
    Something(Step),
    Merge(u64, u64),
    Unmerge(u64, u64),
}

fn deed() -> impl Strategy<Value = Deed> {
    let step = (any::<u8>(), any::<u8>(), 0..1_000_000_u64)
        .prop_map(|(kind, what, number)| Deed::Something(Step { kind, what, number }));
    let pair = || (0..CONTACTS, 0..CONTACTS);
    prop_oneof![
        7 => step,
        2 => pair().prop_map(|(one, other)| Deed::Merge(one, other)),
        1 => pair().prop_map(|(one, other)| Deed::Unmerge(one, other)),
    ]
}

/// Carries out a command; some are refused, as in life.
async fn send(commands: &Commands, kind: Kind, id: Uuid, body: Value) {
    let body = Body::parse(body.to_string().as_bytes()).unwrap();
    let sender = Sender { by: Actor::Member("ann".to_owned()), role: Role::Admin, system: false };
    let _ = commands.execute(Command { kind, id, body, sender, key: None, if_match: None }).await;
}

fn contact(number: u64) -> Uuid {
    id(Kind::Contact, number)
}

async fn happen(commands: &Commands, deed: &Deed) {
    match deed {
        Deed::Something(step) => {
            let day = step.number % 28 + 1;
            let late = step.number.is_multiple_of(3);
            let at = late.then(|| format!("2020-{:02}-{day:02}T08:00:00Z", day % 12 + 1));
            let (kind, id, body) = step.body(at);
            // Voided once, a contact would be merged no more.
            if kind != Kind::Contact || body.get("void").is_none() {
                send(commands, kind, id, body).await;
            }
        }
        Deed::Merge(one, other) => {
            let body = json!({ "merge": { "into": contact(*other) } });
            send(commands, Kind::Contact, contact(*one), body).await;
        }
        Deed::Unmerge(one, other) => {
            let body = json!({ "unmerge": { "from": contact(*other) } });
            send(commands, Kind::Contact, contact(*one), body).await;
        }
    }
}

/// Views of a log, followed in a folder of their own.
struct Followed {
    views: Arc<Views>,
    folder: tempfile::TempDir,
}

impl Followed {
    async fn open(log: Arc<dyn EventStore>, keyring: Arc<dyn domain::Keyring>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (path, runtime) = (folder.path().to_owned(), Handle::current());
        let options = ViewOptions { snapshot_every: u64::MAX, ..ViewOptions::default() };
        let open = move || Views::open(log, keyring, &path, runtime, options).unwrap();
        Self { views: Arc::new(tokio::task::spawn_blocking(open).await.unwrap()), folder }
    }

    async fn ask(&self, view: &str, query: &str) -> Option<Value> {
        let question = Question { view: view.to_owned(), query: query.to_owned(), ..Question::default() };
        match self.views.ask(question).await {
            Ok(answered) => Some(serde_json::from_str(&answered.answer.to_json().unwrap()).unwrap()),
            Err(AskError::NotFound | AskError::View(_)) => None,
            Err(error) => panic!("{view}?{query}: {error}"),
        }
    }

    async fn close(&self) {
        let views = Arc::clone(&self.views);
        tokio::task::spawn_blocking(move || views.close()).await.unwrap();
    }
}

/// What is asked of a view.
fn questions(view: &str) -> Vec<String> {
    let each = |question: &str| (0..CONTACTS).map(|one| format!("{question}={}", contact(one))).collect();
    let some = |questions: &[&str]| questions.iter().map(|question| (*question).to_owned()).collect();
    match view {
        "contacts" => [each("id"), some(&["", "name=ann", "tag=vip", "email=h1%40example.org"])].concat(),
        "conversations" => [each("state=all&contact"), some(&["", "state=all"])].concat(),
        "engagement" => some(&["", "by=month", "by=program", "period=2020", "depth=1&by=type"]),
        "giving" => {
            let all = ["", "by=donor", "show=rollups", "show=retention&year=2020", "show=sybunt&year=2027"];
            [each("donor"), some(&all)].concat()
        }
        "history" => each("contact"),
        "leads" => some(&["", "show=leads"]),
        "pipeline" => some(&["", "show=deals"]),
        _ => some(&[""]),
    }
}

/// An answer of `history` without the merges themselves.
fn without_merges(mut answer: Value) -> Value {
    let told = |row: &Value| !matches!(row["tag"].as_str(), Some("contact.merged" | "contact.unmerged"));
    if let Some(rows) = answer.get_mut("rows").and_then(Value::as_array_mut) {
        rows.retain(told);
    }
    answer
}

async fn compare_answers(all: &Followed, never: &Followed) -> Result<(), String> {
    for view in projections::descriptions().into_iter().filter(|view| view.name != "duplicates") {
        for query in questions(view.name) {
            let (is, should) = (all.ask(view.name, &query).await, never.ask(view.name, &query).await);
            if is.clone().map(without_merges) != should {
                return Err(format!("{}?{query}: is {is:?}, should be {should:?}", view.name));
            }
        }
    }
    Ok(())
}

/// The file of a view.
fn file(folder: &Path, view: &str) -> PathBuf {
    let prefix = format!("{view}-");
    let named = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with(&prefix) && name.ends_with(".sqlite")
    };
    let mut files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(named);
    files.next().unwrap_or_else(|| panic!("{view} has no file"))
}

/// Every row of every table of a view, sorted.
fn rows(folder: &Path, view: &str) -> BTreeMap<String, Vec<String>> {
    let connection =
        Connection::open_with_flags(file(folder, view), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'rapport_progress'
         AND sql NOT LIKE 'CREATE VIRTUAL%' AND name NOT LIKE 'name\\_%' ESCAPE '\\'";
    let mut tables = connection.prepare(sql).unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut all = BTreeMap::new();
    for table in tables {
        let mut statement = connection.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let columns = statement.column_count();
        let read = |row: &rusqlite::Row<'_>| {
            let values: Result<Vec<SqlValue>, _> = (0..columns).map(|column| row.get(column)).collect();
            Ok(format!("{:?}", values?))
        };
        let mut rows: Vec<String> = statement.query_map([], read).unwrap().map(Result::unwrap).collect();
        rows.sort_unstable();
        all.insert(table, rows);
    }
    all
}

fn compare_tables(all: &Followed, never: &Followed) -> Result<(), String> {
    for view in projections::descriptions() {
        let mut is = rows(all.folder.path(), view.name);
        let mut should = rows(never.folder.path(), view.name);
        for kept_by_the_runtime in ["person", "merges"] {
            if is.get(kept_by_the_runtime).is_none_or(|rows| !rows.is_empty()) {
                return Err(format!("{}: {kept_by_the_runtime} is not empty", view.name));
            }
        }
        if view.name == "history" {
            continue;
        }
        if view.name == "duplicates" {
            is.remove("apart");
            should.remove("apart");
        }
        if is != should {
            return Err(format!("{}: is {is:?}, should be {should:?}", view.name));
        }
    }
    Ok(())
}

/// How often something was merged when it was looked at, so that the lives show something.
#[derive(Default)]
struct Seen {
    events: AtomicU64,
    cards_of_several: AtomicU64,
}

async fn live(deeds: &[Deed], seen: &Seen) -> Result<(), String> {
    let store = EmbeddedStore::in_memory().unwrap();
    let log = || Arc::clone(&store) as Arc<dyn EventStore>;
    let commands = Commands::new(log());
    for number in 0..CONTACTS {
        // Every second has no name.
        let name = number.is_multiple_of(2).then(|| format!("Ann {number}"));
        let body = json!({ "register": { "form": "person", "name": name } });
        send(&commands, Kind::Contact, contact(number), body).await;
    }
    let all = Followed::open(log(), store.keyring()).await;
    let never = Followed::open(Arc::new(NeverMerged(Arc::clone(&store))), store.keyring()).await;
    for deed in deeds {
        happen(&commands, deed).await;
    }
    all.views.settle(store.head(), |_| ()).await;
    for number in 0..CONTACTS {
        let card = all.ask("contacts", &format!("id={}", contact(number))).await;
        let several = card.is_some_and(|card| card["parts"].is_array());
        seen.cards_of_several.fetch_add(u64::from(several), Ordering::Relaxed);
    }
    for (one, other) in (0..CONTACTS).flat_map(|one| (0..CONTACTS).map(move |other| (one, other))) {
        happen(&commands, &Deed::Unmerge(one, other)).await;
    }
    seen.events.fetch_add(store.head().0, Ordering::Relaxed);
    for followed in [&all, &never] {
        followed.views.settle(store.head(), |_| ()).await;
    }
    compare_answers(&all, &never).await?;
    // What was followed while it happened is what is folded from the whole.
    for checked in all.views.check(&[], |_, _| ()).await.map_err(|error| error.to_string())? {
        if !checked.differences.is_empty() || checked.stopped.is_some() {
            return Err(format!("{checked:?}"));
        }
    }
    all.close().await;
    never.close().await;
    compare_tables(&all, &never)
}

#[test]
fn what_was_unmerged_is_as_if_it_had_never_been_merged_whatever_happened_meanwhile() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
    // The same lives in every run.
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let seen = Seen::default();
    let outcome = runner.run(&prop::collection::vec(deed(), 10..120), |deeds| {
        runtime.block_on(live(&deeds, &seen)).map_err(TestCaseError::fail)
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    assert!(seen.events.into_inner() > u64::from(CASES) * 30, "lives in which little happens show little");
    assert!(seen.cards_of_several.into_inner() > u64::from(CASES), "hardly anybody was merged");
}
