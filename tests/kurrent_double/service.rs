//! The calls that the double answers, one function for each, and what becomes of them when a fault is set.

#![expect(clippy::result_large_err, reason = "an error of a call is what the protocol's library says it is")]

use std::{
    convert::Infallible,
    future,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures::{StreamExt as _, stream};
use hyper::body::Incoming;
use tokio::time::sleep;
use tonic::{
    Code, Request, Response, Status, Streaming,
    body::Body,
    codec::ProstCodec,
    metadata::{AsciiMetadataValue, MetadataMap},
    server::Grpc,
};
use tower::service_fn;
use uuid::Uuid;

use super::{
    Shared,
    connections::Node,
    faults::{AppendFate, Lost, ReadFate},
    log::{Log, Proposed, Refusal, Written},
    protocol::{
        Address, AppendAnswer, AppendPart, AppendRequest, AppendResult, AppendSuccess, CurrentRevision,
        DeleteAnswer, DeleteRequest, Expected, Identifier, Member, Members, ProposedEvent, ReadAnswer,
        ReadExtent, ReadOptions, ReadPart, ReadRequest, ReadSource, StreamName, SuccessPlace,
        SuccessRevision, SupportedMethod, SupportedMethods, Target, WrongExpectedVersion,
    },
    reads::{Answers, StreamRead, read_all, wanted},
    subscription::Subscription,
};

/// The version of the server that the double takes after.
const VERSION: &str = "24.10.0";

/// Contents of all events of an append together.
const APPEND_LIMIT: usize = 1024 * 1024;

/// More than an append may hold, so that one that is too large is refused by name.
const MESSAGE_LIMIT: usize = 17 * 1024 * 1024;

/// What was answered is on its way before a connection is cut: long enough for the other tasks to send it.
const SENDING: Duration = Duration::from_millis(50);

/// Where a call came from.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) shared: Arc<Shared>,
    /// Which node was asked.
    pub(super) node: usize,
    /// Which of its connections asked.
    pub(super) number: u64,
}

impl Connection {
    /// Answers whatever is asked.
    pub(super) async fn answer(self, request: hyper::Request<Incoming>) -> hyper::Response<Body> {
        let path = request.uri().path().to_owned();
        // The package of a service says nothing that its own name does not.
        let call = path.rsplit_once('.').map_or(path.as_str(), |(_, call)| call);
        self.shared.count(call);
        match call {
            "Streams/Append" => {
                let append = service_fn(|request| self.append(request));
                codec::<AppendAnswer, AppendRequest>().client_streaming(append, request).await
            }
            "Streams/Read" => {
                let read = service_fn(|request| future::ready(self.read(request)));
                codec::<ReadAnswer, ReadRequest>().server_streaming(read, request).await
            }
            "Streams/Delete" => {
                let delete = service_fn(|request| future::ready(self.end(request, Log::delete)));
                codec::<DeleteAnswer, DeleteRequest>().unary(delete, request).await
            }
            "Streams/Tombstone" => {
                let bury = service_fn(|request| future::ready(self.end(request, Log::bury)));
                codec::<DeleteAnswer, DeleteRequest>().unary(bury, request).await
            }
            "Gossip/Read" => {
                let gossip = service_fn(|_: Request<()>| future::ready(Ok(Response::new(self.members()))));
                codec::<Members, ()>().unary(gossip, request).await
            }
            "ServerFeatures/GetSupportedMethods" => {
                let features =
                    service_fn(|_: Request<()>| future::ready(Ok(Response::new(supported_methods()))));
                codec::<SupportedMethods, ()>().unary(features, request).await
            }
            _ => Status::unimplemented(path).into_http(),
        }
    }

    fn members(&self) -> Members {
        let leader = self.shared.leader.load(Ordering::SeqCst);
        let member = |(number, node): (usize, &Node)| Member {
            id: Some(Uuid::from_u128(number as u128 + 1).into()),
            time: 0,
            state: if number == leader { Member::LEADER } else { Member::FOLLOWER },
            is_alive: !node.is_away(),
            address: Some(Address { host: node.address.ip().to_string(), port: node.address.port().into() }),
        };
        Members { members: self.shared.nodes.iter().enumerate().map(member).collect() }
    }

    /// A caller may insist on the leader; who does not is served by any node.
    fn may_serve(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let leader = self.shared.leader.load(Ordering::SeqCst);
        let insists = metadata.get("requires-leader").is_some_and(|value| value == "true");
        if !insists || leader == self.node {
            return Ok(());
        }
        let address = self.shared.nodes[leader].address;
        Err(exception(
            Code::NotFound,
            "not-leader",
            &[
                ("leader-endpoint-host", address.ip().to_string()),
                ("leader-endpoint-port", address.port().to_string()),
            ],
        ))
    }

