//! Reads, of one stream and of all events, filtered or not, and what becomes of them when a fault is set.

#![expect(clippy::result_large_err, reason = "an error of a call is what the protocol's library says it is")]

use std::{collections::BTreeMap, pin::Pin, sync::atomic::Ordering};

use futures::{Stream, StreamExt as _, stream};
use tokio::time::sleep;
use tonic::{Request, Response, Status};

use super::{
    faults::ReadFate,
    log::{Log, Recorded, Unreadable},
    protocol::{
        AllFrom, FilterBy, ReadAnswer, ReadEvent, ReadEventPlace, ReadExtent, ReadFilter, ReadOptions,
        ReadPart, ReadRequest, ReadSource, RecordedEvent, StreamFrom, StreamNotFound, StreamSource,
    },
    service::{Connection, SENDING, buried, name_of},
};

/// What the official client asks for when the server's own events are to be left out.
const NOT_OF_THE_SYSTEM: &str = "^[^\\$].*";

/// How many events a reader gets again where reads repeat.
const REPEATED: usize = 3;

/// The messages with which a read is answered.
pub(super) type Answers = Pin<Box<dyn Stream<Item = Result<ReadAnswer, Status>> + Send>>;

impl Connection {
    pub(super) async fn read(&self, request: Request<ReadRequest>) -> Result<Response<Answers>, Status> {
        self.may_serve(request.metadata())?;
        let options = request.into_inner().options.unwrap_or_default();
        if options.extent == Some(ReadExtent::Subscription(())) {
            return Err(Status::unimplemented("the double has no subscriptions"));
        }
        let fate = self.shared.faults.lock().reads.pop_front();
        let cut = match fate {
            None => None,
            Some(ReadFate::Refused(code)) => return Err(Status::new(code, "the double was told to refuse")),
            Some(ReadFate::Stalled(wait)) => {
                sleep(wait).await;
                None
            }
            Some(ReadFate::CutAfter(events)) => Some(events),
        };
        let answers = self.answers(&options)?;
        let cut = cut.or_else(|| self.usual_cut(&options).filter(|events| answers.len() > *events));
        Ok(Response::new(match cut {
            None => Box::pin(stream::iter(answers.into_iter().map(Ok))),
            Some(events) => self.clone().cut_after(answers, events),
        }))
    }

    /// Events first, if there are any.
    fn answers(&self, options: &ReadOptions) -> Result<Vec<ReadAnswer>, Status> {
        let Some(ReadExtent::Count(count)) = options.extent else {
            return Err(Status::invalid_argument("how much is to be read?"));
        };
        match &options.source {
            None => Err(Status::invalid_argument("what is to be read?")),
            Some(ReadSource::Stream(stream)) => {
                let asked = StreamRead::new(stream, count, options)?;
                let has_positions = self.shared.has_positions.load(Ordering::SeqCst);
                asked.answers(&self.shared.log.lock(), has_positions)
            }
            Some(ReadSource::All(all)) => {
                let asked = AllRead {
                    from: all.from,
                    is_backwards: options.is_backwards(),
                    count: usize::try_from(count).unwrap_or(usize::MAX),
                    repeats: self.shared.faults.lock().repeats_in_reads,
                    wanted: wanted(options.filter.as_ref())?,
                };
                Ok(asked.answers(&self.shared.log.lock()))
            }
        }
    }

    /// After how many events the connection of every such read is cut.
    fn usual_cut(&self, options: &ReadOptions) -> Option<usize> {
        let follows = matches!(options.source, Some(ReadSource::All(_))) && !options.is_backwards();
        self.shared.faults.lock().cuts_every_read_after.filter(|_| follows)
    }

    /// Answers until so many events were sent, and then the connection is gone.
    fn cut_after(self, mut answers: Vec<ReadAnswer>, events: usize) -> Answers {
        answers.truncate(events);
        let end = async move {
            sleep(SENDING).await;
            match self.vanish().await {}
        };
        Box::pin(stream::iter(answers.into_iter().map(Ok)).chain(stream::once(end)))
    }
}

/// An event as a reader gets it.
fn shown(recorded: &Recorded, has_position: bool) -> ReadAnswer {
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
struct StreamRead {
    name: String,
    from: StreamFrom,
    is_backwards: bool,
    count: usize,
    /// Whether the reader wants to know where the stream begins and ends.
    tells_ends: bool,
}

impl StreamRead {
    /// What was asked.
    fn new(source: &StreamSource, count: u64, options: &ReadOptions) -> Result<Self, Status> {
        Ok(Self {
            name: name_of(source.stream.clone())?,
            from: source.from.ok_or_else(|| Status::invalid_argument("from where?"))?,
            is_backwards: options.is_backwards(),
            count: usize::try_from(count).unwrap_or(usize::MAX),
            tells_ends: options.control.is_some_and(|control| control.compatibility >= 1),
        })
    }

    /// What is answered.
    fn answers(&self, log: &Log, has_positions: bool) -> Result<Vec<ReadAnswer>, Status> {
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
type Wanted = Box<dyn Fn(&Recorded) -> bool + Send>;

fn wanted(filter: Option<&ReadFilter>) -> Result<Wanted, Status> {
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

/// So many of all events.
struct AllRead {
    from: Option<AllFrom>,
    is_backwards: bool,
    count: usize,
    /// Whether the reader gets events again that stand before the place from which it asks.
    repeats: bool,
    wanted: Wanted,
}

impl AllRead {
    /// Forwards from the event at a position, backwards from the event before it: as the real server does, to
    /// which positions lie between events.
    fn answers(&self, log: &Log) -> Vec<ReadAnswer> {
        let (between, repeated) = match self.from {
            Some(AllFrom::Place(place)) if self.repeats => (log.count_before(place.commit), REPEATED),
            Some(AllFrom::Place(place)) => (log.count_before(place.commit), 0),
            Some(AllFrom::End(())) => (log.events().len(), 0),
            _ => (0, 0),
        };
        let (before, after) = log.events().split_at(between);
        let before = before.iter().rev().filter(|event| (self.wanted)(event));
        let after = after.iter().filter(|event| (self.wanted)(event));
        let answer = |event: &Recorded| shown(event, true);
        if self.is_backwards {
            return before.take(self.count).map(answer).collect();
        }
        let again: Vec<_> = before.take(repeated).collect();
        again.into_iter().rev().chain(after).take(self.count).map(answer).collect()
    }
}
