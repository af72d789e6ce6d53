//! The log on a cluster at the port: appending, and reading what this node has followed.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    Answer, Append, AppendError, CommandKey, EventPage, EventStore, KeyedAnswer, Keyring, KindSet, Position,
    READ_AT_ONCE, ReadError, Recorded, Stored, StreamId,
};
use futures::{StreamExt as _, stream};
use uuid::Uuid;

use crate::{
    kurrent::{
        envelope::StoredEvent,
        node_index::MARKED_EVERY,
        recent::{Entry, position_of},
        store::KurrentStore,
        wire::{connection::Server, events::Raw},
    },
    recording::decoded,
};

/// How long whoever reads a stream waits until this node has followed the log as far.
const FOLLOW_TIMEOUT: Duration = Duration::from_secs(5);
/// How many single events are fetched at a time.
const FETCHED_AT_ONCE: usize = 32;
/// How many events of a stream are read at once, at most.
const STREAM_LIMIT: usize = 100_000;

impl KurrentStore {
    /// Events after any number, as they stand, up to where everybody may look.
    async fn fetch(&self, after: u64, limit: usize) -> Result<Vec<Entry>, ReadError> {
        let head = self.node.position();
        if after >= head || limit == 0 {
            return Ok(Vec::new());
        }
        if let Some(entries) = self.node.recent.read(after, limit) {
            return Ok(entries);
        }
        let mark = self.node.index().mark_at(after).map_err(|error| storage(&error))?;
        let (mut page, is_full) = self.read_from(Server::Any, (mark.position, after), limit).await?;
        if !is_full && page.last().map_or(after, |last| last.position) < head {
            // This node has seen more than that: it was told so by a server that had come further.
            page = self.read_from(Server::Leader, (mark.position, after), limit).await?.0;
        }
        let within = page.iter().take_while(|raw| raw.position <= head);
        Ok(within.map(|raw| Arc::new(StoredEvent::of(raw, &self.node.names))).collect())
    }

    async fn read_from(
        &self,
        server: Server,
        places: (u64, u64),
        limit: usize,
    ) -> Result<(Vec<Raw>, bool), ReadError> {
        let read = self.node.connection.read_beyond(server, places, limit, &self.prefixes).await;
        read.map_err(|trouble| storage(&trouble))
    }

    /// Events after any number, as many as are asked for, however large they are.
    async fn fetch_whole(&self, after: u64, count: usize) -> Result<Vec<Entry>, ReadError> {
        let (mut entries, mut after) = (Vec::new(), after);
        while entries.len() < count {
            let more = self.fetch(after, count - entries.len()).await?;
            let Some(last) = more.last() else { break };
            after = position_of(last);
            entries.extend(more);
        }
        Ok(entries)
    }

    /// The event at a position, as it stands.
    async fn fetch_one(&self, position: u64) -> Result<Option<Entry>, ReadError> {
        if position == 0 || position > self.node.position() {
            return Ok(None);
        }
        let is_it = |entry: &Entry| position_of(entry) == position;
        if let Some(entries) = self.node.recent.read(position - 1, 1) {
            return Ok(entries.into_iter().next().filter(is_it));
        }
        match self.node.connection.read_at(position, &self.prefixes).await {
            Ok(found) => Ok(found.map(|raw| Arc::new(StoredEvent::of(&raw, &self.node.names)))),
            // It may be no position of the cluster at all.
            Err(_) => Ok(self.fetch(position - 1, 1).await?.into_iter().next().filter(is_it)),
        }
    }

    /// The events between a mark and the next one.
    async fn behind_mark(&self, position: u64) -> Result<Vec<Entry>, ReadError> {
        self.fetch_whole(position, MARKED_EVERY).await
    }

    fn opened(&self, entry: &Entry) -> Result<Recorded, ReadError> {
        match &**entry {
            Ok(event) => {
                Ok(decoded::as_recorded(&event.as_stored(), Some(&*self.node.keys as &dyn Keyring))?)
            }
            Err(bad) => Err(bad.clone().into()),
        }
    }
}

fn storage(error: &dyn std::error::Error) -> ReadError {
    ReadError::Storage(error.to_string())
}

#[async_trait]
impl EventStore for KurrentStore {
    fn log_id(&self) -> Uuid {
        self.node.log_id
    }

    async fn append(&self, append: Append) -> Result<Answer, AppendError> {
        self.appending.append(append).await
    }

    async fn answer(&self, key: CommandKey) -> Result<Option<KeyedAnswer>, ReadError> {
        self.node.answer(key).map_err(|error| storage(&error))
    }

