//! No question outlives its deadline or the views, and none leaves anything of its deadline behind.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use domain::{
    Answer, Append, AppendError, CommandKey, EventStore, KeyedAnswer, Kind, KindSet, Position, ReadError,
    Recorded, Role, Stored, StreamId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::{
    Answered, AskError, Moments, Question, Subject, ViewOptions, Views, catalogue,
    kit::{
        ApplyError, Page, Projection, Shows, Tables, ViewError,
        deadline::Deadline,
        testing::NoKeys,
        view::{Catalogue, Registry as _},
    },
    runtime::{question::ask_tables, view_file::FileError},
};

/// No machine counts so far in the time of a test.
const FOR_EVER: u64 = 1_000_000_000_000;
const AN_HOUR: Duration = Duration::from_hours(1);
const A_MOMENT: Duration = Duration::from_millis(20);

/// Set when a question that tells so has begun.
static BEGUN: AtomicBool = AtomicBool::new(false);

/// A view that counts for as long as it is asked to.
struct Counting;

#[derive(Deserialize, JsonSchema)]
struct Query {
    to: u64,
    #[serde(default)]
    times: u64,
    #[serde(default)]
    tells: bool,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct View {
    counted: u64,
}

impl Projection for Counting {
    const NAME: &'static str = "counting";
    const QUESTION: &'static str = "How far?";
    const VERSION: u32 = 1;
    const READERS: &'static [Role] = &[];
    const SHOWS: Shows = Shows::Cells;
    const KINDS: &'static [Kind] = &[];
    const TABLES: &'static str = "CREATE TABLE numbers (number INTEGER PRIMARY KEY);";
    const INDEXES: &'static str = "";
    type Query = Query;
    type View = View;

    fn apply(_: &Tables, _: &Recorded) -> Result<(), ApplyError> {
        Ok(())
    }

    fn view(tables: &Tables, query: Query, _: &Page) -> Result<Option<View>, ViewError> {
        BEGUN.fetch_or(query.tells, Ordering::AcqRel);
        let sql = "WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < ?1)
             SELECT count(*) FROM counted";
        let mut counted = 0;
        for _ in 0..query.times.max(1) {
            counted += tables.row(sql, [query.to], |row| row.get::<_, u64>(0))?.unwrap_or_default();
        }
        Ok(Some(View { counted }))
    }
}

/// A log in which nothing happens.
struct Silence;

#[async_trait::async_trait]
impl EventStore for Silence {
    fn log_id(&self) -> Uuid {
        Uuid::nil()
    }

    async fn append(&self, _: Append) -> Result<Answer, AppendError> {
        Err(AppendError::OutcomeUnknown)
    }

    async fn answer(&self, _: CommandKey) -> Result<Option<KeyedAnswer>, ReadError> {
        Ok(None)
    }

    async fn read_stream(&self, _: StreamId, _: u64, _: usize) -> Result<Vec<Recorded>, ReadError> {
        Ok(Vec::new())
    }

    async fn read_at(&self, _: &[Position]) -> Result<Vec<Recorded>, ReadError> {
        Ok(Vec::new())
    }

    async fn read_all(&self, after: Position, _: usize, _: KindSet) -> Result<domain::EventPage, ReadError> {
        Ok(domain::EventPage { events: Vec::new(), through: after })
    }

    async fn read_stored(
        &self,
        after: Position,
        _: usize,
        _: &mut (dyn for<'a> FnMut(Stored<'a>) + Send),
    ) -> Result<Position, ReadError> {
        Ok(after)
    }

    fn head(&self) -> Position {
        Position::START
    }

    fn erasures(&self) -> u64 {
        0
    }

    async fn changed(&self, _: Position) {
        std::future::pending::<()>().await;
    }

    async fn position_at(&self, _: DateTime<Utc>) -> Result<Position, ReadError> {
        Ok(Position::START)
    }

    async fn position_of_size(&self, _: u64) -> Result<Position, ReadError> {
        Ok(Position::START)
    }

    async fn size_at(&self, _: Position) -> Result<u64, ReadError> {
        Ok(0)
    }
}

async fn open(folder: &Path, views: Catalogue, question_timeout: Duration) -> Arc<Views> {
    let (folder, runtime) = (folder.to_owned(), Handle::current());
    let options = ViewOptions { question_timeout, ..ViewOptions::default() };
    let open = move || -> Result<Views, FileError> {
        Views::open_these(views, Arc::new(Silence), Arc::new(NoKeys), &folder, runtime, options)
    };
    let views = tokio::task::spawn_blocking(open).await.unwrap().unwrap();
    views.settle(Position::START, |_| ()).await;
    Arc::new(views)
}

async fn open_counting(folder: &Path) -> Arc<Views> {
    let mut views = Catalogue::default();
    views.register::<Counting>();
    open(folder, views, AN_HOUR).await
}

