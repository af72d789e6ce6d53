//! The messages of KurrentDB's gRPC protocol, as far as the double speaks it: fields that nobody here fills
//! or reads are left out, which the encoding allows.

use std::collections::BTreeMap;

use prost::bytes::Bytes;
use uuid::Uuid;

/// An identifier, in either of the two shapes that the protocol has for it.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Identifier {
    #[prost(oneof = "IdentifierShape", tags = "1, 2")]
    pub(super) shape: Option<IdentifierShape>,
}

/// The two shapes.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum IdentifierShape {
    #[prost(message, tag = "1")]
    Halves(Halves),
    #[prost(string, tag = "2")]
    Text(String),
}

/// An identifier as two numbers.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct Halves {
    #[prost(int64, tag = "1")]
    pub(super) most_significant: i64,
    #[prost(int64, tag = "2")]
    pub(super) least_significant: i64,
}

impl Identifier {
    /// None if nothing, or no identifier, was sent.
    pub(super) fn read(&self) -> Option<Uuid> {
        match self.shape.as_ref()? {
            IdentifierShape::Halves(halves) => Some(Uuid::from_u64_pair(
                halves.most_significant.cast_unsigned(),
                halves.least_significant.cast_unsigned(),
            )),
            IdentifierShape::Text(text) => text.parse().ok(),
        }
    }
}

impl From<Uuid> for Identifier {
    fn from(id: Uuid) -> Self {
        Self { shape: Some(IdentifierShape::Text(id.to_string())) }
    }
}

/// The name of a stream.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct StreamName {
    #[prost(bytes = "vec", tag = "3")]
    pub(super) bytes: Vec<u8>,
}

impl From<&str> for StreamName {
    fn from(name: &str) -> Self {
        Self { bytes: name.into() }
    }
}

/// A place in the log of all events.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct Place {
    #[prost(uint64, tag = "1")]
    pub(super) commit: u64,
    #[prost(uint64, tag = "2")]
    pub(super) prepare: u64,
}

impl From<u64> for Place {
    fn from(position: u64) -> Self {
        Self { commit: position, prepare: position }
    }
}

/// What a writer believes about the stream. Appending in either way, deleting and burying share it.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Target {
    #[prost(message, optional, tag = "1")]
    pub(super) stream: Option<StreamName>,
    #[prost(oneof = "Expected", tags = "2, 3, 4, 5")]
    pub(super) expected: Option<Expected>,
}

/// The state in which the stream is to be.
#[derive(Clone, Copy, PartialEq, Eq, prost::Oneof)]
pub(super) enum Expected {
    #[prost(uint64, tag = "2")]
    Revision(u64),
    #[prost(message, tag = "3")]
    NoStream(()),
    #[prost(message, tag = "4")]
    Any(()),
    #[prost(message, tag = "5")]
    StreamExists(()),
}

impl Expected {
    /// Whether the writer does not say where in the stream the events come to stand.
    pub(super) fn is_vague(self) -> bool {
        matches!(self, Self::Any(()) | Self::StreamExists(()))
    }
}

/// One message of an append: first where to, then each event.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct AppendRequest {
    #[prost(oneof = "AppendPart", tags = "1, 2")]
    pub(super) part: Option<AppendPart>,
}

/// The two kinds of messages of an append.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum AppendPart {
    #[prost(message, tag = "1")]
    Target(Target),
    #[prost(message, tag = "2")]
    Event(ProposedEvent),
}

/// An event on its way in.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ProposedEvent {
    #[prost(message, optional, tag = "1")]
    pub(super) id: Option<Identifier>,
    #[prost(btree_map = "string, string", tag = "2")]
    pub(super) metadata: BTreeMap<String, String>,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) custom_metadata: Bytes,
    #[prost(bytes = "bytes", tag = "4")]
    pub(super) data: Bytes,
}

/// How an append went.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct AppendAnswer {
    #[prost(oneof = "AppendResult", tags = "1, 2")]
    pub(super) result: Option<AppendResult>,
}

/// The two ways in which an append is answered; all others are errors of the call.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum AppendResult {
    #[prost(message, tag = "1")]
    Success(AppendSuccess),
    #[prost(message, tag = "2")]
    WrongExpectedVersion(WrongExpectedVersion),
}

/// Where the events stand. An append of many is answered with the same.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct AppendSuccess {
    #[prost(oneof = "SuccessRevision", tags = "1, 2")]
    pub(super) revision: Option<SuccessRevision>,
    #[prost(oneof = "SuccessPlace", tags = "3, 4")]
    pub(super) place: Option<SuccessPlace>,
}

/// The revision of the last event of an append.
#[derive(Clone, Copy, PartialEq, prost::Oneof)]
pub(super) enum SuccessRevision {
    #[prost(uint64, tag = "1")]
    Revision(u64),
    #[prost(message, tag = "2")]
    NoStream(()),
}

/// The place of an append in the log.
#[derive(Clone, Copy, PartialEq, prost::Oneof)]
pub(super) enum SuccessPlace {
    #[prost(message, tag = "3")]
    Place(Place),
    #[prost(message, tag = "4")]
    None(()),
}