    async fn append(
        &self,
        request: Request<Streaming<AppendRequest>>,
    ) -> Result<Response<AppendAnswer>, Status> {
        self.may_serve(request.metadata())?;
        let append = Append::receive(request.into_inner()).await?;
        let fate = self.shared.faults.lock().next_append(&append.stream);
        match fate {
            None => append.write(&self.shared).map(Response::new),
            Some(AppendFate::Refused(code)) => Err(Status::new(code, "the double was told to refuse")),
            Some(AppendFate::Lost(when)) => {
                if when == Lost::After {
                    // Nobody will hear whether it was refused.
                    let _ = append.write(&self.shared);
                }
                match self.vanish().await {}
            }
            Some(AppendFate::Delayed { wait, took_effect }) => {
                if took_effect {
                    // Nobody will hear whether it was refused.
                    let _ = append.write(&self.shared);
                }
                sleep(wait).await;
                Err(Status::deadline_exceeded("the double was told to be late"))
            }
        }
    }

    /// Deletes a stream, or buries it.
    fn end(
        &self,
        request: Request<DeleteRequest>,
        end: impl FnOnce(&mut Log, &str, Expected) -> Result<u64, Refusal>,
    ) -> Result<Response<DeleteAnswer>, Status> {
        self.may_serve(request.metadata())?;
        let (stream, expected) = aim(request.into_inner().target)?;
        let ended = end(&mut self.shared.log.lock(), &stream, expected);
        self.shared.signal();
        match ended {
            Ok(position) => Ok(Response::new(DeleteAnswer { place: Some(position.into()) })),
            Err(Refusal::Buried) => Err(buried(&stream)),
            // Unlike an append, a deletion has no other answer for this.
            Err(Refusal::WrongExpectedVersion(_)) => {
                Err(exception(Code::FailedPrecondition, "wrong-expected-version", &[("stream-name", stream)]))
            }
        }
    }

    fn read(&self, request: Request<ReadRequest>) -> Result<Response<Answers>, Status> {
        self.may_serve(request.metadata())?;
        let options = request.into_inner().options.unwrap_or_default();
        let fate = match options.extent {
            Some(ReadExtent::Subscription(())) => self.shared.faults.lock().subscriptions.pop_front(),
            _ => self.shared.faults.lock().reads.pop_front(),
        };
        if let Some(ReadFate::Refused(code)) = fate {
            return Err(Status::new(code, "the double was told to refuse"));
        }
        let answers = self.answers(&options)?;
        let answers = match fate {
            Some(ReadFate::CutAfter(events)) => self.clone().cut_after(answers, events),
            _ => answers,
        };
        Ok(Response::new(answers))
    }

    fn answers(&self, options: &ReadOptions) -> Result<Answers, Status> {
        let is_backwards = options.direction == 1;
        match (&options.source, options.extent) {
            (Some(ReadSource::All(all)), Some(ReadExtent::Subscription(()))) if !is_backwards => {
                let subscription = Subscription::new(&self.shared, *all, wanted(options.filter.as_ref())?);
                Ok(subscription.answers())
            }
            (Some(ReadSource::All(all)), Some(ReadExtent::Count(count))) => {
                let wanted = wanted(options.filter.as_ref())?;
                Ok(at_once(read_all(&self.shared.log.lock(), *all, is_backwards, count, &wanted)))
            }
            (Some(ReadSource::Stream(stream)), Some(ReadExtent::Count(count))) => {
                let asked = StreamRead::new(stream, is_backwards, count, options)?;
                let has_positions = self.shared.has_positions.load(Ordering::SeqCst);
                Ok(at_once(asked.answers(&self.shared.log.lock(), has_positions)?))
            }
            (Some(ReadSource::Stream(_)), Some(ReadExtent::Subscription(()))) => {
                Err(Status::unimplemented("the double has subscriptions to all events only"))
            }
            _ => Err(Status::invalid_argument("what is to be read, how much of it and in which direction?")),
        }
    }

    /// Answers until so many events were sent, and then the connection is gone.
    fn cut_after(self, answers: Answers, events: usize) -> Answers {
        let answers = stream::unfold((self, answers, events), |(connection, mut answers, left)| async move {
            let next = if left == 0 { None } else { answers.next().await };
            let Some(answer) = next else {
                sleep(SENDING).await;
                match connection.vanish().await {}
            };
            let is_event = matches!(answer, Ok(ReadAnswer { part: Some(ReadPart::Event(_)) }));
            Some((answer, (connection, answers, left - usize::from(is_event))))
        });
        Box::pin(answers)
    }

    /// Cuts the connection that asks, which nobody can answer then.
    async fn vanish(&self) -> Infallible {
        self.shared.nodes[self.node].cut(self.number);
        future::pending().await
    }
}

fn codec<Answer, Asked>() -> Grpc<ProstCodec<Answer, Asked>>
where
    Answer: prost::Message + 'static,
    Asked: prost::Message + Default + 'static,
{
    Grpc::new(ProstCodec::default()).max_decoding_message_size(MESSAGE_LIMIT)
}

