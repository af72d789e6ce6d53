//! Appends, one to a call or many to a call: how they come in, what becomes of them when a fault is set, and
//! how they are answered.

#![expect(clippy::result_large_err, reason = "an error of a call is what the protocol's library says it is")]

use std::{sync::atomic::Ordering, time::Duration};

use futures::{Stream, StreamExt as _};
use tokio::time::sleep;
use tonic::{Code, Request, Response, Status, Streaming, metadata::MetadataMap};

use super::{
    Shared,
    faults::{AppendFate, Lost},
    log::{Proposed, Refusal, Written},
    protocol::{
        AppendAnswer, AppendPart, AppendRequest, AppendResult, AppendSuccess, BatchAnswer, BatchError,
        BatchRequest, BatchResult, CurrentRevision, Expected, Identifier, ProposedEvent, SuccessPlace,
        SuccessRevision, Target, WrongExpectedVersion,
    },
    service::{BATCH_APPEND, Connection, SENDING, aim, buried, exception},
};

/// Contents of all events of an append together.
const APPEND_LIMIT: usize = 1024 * 1024;

/// What the log says to an append.
type Outcome = Result<Option<Written>, Refusal>;

impl Connection {
    /// One append.
    pub(super) async fn append(
        &self,
        request: Request<Streaming<AppendRequest>>,
    ) -> Result<Response<AppendAnswer>, Status> {
        self.may_serve(request.metadata())?;
        let append = Append::receive(request.into_inner()).await?;
        if append.is_too_large() {
            let limit = ("maximum-append-size", APPEND_LIMIT.to_string());
            return Err(exception(Code::InvalidArgument, "maximum-append-size-exceeded", &[limit]));
        }
        let (stream, expected) = (append.stream.clone(), append.expected);
        let result = match self.carry_out(append, Duration::ZERO).await? {
            Ok(written) => AppendResult::Success(success(&self.shared, written)),
            Err(Refusal::WrongExpectedVersion(current)) => {
                AppendResult::WrongExpectedVersion(WrongExpectedVersion {
                    current: Some(current.map_or(CurrentRevision::NoStream(()), CurrentRevision::Revision)),
                    expected: Some(expected.into()),
                })
            }
            Err(Refusal::Buried) => return Err(buried(&stream)),
        };
        Ok(Response::new(AppendAnswer { result: Some(result) }))
    }

    /// Appends for as long as the caller sends some, one after the other.
    pub(super) fn append_many(
        &self,
        request: Request<Streaming<BatchRequest>>,
    ) -> impl Stream<Item = Result<BatchAnswer, Status>> + Send + use<> {
        let connection = self.clone();
        let (metadata, _, requests) = request.into_parts();
        requests.then(move |request| {
            let (connection, metadata) = (connection.clone(), metadata.clone());
            async move { connection.append_one_of_many(request?, &metadata).await }
        })
    }

    /// An error here ends the call, and with it what the caller has sent since: so does the real server where
    /// another node leads.
    async fn append_one_of_many(
        &self,
        request: BatchRequest,
        metadata: &MetadataMap,
    ) -> Result<BatchAnswer, Status> {
        self.shared.count(BATCH_APPEND);
        self.may_serve(metadata)?;
        let correlation = request.correlation.clone();
        let stream = request.target.as_ref().and_then(|target| target.stream.clone());
        let result = match self.result_of(request).await {
            Ok(success) => BatchResult::Success(success),
            Err(status) => BatchResult::Error(BatchError {
                code: status.code().into(),
                message: status.message().to_owned(),
            }),
        };
        Ok(BatchAnswer { correlation, result: Some(result), stream })
    }

    /// An error here is the answer to this append alone.
    async fn result_of(&self, request: BatchRequest) -> Result<AppendSuccess, Status> {
        if !request.is_final {
            return Err(Status::unimplemented("the double wants all events of an append at once"));
        }
        let append = Append::new(request.target, request.events)?;
        if append.is_too_large() {
            return Err(Status::invalid_argument("MaximumAppendSizeExceeded"));
        }
        match self.carry_out(append, SENDING).await? {
            Ok(written) => Ok(success(&self.shared, written)),
            Err(Refusal::WrongExpectedVersion(_)) => Err(Status::failed_precondition("WrongExpectedVersion")),
            Err(Refusal::Buried) => Err(Status::failed_precondition("StreamDeleted")),
        }
    }

    /// Writes, unless a fault is set for it. A connection that is to be lost stays for so long, for the sake
    /// of what it was answered before.
    async fn carry_out(&self, append: Append, before_it_is_lost: Duration) -> Result<Outcome, Status> {
        let fate = self.shared.faults.lock().next_append(&append.stream);
        match fate {
            None => Ok(append.write(&self.shared)),
            Some(AppendFate::Refused(code)) => Err(Status::new(code, "the double was told to refuse")),
            Some(AppendFate::Lost(when)) => {
                if when == Lost::After {
                    // Nobody will hear whether it was refused.
                    let _ = append.write(&self.shared);
                }
                sleep(before_it_is_lost).await;
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
}

/// An append, as it came in.
struct Append {
    stream: String,
    expected: Expected,
    events: Vec<Proposed>,
}

impl Append {
    fn new(target: Option<Target>, events: Vec<ProposedEvent>) -> Result<Self, Status> {
        let (stream, expected) = aim(target)?;
        Ok(Self { stream, expected, events: events.into_iter().map(proposed).collect::<Result<_, _>>()? })
    }

    async fn receive(mut parts: Streaming<AppendRequest>) -> Result<Self, Status> {
        let Some(AppendRequest { part: Some(AppendPart::Target(target)) }) = parts.message().await? else {
            return Err(Status::invalid_argument("an append begins by saying where to"));
        };
        let mut events = Vec::new();
        while let Some(request) = parts.message().await? {
            let Some(AppendPart::Event(event)) = request.part else {
                return Err(Status::invalid_argument("an append goes to one stream"));
            };
            events.push(event);
        }
        Self::new(Some(target), events)
    }

    fn is_too_large(&self) -> bool {
        let sizes = self.events.iter().map(|event| event.data.len() + event.custom_metadata.len());
        sizes.sum::<usize>() > APPEND_LIMIT
    }

    fn write(self, shared: &Shared) -> Outcome {
        shared.log.lock().append(&self.stream, self.expected, self.events)
    }
}

fn success(shared: &Shared, written: Option<Written>) -> AppendSuccess {
    let Some(written) = written else {
        let (revision, place) = (SuccessRevision::NoStream(()), SuccessPlace::None(()));
        return AppendSuccess { revision: Some(revision), place: Some(place) };
    };
    let forgets = written.is_repeat && shared.forgets_positions_of_repeats.load(Ordering::SeqCst);
    let answers_first = shared.answers_first_position.load(Ordering::SeqCst);
    let position = if answers_first { written.first_position } else { written.last_position };
    let place = if forgets { SuccessPlace::None(()) } else { SuccessPlace::Place(position.into()) };
    AppendSuccess { revision: Some(SuccessRevision::Revision(written.revision)), place: Some(place) }
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
