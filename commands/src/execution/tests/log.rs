//! The smallest log that the loop can go on: a list of what was appended. It is read stream by stream only.

use std::sync::Mutex;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    Answer, AnsweredEvent, Append, AppendError, CommandKey, EventPage, EventStore, KeyedAnswer, KindSet,
    Position, ReadError, Recorded, Stored, StreamId,
};
use uuid::Uuid;

#[derive(Default)]
pub(super) struct Log(Mutex<Vec<(Append, Answer)>>);

impl Log {
    /// What was appended, append by append.
    pub(super) fn said(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(append, _)| format!("{append:?}")).collect()
    }
}

fn kept(log: &[(Append, Answer)], key: CommandKey) -> Option<KeyedAnswer> {
    log.iter().find_map(|(append, answer)| match append.key {
        Some((known, body)) if known == key => Some(KeyedAnswer { body, answer: answer.clone() }),
        _ => None,
    })
}

fn recorded(log: &[(Append, Answer)], stream: StreamId) -> Vec<Recorded> {
    let mut recorded = Vec::new();
    for (append, answer) in log.iter().filter(|(append, _)| append.stream == stream) {
        for event in &append.events {
            recorded.push(Recorded {
                position: answer.position,
                stream,
                revision: recorded.len() as u64 + 1,
                id: event.id,
                occurred_at: append.occurred_at,
                effective_at: DateTime::UNIX_EPOCH,
                recorded_at: DateTime::UNIX_EPOCH,
                by: append.by.clone(),
                subjects: event.subjects.clone(),
                metadata: None,
                event: event.event.clone(),
            });
        }
    }
    recorded
}

#[async_trait]
impl EventStore for Log {
    fn log_id(&self) -> Uuid {
        Uuid::nil()
    }

    async fn append(&self, append: Append) -> Result<Answer, AppendError> {
        let mut log = self.0.lock().unwrap();
        if let Some(kept) = append.key.and_then(|(key, _)| kept(&log, key)) {
            return Err(AppendError::Answered(Box::new(kept)));
        }
        let actual = recorded(&log, append.stream).len() as u64;
        if append.expected != actual {
            return Err(AppendError::WrongRevision { actual, expected: append.expected });
        }
        let events = append.events.iter();
        let answer = Answer {
            stream: append.stream,
            revision: actual + append.events.len() as u64,
            position: Position(log.len() as u64 + 1),
            events: events.map(|event| AnsweredEvent { id: event.id, tag: String::new() }).collect(),
            kept: append.kept.clone(),
        };
        log.push((append, answer.clone()));
        Ok(answer)
    }

    async fn answer(&self, key: CommandKey) -> Result<Option<KeyedAnswer>, ReadError> {
        Ok(kept(&self.0.lock().unwrap(), key))
    }

    async fn read_stream(
        &self,
        stream: StreamId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        let mut events = recorded(&self.0.lock().unwrap(), stream);
        events.retain(|event| event.revision > after);
        events.truncate(limit);
        Ok(events)
    }

    async fn read_at(&self, _: &[Position]) -> Result<Vec<Recorded>, ReadError> {
        Ok(Vec::new())
    }

    async fn read_all(&self, _: Position, _: usize, _: KindSet) -> Result<EventPage, ReadError> {
        Ok(EventPage::default())
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
        Position(self.0.lock().unwrap().len() as u64)
    }

    fn erasures(&self) -> u64 {
        0
    }

    async fn changed(&self, _: Position) {}

    async fn position_at(&self, _: DateTime<Utc>) -> Result<Position, ReadError> {
        Ok(self.head())
    }

    async fn position_of_size(&self, size: u64) -> Result<Position, ReadError> {
        Ok(Position(size))
    }

    async fn size_at(&self, position: Position) -> Result<u64, ReadError> {
        Ok(position.0)
    }
}
