//! A subscription to all events: those that stand, and then those that are appended, for as long as somebody
//! listens.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
};

use futures::stream;
use tokio::sync::watch;
use tonic::Status;
use uuid::Uuid;

use super::{
    Shared,
    faults::EndWith,
    log::Log,
    protocol::{AllFrom, AllSource, Confirmation, Place, ReadAnswer, ReadPart},
    reads::{Answers, Wanted, shown},
};

/// After so many events that a subscriber does not want it hears where it is.
const EVENTS_TO_A_CHECKPOINT: usize = 32;

/// All events from a place on, and then those that are appended.
pub(super) struct Subscription {
    shared: Arc<Shared>,
    /// Hears of every change of the log and of the faults.
    signal: watch::Receiver<u64>,
    wanted: Wanted,
    /// How many events of the log were looked at.
    seen: usize,
    /// How many of the last ones were not wanted.
    unwanted: usize,
    /// How often subscriptions had been ended when this one began.
    endings: u64,
    is_confirmed: bool,
    is_live: bool,
    is_over: bool,
    /// What is to be sent before anything else.
    waiting: VecDeque<ReadAnswer>,
}

impl Subscription {
    /// From just after a place on.
    pub(super) fn new(shared: &Arc<Shared>, all: AllSource, wanted: Wanted) -> Self {
        let endings = shared.faults.lock().endings;
        let log = shared.log.lock();
        let seen = match all.from {
            Some(AllFrom::Place(place)) => log.count_before(place.commit.saturating_add(1)),
            Some(AllFrom::End(())) => log.events().len(),
            _ => 0,
        };
        shared.subscriptions.fetch_add(1, Ordering::SeqCst);
        Self {
            shared: Arc::clone(shared),
            signal: shared.signal.subscribe(),
            wanted,
            seen,
            unwanted: 0,
            endings,
            is_confirmed: false,
            is_live: false,
            is_over: false,
            waiting: VecDeque::new(),
        }
    }

    /// What the subscriber hears, as long as it listens.
    pub(super) fn answers(self) -> Answers {
        Box::pin(stream::unfold(self, |mut subscription| async move {
            let answer = subscription.next().await?;
            Some((answer, subscription))
        }))
    }

    async fn next(&mut self) -> Option<Result<ReadAnswer, Status>> {
        if self.is_over {
            return None;
        }
        loop {
            self.signal.borrow_and_update();
            match self.step() {
                Step::Answer(answer) => return Some(Ok(answer)),
                Step::End(EndWith::Ok) => return None,
                Step::End(EndWith::Error(code)) => {
                    self.is_over = true;
                    return Some(Err(Status::new(code, "the double was told to end subscriptions")));
                }
                Step::Wait => self.signal.changed().await.ok()?,
            }
        }
    }

    /// The faults stay locked meanwhile, so that what is set before an event is appended holds for that
    /// event.
    fn step(&mut self) -> Step {
        let shared = Arc::clone(&self.shared);
        let faults = shared.faults.lock();
        if let Some(end_with) = faults.end_with.filter(|_| faults.endings > self.endings) {
            return Step::End(end_with);
        }
        if !self.is_confirmed {
            self.is_confirmed = true;
            let subscription = Uuid::from_u64_pair(self.endings, self.seen as u64).to_string();
            return Step::Answer(ReadPart::Confirmation(Confirmation { subscription }).into());
        }
        if faults.stalls_subscriptions {
            return Step::Wait;
        }
        if let Some(answer) = self.waiting.pop_front() {
            return Step::Answer(answer);
        }
        self.look(&shared.log.lock(), faults.repeats_in_subscriptions)
    }

    /// Looks at the events that are new, up to the first thing worth saying.
    fn look(&mut self, log: &Log, repeats: bool) -> Step {
        while let Some(event) = log.events().get(self.seen) {
            self.seen += 1;
            if (self.wanted)(event) {
                self.unwanted = 0;
                if self.is_live && repeats {
                    self.waiting.push_back(shown(event, true));
                }
                return Step::Answer(shown(event, true));
            }
            self.unwanted += 1;
            if self.unwanted == EVENTS_TO_A_CHECKPOINT {
                self.unwanted = 0;
                return Step::Answer(ReadPart::Checkpoint(Place::from(event.position)).into());
            }
        }
        if self.is_live {
            return Step::Wait;
        }
        self.is_live = true;
        Step::Answer(ReadPart::CaughtUp(()).into())
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.shared.subscriptions.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What a subscription does next.
enum Step {
    Answer(ReadAnswer),
    End(EndWith),
    /// Until something changes.
    Wait,
}