/// The stream was not as expected.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct WrongExpectedVersion {
    #[prost(oneof = "CurrentRevision", tags = "6, 7")]
    pub(super) current: Option<CurrentRevision>,
    #[prost(oneof = "RefusedExpectation", tags = "8, 9, 10, 11")]
    pub(super) expected: Option<RefusedExpectation>,
}

/// How the stream is.
#[derive(Clone, Copy, PartialEq, prost::Oneof)]
pub(super) enum CurrentRevision {
    #[prost(uint64, tag = "6")]
    Revision(u64),
    #[prost(message, tag = "7")]
    NoStream(()),
}

/// What had been expected, sent back.
#[derive(Clone, Copy, PartialEq, prost::Oneof)]
pub(super) enum RefusedExpectation {
    #[prost(uint64, tag = "8")]
    Revision(u64),
    #[prost(message, tag = "9")]
    Any(()),
    #[prost(message, tag = "10")]
    StreamExists(()),
    #[prost(message, tag = "11")]
    NoStream(()),
}

impl From<Expected> for RefusedExpectation {
    fn from(expected: Expected) -> Self {
        match expected {
            Expected::Revision(revision) => Self::Revision(revision),
            Expected::NoStream(()) => Self::NoStream(()),
            Expected::Any(()) => Self::Any(()),
            Expected::StreamExists(()) => Self::StreamExists(()),
        }
    }
}

/// One append of many in one call.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct BatchRequest {
    /// The answer has the same.
    #[prost(message, optional, tag = "1")]
    pub(super) correlation: Option<Identifier>,
    #[prost(message, optional, tag = "2")]
    pub(super) target: Option<Target>,
    #[prost(message, repeated, tag = "3")]
    pub(super) events: Vec<ProposedEvent>,
    /// Otherwise more events of the same append are to come.
    #[prost(bool, tag = "4")]
    pub(super) is_final: bool,
}

/// How one append of many went.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct BatchAnswer {
    #[prost(message, optional, tag = "1")]
    pub(super) correlation: Option<Identifier>,
    #[prost(oneof = "BatchResult", tags = "2, 3")]
    pub(super) result: Option<BatchResult>,
    #[prost(message, optional, tag = "4")]
    pub(super) stream: Option<StreamName>,
}

/// The two ways in which one append of many is answered.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum BatchResult {
    #[prost(message, tag = "2")]
    Error(BatchError),
    #[prost(message, tag = "3")]
    Success(AppendSuccess),
}

/// Why an append of many was not carried out, while the call goes on.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct BatchError {
    /// Numbered as the errors of calls are.
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
}

/// Asks to delete a stream, or to bury it for ever.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct DeleteRequest {
    #[prost(message, optional, tag = "1")]
    pub(super) target: Option<Target>,
}

/// Where the deletion stands in the log.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct DeleteAnswer {
    #[prost(message, optional, tag = "1")]
    pub(super) place: Option<Place>,
}

/// Asks for events.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ReadRequest {
    #[prost(message, optional, tag = "1")]
    pub(super) options: Option<ReadOptions>,
}

/// Which events, from where, in which direction and how many.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ReadOptions {
    #[prost(oneof = "ReadSource", tags = "1, 2")]
    pub(super) source: Option<ReadSource>,
    /// 0 is forwards.
    #[prost(int32, tag = "3")]
    pub(super) direction: i32,
    #[prost(oneof = "ReadExtent", tags = "5, 6")]
    pub(super) extent: Option<ReadExtent>,
    #[prost(message, optional, tag = "7")]
    pub(super) filter: Option<ReadFilter>,
    #[prost(message, optional, tag = "10")]
    pub(super) control: Option<ReadControl>,
}

impl ReadOptions {
    /// The number that says that a read goes backwards.
    const BACKWARDS: i32 = 1;

    /// From the last event towards the first.
    pub(super) fn is_backwards(&self) -> bool {
        self.direction == Self::BACKWARDS
    }
}

/// One stream, or all of them.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum ReadSource {
    #[prost(message, tag = "1")]
    Stream(StreamSource),
    #[prost(message, tag = "2")]
    All(AllSource),
}

/// A stream and the revision to begin with.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct StreamSource {
    #[prost(message, optional, tag = "1")]
    pub(super) stream: Option<StreamName>,
    #[prost(oneof = "StreamFrom", tags = "2, 3, 4")]
    pub(super) from: Option<StreamFrom>,
}

/// Where to begin in a stream.
#[derive(Clone, Copy, PartialEq, prost::Oneof)]
pub(super) enum StreamFrom {
    #[prost(uint64, tag = "2")]
    Revision(u64),
    #[prost(message, tag = "3")]
    Start(()),
    #[prost(message, tag = "4")]
    End(()),
}

/// The position to begin with.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct AllSource {
    #[prost(oneof = "AllFrom", tags = "1, 2, 3")]
    pub(super) from: Option<AllFrom>,
}