fn to(number: u64) -> Question {
    Question { view: "counting".to_owned(), query: format!("to={number}"), ..Question::default() }
}

/// Asks what must be answered within a moment.
async fn ask_shortly(views: &Views, question: Question) -> Result<Answered, AskError> {
    views.ask_within(question, ask_tables, Deadline::within(A_MOMENT, &views.shared.stopping)).await
}

#[track_caller]
fn assert_timed_out<T: std::fmt::Debug>(answered: Result<T, AskError>, view: &str) {
    match answered {
        Err(AskError::TimedOut { view: named, .. }) => assert_eq!(named, view),
        other => panic!("expected no answer in time, got {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_ends_at_its_deadline_and_its_reader_answers_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let views = open_counting(folder.path()).await;
    let generation = views.shared.views[0].generation().unwrap();
    for times in 1..=3 {
        assert_timed_out(ask_shortly(&views, to(FOR_EVER)).await, "counting");
        assert_eq!(views.timeouts(), [("counting", times)]);
        assert_eq!(generation.kept_readers(), 1, "the reader is free again");
        // Long enough for SQLite to look up from it many times.
        assert_eq!(
            views.ask(to(1_000_000)).await.unwrap().answer.to_json().unwrap(),
            r#"{"counted":1000000}"#
        );
        assert_eq!(generation.kept_readers(), 1, "the same reader answered");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_many_short_statements_ends_too() {
    let folder = tempfile::tempdir().unwrap();
    let views = open_counting(folder.path()).await;
    let question = Question { query: format!("to=1&times={FOR_EVER}"), ..to(1) };
    assert_timed_out(ask_shortly(&views, question).await, "counting");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_about_the_past_ends_at_its_deadline_and_the_next_one_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let views = open_counting(folder.path()).await;
    let then = |number| Question { as_of: Some(DateTime::UNIX_EPOCH), ..to(number) };
    let no_time = Deadline::within(Duration::ZERO, &views.shared.stopping);
    assert_timed_out(views.ask_within(then(1), ask_tables, no_time).await, "counting");
    assert_timed_out(ask_shortly(&views, then(FOR_EVER)).await, "counting");
    assert_eq!(views.ask(then(1_000_000)).await.unwrap().answer.to_json().unwrap(), r#"{"counted":1000000}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_the_views_ends_a_question_that_is_under_way() {
    let folder = tempfile::tempdir().unwrap();
    let views = open_counting(folder.path()).await;
    let asked = Arc::clone(&views);
    let question = Question { query: format!("to={FOR_EVER}&tells=true"), ..to(1) };
    let under_way = tokio::spawn(async move { asked.ask(question).await });
    while !BEGUN.load(Ordering::Acquire) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let closing = Arc::clone(&views);
    tokio::task::spawn_blocking(move || closing.close()).await.unwrap();
    let ended = under_way.await.unwrap().unwrap_err();
    assert!(matches!(&ended, AskError::Ending { view } if view == "counting"), "{ended:?}");
    let later =
        [views.ask(to(1)).await, views.ask(Question { as_of: Some(DateTime::UNIX_EPOCH), ..to(1) }).await];
    assert!(later.iter().all(|later| matches!(later, Err(AskError::Ending { .. }))), "{later:?}");
    assert!(matches!(views.check(&[], |_, _| ()).await, Err(AskError::Ending { .. })));
    assert_eq!(views.timeouts(), [("counting", 0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_view_and_every_way_of_reading_a_journey_has_a_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let views = open(folder.path(), catalogue(), Duration::ZERO).await;
    for (view, _) in views.statuses() {
        for as_of in [None, Some(DateTime::UNIX_EPOCH)] {
            let question = Question { view: view.name.to_owned(), as_of, ..Question::default() };
            assert_timed_out(views.ask(question.clone()).await, view.name);
            assert_timed_out(views.why_cell(question).await, view.name);
        }
    }
    let subject = Subject { thing: StreamId::new(Kind::Deal, Uuid::nil()), as_of: None, known_at: None };
    assert_timed_out(views.steps(subject, Page::default(), None).await, "history");
    assert_timed_out(views.why(subject, "stage", None).await, "history");
    let moments = Moments::AsOf(DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH);
    assert_timed_out(views.compare(subject, moments, None).await, "history");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_steps_of_a_question_are_its_own_and_the_same_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let views = open_counting(folder.path()).await;
    let mut steps = Vec::new();
    for number in [1_000, 100_000, 1_000] {
        steps.push(views.ask(to(number)).await.unwrap().steps);
    }
    assert_eq!(steps[0], steps[2]);
    assert!(steps[1] > 50 * steps[0] && steps[0] > 1_000, "{steps:?}");
}
