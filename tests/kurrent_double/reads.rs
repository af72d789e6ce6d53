//! Reads that are answered to the end: of one stream, and of all events, filtered or not.

#![expect(clippy::result_large_err, reason = "an error of a call is what the protocol's library says it is")]

use std::{collections::BTreeMap, pin::Pin};

use futures::Stream;
use tonic::Status;

use super::{
    log::{Log, Recorded, Unreadable},
    protocol::{
        AllFrom, AllSource, FilterBy, ReadAnswer, ReadEvent, ReadEventPlace, ReadFilter, ReadOptions,
        ReadPart, RecordedEvent, StreamFrom, StreamNotFound, StreamSource,
    },
    service::{buried, name_of},
};

/// What the official client asks for when the server's own events are to be left out.
const NOT_OF_THE_SYSTEM: &str = "^[^\\$].*";

/// The messages with which a read is answered.
pub(super) type Answers = Pin<Box<dyn Stream<Item = Result<ReadAnswer, Status>> + Send>>;

/// An event as a reader gets it.
pub(super) fn shown(recorded: &Recorded, has_position: bool) -> ReadAnswer {
    let position = if has_position { recorded.position } else { u64::MAX };
    let metadata = BTreeMap::from([
        ("type".to_owned(), recorded.event.kind.clone()),
        ("content-type".to_owned(), recorded.event.content_type.clone()),
        ("created".to_owned(), recorded.created.to_string()),
    ]);
    let event = RecordedEvent {
        id: Some(recorded.event.id.into()),
        stream: Some(recorded.stream.as_str().into()),
        revision: recorded.revision,
        prepare: position,
        commit: position,
        metadata,
        custom_metadata: recorded.event.custom_metadata.clone(),
        data: recorded.event.data.clone(),
    };
    let place = if has_position { ReadEventPlace::Commit(position) } else { ReadEventPlace::None(()) };
    ReadPart::Event(ReadEvent { event: Some(event), place: Some(place) }).into()
}

/// So many events of one stream.
pub(super) struct StreamRead {
    name: String,
    from: StreamFrom,
    is_backwards: bool,
    count: usize,
    /// Whether the reader wants to know where the stream begins and ends.
    tells_ends: bool,
}

impl StreamRead {
    /// What was asked.
    pub(super) fn new(
        source: &StreamSource,
        is_backwards: bool,
        count: u64,
        options: &ReadOptions,
    ) -> Result<Self, Status> {
        Ok(Self {
            name: name_of(source.stream.clone())?,
            from: source.from.ok_or_else(|| Status::invalid_argument("from where?"))?,
            is_backwards,
            count: usize::try_from(count).unwrap_or(usize::MAX),
            tells_ends: options.control.is_some_and(|control| control.compatibility >= 1),
        })
    }

    /// What is answered.
    pub(super) fn answers(&self, log: &Log, has_positions: bool) -> Result<Vec<ReadAnswer>, Status> {
        let visible = match log.visible(&self.name) {
            Ok(visible) => visible,
            Err(Unreadable::Buried) => return Err(buried(&self.name)),
            Err(Unreadable::NotFound) => {
                let stream = Some(self.name.as_str().into());
                return Ok(vec![ReadPart::StreamNotFound(StreamNotFound { stream }).into()]);
            }
        };
        let event = |revision| log.event(&self.name, revision).map(|event| shown(event, has_positions));
        let mut answers: Vec<_> = if self.is_backwards {
            let end = match self.from {
                StreamFrom::Revision(revision) => visible.end.min(revision.saturating_add(1)),
                StreamFrom::Start(()) => visible.end.min(1),
                StreamFrom::End(()) => visible.end,
            };
            (visible.start..end).rev().take(self.count).filter_map(event).collect()
        } else {
            let start = match self.from {
                StreamFrom::Revision(revision) => visible.start.max(revision),
                StreamFrom::Start(()) => visible.start,
                StreamFrom::End(()) => visible.end,
            };
            (start..visible.end).take(self.count).filter_map(event).collect()
        };
        if self.tells_ends {
            if answers.is_empty() && !self.is_backwards {
                answers.push(ReadPart::FirstStreamPosition(visible.start).into());
            }
            answers.push(ReadPart::LastStreamPosition(visible.end.saturating_sub(1)).into());
        }
        Ok(answers)
    }
}

/// Tells which events are wanted.
pub(super) type Wanted = Box<dyn Fn(&Recorded) -> bool + Send>;

pub(super) fn wanted(filter: Option<&ReadFilter>) -> Result<Wanted, Status> {
    let Some(filter) = filter else { return Ok(Box::new(|_| true)) };
    let (expression, by_type) = match &filter.by {
        Some(FilterBy::Stream(expression)) => (expression, false),
        Some(FilterBy::Type(expression)) => (expression, true),
        None => return Err(Status::invalid_argument("a filter of what?")),
    };
    let prefixes = expression.prefixes.clone();
    match expression.regex.as_str() {
        NOT_OF_THE_SYSTEM => {
            Ok(Box::new(move |event| !matches!(name_in(event, by_type).chars().next(), None | Some('$'))))
        }
        "" if prefixes.is_empty() => Err(Status::invalid_argument("a filter for what?")),
        "" => Ok(Box::new(move |event| {
            prefixes.iter().any(|prefix| name_in(event, by_type).starts_with(prefix.as_str()))
        })),
        _ => Err(Status::invalid_argument("the double knows one regular expression only")),
    }
}

/// The name that a filter looks at.
fn name_in(event: &Recorded, by_type: bool) -> &str {
    if by_type { &event.event.kind } else { &event.stream }
}

/// Forwards from the event at a position, backwards from the event before it: as the real server does, to
/// which positions lie between events.
pub(super) fn read_all(
    log: &Log,
    all: AllSource,
    is_backwards: bool,
    count: u64,
    wanted: &Wanted,
) -> Vec<ReadAnswer> {
    let between = match all.from {
        Some(AllFrom::Place(place)) => log.count_before(place.commit),
        Some(AllFrom::End(())) => log.events().len(),
        _ => 0,
    };
    let (before, after) = log.events().split_at(between);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let answer = |event: &Recorded| shown(event, true);
    if is_backwards {
        before.iter().rev().filter(|event| wanted(event)).take(count).map(answer).collect()
    } else {
        after.iter().filter(|event| wanted(event)).take(count).map(answer).collect()
    }
}
