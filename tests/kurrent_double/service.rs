//! The calls that the double answers, and what its other files need to answer theirs.

#![expect(clippy::result_large_err, reason = "an error of a call is what the protocol's library says it is")]

use std::{
    convert::Infallible,
    future,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use hyper::body::Incoming;
use tonic::{
    Code, Request, Response, Status,
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
    log::{Log, Refusal},
    protocol::{
        Address, AppendAnswer, AppendRequest, BatchAnswer, BatchRequest, DeleteAnswer, DeleteRequest,
        Expected, Member, Members, ReadAnswer, ReadRequest, StreamName, SupportedMethod, SupportedMethods,
        Target,
    },
};

/// The version of the server that the double takes after.
const VERSION: &str = "24.10.0";

/// The call of many appends, of which each is counted instead of the call.
pub(super) const BATCH_APPEND: &str = "Streams/BatchAppend";

/// More than an append may hold, so that one that is too large is refused by name.
const MESSAGE_LIMIT: usize = 17 * 1024 * 1024;

/// What was answered is on its way before a connection is cut: long enough for the other tasks to send it.
pub(super) const SENDING: Duration = Duration::from_millis(50);

/// What the double says that it can do, and of which service.
const METHODS: [(&str, &str); 7] = [
    ("read", "event_store.client.streams.streams"),
    ("append", "event_store.client.streams.streams"),
    ("batchappend", "event_store.client.streams.streams"),
    ("delete", "event_store.client.streams.streams"),
    ("tombstone", "event_store.client.streams.streams"),
    ("read", "event_store.client.gossip.gossip"),
    ("getsupportedmethods", "event_store.client.server_features.serverfeatures"),
];

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
        if call != BATCH_APPEND {
            self.shared.count(call);
        }
        match call {
            "Streams/Append" => {
                let append = service_fn(|request| self.append(request));
                codec::<AppendAnswer, AppendRequest>().client_streaming(append, request).await
            }
            BATCH_APPEND if self.shared.knows_batches.load(Ordering::SeqCst) => {
                let append =
                    service_fn(|request| future::ready(Ok(Response::new(self.append_many(request)))));
                codec::<BatchAnswer, BatchRequest>().streaming(append, request).await
            }
            "Streams/Read" => {
                let read = service_fn(|request| self.read(request));
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
                    service_fn(|_: Request<()>| future::ready(Ok(Response::new(self.supported_methods()))));
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

    fn supported_methods(&self) -> SupportedMethods {
        let knows_batches = self.shared.knows_batches.load(Ordering::SeqCst);
        let methods = METHODS.iter().filter(|(method, _)| knows_batches || *method != "batchappend").map(
            |(method, service)| SupportedMethod {
                method: (*method).to_owned(),
                service: (*service).to_owned(),
            },
        );
        SupportedMethods { methods: methods.collect(), version: VERSION.to_owned() }
    }

    /// A caller may insist on the leader; who does not is served by any node.
    pub(super) fn may_serve(&self, metadata: &MetadataMap) -> Result<(), Status> {
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

    /// Deletes a stream, or buries it.
    fn end(
        &self,
        request: Request<DeleteRequest>,
        end: impl FnOnce(&mut Log, &str, Expected) -> Result<u64, Refusal>,
    ) -> Result<Response<DeleteAnswer>, Status> {
        self.may_serve(request.metadata())?;
        let (stream, expected) = aim(request.into_inner().target)?;
        let ended = end(&mut self.shared.log.lock(), &stream, expected);
        match ended {
            Ok(position) => Ok(Response::new(DeleteAnswer { place: Some(position.into()) })),
            Err(Refusal::Buried) => Err(buried(&stream)),
            // Unlike an append, a deletion has no other answer for this.
            Err(Refusal::WrongExpectedVersion(_)) => {
                Err(exception(Code::FailedPrecondition, "wrong-expected-version", &[("stream-name", stream)]))
            }
        }
    }

    /// Cuts the connection that asks, which nobody can answer then.
    pub(super) async fn vanish(&self) -> Infallible {
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

/// An error as the server names it, beside its code.
pub(super) fn exception(code: Code, name: &'static str, details: &[(&'static str, String)]) -> Status {
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
pub(super) fn aim(target: Option<Target>) -> Result<(String, Expected), Status> {
    let target = target.ok_or_else(|| Status::invalid_argument("which stream?"))?;
    let expected = target.expected.ok_or_else(|| Status::invalid_argument("which revision?"))?;
    Ok((name_of(target.stream)?, expected))
}

/// A stream's name, which is text for us.
pub(super) fn name_of(stream: Option<StreamName>) -> Result<String, Status> {
    let bytes = stream.ok_or_else(|| Status::invalid_argument("which stream?"))?.bytes;
    String::from_utf8(bytes).map_err(|_| Status::invalid_argument("a stream's name is text"))
}
