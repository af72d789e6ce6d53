//! Given, when, then: projections tested as sentences, on real tables in memory.
//!
//! ```ignore
//! given::<Pipeline>().happened("2017-01-02", 10, opened()).then("by=region", |view| assert_json_snapshot!(view));
//! ```

#![allow(clippy::panic, reason = "a kit for tests fails by panicking")]

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};
use domain::{Actor, ContactId, EventId, Keyring, KindEvent, Position, Recorded, StreamId};
use rusqlite::Connection;
use serde_json::Value;
use uuid::Uuid;

use crate::kit::{
    answer::Answer,
    error::ViewError,
    page::Page,
    projection::{Behind, Projection},
    tables::Tables,
    view::AnyView,
};

/// The tables of one projection and what has happened so far.
pub(crate) struct Story {
    view: AnyView,
    tables: Tables,
    position: u64,
    revisions: HashMap<StreamId, u64>,
    concerned: Vec<ContactId>,
}

/// In the tests nothing is sealed, so nothing has to be opened.
pub(crate) struct NoKeys;

impl Keyring for NoKeys {
    fn open(&self, _: ContactId, _: Uuid, _: &str) -> Option<Vec<u8>> {
        None
    }
}

/// An empty log.
#[track_caller]
pub(crate) fn given<P: Projection>() -> Story {
    let view = AnyView::of::<P>();
    let connection = Connection::open_in_memory().unwrap();
    view.create_tables(&connection).unwrap();
    connection.execute_batch(view.indexes).unwrap();
    let tables = Tables::new(connection, Arc::new(NoKeys));
    Story { view, tables, position: 0, revisions: HashMap::new(), concerned: Vec::new() }
}

/// The id of the event at a position.
pub(crate) fn event_id(position: u64) -> EventId {
    EventId(Uuid::from_u128(0xE000_0000 + u128::from(position)))
}

/// An answer as JSON, after looking whether its rows fit into the columns of its table, and whether whoever is sent
/// it gets it back in its type.
#[track_caller]
pub(crate) fn sound(view: &AnyView, answer: &Answer) -> Value {
    let name = view.description.name;
    let nothing: [String; 0] = [];
    assert_eq!(answer.without_a_column(), nothing, "{name}: rows have members without a column");
    answer.sheet().unwrap();
    let json = answer.to_json().unwrap();
    // Whatever is not the same again is an error.
    view.description.read(&json).unwrap();
    serde_json::from_str(&json).unwrap()
}

/// An event that happened on a day, and was recorded on the same day.
#[track_caller]
pub(crate) fn recorded_on<E: KindEvent>(day: &str, position: u64, stream: StreamId, event: E) -> Recorded {
    let at: DateTime<Utc> = format!("{day}T00:00:00Z").parse().unwrap();
    Recorded {
        position: Position(position),
        stream,
        revision: 1,
        id: event_id(position),
        occurred_at: Some(at),
        effective_at: at,
        recorded_at: at,
        by: Actor::Member("ann".to_owned()),
        subjects: event.contacts(),
        metadata: None,
        event: event.into_event(),
    }
}

impl Story {
    /// The next event concerns these contacts too, as the decider of its kind would say.
    #[must_use]
    pub(crate) fn concerning(mut self, contacts: &[u128]) -> Self {
        self.concerned = contacts.iter().map(|contact| ContactId(Uuid::from_u128(*contact))).collect();
        self
    }

    /// An event happened to the thing with this id, and was recorded on the same day.
    #[track_caller]
    #[must_use]
    pub(crate) fn happened<E: KindEvent>(mut self, day: &str, id: u128, event: E) -> Self {
        let stream = StreamId::new(E::KIND, Uuid::from_u128(id));
        self.position += 1;
        let revision = self.revisions.entry(stream).or_default();
        *revision += 1;
        let mut recorded = recorded_on(day, self.position, stream, event);
        recorded.revision = *revision;
        if stream.kind == domain::Kind::Contact {
            recorded.subjects.insert(0, ContactId(stream.id));
        }
        recorded.subjects.append(&mut self.concerned);
        if crate::kit::own::wants(&recorded) {
            crate::kit::own::apply(&self.tables, &recorded).unwrap();
        }
        if self.view.wanted.contains(stream.kind) {
            (self.view.apply)(&self.tables, &recorded).unwrap();
            self.tables.write_tallies().unwrap();
        }
        self
    }

    /// The tables, to ask them page by page.
    pub(crate) fn into_tables(self) -> Tables {
        self.tables
    }

    /// Asked this, the view answers so.
    #[track_caller]
    #[allow(clippy::return_self_not_must_use, reason = "a sentence may end here")]
    pub(crate) fn then(self, query: &str, check: impl FnOnce(Value)) -> Self {
        match (self.view.view)(&self.tables, query, &Page::default()) {
            Ok(Some(answer)) => check(sound(&self.view, &answer)),
            other => panic!("expected an answer, got {other:?}"),
        }
        self
    }

    /// Asked this, the view has nothing to say.
    #[track_caller]
    #[allow(clippy::return_self_not_must_use, dead_code, reason = "a sentence may end here")]
    pub(crate) fn then_not_found(self, query: &str) -> Self {
        assert!(matches!((self.view.view)(&self.tables, query, &Page::default()), Ok(None)));
        self
    }

    /// Asked this, the view says what is wrong with the question, and with which parameter.
    #[track_caller]
    #[allow(clippy::return_self_not_must_use, reason = "a sentence may end here")]
    pub(crate) fn then_refused(self, query: &str, at_fault: &str) -> Self {
        match (self.view.view)(&self.tables, query, &Page::default()) {
            Err(ViewError::Query { field, message }) => {
                assert!(
                    field.as_deref() == Some(at_fault) || message.contains(at_fault),
                    "{field:?}: {message}"
                );
            }
            other => panic!("expected to be refused, got {other:?}"),
        }
        self
    }

    /// Behind every cell of the answer stand as many things as it counts (in the member `counted`), behind all cells
    /// together as many as the totals say, and where the view lists the things (`things`), it lists as many.
    #[track_caller]
    pub(crate) fn counts_alike(&self, query: &str, counted: &str, things: Option<&str>) {
        let view = self.asked(query);
        let number = |cell: &Value| cell[counted].as_i64().unwrap();
        for row in view["rows"].as_array().unwrap() {
            let group = row["group"].as_str().unwrap();
            let behind = self.behind(query, Some(group));
            assert_eq!(number(row), behind.count, "{query}, the cell `{group}`");
            assert_eq!(behind.causes.len() as u64, behind.count.unsigned_abs(), "{query}, behind `{group}`");
        }
        let all = number(&view["totals"]);
        let behind = self.behind(query, None);
        assert_eq!((behind.count, behind.causes.len() as u64), (all, all.unsigned_abs()), "{query}");
        if let Some(things) = things {
            let sum: i64 = view["rows"].as_array().unwrap().iter().map(number).sum();
            let listed = self.asked(&format!("{query}&{things}"));
            assert_eq!(
                (sum, listed["rows"].as_array().unwrap().len() as u64),
                (all, all.unsigned_abs()),
                "{query}"
            );
        }
    }

    #[track_caller]
    fn asked(&self, query: &str) -> Value {
        let answer = (self.view.view)(&self.tables, query, &Page::whole()).unwrap().unwrap();
        sound(&self.view, &answer)
    }

    #[track_caller]
    fn behind(&self, query: &str, group: Option<&str>) -> Behind {
        (self.view.behind)(&self.tables, query, group, &Page::whole()).unwrap().unwrap()
    }
}