    async fn read_stream(
        &self,
        stream: StreamId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        let node = &self.node;
        let read =
            node.connection.read_stream(&node.names.stream(stream), after, limit.min(STREAM_LIMIT)).await;
        let events = read.map_err(|trouble| storage(&trouble))?.unwrap_or_default();
        // Its keys, and erasures that concern it, come with the log: what another node wrote is only read once this
        // node has followed so far.
        let unseen =
            events.iter().rev().find(|raw| raw.position > node.position() && node.own.get(&raw.id).is_none());
        if let Some(unseen) = unseen {
            node.follow_to(unseen.position, FOLLOW_TIMEOUT).await.map_err(|trouble| storage(&trouble))?;
        }
        let mut recorded = Vec::with_capacity(events.len());
        for raw in &events {
            recorded.push(self.opened(&Arc::new(StoredEvent::of(raw, &node.names)))?);
        }
        if let Some(last) = recorded.last() {
            node.note_latest(last.position.0);
            node.note_head(stream, last.revision, last.effective_at.timestamp_micros());
        }
        Ok(recorded)
    }

    async fn read_at(&self, positions: &[Position]) -> Result<Vec<Recorded>, ReadError> {
        let positions = positions[..positions.len().min(READ_AT_ONCE)].to_vec();
        let fetching = stream::iter(positions)
            .map(|position| self.fetch_one(position.0))
            .buffered(FETCHED_AT_ONCE)
            .collect::<Vec<_>>();
        let mut recorded = Vec::new();
        for found in fetching.await {
            if let Some(entry) = found? {
                recorded.push(self.opened(&entry)?);
            }
        }
        Ok(recorded)
    }

    async fn read_all(&self, after: Position, limit: usize, kinds: KindSet) -> Result<EventPage, ReadError> {
        let mut page = EventPage { events: Vec::new(), through: after };
        for entry in self.fetch(after.0, limit).await? {
            page.through = Position(position_of(&entry));
            match &*entry {
                // What has no known kind is handed out as unreadable: nobody can say that it was not wanted.
                Ok(event) if decoded::kind_of(&event.stream).is_none_or(|kind| kinds.contains(kind)) => {
                    page.events.push(decoded::as_recorded(&event.as_stored(), None));
                }
                Err(bad) if decoded::kind_of(&bad.stream).is_none_or(|kind| kinds.contains(kind)) => {
                    page.events.push(Err(bad.clone()));
                }
                Ok(_) | Err(_) => {}
            }
        }
        Ok(page)
    }

    async fn read_stored(
        &self,
        after: Position,
        limit: usize,
        each: &mut (dyn for<'a> FnMut(Stored<'a>) + Send),
    ) -> Result<Position, ReadError> {
        let mut reached = after;
        for entry in self.fetch(after.0, limit).await? {
            match &*entry {
                Ok(event) => each(event.as_stored()),
                Err(bad) => return Err(bad.clone().into()),
            }
            reached = Position(position_of(&entry));
        }
        Ok(reached)
    }

    fn head(&self) -> Position {
        Position(self.node.position())
    }

    fn latest(&self) -> Position {
        Position(self.node.latest())
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn erasures(&self) -> u64 {
        self.node.keys.erasures()
    }

    async fn changed(&self, after: Position) {
        // The sender lives as long as the store: the wait cannot fail.
        let _ = self.node.head.subscribe().wait_for(|head| *head > after.0).await;
    }

    async fn position_at(&self, moment: DateTime<Utc>) -> Result<Position, ReadError> {
        let moment = moment.timestamp_micros();
        let reach = self.node.reach();
        if reach.recorded_at <= moment {
            return Ok(Position(reach.position));
        }
        let mark = self.node.index().mark_of_time(moment).map_err(|error| storage(&error))?;
        let mut found = mark.position;
        for entry in self.behind_mark(mark.position).await? {
            if entry.as_ref().as_ref().is_ok_and(|event| event.recorded_at > moment) {
                break;
            }
            found = position_of(&entry);
        }
        Ok(Position(found))
    }

    async fn position_of_size(&self, size: u64) -> Result<Position, ReadError> {
        let reach = self.node.reach();
        if size >= reach.events {
            return Ok(Position(reach.position));
        }
        let mark = self.node.index().mark_of_size(size).map_err(|error| storage(&error))?;
        let missing = usize::try_from(size - mark.events).unwrap_or_default();
        let entries = self.fetch_whole(mark.position, missing).await?;
        Ok(Position(entries.last().map_or(mark.position, |entry| position_of(entry))))
    }

    async fn size_at(&self, position: Position) -> Result<u64, ReadError> {
        let reach = self.node.reach();
        if position.0 >= reach.position {
            return Ok(reach.events);
        }
        let mark = self.node.index().mark_at(position.0).map_err(|error| storage(&error))?;
        let entries = self.behind_mark(mark.position).await?;
        let before = entries.iter().take_while(|entry| position_of(entry) <= position.0).count();
        Ok(mark.events + before as u64)
    }
}
