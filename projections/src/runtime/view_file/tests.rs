//! What a view's file holds after a fold that panicked.

use domain::{Actor, Event, Role, StreamId, gift::GiftEvent};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::*;
use crate::kit::{
    Page, Projection, Shows, ViewError,
    testing::{NoKeys, event_id},
};

/// A view that counts gifts and panics at the third.
struct Panicking;

#[derive(Deserialize, JsonSchema)]
struct Query {}

#[derive(Serialize, Deserialize, JsonSchema)]
struct View {}

impl Projection for Panicking {
    const NAME: &'static str = "panicking";
    const QUESTION: &'static str = "What then?";
    const VERSION: u32 = 1;
    const READERS: &'static [Role] = &[];
    const SHOWS: Shows = Shows::Cells;
    const KINDS: &'static [Kind] = &[Kind::Gift];
    const TABLES: &'static str = "CREATE TABLE gifts (position INTEGER PRIMARY KEY);";
    const INDEXES: &'static str = "";
    type Query = Query;
    type View = View;

    fn apply(tables: &Tables, recorded: &Recorded) -> Result<(), ApplyError> {
        tables.execute("INSERT INTO gifts VALUES (?1)", [recorded.position.0])?;
        assert!(recorded.position.0 != 3, "a gift of {}", recorded.stream);
        Ok(())
    }

    fn view(_: &Tables, _: Query, _: &Page) -> Result<Option<View>, ViewError> {
        Ok(None)
    }
}

fn gift(position: u64) -> Recorded {
    Recorded {
        position: Position(position),
        stream: StreamId::new(Kind::Gift, Uuid::from_u128(position.into())),
        revision: 1,
        id: event_id(position),
        occurred_at: None,
        effective_at: DateTime::UNIX_EPOCH,
        recorded_at: DateTime::UNIX_EPOCH,
        by: Actor::Member("ann".to_owned()),
        subjects: Vec::new(),
        metadata: None,
        event: Event::Gift(GiftEvent::Acknowledged {}),
    }
}

#[test]
fn a_view_that_panics_stands_still_before_that_event_and_holds_what_came_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("panicking-1-1.sqlite");
    let view = Arc::new(AnyView::of::<Panicking>());
    let mut file = ViewFile::create(&path, &view, Arc::new(NoKeys), Origin::default()).unwrap();
    file.finish().unwrap();
    let events: Vec<_> = (1..=5).map(|position| Ok(gift(position))).collect();
    let Applied::StoppedAt(at, reason) = file.apply(&events, Position(5), None).unwrap() else {
        panic!("it does not stand still");
    };
    assert_eq!((at, reason.as_str()), (Position(3), PANICKED));
    assert_eq!(file.progress.position, Position(2));
    let gifts = file.tables.row("SELECT count(*) FROM gifts", [], |row| row.get::<_, u64>(0)).unwrap();
    assert_eq!(gifts, Some(2));
}