fn supported_methods() -> SupportedMethods {
    let methods = [
        ("read", "event_store.client.streams.streams"),
        ("append", "event_store.client.streams.streams"),
        ("delete", "event_store.client.streams.streams"),
        ("tombstone", "event_store.client.streams.streams"),
        ("read", "event_store.client.gossip.gossip"),
        ("getsupportedmethods", "event_store.client.server_features.serverfeatures"),
    ];
    let methods =
        methods.map(|(method, service)| SupportedMethod { method: method.into(), service: service.into() });
    SupportedMethods { methods: methods.into(), version: VERSION.into() }
}

/// An error as the server names it, beside its code.
fn exception(code: Code, name: &'static str, details: &[(&'static str, String)]) -> Status {
    let mut metadata = MetadataMap::new();
    metadata.insert("exception", AsciiMetadataValue::from_static(name));
    for (key, value) in details {
        // A name that is no header value cannot be told; the real server writes it with percent signs.
        if let Ok(value) = value.parse() {
            metadata.insert(*key, value);
        }
    }
    Status::with_metadata(code, name, metadata)
}

/// The stream was ended for ever.
pub(super) fn buried(stream: &str) -> Status {
    exception(Code::FailedPrecondition, "stream-deleted", &[("stream-name", stream.to_owned())])
}

/// Which stream is meant, and how it is to be.
fn aim(target: Option<Target>) -> Result<(String, Expected), Status> {
    let target = target.ok_or_else(|| Status::invalid_argument("which stream?"))?;
    let expected = target.expected.ok_or_else(|| Status::invalid_argument("which revision?"))?;
    Ok((name_of(target.stream)?, expected))
}

/// A stream's name, which is text for us.
pub(super) fn name_of(stream: Option<StreamName>) -> Result<String, Status> {
    let bytes = stream.ok_or_else(|| Status::invalid_argument("which stream?"))?.bytes;
    String::from_utf8(bytes).map_err(|_| Status::invalid_argument("a stream's name is text"))
}

/// An append, as it came in.
struct Append {
    stream: String,
    expected: Expected,
    events: Vec<Proposed>,
}

impl Append {
    async fn receive(mut parts: Streaming<AppendRequest>) -> Result<Self, Status> {
        let Some(AppendRequest { part: Some(AppendPart::Target(target)) }) = parts.message().await? else {
            return Err(Status::invalid_argument("an append begins by saying where to"));
        };
        let (stream, expected) = aim(Some(target))?;
        let mut events = Vec::new();
        while let Some(request) = parts.message().await? {
            let Some(AppendPart::Event(event)) = request.part else {
                return Err(Status::invalid_argument("an append goes to one stream"));
            };
            events.push(proposed(event)?);
        }
        refuse_too_large(&events)?;
        Ok(Self { stream, expected, events })
    }

    fn write(self, shared: &Shared) -> Result<AppendAnswer, Status> {
        let written = shared.log.lock().append(&self.stream, self.expected, self.events);
        shared.signal();
        let result = match written {
            Ok(written) => AppendResult::Success(success(shared, written)),
            Err(Refusal::WrongExpectedVersion(current)) => {
                AppendResult::WrongExpectedVersion(WrongExpectedVersion {
                    current: Some(current.map_or(CurrentRevision::NoStream(()), CurrentRevision::Revision)),
                    expected: Some(self.expected.into()),
                })
            }
            Err(Refusal::Buried) => return Err(buried(&self.stream)),
        };
        Ok(AppendAnswer { result: Some(result) })
    }
}

fn success(shared: &Shared, written: Option<Written>) -> AppendSuccess {
    let Some(written) = written else {
        let (revision, place) = (SuccessRevision::NoStream(()), SuccessPlace::None(()));
        return AppendSuccess { revision: Some(revision), place: Some(place) };
    };
    let answers_first = shared.answers_first_position.load(Ordering::SeqCst);
    let position = if answers_first { written.first_position } else { written.last_position };
    AppendSuccess {
        revision: Some(SuccessRevision::Revision(written.revision)),
        place: Some(SuccessPlace::Place(position.into())),
    }
}

fn proposed(mut event: ProposedEvent) -> Result<Proposed, Status> {
    let id = event.id.as_ref().and_then(Identifier::read);
    let mut required = |key: &str| {
        let missing = || exception(Code::InvalidArgument, "missing-required-metadata-property", &[]);
        event.metadata.remove(key).ok_or_else(missing)
    };
    Ok(Proposed {
        kind: required("type")?,
        content_type: required("content-type")?,
        id: id.ok_or_else(|| Status::invalid_argument("an event has an id"))?,
        data: event.data,
        custom_metadata: event.custom_metadata,
    })
}

fn refuse_too_large(events: &[Proposed]) -> Result<(), Status> {
    let size: usize = events.iter().map(|event| event.data.len() + event.custom_metadata.len()).sum();
    if size <= APPEND_LIMIT {
        return Ok(());
    }
    Err(exception(
        Code::InvalidArgument,
        "maximum-append-size-exceeded",
        &[("maximum-append-size", APPEND_LIMIT.to_string())],
    ))
}

fn at_once(answers: Vec<ReadAnswer>) -> Answers {
    Box::pin(stream::iter(answers.into_iter().map(Ok)))
}