/// Where to begin in the log of all events.
#[derive(Clone, Copy, PartialEq, prost::Oneof)]
pub(super) enum AllFrom {
    #[prost(message, tag = "1")]
    Place(Place),
    #[prost(message, tag = "2")]
    Start(()),
    #[prost(message, tag = "3")]
    End(()),
}

/// So many events, or those that are still to come as well, which the double does not do.
#[derive(Clone, Copy, PartialEq, prost::Oneof)]
pub(super) enum ReadExtent {
    #[prost(uint64, tag = "5")]
    Count(u64),
    #[prost(message, tag = "6")]
    Subscription(()),
}

/// Which of all events are wanted.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ReadFilter {
    #[prost(oneof = "FilterBy", tags = "1, 2")]
    pub(super) by: Option<FilterBy>,
}

/// By the name of the stream or by the type of the event.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum FilterBy {
    #[prost(message, tag = "1")]
    Stream(FilterExpression),
    #[prost(message, tag = "2")]
    Type(FilterExpression),
}

/// How a name is to look. The expression, if there is one, wins over the prefixes.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct FilterExpression {
    #[prost(string, tag = "1")]
    pub(super) regex: String,
    #[prost(string, repeated, tag = "2")]
    pub(super) prefixes: Vec<String>,
}

/// What the reader understands beyond the first version of the protocol.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct ReadControl {
    #[prost(uint32, tag = "1")]
    pub(super) compatibility: u32,
}

/// One message of the answer to a read.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ReadAnswer {
    #[prost(oneof = "ReadPart", tags = "1, 4, 5, 6")]
    pub(super) part: Option<ReadPart>,
}

/// The kinds of messages with which a read is answered.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum ReadPart {
    #[prost(message, tag = "1")]
    Event(ReadEvent),
    #[prost(message, tag = "4")]
    StreamNotFound(StreamNotFound),
    #[prost(uint64, tag = "5")]
    FirstStreamPosition(u64),
    #[prost(uint64, tag = "6")]
    LastStreamPosition(u64),
}

impl From<ReadPart> for ReadAnswer {
    fn from(part: ReadPart) -> Self {
        Self { part: Some(part) }
    }
}

/// An event on its way out.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ReadEvent {
    #[prost(message, optional, tag = "1")]
    pub(super) event: Option<RecordedEvent>,
    #[prost(oneof = "ReadEventPlace", tags = "3, 4")]
    pub(super) place: Option<ReadEventPlace>,
}

/// Where the event stands in the log, as far as the reader is told.
#[derive(Clone, Copy, PartialEq, prost::Oneof)]
pub(super) enum ReadEventPlace {
    #[prost(uint64, tag = "3")]
    Commit(u64),
    #[prost(message, tag = "4")]
    None(()),
}

/// What was recorded.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RecordedEvent {
    #[prost(message, optional, tag = "1")]
    pub(super) id: Option<Identifier>,
    #[prost(message, optional, tag = "2")]
    pub(super) stream: Option<StreamName>,
    #[prost(uint64, tag = "3")]
    pub(super) revision: u64,
    #[prost(uint64, tag = "4")]
    pub(super) prepare: u64,
    #[prost(uint64, tag = "5")]
    pub(super) commit: u64,
    #[prost(btree_map = "string, string", tag = "6")]
    pub(super) metadata: BTreeMap<String, String>,
    #[prost(bytes = "bytes", tag = "7")]
    pub(super) custom_metadata: Bytes,
    #[prost(bytes = "bytes", tag = "8")]
    pub(super) data: Bytes,
}

/// There is no such stream, or it was deleted.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct StreamNotFound {
    #[prost(message, optional, tag = "1")]
    pub(super) stream: Option<StreamName>,
}

/// Who is in the cluster.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Members {
    #[prost(message, repeated, tag = "1")]
    pub(super) members: Vec<Member>,
}

/// A node, as the others see it.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Member {
    #[prost(message, optional, tag = "1")]
    pub(super) id: Option<Identifier>,
    #[prost(int64, tag = "2")]
    pub(super) time: i64,
    #[prost(int32, tag = "3")]
    pub(super) state: i32,
    #[prost(bool, tag = "4")]
    pub(super) is_alive: bool,
    #[prost(message, optional, tag = "5")]
    pub(super) address: Option<Address>,
}

impl Member {
    /// The number that says that a node follows.
    pub(super) const FOLLOWER: i32 = 6;
    /// The number that says that a node leads.
    pub(super) const LEADER: i32 = 8;
}

/// Where a node is reached.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Address {
    #[prost(string, tag = "1")]
    pub(super) host: String,
    #[prost(uint32, tag = "2")]
    pub(super) port: u32,
}

/// What the server can do.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SupportedMethods {
    #[prost(message, repeated, tag = "1")]
    pub(super) methods: Vec<SupportedMethod>,
    #[prost(string, tag = "2")]
    pub(super) version: String,
}

/// One call that the server knows, in small letters.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SupportedMethod {
    #[prost(string, tag = "1")]
    pub(super) method: String,
    #[prost(string, tag = "2")]
    pub(super) service: String,
}
